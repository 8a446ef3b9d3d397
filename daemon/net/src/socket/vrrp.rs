//! The raw sockets that carry VRRP (IP protocol 112, or 51 with an authentication header before it): who may reach them, how they are bound, what they tell.

#![allow(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};

use crate::error::{Error, Result};
use crate::link::LinkIndex;
use crate::wire::ethernet::MacAddress;

use super::listen::bind_to;
use super::receive::{Form, ReceiveBatch, fill};
use super::send::{Refusal, SendBatch, Shape};

/// IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const VRRP_PROTOCOL: u8 = 112;
/// Internetwork control (CS6), the precedence that keepalived gives its advertisements: the traffic class over IPv6.
pub(super) const TOS_INTERNETWORK_CONTROL: u8 = 0xc0;

/// Room for a burst: with adverts of thousands of routers in phase, hundreds arrive between two looks. The kernel
/// counts some 800 bytes for each.
pub(super) const RECEIVE_BUFFER: usize = 4 << 20;
const SEND_BUFFER: usize = 4 << 20;

/// An IP version, as a choice of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn raw_socket(self, protocol: i32) -> io::Result<Socket> {
        let domain = match self {
            Self::V4 => Domain::IPV4,
            Self::V6 => Domain::IPV6,
        };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(protocol)))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// What a received IP packet carries: VRRP at once, or behind an authentication header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// IP protocol 112.
    Plain,
    /// IP protocol 51 (RFC 2402), and in it 112; over IPv4 only.
    Authenticated,
}

impl Carrier {
    fn protocol(self) -> i32 {
        match self {
            Self::Plain => VRRP_PROTOCOL.into(),
            Self::Authenticated => libc::IPPROTO_AH,
        }
    }
}

/// Receives the VRRP datagrams of one family and carrier that arrive on one interface, or on any.
#[derive(Debug)]
pub struct VrrpReceiver {
    socket: Socket,
    form: Form,
    index: Option<LinkIndex>,
}

impl VrrpReceiver {
    /// Opens a socket for what comes in from senders of this hardware address, on the macvlan that has it. The kernel hands
    /// frames to a group that seem to come from a private macvlan to that one only, and to nobody below it; two virtual
    /// routers of one id have the same address. No group is joined: nothing is told to switches.
    ///
    /// # Errors
    /// When the process may not open packet sockets, or the interface is gone.
    pub fn open_beside(family: Family, on: (LinkIndex, &str), hardware: MacAddress) -> Result<Self> {
        Self::try_open_beside(family, on.0, hardware)
            .map_err(|e| Error::system("open the VRRP receive socket on", on.1, e))
    }

    fn try_open_beside(family: Family, index: LinkIndex, hardware: MacAddress) -> io::Result<Self> {
        // Protocol 0 first: nothing comes in before the filter stands.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&from(hardware, family))?;
        set_buffer(&socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
        set_int(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        // Of one protocol, what this host sends does not come in.
        let protocol = match family {
            Family::V4 => libc::ETH_P_IP,
            Family::V6 => libc::ETH_P_IPV6,
        };
        bind_to(&socket, index, protocol)?;
        Ok(Self { socket, form: Form::Whole(family), index: None })
    }

    /// Opens the socket on an interface, or on all of them. Multicast arrives once a group is joined, which needs an
    /// interface.
    ///
    /// # Errors
    /// When the process may not open raw sockets, or the interface is gone.
    pub fn open(family: Family, carrier: Carrier, on: Option<(LinkIndex, &str)>) -> Result<Self> {
        let name = on.map_or("all interfaces", |(_, name)| name);
        Self::try_open(family, carrier, on)
            .map_err(|e| Error::system("open the VRRP receive socket on", name, e))
    }

    fn try_open(family: Family, carrier: Carrier, on: Option<(LinkIndex, &str)>) -> io::Result<Self> {
        let socket = family.raw_socket(carrier.protocol())?;
        // Bound first: from here on nothing of another interface enters the queue.
        if let Some((_, name)) = on {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        if carrier == Carrier::Authenticated {
            accept_only_vrrp(&socket)?;
        }
        set_buffer(&socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
        set_int(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        match family {
            Family::V4 => {
                set_int(&socket, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, 0)?;
            }
            Family::V6 => {
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_ALL, 0)?;
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            }
        }
        Ok(Self { socket, form: Form::Raw(family), index: on.map(|(index, _)| index) })
    }

    /// Sets the size of its receive buffer, of which the kernel makes twice as much; the usual size if none.
    ///
    /// # Errors
    /// None is known.
    pub fn set_receive_buffer(&self, bytes: Option<u32>) -> Result<()> {
        let bytes = bytes.map_or(RECEIVE_BUFFER, |bytes| bytes as usize);
        set_buffer(&self.socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, bytes.min(i32::MAX as usize / 2))
            .map_err(|e| Error::system("set", "a receive buffer", e))
    }

    /// Joins a multicast group on the interface; joining it again changes nothing.
    ///
    /// # Errors
    /// When the interface is gone, the group is of the other family, or the socket is on no interface.
    pub fn join(&self, group: IpAddr) -> Result<()> {
        let joined = match (self.index, group) {
            (None, _) => Err(io::ErrorKind::AddrNotAvailable.into()),
            (Some(index), IpAddr::V4(group)) => {
                self.socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index.0))
            }
            (Some(index), IpAddr::V6(group)) => self.socket.join_multicast_v6(&group, index.0),
        };
        match joined {
            Err(e) if e.raw_os_error() != Some(libc::EADDRINUSE) => {
                Err(Error::system("join the group", group, e))
            }
            _ => Ok(()),
        }
    }

    /// Takes what has arrived, as much as `batch` holds, without waiting; returns how many datagrams.
    ///
    /// # Errors
    /// What `recvmmsg` answered, except "nothing there" (that is 0). The link going down is reported once as
    /// `ENETDOWN`; the socket stays usable.
    pub fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        fill(self.socket.as_fd(), self.form, batch)
    }
}

impl AsFd for VrrpReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sends the VRRP datagrams of one family, through whichever interface each names.
#[derive(Debug)]
pub struct VrrpSender {
    socket: Socket,
    family: Family,
}

impl VrrpSender {
    /// Opens the socket. It receives nothing, and what it multicasts does not come back to this host.
    ///
    /// # Errors
    /// When the process may not open raw sockets.
    pub fn open(family: Family) -> Result<Self> {
        Self::try_open(family).map_err(|e| Error::system("open", "the VRRP send socket", e))
    }

