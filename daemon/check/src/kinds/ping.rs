//! `PING_CHECK`: an ICMP echo request is answered.
//!
//! The kernel's sockets for it (`SOCK_DGRAM` of `IPPROTO_ICMP`, icmp(7)) want the group of the process in the range
//! `net.ipv4.ping_group_range`, which by default is empty, and keepalived writes it. Here a raw socket stands in, which
//! wants `CAP_NET_RAW`; nothing of the system is changed.

mod echo;

use std::io;
use std::net::SocketAddr;

use keepwatch_model::Connection;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use self::echo::{Echo, Through};
use crate::datagram;
use crate::{connect, outcome::Outcome};

/// The groups that may open ICMP sockets, IPv6 too.
const GROUPS: &str = "/proc/sys/net/ipv4/ping_group_range";

/// Longest IPv4 header, and the message after it.
const ROOM: usize = 60 + echo::LENGTH;

/// Makes one check.
pub(super) async fn check(settings: &Connection) -> Outcome {
    let (socket, through) = match open(settings) {
        Ok(opened) => opened,
        Err(outcome) => return outcome,
    };
    let echo = Echo::new(settings.connect_to.ip(), through, rand::random());
    let judge = |message: &[u8]| echo.is_answered_by(message).then_some(Ok(()));
    match datagram::ask(&socket, settings, &echo.request(), ROOM, judge).await {
        Ok(true) => Outcome::GOOD,
        Ok(false) => Outcome::Failed(datagram::silence(settings)),
        Err(outcome) => outcome,
    }
}

fn open(settings: &Connection) -> Result<(UdpSocket, Through), Outcome> {
    let (socket, through) = match raw_or_not(settings, Type::DGRAM) {
        Ok(socket) => (socket, Through::Datagram),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let socket = raw_or_not(settings, Type::RAW).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => Outcome::NotRun(no_right()),
                _ => connect::no_socket(&error),
            })?;
            (socket, Through::Raw)
        }
        Err(error) => return Err(connect::no_socket(&error)),
    };
    Ok((datagram::finish(socket, settings, false)?, through))
}

fn raw_or_not(settings: &Connection, kind: Type) -> io::Result<Socket> {
    let protocol = match settings.connect_to {
        SocketAddr::V4(_) => Protocol::ICMPV4,
        SocketAddr::V6(_) => Protocol::ICMPV6,
    };
    Socket::new(Domain::for_address(settings.connect_to), kind.nonblocking(), Some(protocol))
}

fn no_right() -> String {
    let groups = std::fs::read_to_string(GROUPS).unwrap_or_default();
    let groups = groups.split_whitespace().collect::<Vec<_>>().join(" ");
    let group = nix::unistd::getegid();
    format!(
        "no ICMP socket: group {group} is not in net.ipv4.ping_group_range ({groups}), and a raw socket needs CAP_NET_RAW"
    )
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    fn to(address: &str) -> Connection {
        Connection {
            connect_to: (address.parse::<IpAddr>().unwrap(), 0).into(),
            bind_to: None,
            bind_port: Some(9),
            bind_interface: None,
            fwmark: None,
            connect_timeout: Duration::from_secs(5),
        }
    }

    #[tokio::test]
    async fn both_kinds_of_socket_and_both_families_reach_this_machine() {
        for address in ["127.0.0.1", "::1"] {
            let settings = to(address);
            for (kind, through) in [(Type::DGRAM, Through::Datagram), (Type::RAW, Through::Raw)] {
                let socket = match raw_or_not(&settings, kind) {
                    Ok(socket) => datagram::finish(socket, &settings, false).unwrap(),
                    Err(error) => {
                        eprintln!("{through:?} socket to {address}: {error}: not tried");
                        continue;
                    }
                };
                let echo = Echo::new(settings.connect_to.ip(), through, rand::random());
                let judge = |message: &[u8]| echo.is_answered_by(message).then_some(Ok(()));
                let answered = datagram::ask(&socket, &settings, &echo.request(), ROOM, judge).await;
                assert_eq!(answered, Ok(true), "{through:?} {address}");
            }
        }
    }
}
