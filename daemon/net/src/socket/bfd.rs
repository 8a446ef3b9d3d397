//! UDP sockets as BFD wants them (RFC 5881 §4 and §5, RFC 5883 §5): well-known destination ports, source ports from the
//! ephemeral range, a TTL that says how far a packet has come.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{Error, Result};

use super::receive::{Form, ReceiveBatch, fill};
use super::vrrp::{Family, RECEIVE_BUFFER, TOS_INTERNETWORK_CONTROL, prefer, set_buffer, set_int};

/// Control packets of neighbours on the link (RFC 5881 §4).
const SINGLE_HOP: u16 = 3784;
/// Control packets over routers (RFC 5883 §5).
const MULTIHOP: u16 = 4784;
/// Where source ports are taken from (RFC 5881 §4).
const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// How many of them are tried before the last error is believed.
const TRIES: u16 = 64;

impl Family {
    fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn udp_socket(self) -> io::Result<Socket> {
        let domain = match self {
            Self::V4 => Domain::IPV4,
            Self::V6 => Domain::IPV6,
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if self == Self::V6 {
            socket.set_only_v6(true)?;
        }
        Ok(socket)
    }

    fn anywhere(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

fn destination_port(multihop: bool) -> u16 {
    if multihop { MULTIHOP } else { SINGLE_HOP }
}

/// Hears the control packets of every neighbour of one family, on the link or over routers.
#[derive(Debug)]
pub struct BfdReceiver {
    socket: Socket,
    family: Family,
}

impl BfdReceiver {
    /// Opens the well-known port on every address of this host.
    ///
    /// # Errors
    /// When another process has it, or the host does not have the family.
    pub fn open(family: Family, multihop: bool) -> Result<Self> {
        let port = destination_port(multihop);
        Self::try_open(family, port).map_err(|e| Error::system("hear BFD on UDP port", port, e))
    }

    fn try_open(family: Family, port: u16) -> io::Result<Self> {
        let socket = family.udp_socket()?;
        set_int(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        set_buffer(&socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
        match family {
            Family::V4 => {
                set_int(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
                set_int(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
            }
            Family::V6 => {
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            }
        }
        socket.bind(&SocketAddr::new(family.anywhere(), port).into())?;
        Ok(Self { socket, family })
    }

    /// Takes what has arrived, as much as `batch` holds, without waiting; returns how many datagrams.
    ///
    /// # Errors
    /// What `recvmmsg` answered, except "nothing there" (that is 0).
    pub fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        fill(self.socket.as_fd(), Form::Udp(self.family), batch)
    }
}

impl AsFd for BfdReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sends the control packets of one session.
#[derive(Debug)]
pub struct BfdSender {
    socket: Socket,
    to: SocketAddr,
}

impl BfdSender {
    /// Opens a socket to `neighbour`, from `source` if that is given. `start` says where in the range of source ports to
    /// begin to look for a free one.
    ///
    /// # Errors
    /// When the source address is not on this host, or there is no way to the neighbour yet.
    pub fn open(
        neighbour: IpAddr,
        source: Option<IpAddr>,
        ttl: u8,
        multihop: bool,
        start: u16,
    ) -> Result<Self> {
        Self::try_open(neighbour, source, ttl, multihop, start)
            .map_err(|e| Error::system("send BFD to", neighbour, e))
    }

    fn try_open(
        neighbour: IpAddr,
        source: Option<IpAddr>,
        ttl: u8,
        multihop: bool,
        start: u16,
    ) -> io::Result<Self> {
        let family = Family::of(neighbour);
        let socket = family.udp_socket()?;
        match family {
            Family::V4 => {
                set_int(&socket, libc::IPPROTO_IP, libc::IP_TTL, ttl.into())?;
                set_int(&socket, libc::IPPROTO_IP, libc::IP_TOS, TOS_INTERNETWORK_CONTROL.into())?;
                set_int(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
            }
            Family::V6 => {
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, ttl.into())?;
                set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, TOS_INTERNETWORK_CONTROL.into())?;
            }
        }
        prefer(&socket)?;
        bind(&socket, source.unwrap_or_else(|| family.anywhere()), start)?;
        Ok(Self { socket, to: SocketAddr::new(neighbour, destination_port(multihop)) })
    }

    /// Sends one packet. Never waits.
    ///
    /// # Errors
    /// What the kernel answers: no route, or its buffers are full.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, &self.to.into()).map(drop)
    }
}

/// Binds to a free port of the range.
fn bind(socket: &Socket, source: IpAddr, start: u16) -> io::Result<()> {
    let ports = SOURCE_PORTS.end() - SOURCE_PORTS.start() + 1;
    let mut last = io::ErrorKind::AddrInUse.into();
    for attempt in 0..TRIES {
        let port = SOURCE_PORTS.start() + start.wrapping_add(attempt) % ports;
        match socket.bind(&SocketAddr::new(source, port).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            other => return other,
        }
    }
    Err(last)
}
