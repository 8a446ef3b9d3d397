//! What one packet says. In goes an IP packet; out comes an [`Advert`], or what is wrong with it and who sent it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use keepwatch_model::Family;
use keepwatch_net::wire::ethernet::MacAddress;
use keepwatch_vrrp::wire::{AuthType, IPPROTO_VRRP, Message, PacketType};
use keepwatch_vrrp::{Datagram, LinkId};
use serde::Serialize;

/// Addresses of an advert that are kept; how many there are is always told.
pub const KEPT_ADDRESSES: usize = 32;
/// Bytes of an IPv6 header.
const IPV6_HEADER_LEN: usize = 40;

/// How an advert says that it is authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    None,
    /// A password in clear; only whether two are the same can be told.
    Password(u64),
    /// An IP authentication header.
    Ah,
    /// A signature (keepalived's `auth_hmac`) by the key of this number.
    Hmac(u8),
    /// A type that does not exist.
    Unknown(u8),
}

impl Authentication {
    /// Its name, as in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password(_) => "PASS",
            Self::Ah => "AH",
            Self::Hmac(_) => "HMAC",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no authentication"),
            Self::Hmac(key) => write!(f, "HMAC key {key}"),
            Self::Unknown(kind) => write!(f, "authentication type {kind}"),
            other => f.write_str(other.name()),
        }
    }
}

impl Serialize for Authentication {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What an advert says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Who sent it.
    pub source: IpAddr,
    /// The hardware address that it left by, where the link has such.
    pub hardware: Option<MacAddress>,
    /// 2 or 3.
    pub version: u8,
    /// The virtual router id.
    pub vrid: u8,
    /// 0: the sender stops being master. 255: it owns the addresses.
    pub priority: u8,
    /// How often it sends.
    pub interval: Duration,
    /// How it is authenticated.
    pub authentication: Authentication,
    /// The first [`KEPT_ADDRESSES`] of its addresses.
    pub addresses: Vec<IpAddr>,
    /// How many addresses it has.
    pub address_count: u8,
    /// A fingerprint of all of them.
    pub address_print: u64,
    /// Whether it went to one peer instead of the group.
    pub unicast: bool,
}

/// What is wrong with a packet. The kinds are few, so that they can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// Longer or shorter than its headers say.
    Length,
    /// The checksum fits neither with nor without a pseudo-header.
    Checksum,
    /// TTL or hop limit of a packet to the group is not 255: it came over a router (RFC 9568 §7.1).
    Ttl,
    /// No advertisement.
    Type,
    /// Neither version 2 nor 3.
    Version,
    /// An authentication header whose SPI is not the sender's address.
    Spi,
}

impl Flaw {
    /// Its name, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Ttl => "ttl",
            Self::Type => "type",
            Self::Version => "version",
            Self::Spi => "spi",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "its length is not what its headers say",
            Self::Checksum => "its checksum is wrong",
            Self::Ttl => "its TTL is not 255: it came over a router, or is forged",
            Self::Type => "it is no advertisement",
            Self::Version => "its version is neither 2 nor 3",
            Self::Spi => "the SPI of its authentication header is not its sender",
        })
    }
}

/// What a packet was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// An advert.
    Advert(Advert),
    /// VRRP with a flaw; who sent it, if that much could be read.
    Flawed(Option<IpAddr>, Flaw),
    /// No VRRP.
    Other,
}

/// Reads packets; holds the secret of the fingerprints.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    prints: RandomState,
}

impl Decoder {
    /// Reads an IP packet, header first, that left by `hardware`.
    pub fn read(&self, family: Family, packet: &[u8], hardware: Option<MacAddress>) -> Read {
        let datagram = match family {
            Family::Inet => match Datagram::from_ipv4(LinkId(0), packet) {
                Ok(datagram) => Some(datagram),
                Err(_) => return Read::Flawed(None, Flaw::Length),
            },
            Family::Inet6 => from_ipv6(packet),
        };
        let Some(datagram) = datagram else { return Read::Other };
        match self.advert(family, &datagram, hardware) {
            Ok(advert) => Read::Advert(advert),
            Err(flaw) => Read::Flawed(Some(datagram.source), flaw),
        }
    }

