//! Batched send: datagrams are collected in one arena and leave in one `sendmmsg`.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::link::LinkIndex;
use crate::wire::ipv6::Header;

use super::vrrp::{TOS_INTERNETWORK_CONTROL, VRRP_PROTOCOL};

/// Datagrams that one system call takes; the scratch for them lives on the stack. A takeover sends one or two, and
/// should not have to clear room for many.
const MANY: usize = 64;
const FEW: usize = 4;
const CONTROL: usize = 64;
/// The bytes of an ordinary datagram.
const ORDINARY: usize = 64;

/// Where a datagram goes, and through what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A VRRP packet over IPv4, header first.
    Ipv4 {
        /// Out of this interface; `None` lets the routing table choose (unicast).
        link: Option<LinkIndex>,
        /// A group or a router.
        destination: Ipv4Addr,
    },
    /// A VRRP message over IPv6, its checksum filled in; its header is put before it here.
    Ipv6 {
        /// Out of this interface; `None` lets the routing table choose (unicast).
        link: Option<LinkIndex>,
        /// The source address: link-local to a group (RFC 9568 §5.1.2.1).
        source: Ipv6Addr,
        /// A group or a router.
        destination: Ipv6Addr,
        /// Its hop limit: 255 to a group (RFC 9568 §5.1.2.3).
        hop_limit: u8,
    },
    /// A whole link-layer frame.
    Frame {
        /// Out of this interface.
        link: LinkIndex,
        /// Its EtherType.
        ethertype: u16,
    },
}

/// How the datagrams of a batch are addressed; decided by the socket that sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Ipv4WithHeader,
    Ipv6,
    Frame,
}

impl Shape {
    fn of(destination: &Destination) -> Self {
        match destination {
            Destination::Ipv4 { .. } => Self::Ipv4WithHeader,
            Destination::Ipv6 { .. } => Self::Ipv6,
            Destination::Frame { .. } => Self::Frame,
        }
    }
}

/// A datagram that the kernel did not take.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// Its number since the batch was last empty.
    pub number: usize,
    /// Where it was to go.
    pub destination: Destination,
    /// The whole packet, IP header first, or the whole frame.
    pub bytes: &'a [u8],
    /// The kernel's answer.
    pub error: io::Error,
}

impl Refusal<'_> {
    /// Whether the kernel had no room in its table of neighbours, which all networks of the machine share: it says
    /// ENOBUFS, and EINVAL over IPv6 (and over IPv4 before Linux 5.19).
    pub fn lacks_neighbour(&self) -> bool {
        matches!(self.error.raw_os_error(), Some(libc::ENOBUFS | libc::EINVAL))
    }
}

/// Datagrams to send together. Reused: after it is flushed it keeps its memory.
#[derive(Debug, Default)]
pub struct SendBatch {
    arena: Vec<u8>,
    messages: Vec<(Destination, Range<usize>)>,
    /// Messages that have left, or were left out.
    done: usize,
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct ControlBuffer([u8; CONTROL]);

impl SendBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Datagrams that are still to be sent.
    pub fn len(&self) -> usize {
        self.messages.len() - self.done
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a datagram.
    pub fn push(&mut self, destination: Destination, bytes: &[u8]) {
        let start = self.arena.len();
        if let Destination::Ipv6 { source, destination, hop_limit, .. } = destination {
            let header = Header {
                traffic_class: TOS_INTERNETWORK_CONTROL,
                next_header: VRRP_PROTOCOL,
                payload: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
                hop_limit,
                source,
                destination,
            };
            self.arena.extend(header.emit());
        }
        self.arena.extend_from_slice(bytes);
        self.messages.push((destination, start..self.arena.len()));
    }

    /// Keeps room for `usual` datagrams of ordinary size only, if none waits.
    pub fn slim(&mut self, usual: usize) {
        if self.is_empty() && self.messages.capacity() > usual {
            self.clear();
            self.messages.shrink_to(usual);
            self.arena.shrink_to(usual * ORDINARY);
        }
    }

    /// Drops what is in it.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.arena.clear();
        self.done = 0;
    }

