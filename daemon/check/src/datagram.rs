//! Asking a real server by datagram: UDP, or ICMP through the kernel's sockets for it.
//!
//! In goes where to send and how, the datagram, and a judge of what comes back; out comes the judgement, or silence. What
//! the network says of the way there (ICMP: no such host, no such port, no route) ends it at once.

use std::net::{SocketAddr, UdpSocket as StdSocket};

use keepwatch_bus::fact::{Failure, FailureReason};
use keepwatch_model::Connection;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::connect;
use crate::outcome::Outcome;

/// What a datagram that came back is taken for: `None` if it is not about what was asked.
pub(crate) type Judgement = Option<Result<(), Failure>>;

/// Opens a UDP socket to and from the real server alone, with the options of its checker.
///
/// # Errors
/// What the check comes to without one.
pub(crate) fn open(settings: &Connection) -> Result<UdpSocket, Outcome> {
    let socket =
        Socket::new(Domain::for_address(settings.connect_to), Type::DGRAM.nonblocking(), Some(Protocol::UDP));
    finish(socket.map_err(|error| connect::no_socket(&error))?, settings, true)
}

/// Makes a socket for datagrams that does not block, UDP or ICMP, one to and from the real server alone; without ports where
/// its protocol has none.
///
/// # Errors
/// What the check comes to without it.
pub(crate) fn finish(socket: Socket, settings: &Connection, ports: bool) -> Result<UdpSocket, Outcome> {
    connect::prepare(&socket, settings)?;
    // Without it the kernel keeps to itself that a host or network can't be reached: ip(7), IP_RECVERR.
    let told = match settings.connect_to {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true),
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true),
    };
    told.map_err(|error| connect::no_socket(&error.into()))?;
    let with = |address: SocketAddr| SocketAddr::new(address.ip(), if ports { address.port() } else { 0 });
    if let Some(source) = connect::source(settings) {
        connect::bind(&socket, with(source))?;
    }
    socket.connect(&with(settings.connect_to).into()).map_err(|error| connect::refusal(&error))?;
    // Of ICMP sockets only what all datagram sockets have is used.
    UdpSocket::from_std(StdSocket::from(socket)).map_err(|error| connect::no_socket(&error))
}

/// Sends a datagram, and hands each that comes back, up to `room` bytes of it, to the judge, until one is judged or the
/// time is over. Whether there was an answer.
///
/// # Errors
/// What the check comes to: the judge's failure, why the real server can't be reached, or that this host has no room for
/// one more datagram, which says nothing of the real server.
pub(crate) async fn ask(
    socket: &UdpSocket,
    settings: &Connection,
    datagram: &[u8],
    room: usize,
    judge: impl FnMut(&[u8]) -> Judgement,
) -> Result<bool, Outcome> {
    socket.send(datagram).await.map_err(|error| connect::refusal(&error))?;
    // Silence is nobody's error: what it means is for the checker to say.
    let answered = timeout(settings.connect_timeout, answer(socket, room, judge)).await;
    answered.unwrap_or(Ok(false)).map_err(Outcome::Failed)
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
        format!("no answer within {}", connect::seconds(settings.connect_timeout)),
    )
}
