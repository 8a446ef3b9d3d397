//! Where the master agent listens, in net-snmp's notation.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port that RFC 2741 section 8.1.1 gives to AgentX over TCP.
pub const AGENTX_PORT: u16 = 705;
/// Where net-snmp's master listens unless told otherwise (and RFC 2741 section 8.2.1 suggests).
pub const DEFAULT_SOCKET: &str = "/var/agentx/master";

/// The address of a master agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A host, by name or address, and its TCP port.
    Tcp(String, u16),
}

impl Default for Address {
    fn default() -> Self {
        Address::Unix(DEFAULT_SOCKET.into())
    }
}

/// Text that is no address of a master agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no AgentX address: unix:/path, /path, tcp:host:port or tcp:port")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `unix:/path`, `/path`, `tcp:host:port`, `tcp:[v6]:port`, `tcp:port`, `tcp:host` and `host:port`; `tcp6:`
    /// does the same as `tcp:`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = || AddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:").or(text.starts_with('/').then_some(text)) {
            return if path.is_empty() { Err(error()) } else { Ok(Address::Unix(path.into())) };
        }
        let rest = ["tcp:", "tcp6:", "tcpv6:"].iter().find_map(|prefix| text.strip_prefix(prefix));
        // A bare word could be anything; with a transport in front it is a host or a port.
        let (rest, named) = rest.map_or((text, false), |rest| (rest, true));
        if let Some((host, port)) = rest.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')) {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let port = port.parse().map_err(|_| error())?;
            // Another transport, and no host.
            if bare.contains(':') && bare.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(error());
            }
            return if bare.is_empty() { Err(error()) } else { Ok(Address::Tcp(bare.to_owned(), port)) };
        }
        match rest.parse() {
            Ok(port) if named => Ok(Address::Tcp("localhost".to_owned(), port)),
            _ if named && !rest.is_empty() && !rest.contains(':') => {
                Ok(Address::Tcp(rest.to_owned(), AGENTX_PORT))
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp(host, port) if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "tcp:{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn net_snmps_notations_are_understood() {
        let tcp = |host: &str, port| Ok(Address::Tcp(host.to_owned(), port));
        for (text, want) in [
            ("unix:/run/a.sock", Ok(Address::Unix("/run/a.sock".into()))),
            ("/var/agentx/master", Ok(Address::default())),
            ("tcp:localhost:705", tcp("localhost", 705)),
            ("tcp:[::1]:7050", tcp("::1", 7050)),
            ("tcp6:[::1]:7050", tcp("::1", 7050)),
            ("tcp:705", tcp("localhost", 705)),
            ("tcp:host", tcp("host", AGENTX_PORT)),
            ("10.0.0.1:705", tcp("10.0.0.1", 705)),
            ("nonsense", Err(AddressError("nonsense".into()))),
            ("unix:", Err(AddressError("unix:".into()))),
            ("tcp:host:99999", Err(AddressError("tcp:host:99999".into()))),
            ("tcp:", Err(AddressError("tcp:".into()))),
        ] {
            assert_eq!(text.parse(), want, "{text}");
        }
    }

    #[test]
    fn an_address_reads_back_as_itself() {
        for address in [Address::default(), Address::Tcp("::1".into(), 1), Address::Tcp("h".into(), 2)] {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
}
