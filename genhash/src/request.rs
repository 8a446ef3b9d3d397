//! What to fetch and how: the request as the caller describes it, and the bytes that go to the server.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::Algorithm;

/// The HTTP version spoken, as keepalived's `http_protocol` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// `1.0`: no `Connection` header.
    #[default]
    V1_0,
    /// `1.0c`: 1.0 with `Connection: close`.
    V1_0Close,
    /// `1.1`, always with `Connection: close`.
    V1_1,
}

/// The name given is no HTTP version that can be spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid HTTP protocol version `{0}`: 1.0, 1.0c or 1.1")]
pub struct UnknownVersion(String);

impl FromStr for HttpVersion {
    type Err = UnknownVersion;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "1.0" => Ok(Self::V1_0),
            "1.0c" | "1.0C" => Ok(Self::V1_0Close),
            "1.1" => Ok(Self::V1_1),
            _ => Err(UnknownVersion(name.to_owned())),
        }
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "1.0",
            Self::V1_0Close => "1.0c",
            Self::V1_1 => "1.1",
        })
    }
}

/// How TLS is spoken, where it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The name sent as SNI (RFC 6066 section 3); keepalived sends none unless it is told to. Of one with
    /// a port the host is sent, of one that is no DNS name nothing.
    pub server_name: Option<String>,
}

/// How long to wait and how much to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For the TCP connection.
    pub connect: Duration,
    /// For the TLS handshake, for sending the request, and for each further piece of the answer.
    pub idle: Duration,
    /// For the whole exchange, so that a server that drips one byte at a time is not waited for endlessly.
    pub total: Duration,
    /// Largest header, in bytes.
    pub header: usize,
    /// Largest body, in bytes.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            total: Duration::from_secs(60),
            header: 64 << 10,
            body: 64 << 20,
        }
    }
}

/// One page to fetch and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where to connect.
    pub server: SocketAddr,
    /// The request target, sent as it is: `/index.html`.
    pub path: String,
    /// The `Host` header; without one it is the server's address and port.
    pub virtual_host: Option<String>,
    /// Version in the request line.
    pub version: HttpVersion,
    /// TLS, or plain HTTP.
    pub tls: Option<Tls>,
    /// SO_MARK of the socket that [`crate::digest`] opens (needs CAP_NET_ADMIN).
    pub fwmark: Option<u32>,
    /// Hash of the body.
    pub algorithm: Algorithm,
    /// Times and sizes.
    pub limits: Limits,
}

impl Request {
    /// A plain HTTP/1.0 request for `path`, MD5, with the default limits.
    pub fn new(server: SocketAddr, path: impl Into<String>) -> Self {
        Self {
            server,
            path: path.into(),
            virtual_host: None,
            version: HttpVersion::default(),
            tls: None,
            fwmark: None,
            algorithm: Algorithm::default(),
            limits: Limits::default(),
        }
    }

    /// The request as it goes over the wire, the same bytes that keepalived sends: servers whose page depends on the
    /// user agent would otherwise give another digest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (minor, connection) = match self.version {
            HttpVersion::V1_0 => (0, ""),
            HttpVersion::V1_0Close => (0, "Connection: close\r\n"),
            HttpVersion::V1_1 => (1, "Connection: close\r\n"),
        };
        let host = self.virtual_host.clone().unwrap_or_else(|| self.server.to_string());
        format!(
            "GET {} HTTP/1.{minor}\r\nUser-Agent: KeepAliveClient\r\n{connection}Host: {host}\r\n\r\n",
            self.path
        )
        .into_bytes()
    }

    /// The first character that would break out of the request line or the `Host` header, if there is one.
    pub(crate) fn forbidden_character(&self) -> Option<char> {
        let in_path = self.path.chars().find(|c| c.is_ascii_control() || *c == ' ');
        let in_host = self.virtual_host.iter().flat_map(|host| host.chars()).find(|c| c.is_ascii_control());
        in_path.or(in_host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(server: &str) -> Request {
        Request::new(server.parse().unwrap(), "/x")
    }

    #[test]
    fn each_version_sends_what_keepalived_sends() {
        // Captured from keepalived 2.2.7 with `--genhash -P VERSION -V vh.example`.
        let cases = [
            ("1.0", "GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: vh.example\r\n\r\n"),
            (
                "1.0c",
                "GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: vh.example\r\n\r\n",
            ),
            (
                "1.1",
                "GET /x HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: vh.example\r\n\r\n",
            ),
        ];
        for (version, expected) in cases {
            let mut request = request("127.0.0.1:80");
            request.version = version.parse().unwrap();
            request.virtual_host = Some("vh.example".to_owned());
            assert_eq!(String::from_utf8(request.to_bytes()).unwrap(), expected);
            assert_eq!(request.version.to_string(), version);
        }
    }

    #[test]
    fn without_a_virtual_host_the_address_is_the_host() {
        for server in ["127.0.0.1:18100", "[2001:db8::1]:80"] {
            let sent = String::from_utf8(request(server).to_bytes()).unwrap();
            assert!(sent.contains(&format!("Host: {server}\r\n")), "{sent}");
        }
    }

    #[test]
    fn a_line_break_in_path_or_host_is_found() {
        let mut request = request("127.0.0.1:80");
        assert_eq!(request.forbidden_character(), None);
        request.virtual_host = Some("a\r\nX: y".to_owned());
        assert_eq!(request.forbidden_character(), Some('\r'));
        request.path = "/a b".to_owned();
        assert_eq!(request.forbidden_character(), Some(' '));
    }
}
