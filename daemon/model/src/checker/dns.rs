//! `DNS_CHECK`: a DNS server answers a question.

use serde::{Deserialize, Serialize};

use super::Connection;
use crate::Name;

/// A `DNS_CHECK` block. It asks over UDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsCheck {
    /// Whom to ask.
    #[serde(flatten)]
    pub connection: Connection,
    /// `type`: what to ask for; SOA unless given.
    pub record: DnsRecord,
    /// `name`: of what; empty, the root, unless given.
    pub name: Name,
}

/// A type of DNS record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsRecord {
    /// IPv4 address.
    A,
    /// Name server.
    Ns,
    /// Canonical name.
    Cname,
    /// Start of authority.
    #[default]
    Soa,
    /// Mail exchange.
    Mx,
    /// Text.
    Txt,
    /// IPv6 address.
    Aaaa,
    /// Signature (DNSSEC).
    Rrsig,
    /// Key (DNSSEC).
    Dnskey,
}

impl DnsRecord {
    /// Every type with its name.
    pub const NAMES: &[(&str, Self)] = &[
        ("A", Self::A),
        ("NS", Self::Ns),
        ("CNAME", Self::Cname),
        ("SOA", Self::Soa),
        ("MX", Self::Mx),
        ("TXT", Self::Txt),
        ("AAAA", Self::Aaaa),
        ("RRSIG", Self::Rrsig),
        ("DNSKEY", Self::Dnskey),
    ];

    /// Its number on the wire (QTYPE, RFC 1035 §3.2.2 and its successors).
    pub fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Rrsig => 46,
            Self::Dnskey => 48,
        }
    }
}
