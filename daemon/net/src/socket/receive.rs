//! Batched receive: one `recvmmsg` for up to [`ReceiveBatch::CAPACITY`] datagrams, each with the kernel's time
//! of arrival.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use crate::wire::ipv6::HEADER_LEN;

use super::vrrp::Family;

/// The largest advertisement, one of 255 IPv6 addresses, and a trailer fit; what is longer is cut, and refused for
/// its length.
const SLOT: usize = 4352;
const CONTROL: usize = 128;

/// A time of arrival older than this is not believed: the clock was set between arrival and reading.
const OLDEST_ARRIVAL: Duration = Duration::from_millis(100);

/// What a socket hands over: a raw one of each family, and one for UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The whole packet, IPv4 header first.
    Ipv4(&'a [u8]),
    /// The message, and what the kernel says of its header.
    Ipv6 {
        /// Who sent it.
        source: Ipv6Addr,
        /// The group or the address that it was sent to.
        destination: Ipv6Addr,
        /// Hop limit on arrival: 255 if it crossed no router.
        hop_limit: Option<u8>,
        /// The message after the header.
        message: &'a [u8],
    },
    /// What a UDP datagram carries, and what the kernel says of its headers.
    Udp {
        /// Who sent it.
        source: IpAddr,
        /// The address that it was sent to.
        destination: IpAddr,
        /// TTL or hop limit on arrival.
        hop_limit: Option<u8>,
        /// The payload.
        message: &'a [u8],
    },
}

/// What kind of socket a batch is filled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Raw(Family),
    /// Whole packets of this family, from a packet socket.
    Whole(Family),
    Udp(Family),
}

/// One received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// When the kernel took it from the interface: earlier than now, on a busy machine by milliseconds.
    pub at: Instant,
    /// What arrived.
    pub packet: Packet<'a>,
}

#[derive(Clone, Copy)]
struct Slot {
    len: usize,
    source: IpAddr,
    destination: IpAddr,
    hop_limit: Option<u8>,
    at: Instant,
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct ControlBuffer([u8; CONTROL]);

/// Buffers for a batch of received datagrams; allocated once, filled by [`super::VrrpReceiver::receive`].
pub struct ReceiveBatch {
    data: Box<[u8]>,
    slots: Vec<Slot>,
    form: Form,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Datagrams that one system call takes at most.
    pub const CAPACITY: usize = 32;

    /// An empty batch. Untouched buffer pages cost no memory.
    pub fn new() -> Self {
        Self {
            data: vec![0; SLOT * Self::CAPACITY].into_boxed_slice(),
            slots: Vec::with_capacity(Self::CAPACITY),
            form: Form::Raw(Family::V4),
        }
    }

    /// The datagrams of the last receive, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Arrival<'_>> {
        self.slots.iter().zip(self.data.chunks_exact(SLOT)).filter_map(|(slot, data)| {
            let bytes = &data[..slot.len.min(SLOT)];
            let Slot { source, destination, hop_limit, .. } = *slot;
            let packet = match (self.form, source, destination) {
                (Form::Raw(Family::V6), IpAddr::V6(source), IpAddr::V6(destination)) => {
                    Packet::Ipv6 { source, destination, hop_limit, message: bytes }
                }
                (Form::Raw(_), ..) => Packet::Ipv4(bytes),
                (Form::Whole(family), ..) => whole(family, bytes)?,
                (Form::Udp(_), ..) => Packet::Udp { source, destination, hop_limit, message: bytes },
            };
            Some(Arrival { at: slot.at, packet })
        })
    }
}

/// A packet as a link delivers it: it may be longer than its header says, for frames have a least length. None if it is
/// shorter.
fn whole(family: Family, bytes: &[u8]) -> Option<Packet<'_>> {
    let length = |at: usize| bytes.get(at..at + 2).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
    match family {
        Family::V4 => Some(Packet::Ipv4(bytes.get(..length(2)?)?)),
        Family::V6 => {
            let address = |at: usize| <[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok().map(Ipv6Addr::from);
            let message = bytes.get(HEADER_LEN..HEADER_LEN + length(4)?)?;
            let hop_limit = bytes.get(7).copied();
            Some(Packet::Ipv6 { source: address(8)?, destination: address(24)?, hop_limit, message })
        }
    }
}

