//! Opening a connection to a real server with the options that all checkers share: source address and port, interface,
//! mark, time limit.
//!
//! In goes where to connect and how; out comes the open connection, or why there is none, and whose fault that is. Whoever
//! goes on to speak waits for it with [`tcp`]; whoever only wants to know ([`crate::openings`]) begins with [`begin`].

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use keepwatch_bus::fact::{Failure, FailureReason};
use keepwatch_model::Connection;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::outcome::Outcome;

/// `EHOSTDOWN`, for which the standard library has no kind.
const HOST_DOWN: i32 = 112;

/// Opens a TCP connection.
///
/// # Errors
/// What the check comes to without one: failed where the real server or the way to it is to blame, else not run.
pub(crate) async fn tcp(settings: &Connection) -> Result<TcpStream, Outcome> {
    let socket = TcpSocket::from_std_stream(socket(settings)?.into());
    match timeout(settings.connect_timeout, socket.connect(settings.connect_to)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(_) => Err(timed_out(settings.connect_timeout)),
    }
}

/// Begins to open a TCP connection: the socket is writable, or has an error, once it is known whether there is one.
///
/// # Errors
/// As [`tcp`].
pub(crate) fn begin(settings: &Connection) -> Result<Socket, Outcome> {
    let socket = socket(settings)?;
    match socket.connect(&settings.connect_to.into()) {
        Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(refusal(&error)),
        Ok(()) | Err(_) => Ok(socket),
    }
}

fn socket(settings: &Connection) -> Result<Socket, Outcome> {
    let domain = Domain::for_address(settings.connect_to);
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(domain, kind, Some(Protocol::TCP)).map_err(|error| no_socket(&error))?;
    prepare(&socket, settings)?;
    if let Some(source) = source(settings) {
        // The last check's connection may linger on the same source port; where this is refused, it waits for that.
        let _ = socket.set_reuse_address(source.port() != 0);
        bind(&socket, source)?;
    }
    Ok(socket)
}

/// Gives a socket what its checker is told of mark and interface.
///
/// # Errors
/// Failed where there is no such interface; not run where this process has no right to marks.
pub(crate) fn prepare(socket: &Socket, settings: &Connection) -> Result<(), Outcome> {
    if let Some(mark) = settings.fwmark.filter(|mark| mark.0 != 0) {
        let mark = mark.0;
        socket.set_mark(mark).map_err(|error| Outcome::NotRun(format!("mark {mark}: {}", plain(&error))))?;
    }
    if let Some(interface) = &settings.bind_interface {
        let bound = socket.bind_device(Some(interface.as_bytes()));
        bound.map_err(|error| missing_here(&format!("interface {interface}"), &error))?;
    }
    Ok(())
}

/// Gives a socket its source.
///
/// # Errors
/// Failed where it is no address of this host, or its port is taken; not run where this process has no right to the port.
pub(crate) fn bind(socket: &Socket, source: SocketAddr) -> Result<(), Outcome> {
    let what = if source.port() == 0 { source.ip().to_string() } else { source.to_string() };
    socket.bind(&source.into()).map_err(|error| missing_here(&format!("source {what}"), &error))
}

/// There is no socket: of this host's doing, which says nothing of the real server.
pub(crate) fn no_socket(error: &io::Error) -> Outcome {
    Outcome::NotRun(format!("no socket: {}", plain(error)))
}

/// Something of this host is missing that the way to the real server begins with: that counts as if it were missing
/// further on.
fn missing_here(what: &str, error: &io::Error) -> Outcome {
    let text = format!("{what}: {}", plain(error));
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::OutOfMemory => Outcome::NotRun(text),
        _ => Outcome::failed(FailureReason::Unreachable, text),
    }
}

