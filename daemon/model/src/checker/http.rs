//! `HTTP_GET` and `SSL_GET`: pages are as they should be.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BodyRegex, Connection};
use crate::Name;

/// An `HTTP_GET` or `SSL_GET` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpGet {
    /// Where the pages are.
    #[serde(flatten)]
    pub connection: Connection,
    /// It is an `SSL_GET`: over TLS, with what the `SSL` block says.
    pub tls: bool,
    /// `http_protocol`; 1.0 unless given.
    pub version: HttpVersion,
    /// `fast_recovery`: while it counts as failed, URLs are asked for without a pause between them; off unless given.
    pub fast_recovery: bool,
    /// `url` blocks, asked for in this order; never empty. Checkers that ask for the same pages may share them.
    pub urls: Arc<[Url]>,
}

/// `http_protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HttpVersion {
    /// `1.0`.
    #[default]
    #[serde(rename = "1.0")]
    Http10,
    /// `1.0C`: with `Connection: close`.
    #[serde(rename = "1.0C")]
    Http10Close,
    /// `1.1`: with `Connection: close`.
    #[serde(rename = "1.1")]
    Http11,
}

/// A `url` block: a page, and what it must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url {
    /// `path`, as it goes into the request.
    pub path: Name,
    /// `virtualhost` for the Host header: its own, the checker's, the real server's, the virtual server's; the address
    /// when `None`.
    pub host: Option<Name>,
    /// `status_code`: what is right; 200 to 299 unless given.
    pub status: StatusCodes,
    /// `digest` of the body (MD5).
    pub digest: Option<Digest>,
    /// `regex` and what goes with it.
    pub regex: Option<BodyRegex>,
    /// What only `SSL_GET` has.
    pub tls: Option<TlsUrl>,
}

/// What TLS adds to a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsUrl {
    /// The name sent in the handshake (SNI) when `enable_sni` or `sni_name` says so: `sni_name`, else the `virtualhost`
    /// of the URL, the checker or the virtual server, as keepalived has it not of the real server; none is sent when
    /// `None`. Of one with a port the host is sent, of one that is no DNS name nothing.
    pub server_name: Option<Name>,
    /// `tls_compliant` of the URL or the checker: TLS is ended with a close_notify of ours.
    pub compliant: bool,
}

/// An MD5 digest of 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())?;
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("`{text}`: no digest")))
    }
}

/// A set of status codes: ranges, first and last included, in order and apart from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusCodes(Vec<(u16, u16)>);

impl StatusCodes {
    /// All codes of these ranges.
    pub fn of(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// Reads what [`Display`](fmt::Display) writes.
    fn parse(text: &str) -> Option<Self> {
        let range = |word: &str| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        text.split_ascii_whitespace().map(range).collect::<Option<_>>().map(Self::of)
    }

    /// Is this one right?
    pub fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&code))
    }
}

/// 200 to 299.
impl Default for StatusCodes {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

/// As it is configured: `200-299 401`.
impl fmt::Display for StatusCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            match first == last {
                true => write!(f, "{gap}{first}")?,
                false => write!(f, "{gap}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for StatusCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusCodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("`{text}`: no list of status codes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_that_touch_are_one_range() {
        let codes = StatusCodes::of(vec![(404, 404), (200, 204), (205, 210), (203, 206)]);
        assert_eq!(codes.to_string(), "200-210 404");
        assert!(codes.contains(200) && codes.contains(210) && !codes.contains(211) && codes.contains(404));
    }

    #[test]
    fn a_digest_is_shown_as_it_was_written() {
        let text = "0c90a42b99ea9a2f5ecbe213ac9eba03";
        assert_eq!(Digest::parse(text).map(|digest| digest.to_string()).as_deref(), Some(text));
        assert_eq!(Digest::parse("+c90a42b99ea9a2f5ecbe213ac9eba03"), None);
    }
}
