//! What options of the command line are given: each kind with the words it is written in. Errors say what was expected.

use std::net::{IpAddr, SocketAddr};

use clap::ValueEnum;
use keepwatch_config::model::Observability;

use crate::signals;

/// What `--signum` can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signum {
    /// Stop the daemon.
    Stop,
    /// Read the configuration again.
    Reload,
    /// Write down how everything stands.
    Data,
    /// Write down what virtual routers counted.
    Stats,
    /// The same, and let it begin at zero.
    StatsClear,
    /// Write down virtual routers for programs.
    Json,
}

impl ValueEnum for Signum {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Stop, Self::Reload, Self::Data, Self::Stats, Self::StatsClear, Self::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(match self {
            Self::Stop => "STOP".into(),
            Self::Reload => "RELOAD".into(),
            Self::Data => "DATA".into(),
            Self::Stats => "STATS".into(),
            Self::StatsClear => "STATS_CLEAR".into(),
            Self::Json => "JSON".into(),
        })
    }
}

impl Signum {
    /// The signal's number.
    pub fn number(self) -> i32 {
        match self {
            Self::Stop => libc::SIGTERM,
            Self::Reload => libc::SIGHUP,
            Self::Data => libc::SIGUSR1,
            Self::Stats => libc::SIGUSR2,
            Self::StatsClear => signals::clear_stats(),
            Self::Json => signals::json(),
        }
    }
}

/// Where virtual servers go (DESIGN §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DataplaneKind {
    /// The kernel's IPVS.
    Ipvs,
    /// A table inside the daemon.
    Memory,
    /// Nothing is programmed; what would have been is published.
    Shadow,
}

/// Where the HTTP server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Nowhere,
    /// At this address.
    At(SocketAddr),
}

/// An address of a master agent, in the words in which it was given.
pub(super) fn parse_agent(text: &str) -> Result<String, snmp_agentx::address::AddressError> {
    text.parse::<snmp_agentx::Address>().map(|_| text.to_owned())
}

/// An address with or without port: `127.0.0.1:9165`, `::1`, `[::]:80`; or none.
pub(super) fn parse_listen(text: &str) -> Result<Listen, String> {
    if matches!(text, "none" | "off") {
        return Ok(Listen::Nowhere);
    }
    let without_port = || {
        let ip: IpAddr = text.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        Some(SocketAddr::new(ip, Observability::DEFAULT_PORT))
    };
    let address = text.parse().ok().or_else(without_port);
    address.map(Listen::At).ok_or_else(|| {
        "expected an IP address with or without port (127.0.0.1:9165, [::1]:9165, ::), or \"none\"".into()
    })
}

/// A syslog facility, as its number shifted into place (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub i32);

pub(super) fn parse_facility(text: &str) -> Result<Facility, String> {
    let local = text.strip_prefix("local").unwrap_or(text);
    match (text, local.parse::<i32>()) {
        ("user", _) => Ok(Facility(libc::LOG_USER)),
        ("daemon", _) => Ok(Facility(libc::LOG_DAEMON)),
        (_, Ok(n @ 0..=7)) => Ok(Facility(libc::LOG_LOCAL0 + (n << 3))),
        _ => Err("expected 0-7, local0-local7, user or daemon".into()),
    }
}

pub(super) fn parse_umask(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None if text.starts_with('0') => u32::from_str_radix(text, 8),
        None => text.parse(),
    };
    match parsed {
        Ok(mask) if mask <= 0o777 => Ok(mask),
        _ => Err("expected a mask of permission bits, at most 0777".into()),
    }
}
