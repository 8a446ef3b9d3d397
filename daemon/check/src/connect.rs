//! Opening a connection to a real server with the options that all checkers share: source address and port, interface,
//! mark, time limit.
//!
//! In goes where to connect and how; out comes the open connection, or why there is none, and whose fault that is.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use keepwatch_bus::fact::FailureReason;
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
    let socket = socket(settings).map_err(|error| Outcome::NotRun(error.to_string()))?;
    match timeout(settings.connect_timeout, socket.connect(settings.connect_to)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(_) => Err(timed_out(settings.connect_timeout)),
    }
}

fn socket(settings: &Connection) -> io::Result<TcpSocket> {
    let domain = Domain::for_address(settings.connect_to);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    prepare(&socket, settings)?;
    if let Some(source) = source(settings) {
        // The last check's connection may linger on the same source port.
        socket.set_reuse_address(source.port() != 0)?;
        socket.bind(&source.into())?;
    }
    Ok(TcpSocket::from_std_stream(socket.into()))
}

/// Gives a socket what its checker is told of mark and interface.
///
/// # Errors
/// What the system said: no right to marks, no such interface.
pub(crate) fn prepare(socket: &Socket, settings: &Connection) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    if let Some(mark) = settings.fwmark.filter(|mark| mark.0 != 0) {
        socket.set_mark(mark.0)?;
    }
    if let Some(interface) = &settings.bind_interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    Ok(())
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

/// What an error of a socket says. Some say something of the real server, or of the way to it; every other one is a
/// matter of this side (no permission, no such source address) and condemns nobody.
pub(crate) fn refusal(error: &io::Error) -> Outcome {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureReason::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            FailureReason::Reset
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            FailureReason::Unreachable
        }
        _ if error.raw_os_error() == Some(HOST_DOWN) => FailureReason::Unreachable,
        io::ErrorKind::TimedOut => FailureReason::Timeout,
        _ => return Outcome::NotRun(plain(error)),
    };
    Outcome::failed(reason, plain(error))
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
    async fn a_source_address_that_is_not_ours_condemns_nobody() {
        let settings = Connection { bind_to: Some([192, 0, 2, 7].into()), ..to(([127, 0, 0, 1], 9).into()) };
        assert!(matches!(outcome(&settings).await, Outcome::NotRun(_)));
        let settings =
            Connection { bind_interface: Some("nosuch0".into()), ..to(([127, 0, 0, 1], 9).into()) };
        assert!(matches!(outcome(&settings).await, Outcome::NotRun(_)));
    }

    #[tokio::test]
    async fn a_mark_of_zero_needs_no_privilege() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = Connection { fwmark: Some(FwMark(0)), ..to(listener.local_addr().unwrap()) };
        assert_eq!(outcome(&settings).await, Outcome::GOOD);
    }
}