/// Where a check comes from, if its checker is told that.
pub(crate) fn source(settings: &Connection) -> Option<SocketAddr> {
    if settings.bind_to.is_none() && settings.bind_port.is_none() {
        return None;
    }
    let anywhere = match settings.connect_to {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    Some(SocketAddr::new(settings.bind_to.unwrap_or(anywhere), settings.bind_port.unwrap_or_default()))
}

/// What an error of a connection or datagram says of the real server, or of the way to it, which begins here: a route or
/// firewall of this host that forbids it is as good as one further on.
pub(crate) fn failure(error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureReason::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            FailureReason::Reset
        }
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::InvalidInput => FailureReason::Unreachable,
        _ if error.raw_os_error() == Some(HOST_DOWN) => FailureReason::Unreachable,
        io::ErrorKind::TimedOut => FailureReason::Timeout,
        _ => FailureReason::Other,
    };
    Failure::new(reason, plain(error))
}

/// What an error of a connection comes to: a failure, unless this host has no room or no port left for one more.
pub(crate) fn refusal(error: &io::Error) -> Outcome {
    use nix::libc::{EADDRNOTAVAIL, EAGAIN, ENOBUFS, ENOMEM};
    match error.raw_os_error() {
        Some(EADDRNOTAVAIL | EAGAIN | ENOBUFS | ENOMEM) => Outcome::NotRun(plain(error)),
        _ => Outcome::Failed(failure(error)),
    }
}

/// The real server let this much time pass.
pub(crate) fn timed_out(after: Duration) -> Outcome {
    Outcome::failed(FailureReason::Timeout, format!("timed out after {}", seconds(after)))
}

/// The system's words for it, without their number: "connection refused".
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use keepwatch_model::FwMark;

    use super::*;

    async fn outcome(settings: &Connection) -> Outcome {
        tcp(settings).await.map_or_else(|failed| failed, |_| Outcome::GOOD)
    }

    fn to(address: SocketAddr) -> Connection {
        Connection {
            connect_to: address,
            bind_to: None,
            bind_port: None,
            bind_interface: None,
            fwmark: None,
            connect_timeout: Duration::from_millis(300),
        }
    }

    #[tokio::test]
    async fn a_listening_port_succeeds() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(outcome(&to(listener.local_addr().unwrap())).await, Outcome::GOOD);
    }

    #[tokio::test]
    async fn the_source_address_and_port_are_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let free = TcpListener::bind("127.0.0.77:0").unwrap().local_addr().unwrap();
        let settings = Connection {
            bind_to: Some(free.ip()),
            bind_port: Some(free.port()),
            ..to(listener.local_addr().unwrap())
        };
        assert_eq!(outcome(&settings).await, Outcome::GOOD);
        assert_eq!(listener.accept().unwrap().1, free);
    }

    #[tokio::test]
    async fn a_closed_port_fails_with_the_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(
            outcome(&to(address)).await,
            Outcome::failed(FailureReason::Refused, "connection refused")
        );
    }

    #[tokio::test]
    async fn a_full_backlog_times_out() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let _fills_it = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(
            outcome(&to(address)).await,
            Outcome::failed(FailureReason::Timeout, "timed out after 0.3s")
        );
    }

    #[tokio::test]
    async fn a_source_or_interface_that_is_not_here_is_a_failure_that_names_it() {
        let unreachable = |text: &str| Outcome::failed(FailureReason::Unreachable, text);
        let settings = Connection { bind_to: Some([192, 0, 2, 7].into()), ..to(([127, 0, 0, 1], 9).into()) };
        let expected = unreachable("source 192.0.2.7: cannot assign requested address");
        assert_eq!(outcome(&settings).await, expected);
        let settings =
            Connection { bind_interface: Some("nosuch0".into()), ..to(([127, 0, 0, 1], 9).into()) };
        assert_eq!(outcome(&settings).await, unreachable("interface nosuch0: no such device"));
    }

    #[tokio::test]
    async fn a_mark_of_zero_needs_no_privilege() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = Connection { fwmark: Some(FwMark(0)), ..to(listener.local_addr().unwrap()) };
        assert_eq!(outcome(&settings).await, Outcome::GOOD);
    }
}
