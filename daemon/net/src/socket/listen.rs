//! A packet socket that only listens: every VRRP packet of an interface, those that this host sends too.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{LinkAddr, recvfrom};
use socket2::{Domain, SockFilter, Socket, Type};

use crate::error::{Error, Result};
use crate::link::LinkIndex;
use crate::wire::ethernet::{MacAddress, TYPE_IPV4, TYPE_IPV6};

/// IP protocols that are listened for: VRRP (RFC 9568 §5.1.1.4), and the authentication header that may stand before it.
const VRRP: u32 = 112;
const AH: u32 = 51;
/// The bits of a VLAN tag that are its id.
const VLAN_ID: u32 = 0x0fff;
/// Where the header of IPv4 has the protocol, and that of IPv6 the next header.
const PROTOCOL_4: u32 = 9;
const PROTOCOL_6: u32 = 6;
/// The groups of VRRP as hardware addresses (RFC 9568 §5.1.1.2, §5.1.2.2).
const GROUPS: [MacAddress; 2] =
    [MacAddress([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]), MacAddress([0x33, 0x33, 0x00, 0x00, 0x00, 0x12])];

/// What is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overheard<'a> {
    /// [`TYPE_IPV4`] or [`TYPE_IPV6`].
    pub ethertype: u16,
    /// The sender's hardware address, where the link has such.
    pub hardware: Option<MacAddress>,
    /// The packet, IP header first.
    pub packet: &'a [u8],
}

/// Listens to the VRRP packets of one interface. It joins no group by IGMP or MLD: nothing is sent.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    buffer: Box<[u8]>,
}

/// The kernel drops everything else: what belongs to a VLAN on the interface (an interface of its own, where it is
/// heard), then by protocol, then by what the IP header says.
fn filter() -> [libc::sock_filter; 14] {
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |size: u32, at: u32| step(libc::BPF_LD | size | libc::BPF_ABS, 0, 0, at);
    let equal = |k: u32, jt: u8, jf: u8| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, k);
    let and = |k: u32| step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, k);
    let answer = |k: u32| step(libc::BPF_RET | libc::BPF_K, 0, 0, k);
    // These are read from the packet's side data: this socket sees no link-layer header, and the kernel takes the tag of
    // a VLAN off before it looks whose frame it is.
    let beside = |what: i32| (libc::SKF_AD_OFF + what) as u32;
    [
        load(libc::BPF_W, beside(libc::SKF_AD_VLAN_TAG_PRESENT)),
        equal(0, 3, 0),
        // Id 0 is no VLAN but a priority only (IEEE 802.1Q §6.9): such frames are the interface's own. Without a tag, the
        // number may be what was there before.
        load(libc::BPF_W, beside(libc::SKF_AD_VLAN_TAG)),
        and(VLAN_ID),
        equal(0, 0, 8),
        load(libc::BPF_H, beside(libc::SKF_AD_PROTOCOL)),
        equal(TYPE_IPV4.into(), 1, 0),
        equal(TYPE_IPV6.into(), 2, 5),
        load(libc::BPF_B, PROTOCOL_4),
        equal(AH, 2, 1),
        load(libc::BPF_B, PROTOCOL_6),
        equal(VRRP, 0, 1),
        answer(u32::MAX),
        answer(0),
    ]
}

impl Listener {
    /// Opens it on an interface. `promiscuous`: packets between others are heard too, where the network brings them here.
    ///
    /// # Errors
    /// When the process may not open packet sockets (it needs CAP_NET_RAW), or the interface is gone.
    pub fn open(link: LinkIndex, promiscuous: bool) -> Result<Self> {
        let failed = |e: io::Error| Error::system("listen to the VRRP packets of", link.0.to_string(), e);
        // Protocol 0 first: nothing comes in before the filter stands.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let filter = filter().map(|step| SockFilter::new(step.code, step.jt, step.jf, step.k));
        socket.attach_filter(&filter).map_err(failed)?;
        // Everything, since what this host sends is only seen so.
        bind_to(&socket, link, libc::ETH_P_ALL).map_err(failed)?;
        for group in GROUPS {
            match join(&socket, link, libc::PACKET_MR_MULTICAST, Some(group)) {
                // Links without hardware addresses, such as tunnels, have no groups of them either: all comes in there.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                done => done.map_err(failed)?,
            }
        }
        if promiscuous {
            join(&socket, link, libc::PACKET_MR_PROMISC, None).map_err(failed)?;
        }
        Ok(Self { socket, buffer: vec![0; 1 << 16].into_boxed_slice() })
    }

