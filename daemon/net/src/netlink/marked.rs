//! Routes and rules that bear keepalived's mark, which is keepwatch's too: looked for once, when a daemon starts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::NlasIterator;

use super::Requests;
use super::attributes::Attributes;
use crate::address::PROTOCOL_KEEPALIVED;
use crate::error::{Error, Result};

/// Length of `struct rtmsg` and of `struct fib_rule_hdr`, and where they have what is needed here.
const HEADER: usize = 12;
const DESTINATION_LENGTH: usize = 1;
const PROTOCOL: usize = 5;
const FRA_PRIORITY: u16 = 6;
const FRA_PROTOCOL: u16 = 21;

/// One of them, by what tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marked {
    /// A route.
    Route {
        /// Where it leads.
        destination: IpAddr,
        /// Prefix length in bits.
        length: u8,
        /// Its table.
        table: u32,
    },
    /// A rule.
    Rule {
        /// It is of IPv6.
        ipv6: bool,
        /// Its place among the rules.
        preference: u32,
    },
}

impl Marked {
    /// All that there are.
    ///
    /// # Errors
    /// When the kernel does not tell them.
    pub fn all() -> Result<Vec<Self>> {
        let mut requests = Requests::routing()?;
        // The kernel then leaves out what has another mark; one that can't (before 4.20) tells all.
        requests.filter_lists();
        let mut all = Vec::new();
        for kind in [libc::RTM_GETROUTE, libc::RTM_GETRULE] {
            let mut header = [0; HEADER];
            if kind == libc::RTM_GETROUTE {
                header[PROTOCOL] = PROTOCOL_KEEPALIVED;
            }
            let told = |kind: u16, body: &[u8]| match kind {
                libc::RTM_NEWROUTE => all.extend(route(body)),
                libc::RTM_NEWRULE => all.extend(rule(body)),
                _ => {}
            };
            requests
                .list(kind, &Attributes::after(&header), told)
                .map_err(|errno| Error::system("list", "routes and rules", std::io::Error::from(errno)))?;
        }
        Ok(all)
    }
}

fn attributes(body: &[u8]) -> impl Iterator<Item = (u16, Vec<u8>)> {
    let all = body.get(HEADER..).unwrap_or_default();
    NlasIterator::new(all).map_while(std::result::Result::ok).map(|one| (one.kind(), one.value().to_vec()))
}

fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn route(body: &[u8]) -> Option<Marked> {
    let length = *body.get(DESTINATION_LENGTH)?;
    if *body.get(PROTOCOL)? != PROTOCOL_KEEPALIVED {
        return None;
    }
    let mut destination: IpAddr = match i32::from(*body.first()?) {
        libc::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        libc::AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let mut table = 0;
    for (kind, value) in attributes(body) {
        match kind {
            libc::RTA_DST => destination = super::message::ip(&value)?,
            libc::RTA_TABLE => table = number(&value)?,
            _ => {}
        }
    }
    Some(Marked::Route { destination, length, table })
}

fn rule(body: &[u8]) -> Option<Marked> {
    let ipv6 = i32::from(*body.first()?) == libc::AF_INET6;
    let (mut preference, mut is_marked) = (0, false);
    for (kind, value) in attributes(body) {
        match kind {
            FRA_PRIORITY => preference = number(&value)?,
            FRA_PROTOCOL => is_marked = value.first() == Some(&PROTOCOL_KEEPALIVED),
            _ => {}
        }
    }
    is_marked.then_some(Marked::Rule { ipv6, preference })
}