    fn advert(
        &self,
        family: Family,
        datagram: &Datagram<'_>,
        hardware: Option<MacAddress>,
    ) -> Result<Advert, Flaw> {
        let &Datagram { source, destination, .. } = datagram;
        if !matches!(datagram.message.first().map(|byte| byte >> 4), Some(2 | 3)) {
            return Err(Flaw::Version);
        }
        let message = Message::new_signed(family, datagram.message).map_err(|_| Flaw::Length)?;
        if message.packet_type() != PacketType::Advertisement {
            return Err(Flaw::Type);
        }
        let version = message.version();
        let fits = message.checksum_fits()
            || (version == 3 || family == Family::Inet6)
                && message.checksum_fits_between(source, destination);
        if !fits {
            return Err(Flaw::Checksum);
        }
        let unicast = !destination.is_multicast();
        if !unicast && datagram.ttl.is_some_and(|ttl| ttl != 255) {
            return Err(Flaw::Ttl);
        }
        if datagram.ah.is_some_and(|ah| IpAddr::V4(ah.spi()) != source) {
            return Err(Flaw::Spi);
        }
        let authentication = match (message.trailer(), message.auth_type()) {
            (Some(trailer), _) => Authentication::Hmac(trailer.key_id()),
            _ if datagram.ah.is_some() => Authentication::Ah,
            _ if version == 3 => Authentication::None,
            (None, AuthType::None) => Authentication::None,
            (None, AuthType::Password) => Authentication::Password(self.prints.hash_one(message.auth_data())),
            (None, AuthType::Ah) => Authentication::Ah,
            (None, AuthType::Unknown(kind)) => Authentication::Unknown(kind),
        };
        Ok(Advert {
            source,
            hardware,
            version,
            vrid: message.vrid(),
            priority: message.priority(),
            interval: message.advert_interval(),
            authentication,
            addresses: message.addresses().take(KEPT_ADDRESSES).collect(),
            address_count: message.count(),
            address_print: self.prints.hash_one(message.addresses().collect::<Vec<_>>()),
            unicast,
        })
    }
}

/// An IPv6 packet taken apart; none if it carries no VRRP right behind its header, or is not all there.
fn from_ipv6(packet: &[u8]) -> Option<Datagram<'_>> {
    let (header, rest) = packet.split_first_chunk::<IPV6_HEADER_LEN>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || header[6] != IPPROTO_VRRP {
        return None;
    }
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&header[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    // What is missing shows as a wrong length.
    let message = rest.get(..length).unwrap_or(rest);
    Some(Datagram {
        link: LinkId(0),
        source: address(8),
        destination: address(24),
        ttl: Some(header[7]),
        ah: None,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// 10.0.0.1, version 2, VRID 51, priority 100, password "1111", 10.0.0.100.
    fn plain(password: &str) -> Vec<u8> {
        let mut packet = hex("45c00028 00010000 ff700000 0a000001 e0000012 21336401 01010000 0a000064");
        packet.extend(password.as_bytes());
        packet.resize(40, 0);
        let sum = keepwatch_net::wire::checksum::Sum::default().with(&packet[20..]).finish();
        packet[26..28].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    #[test]
    fn a_password_is_compared_and_not_kept() {
        let decoder = Decoder::default();
        let read = |password| match decoder.read(Family::Inet, &plain(password), None) {
            Read::Advert(advert) => advert,
            other => panic!("{other:?}"),
        };
        let (one, same, other) = (read("secret"), read("secret"), read("Secret"));
        assert_eq!(one, same);
        assert_ne!(one.authentication, other.authentication);
        assert!(!format!("{one:?}").contains("secret"));
        assert_eq!((one.vrid, one.priority, one.interval), (51, 100, Duration::from_secs(1)));
        assert_eq!((one.addresses.len(), one.address_count), (1, 1));
    }

    #[test]
    fn each_flaw_is_told_with_its_sender() {
        let decoder = Decoder::default();
        let good = plain("x");
        for (at, value, flaw) in
            [(8, 254, Flaw::Ttl), (20, 0x22, Flaw::Type), (20, 0x41, Flaw::Version), (26, 0, Flaw::Checksum)]
        {
            let mut packet = good.clone();
            packet[at] = value;
            let expected = Read::Flawed(Some([10, 0, 0, 1].into()), flaw);
            assert_eq!(decoder.read(Family::Inet, &packet, None), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read(v6: bool, packet in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let family = if v6 { Family::Inet6 } else { Family::Inet };
            let _ = Decoder::default().read(family, &packet, None);
        }
    }
}
