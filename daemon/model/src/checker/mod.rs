//! Health checkers of a real server: what each kind is told, with everything inherited filled in.
//!
//! [`Checker`] is what runs on a schedule; its [`CheckerKind`] says what it does. [`FileCheck`] and [`BfdCheck`] run
//! nothing: they follow what somebody else watches, and stand beside the checkers in the real server.

mod bfd;
mod connection;
mod dns;
mod file;
mod followed;
mod http;
mod misc;
mod regex;
mod smtp;
mod udp;

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use bfd::BfdCheck;
pub use connection::Connection;
pub use dns::{DnsCheck, DnsRecord};
pub use file::FileCheck;
pub use followed::{Followed, Levels};
pub use http::{Digest, HttpGet, HttpVersion, StatusCodes, TlsUrl, Url};
pub use misc::MiscCheck;
pub use regex::{BodyRegex, MatcherStack, RegexOption};
pub use smtp::SmtpCheck;
pub use udp::{Bytes, UdpCheck, UdpReply};

use crate::Usual;

/// One checker block that runs on a schedule, inheritance resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checker {
    /// What it does.
    pub kind: CheckerKind,
    /// Time between two checks: its own `delay_loop`, the real server's, the virtual server's; 60 s unless given.
    pub delay_loop: Duration,
    /// `warmup`: the first check comes after a random part of this; the real server's, the virtual server's, the
    /// `delay_loop` unless given.
    pub warmup: Duration,
    /// `retry` (old: `nb_get_retry`): failures that are tried again before the server counts as down; the real
    /// server's, the virtual server's, 1 unless given (DNS_CHECK 3, MISC_CHECK 0).
    pub retry: u32,
    /// `delay_before_retry`: from a failed try to the next; the real server's, the virtual server's, 1 s unless given
    /// (HTTP_GET and SSL_GET 3 s, DNS_CHECK the `delay_loop`).
    pub delay_before_retry: Duration,
    /// `alpha`: the checker counts as failed until it has succeeded once; the real server's unless given.
    pub alpha: bool,
    /// `log_all_failures`: every failed try is logged, not only the one that counts; also when the global
    /// `checker_log_all_failures` is on.
    pub log_all_failures: bool,
}

/// What virtual servers and real servers may say for the checkers in them, as written there; `None` where it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTiming {
    /// `delay_loop`.
    pub delay_loop: Option<Duration>,
    /// `warmup`.
    pub warmup: Option<Duration>,
    /// `retry`.
    pub retry: Option<u32>,
    /// `delay_before_retry`.
    pub delay_before_retry: Option<Duration>,
    /// `connect_timeout`.
    pub connect_timeout: Option<Duration>,
}

impl Usual for CheckTiming {
    fn usual() -> &'static Self {
        static USUAL: CheckTiming = CheckTiming {
            delay_loop: None,
            warmup: None,
            retry: None,
            delay_before_retry: None,
            connect_timeout: None,
        };
        &USUAL
    }
}

impl CheckTiming {
    /// `connect_timeout` where nothing else is said.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// With the values of the block around it where this one has none.
    pub fn or(self, outer: Self) -> Self {
        Self {
            delay_loop: self.delay_loop.or(outer.delay_loop),
            warmup: self.warmup.or(outer.warmup),
            retry: self.retry.or(outer.retry),
            delay_before_retry: self.delay_before_retry.or(outer.delay_before_retry),
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
        }
    }
}

/// The kinds of checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckerKind {
    /// `TCP_CHECK`: a connection can be opened.
    Tcp(Connection),
    /// `HTTP_GET`, or `SSL_GET` when `tls`: pages are as they should be.
    Http(HttpGet),
    /// `SMTP_CHECK`: a mail server greets.
    Smtp(SmtpCheck),
    /// `DNS_CHECK`: a DNS server answers.
    Dns(DnsCheck),
    /// `MISC_CHECK`: a command succeeds.
    Misc(MiscCheck),
    /// `PING_CHECK`: ICMP echo is answered. The port has no meaning.
    Ping(Connection),
    /// `UDP_CHECK`: a datagram is answered, or at least not refused.
    Udp(Box<UdpCheck>),
}

/// What a checker is told, with the keyword that it was written with as its `type`.
impl Serialize for CheckerKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Typed<'a, T> {
            #[serde(rename = "type")]
            keyword: &'static str,
            #[serde(flatten)]
            settings: &'a T,
        }
        let keyword = self.keyword();
        match self {
            Self::Tcp(settings) | Self::Ping(settings) => Typed { keyword, settings }.serialize(serializer),
            Self::Http(settings) => Typed { keyword, settings }.serialize(serializer),
            Self::Smtp(settings) => Typed { keyword, settings }.serialize(serializer),
            Self::Dns(settings) => Typed { keyword, settings }.serialize(serializer),
            Self::Misc(settings) => Typed { keyword, settings }.serialize(serializer),
            Self::Udp(settings) => Typed { keyword, settings }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for CheckerKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(tag = "type")]
        enum Typed {
            #[serde(rename = "TCP_CHECK")]
            Tcp(Connection),
            #[serde(rename = "HTTP_GET", alias = "SSL_GET")]
            Http(HttpGet),
            #[serde(rename = "SMTP_CHECK")]
            Smtp(SmtpCheck),
            #[serde(rename = "DNS_CHECK")]
            Dns(DnsCheck),
            #[serde(rename = "MISC_CHECK")]
            Misc(MiscCheck),
            #[serde(rename = "PING_CHECK")]
            Ping(Connection),
            #[serde(rename = "UDP_CHECK")]
            Udp(Box<UdpCheck>),
        }
        Ok(match Typed::deserialize(deserializer)? {
            Typed::Tcp(settings) => Self::Tcp(settings),
            Typed::Http(settings) => Self::Http(settings),
            Typed::Smtp(settings) => Self::Smtp(settings),
            Typed::Dns(settings) => Self::Dns(settings),
            Typed::Misc(settings) => Self::Misc(settings),
            Typed::Ping(settings) => Self::Ping(settings),
            Typed::Udp(settings) => Self::Udp(settings),
        })
    }
}

impl CheckerKind {
    /// Where it looks, and how; a command looks for itself.
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Tcp(connection) | Self::Ping(connection) => Some(connection),
            Self::Http(settings) => Some(&settings.connection),
            Self::Smtp(settings) => Some(&settings.connection),
            Self::Dns(settings) => Some(&settings.connection),
            Self::Udp(settings) => Some(&settings.connection),
            Self::Misc(_) => None,
        }
    }

    /// The keyword of its block.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "TCP_CHECK",
            Self::Http(HttpGet { tls: false, .. }) => "HTTP_GET",
            Self::Http(HttpGet { tls: true, .. }) => "SSL_GET",
            Self::Smtp(_) => "SMTP_CHECK",
            Self::Dns(_) => "DNS_CHECK",
            Self::Misc(_) => "MISC_CHECK",
            Self::Ping(_) => "PING_CHECK",
            Self::Udp(_) => "UDP_CHECK",
        }
    }
}
