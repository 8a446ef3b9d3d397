//! Asking a real server by datagram: UDP, or ICMP through the kernel's sockets for it.
//!
//! In goes where to send and how, the datagram, and a judge of what comes back; out comes the judgement, or silence. What
//! the network says of the way there (ICMP: no such host, no such port, no route) ends it at once.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};

use keepwatch_bus::fact::{Failure, FailureReason};
use keepwatch_model::Connection;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::connect;

/// What a datagram that came back is taken for: `None` if it is not about what was asked.
pub(crate) type Judgement = Option<Result<(), Failure>>;

/// Opens a socket for datagrams to and from the real server alone, with the options of its checker. Its source port is
/// left out for protocols without ports.
///
/// # Errors
/// What the system said.
pub(crate) fn open(settings: &Connection, kind: Type, protocol: Protocol) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(settings.connect_to), kind, Some(protocol))?;
    connect::prepare(&socket, settings)?;
    // Without it the kernel keeps to itself that a host or network can't be reached: ip(7), IP_RECVERR.
    match settings.connect_to {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
    }
    let has_ports = protocol == Protocol::UDP;
    let port = |address: SocketAddr| SocketAddr::new(address.ip(), if has_ports { address.port() } else { 0 });
    if let Some(source) = connect::source(settings) {
        socket.bind(&port(source).into())?;
    }
    socket.connect(&port(settings.connect_to).into())?;
    // Of ICMP sockets only what all datagram sockets have is used.
    UdpSocket::from_std(StdSocket::from(socket))
}

/// Sends a datagram, and hands each that comes back, up to `room` bytes of it, to the judge, until one is judged or the
/// time is over. Whether there was an answer.
///
/// # Errors
/// The judge's, or why the real server can't be reached.
pub(crate) async fn ask(
    socket: &UdpSocket,
    settings: &Connection,
    datagram: &[u8],
    room: usize,
    judge: impl FnMut(&[u8]) -> Judgement,
) -> Result<bool, Failure> {
    socket.send(datagram).await.map_err(|error| connect::failure(&error))?;
    // Silence is nobody's error: what it means is for the checker to say.
    timeout(settings.connect_timeout, answer(socket, room, judge)).await.unwrap_or(Ok(false))
}

async fn answer(
    socket: &UdpSocket,
    room: usize,
    mut judge: impl FnMut(&[u8]) -> Judgement,
) -> Result<bool, Failure> {
    let mut buffer = vec![0; room];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(length) => {
                if let Some(judged) = judge(buffer.get(..length).unwrap_or_default()) {
                    return judged.map(|()| true);
                }
            }
            // Some router says that the datagram is too large for it; the kernel knows now, and may send smaller pieces.
            Err(error) if error.raw_os_error() == Some(nix::libc::EMSGSIZE) => {}
            Err(error) => return Err(connect::failure(&error)),
        }
    }
}

/// That nothing came, where something must.
pub(crate) fn silence(settings: &Connection) -> Failure {
    Failure::new(
        FailureReason::Timeout,
        format!("no answer within {}s", settings.connect_timeout.as_secs_f64()),
    )
}