    /// Sends up to `limit` datagrams.
    pub(super) fn flush(
        &mut self,
        fd: BorrowedFd<'_>,
        shape: Shape,
        limit: usize,
        mut failed: impl FnMut(Refusal<'_>),
    ) {
        let end = self.messages.len().min(self.done.saturating_add(limit));
        while self.done < end {
            let sent = match end - self.done {
                ..=FEW => self.send_some::<FEW>(fd, shape, end),
                _ => self.send_some::<MANY>(fd, shape, end),
            };
            match sent {
                Ok(count) => self.done += count.max(1),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The kernel stops at the first datagram that it refuses: that one is left out.
                    let (destination, range) = &self.messages[self.done];
                    let bytes = &self.arena[range.clone()];
                    failed(Refusal { number: self.done, destination: *destination, bytes, error });
                    self.done += 1;
                }
            }
        }
        if self.is_empty() {
            self.clear();
        }
    }

    /// One `sendmmsg` of up to `N` datagrams that were not sent yet, none from `end` on; how many left.
    fn send_some<const N: usize>(
        &mut self,
        fd: BorrowedFd<'_>,
        shape: Shape,
        end: usize,
    ) -> io::Result<usize> {
        let messages = &self.messages[self.done..end];
        let count = messages.len().min(N);
        // SAFETY: these are plain C structures for which all-zero is a valid value.
        let mut headers: [libc::mmsghdr; N] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut vectors: [libc::iovec; N] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut names: [libc::sockaddr_storage; N] = unsafe { mem::zeroed() };
        let mut controls = [ControlBuffer([0; CONTROL]); N];
        for (i, (destination, range)) in messages[..count].iter().enumerate() {
            if Shape::of(destination) != shape {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let bytes = &mut self.arena[range.clone()];
            vectors[i] = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
            let header = &mut headers[i].msg_hdr;
            header.msg_iov = &raw mut vectors[i];
            header.msg_iovlen = 1;
            address(header, &mut names[i], &mut controls[i], destination);
        }
        // SAFETY: `count` headers are filled; each points to its own vector, name and control buffer with their true
        // sizes, and those and the arena live and stay put until the call returns.
        let sent = unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }
}

/// Fills in the address and the control message of one datagram.
fn address(
    header: &mut libc::msghdr,
    name: &mut libc::sockaddr_storage,
    control: &mut ControlBuffer,
    destination: &Destination,
) {
    header.msg_name = (&raw mut *name).cast();
    match *destination {
        Destination::Ipv4 { link, destination } => {
            // SAFETY: sockaddr_storage is large enough and aligned for every sockaddr.
            let to = unsafe { &mut *(&raw mut *name).cast::<libc::sockaddr_in>() };
            to.sin_family = libc::AF_INET as libc::sa_family_t;
            to.sin_addr = in_addr(destination);
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            if let Some(link) = link {
                let info = libc::in_pktinfo {
                    ipi_ifindex: link.0 as libc::c_int,
                    ipi_spec_dst: in_addr(Ipv4Addr::UNSPECIFIED),
                    ipi_addr: in_addr(Ipv4Addr::UNSPECIFIED),
                };
                attach(header, control, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
        }
        Destination::Ipv6 { link, source, destination, hop_limit: _ } => {
            // SAFETY: as above.
            let to = unsafe { &mut *(&raw mut *name).cast::<libc::sockaddr_in6>() };
            to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            to.sin6_addr.s6_addr = destination.octets();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            if let Some(link) = link {
                to.sin6_scope_id = link.0;
                let info = libc::in6_pktinfo {
                    ipi6_ifindex: link.0 as _,
                    // The packet says it, too; but the kernel looks for one of its own otherwise, and refuses to send
                    // where the interface has none.
                    ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
                };
                attach(header, control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
        }
        Destination::Frame { link, ethertype } => {
            // SAFETY: as above.
            let to = unsafe { &mut *(&raw mut *name).cast::<libc::sockaddr_ll>() };
            to.sll_family = libc::AF_PACKET as libc::sa_family_t;
            to.sll_protocol = ethertype.to_be();
            to.sll_ifindex = link.0 as libc::c_int;
            header.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        }
    }
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) }
}

/// Puts the one control message `value` into `control` and hangs it on `header`.
fn attach<T>(header: &mut libc::msghdr, control: &mut ControlBuffer, level: i32, kind: i32, value: T) {
    const { assert!(size_of::<T>() + 24 <= CONTROL) };
    header.msg_control = (&raw mut *control).cast();
    // SAFETY: pure arithmetic.
    header.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<T>() as u32) } as _;
    // SAFETY: the control buffer is alive, aligned and, by the assertion, larger than the header and `T`;
    // CMSG_FIRSTHDR of a buffer of that length is its start.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
    }
}
