//! Whether an interface has a link, asked of its driver: for interfaces whose carrier the kernel does not tell of. Asking
//! may take a driver milliseconds: not for a thread that must be punctual.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};

/// `linux/sockios.h`.
const SIOCGMIIPHY: libc::c_ulong = 0x8947;
const SIOCGMIIREG: libc::c_ulong = 0x8948;
/// `linux/ethtool.h`.
const ETHTOOL_GLINK: u32 = 0xa;
/// `linux/mii.h`: the basic mode status register, and its bit for a link.
const BMSR: u16 = 1;
const BMSR_LINK: u16 = 0x4;

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// The registers of its transceiver.
    Mii,
    /// `ETHTOOL_GLINK`.
    Ethtool,
    /// Its flags: `IFF_RUNNING`.
    Flags,
}

/// `struct mii_ioctl_data`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct MiiData {
    phy: u16,
    register: u16,
    value_in: u16,
    value_out: u16,
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Asks interfaces.
#[derive(Debug)]
pub struct Linkbeat {
    socket: Socket,
}

impl Linkbeat {
    /// Opens the socket over which drivers are asked.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn open() -> io::Result<Self> {
        Ok(Self { socket: Socket::new(Domain::IPV4, Type::DGRAM, None)? })
    }

    /// Whether the interface of this name has a link.
    ///
    /// # Errors
    /// When it is not there, or its driver knows no such question.
    pub fn ask(&self, interface: &str, method: Method) -> io::Result<bool> {
        let mut request = named(interface)?;
        match method {
            Method::Flags => {
                self.call(libc::SIOCGIFFLAGS, &mut request)?;
                // SAFETY: the kernel has filled in the flags, a plain number.
                let flags = unsafe { request.ifr_ifru.ifru_flags };
                Ok(i32::from(flags) & libc::IFF_RUNNING != 0)
            }
            Method::Ethtool => {
                let mut value = EthtoolValue { command: ETHTOOL_GLINK, data: 0 };
                request.ifr_ifru.ifru_data = (&raw mut value).cast();
                self.call(libc::SIOCETHTOOL, &mut request)?;
                Ok(value.data != 0)
            }
            Method::Mii => {
                self.call(SIOCGMIIPHY, &mut request)?;
                // The bit stays 0 after a loss until it has been read: twice tells how it is now.
                let mut status = 0;
                for _ in 0..2 {
                    let mut data = mii(&request);
                    data.register = BMSR;
                    put_mii(&mut request, data);
                    self.call(SIOCGMIIREG, &mut request)?;
                    status = mii(&request).value_out;
                }
                // All ones: there is no transceiver.
                if status == u16::MAX { Err(Errno::ENODEV.into()) } else { Ok(status & BMSR_LINK != 0) }
            }
        }
    }

    fn call(&self, request: libc::c_ulong, about: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: each request takes a `struct ifreq`; where that holds a pointer, what it leads to lives during the call.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), request as libc::Ioctl, about) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn named(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all zeros are a valid `struct ifreq`: an empty name, and numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(Errno::ENODEV.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

/// The kernel keeps its `struct mii_ioctl_data` in the place of the request's data.
fn mii(request: &libc::ifreq) -> MiiData {
    // SAFETY: eight octets of plain numbers out of the twenty-four of the union.
    unsafe { (&raw const request.ifr_ifru).cast::<MiiData>().read_unaligned() }
}

fn put_mii(request: &mut libc::ifreq, data: MiiData) {
    // SAFETY: as above, in the other direction.
    unsafe { (&raw mut request.ifr_ifru).cast::<MiiData>().write_unaligned(data) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_answers_by_its_flags_and_what_is_not_there_does_not() {
        let linkbeat = Linkbeat::open().unwrap();
        assert!(linkbeat.ask("lo", Method::Flags).is_ok());
        assert!(linkbeat.ask("lo", Method::Mii).is_err(), "it has no transceiver");
        for method in [Method::Flags, Method::Ethtool, Method::Mii] {
            assert!(linkbeat.ask("kw-none", method).is_err());
            assert!(linkbeat.ask("a-name-that-is-much-too-long", method).is_err());
        }
    }
}