    /// The next packet; none if there is none yet.
    ///
    /// # Errors
    /// What the kernel says, such as that the interface went down.
    pub fn take(&mut self) -> io::Result<Option<Overheard<'_>>> {
        let received = match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut self.buffer) {
            Ok((len, from)) => (len, from),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (len, Some(from)) = received else { return Ok(None) };
        let hardware = from.addr().filter(|_| from.halen() == 6).map(MacAddress);
        Ok(Some(Overheard {
            ethertype: u16::from_be(from.protocol()),
            hardware: hardware.filter(|address| *address != MacAddress([0; 6])),
            packet: &self.buffer[..len],
        }))
    }

    /// Packets that were lost because they were not taken in time, since this was last asked.
    pub fn lost(&self) -> u64 {
        // SAFETY: a plain C structure for which all-zero is a valid value.
        let mut statistics: libc::tpacket_stats = unsafe { std::mem::zeroed() };
        let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: the pointer and the length are those of `statistics`, which lives until the call returns.
        let status = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut len,
            )
        };
        if status == 0 { statistics.tp_drops.into() } else { 0 }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Has a packet socket hear one protocol (`ETH_P_…`) on an interface.
pub(super) fn bind_to(socket: &Socket, link: LinkIndex, protocol: i32) -> io::Result<()> {
    // SAFETY: a plain C structure for which all-zero is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (protocol as u16).to_be();
    address.sll_ifindex = link.0.cast_signed();
    // SAFETY: the pointer and the length are those of `address`, which lives until the call returns.
    let status = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn join(socket: &Socket, link: LinkIndex, kind: i32, address: Option<MacAddress>) -> io::Result<()> {
    // SAFETY: a plain C structure for which all-zero is a valid value.
    let mut request: libc::packet_mreq = unsafe { std::mem::zeroed() };
    request.mr_ifindex = link.0.cast_signed();
    request.mr_type = kind as u16;
    if let Some(MacAddress(octets)) = address {
        request.mr_alen = octets.len() as u16;
        request.mr_address[..octets.len()].copy_from_slice(&octets);
    }
    // SAFETY: the pointer and the length are those of `request`, which lives until the call returns.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            (&raw const request).cast(),
            size_of::<libc::packet_mreq>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as the filter sees it.
    #[derive(Clone, Copy)]
    struct Frame {
        tag: Option<u16>,
        ethertype: u16,
        packet: [u8; 20],
    }

    /// What the kernel does with the filter. `stale`: the tag's number where there is none.
    fn passes(frame: Frame, stale: u16) -> bool {
        let program = filter();
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let libc::sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            match u32::from(code) {
                code if code & 7 == libc::BPF_LD => {
                    accumulator = match k.cast_signed().wrapping_sub(libc::SKF_AD_OFF) {
                        libc::SKF_AD_VLAN_TAG_PRESENT => frame.tag.is_some().into(),
                        libc::SKF_AD_VLAN_TAG => frame.tag.unwrap_or(stale).into(),
                        libc::SKF_AD_PROTOCOL => frame.ethertype.into(),
                        _ => frame.packet[k as usize].into(),
                    };
                }
                code if code & 7 == libc::BPF_ALU => accumulator &= k,
                code if code & 7 == libc::BPF_JMP => {
                    at += usize::from(if accumulator == k { jt } else { jf })
                }
                _ => return k != 0,
            }
        }
    }

    fn frame(ethertype: u16, protocol: u32) -> Frame {
        let mut packet = [0; 20];
        let at = if ethertype == TYPE_IPV4 { PROTOCOL_4 } else { PROTOCOL_6 };
        packet[at as usize] = protocol as u8;
        Frame { tag: None, ethertype, packet }
    }

    #[test]
    fn vrrp_passes_and_nothing_else() {
        let (tcp, arp) = (6, 0x0806);
        for (frame, wanted) in [
            (frame(TYPE_IPV4, VRRP), true),
            (frame(TYPE_IPV4, AH), true),
            (frame(TYPE_IPV6, VRRP), true),
            (frame(TYPE_IPV4, tcp), false),
            (frame(TYPE_IPV6, tcp), false),
            (frame(TYPE_IPV6, AH), false),
            (frame(arp, VRRP), false),
        ] {
            assert_eq!(passes(frame, 0), wanted, "{:#x} {:?}", frame.ethertype, frame.packet);
            assert_eq!(passes(frame, 7), wanted, "a number of a tag that is gone");
        }
    }

    #[test]
    fn frames_of_a_vlan_are_not_the_interfaces_own_and_those_with_a_priority_only_are() {
        for ethertype in [TYPE_IPV4, TYPE_IPV6] {
            let tagged = |tag| Frame { tag: Some(tag), ..frame(ethertype, VRRP) };
            assert!(!passes(tagged(100), 0) && !passes(tagged(0x6000 | 100), 0));
            assert!(passes(tagged(0), 0) && passes(tagged(0x6000), 0));
        }
    }
}