    fn try_open(family: Family) -> io::Result<Self> {
        // IPPROTO_RAW: no datagram is ever delivered to this socket, nor what routers say of adverts that went astray, and
        // the IP headers are ours.
        let socket = family.raw_socket(libc::IPPROTO_RAW)?;
        set_buffer(&socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER)?;
        match family {
            Family::V4 => {
                set_int(&socket, libc::IPPROTO_IP, libc::IP_HDRINCL, 1)?;
                // Without it the kernel keeps to itself that it had no buffer or no room for a neighbour.
                set_int(&socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
                set_int(&socket, libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP, 0)?;
            }
            Family::V6 => {
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_HDRINCL, 1)?;
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)?;
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP, 0)?;
                // What leaves by a macvlan comes from an address of the interface below.
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_FREEBIND, 1)?;
            }
        }
        prefer(&socket)?;
        Ok(Self { socket, family })
    }

    /// Sends up to `limit` datagrams of `batch`, in order; what is left stays in it. A datagram that the kernel refuses
    /// is reported to `failed` and left out; the others go. Never waits.
    pub fn send(&self, batch: &mut SendBatch, limit: usize, failed: impl FnMut(Refusal<'_>)) {
        let shape = match self.family {
            Family::V4 => Shape::Ipv4WithHeader,
            Family::V6 => Shape::Ipv6,
        };
        batch.flush(self.socket.as_fd(), shape, limit, failed);
    }
}

/// Has what a socket sends leave before other traffic, where the queueing discipline makes a difference: the highest
/// priority that needs no privilege (`TC_PRIO_INTERACTIVE`).
pub(super) fn prefer(socket: &impl AsRawFd) -> io::Result<()> {
    set_int(socket, libc::SOL_SOCKET, libc::SO_PRIORITY, 6)
}

/// Sets an integer socket option.
pub(super) fn set_int(socket: &impl AsRawFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` lives across the call and `size` is its size; the kernel only reads it.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets a buffer size: past the system's limit where we may (CAP_NET_ADMIN), up to it else.
pub(super) fn set_buffer(socket: &Socket, forced: i32, plain: i32, bytes: usize) -> io::Result<()> {
    let bytes = bytes as i32;
    set_int(socket, libc::SOL_SOCKET, forced, bytes)
        .or_else(|_| set_int(socket, libc::SOL_SOCKET, plain, bytes))
}

/// A program that accepts only VRRP, and authentication headers, from one hardware address.
fn from(MacAddress([a, b, c, d, e, f]): MacAddress, family: Family) -> [SockFilter; 9] {
    let op = |code: u32, jt, jf, k| SockFilter::new(code as u16, jt, jf, k);
    let load = |size: u32, at: u32| op(libc::BPF_LD | size | libc::BPF_ABS, 0, 0, at);
    let equal = |k: u32, jt, jf| op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, k);
    // The header of the link stands before what this socket sees.
    let source = |at: i32| (libc::SKF_LL_OFF + 6 + at) as u32;
    let (protocol, authenticated) = match family {
        Family::V4 => (9, libc::IPPROTO_AH as u32),
        // Over IPv6 there is none (RFC 5798 §9).
        Family::V6 => (6, VRRP_PROTOCOL.into()),
    };
    [
        load(libc::BPF_W, source(0)),
        equal(u32::from_be_bytes([a, b, c, d]), 0, 5),
        load(libc::BPF_H, source(4)),
        equal(u32::from_be_bytes([0, 0, e, f]), 0, 3),
        load(libc::BPF_B, protocol),
        equal(VRRP_PROTOCOL.into(), 2, 0),
        equal(authenticated, 1, 0),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ]
}

/// Attaches a classic BPF program that accepts only authentication headers with VRRP behind them: the host may have
/// other IPsec traffic, as much of it as it likes.
fn accept_only_vrrp(socket: &Socket) -> io::Result<()> {
    let op = |code: u32, jf, k| SockFilter::new(code as u16, 0, jf, k);
    socket.attach_filter(&[
        // X = the length of the IP header, where the program starts to count; A = Next Header behind it.
        op(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0),
        op(libc::BPF_LD | libc::BPF_B | libc::BPF_IND, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, VRRP_PROTOCOL.into()),
        op(libc::BPF_RET | libc::BPF_K, 0, u32::MAX),
        op(libc::BPF_RET | libc::BPF_K, 0, 0),
    ])
}