/// Receives without waiting; returns how many datagrams arrived.
pub(super) fn fill(fd: BorrowedFd<'_>, form: Form, batch: &mut ReceiveBatch) -> io::Result<usize> {
    batch.slots.clear();
    batch.form = form;
    let (Form::Raw(family) | Form::Whole(family) | Form::Udp(family)) = form;
    // SAFETY: these are plain C structures for which all-zero is a valid value.
    let mut headers: [libc::mmsghdr; ReceiveBatch::CAPACITY] = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut vectors: [libc::iovec; ReceiveBatch::CAPACITY] = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut names: [libc::sockaddr_in6; ReceiveBatch::CAPACITY] = unsafe { mem::zeroed() };
    let mut controls = [ControlBuffer([0; CONTROL]); ReceiveBatch::CAPACITY];
    for (i, data) in batch.data.chunks_exact_mut(SLOT).enumerate() {
        vectors[i] = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: SLOT };
        let header = &mut headers[i].msg_hdr;
        header.msg_iov = &raw mut vectors[i];
        header.msg_iovlen = 1;
        header.msg_name = (&raw mut names[i]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
        header.msg_control = (&raw mut controls[i]).cast();
        // C libraries differ in the types of these.
        header.msg_controllen = CONTROL as _;
    }
    // SAFETY: every header points to its own vector, name and control buffer with their true sizes; all of them and
    // the slots of `batch.data` live until the call returns.
    let received = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            ReceiveBatch::CAPACITY as libc::c_uint,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    if received < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(error) };
    }
    let clocks = (Instant::now(), SystemTime::now());
    for (header, name) in headers.iter().zip(&names).take(received as usize) {
        let mut slot = Slot {
            len: header.msg_len as usize,
            source: match family {
                Family::V4 => IpAddr::V4(ipv4_of(name)),
                Family::V6 => IpAddr::V6(Ipv6Addr::from(name.sin6_addr.s6_addr)),
            },
            destination: match family {
                Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
                Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
            },
            hop_limit: None,
            at: clocks.0,
        };
        read_control(&header.msg_hdr, clocks, &mut slot);
        batch.slots.push(slot);
    }
    Ok(received as usize)
}

/// The address of a `sockaddr_in`, in the room of the larger structure: it lies where `sin6_flowinfo` does (ip(7), ipv6(7)).
fn ipv4_of(name: &libc::sockaddr_in6) -> Ipv4Addr {
    Ipv4Addr::from(name.sin6_flowinfo.to_ne_bytes())
}

/// Reads time of arrival, destination and hop limit, as far as the socket asked for them, from the control messages.
fn read_control(header: &libc::msghdr, clocks: (Instant, SystemTime), slot: &mut Slot) {
    // SAFETY: `header` was filled by the kernel and its control buffer is alive; CMSG_FIRSTHDR and CMSG_NXTHDR keep
    // within `msg_controllen`.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: not null, so a complete control header inside the buffer. Its data is read unaligned and only
        // where `cmsg_len` says that the whole value is there.
        unsafe {
            let message = &*next;
            let data = libc::CMSG_DATA(next);
            let len = (message.cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            match (message.cmsg_level, message.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) if len >= size_of::<libc::timespec>() => {
                    slot.at = arrival(data.cast::<libc::timespec>().read_unaligned(), clocks);
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if len >= size_of::<libc::in6_pktinfo>() => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    slot.destination = Ipv6Addr::from(info.ipi6_addr.s6_addr).into();
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) if len >= size_of::<libc::in_pktinfo>() => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    slot.destination = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into();
                }
                (libc::IPPROTO_IP, libc::IP_TTL) if len >= size_of::<i32>() => {
                    slot.hop_limit = u8::try_from(data.cast::<i32>().read_unaligned()).ok();
                }
                (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) if len >= size_of::<i32>() => {
                    slot.hop_limit = u8::try_from(data.cast::<i32>().read_unaligned()).ok();
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
}

/// The kernel stamps with the wall clock; the machines run on the monotonic one.
fn arrival(stamp: libc::timespec, (now, wall): (Instant, SystemTime)) -> Instant {
    let since_epoch = Duration::new(stamp.tv_sec.max(0) as u64, stamp.tv_nsec.clamp(0, 999_999_999) as u32);
    match wall.duration_since(SystemTime::UNIX_EPOCH + since_epoch) {
        Ok(age) if age <= OLDEST_ARRIVAL => now.checked_sub(age).unwrap_or(now),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_frame_is_padded_with_is_no_part_of_the_packet() {
        let mut four = vec![0x45, 0, 0, 28];
        four.resize(46, 7);
        assert_eq!(whole(Family::V4, &four), Some(Packet::Ipv4(&four[..28])));
        let mut six = vec![0x60, 0, 0, 0, 0, 3, 112, 255];
        six.resize(8 + 32, 1);
        six.extend([5, 6, 7, 0, 0]);
        let all_ones = Ipv6Addr::from([1; 16]);
        let expected = Packet::Ipv6 {
            source: all_ones,
            destination: all_ones,
            hop_limit: Some(255),
            message: &[5, 6, 7],
        };
        assert_eq!(whole(Family::V6, &six), Some(expected));
        for (family, bytes) in [(Family::V4, &four[..20]), (Family::V6, &six[..41]), (Family::V6, &six[..3])]
        {
            assert_eq!(whole(family, bytes), None);
        }
    }
}
