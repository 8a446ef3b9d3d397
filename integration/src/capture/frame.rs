//! What is in a frame, as far as tests ask: ARP, neighbour advertisements, reports of groups and VRRP. A decoder of its own, so that the
//! tests do not judge keepwatch's codec by itself.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

/// One frame on the wire.
#[derive(Debug, Clone)]
pub struct Frame {
    /// When the kernel saw it, since the epoch.
    pub at: Duration,
    /// Sender's hardware address.
    pub from: [u8; 6],
    /// Receiver's hardware address.
    pub to: [u8; 6],
    /// What it carries.
    pub payload: Payload,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// An ARP packet for IPv4 on Ethernet.
    Arp(Arp),
    /// An IPv6 neighbour advertisement.
    NeighbourAdvertisement {
        /// Whose link-layer address it tells.
        target: Ipv6Addr,
        /// That address, if it is told.
        hardware: Option<[u8; 6]>,
        /// R, S and O, the highest bits (RFC 4861 4.4).
        flags: u8,
    },
    /// An IPv6 router solicitation.
    RouterSolicitation,
    /// A report of multicast groups: of IGMP (RFC 3376) or MLD (RFC 3810), also that a group is left.
    GroupReport {
        /// Source address of the IP packet.
        source: IpAddr,
    },
    /// A VRRP advertisement.
    Vrrp(Advert),
    /// Anything else: its EtherType.
    Other(u16),
}

/// An ARP packet (RFC 826).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender's hardware address.
    pub sender_hardware: [u8; 6],
    /// Sender's protocol address.
    pub sender: Ipv4Addr,
    /// Target's protocol address.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Whether it tells the LAN where an address lives (RFC 5944 4.6): sender and target are the same.
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }
}

/// A VRRP advertisement (RFC 3768 5.1, RFC 5798 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// 2 or 3.
    pub version: u8,
    /// Source address of the IP packet.
    pub source: IpAddr,
    /// Destination address of the IP packet.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Virtual router id.
    pub vrid: u8,
    /// Priority; 0 when the master stops.
    pub priority: u8,
    /// Version 2: seconds; version 3: centiseconds.
    pub interval: u16,
    /// Version 2: 0 none, 1 simple password, 2 AH. Version 3 has none: 0.
    pub authentication: u8,
    /// The addresses it announces.
    pub addresses: Vec<IpAddr>,
    /// What stands behind all of it, such as a signature (`auth_hmac`).
    pub trailer: Vec<u8>,
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_HOP_BY_HOP: u8 = 0;
const PROTOCOL_IGMP: u8 = 2;
const PROTOCOL_AH: u8 = 51;
const PROTOCOL_ICMPV6: u8 = 58;
const PROTOCOL_VRRP: u8 = 112;
const MLD_REPORTS: [u8; 3] = [131, 132, 143];
const IGMP_QUERY: u8 = 0x11;
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Of a neighbour advertisement (RFC 4861 4.6.1).
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn ipv4_at(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    bytes.get(at..at + 4)?.try_into().ok().map(|octets: [u8; 4]| octets.into())
}

fn ipv6_at(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    bytes.get(at..at + 16)?.try_into().ok().map(|octets: [u8; 16]| octets.into())
}

fn hardware_at(bytes: &[u8], at: usize) -> Option<[u8; 6]> {
    bytes.get(at..at + 6)?.try_into().ok()
}

impl Frame {
    /// Reads an Ethernet frame. `None` when it is too short to be one.
    pub fn decode(at: Duration, bytes: &[u8]) -> Option<Self> {
        let ethertype = u16_at(bytes, 12)?;
        let payload = bytes.get(14..)?;
        let decoded = match ethertype {
            ETHERTYPE_ARP => arp(payload).map(Payload::Arp),
            ETHERTYPE_IPV4 => ipv4(payload),
            ETHERTYPE_IPV6 => ipv6(payload),
            _ => None,
        };
        Some(Self {
            at,
            to: hardware_at(bytes, 0)?,
            from: hardware_at(bytes, 6)?,
            payload: decoded.unwrap_or(Payload::Other(ethertype)),
        })
    }
}

fn arp(packet: &[u8]) -> Option<Arp> {
    Some(Arp {
        operation: u16_at(packet, 6)?,
        sender_hardware: hardware_at(packet, 8)?,
        sender: ipv4_at(packet, 14)?,
        target: ipv4_at(packet, 24)?,
    })
}

fn ipv4(packet: &[u8]) -> Option<Payload> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let (source, destination) = (ipv4_at(packet, 12)?, ipv4_at(packet, 16)?);
    let ttl = *packet.get(8)?;
    let end = usize::from(u16_at(packet, 2)?);
    let mut body = packet.get(header..end)?;
    match *packet.get(9)? {
        PROTOCOL_VRRP => {}
        PROTOCOL_IGMP if *body.first()? != IGMP_QUERY => {
            return Some(Payload::GroupReport { source: source.into() });
        }
        // The authentication header (RFC 4302 2) stands before VRRP; its length is in 32-bit words less two.
        PROTOCOL_AH if *body.first()? == PROTOCOL_VRRP => {
            body = body.get((usize::from(*body.get(1)?) + 2) * 4..)?;
        }
        _ => return None,
    }
    advert(body, source.into(), destination.into(), ttl).map(Payload::Vrrp)
}

fn ipv6(packet: &[u8]) -> Option<Payload> {
    let (source, destination) = (ipv6_at(packet, 8)?, ipv6_at(packet, 24)?);
    let ttl = *packet.get(7)?;
    let mut body = packet.get(40..40 + usize::from(u16_at(packet, 4)?))?;
    let mut protocol = *packet.get(6)?;
    if protocol == PROTOCOL_HOP_BY_HOP {
        // Its length is in units of 8 bytes without the first (RFC 8200 4.3).
        protocol = *body.first()?;
        body = body.get((usize::from(*body.get(1)?) + 1) * 8..)?;
    }
    match protocol {
        PROTOCOL_VRRP => advert(body, source.into(), destination.into(), ttl).map(Payload::Vrrp),
        PROTOCOL_ICMPV6 => match *body.first()? {
            NEIGHBOUR_ADVERTISEMENT => {
                let told = body.get(24) == Some(&TARGET_LINK_LAYER_ADDRESS);
                let hardware = told.then(|| hardware_at(body, 26)).flatten();
                Some(Payload::NeighbourAdvertisement {
                    target: ipv6_at(body, 8)?,
                    hardware,
                    flags: *body.get(4)?,
                })
            }
            ROUTER_SOLICITATION => Some(Payload::RouterSolicitation),
            kind if MLD_REPORTS.contains(&kind) => Some(Payload::GroupReport { source: source.into() }),
            _ => None,
        },
        _ => None,
    }
}

fn advert(packet: &[u8], source: IpAddr, destination: IpAddr, ttl: u8) -> Option<Advert> {
    let version = packet.first()? >> 4;
    let count = usize::from(*packet.get(3)?);
    let address = |i| match source {
        IpAddr::V4(_) => ipv4_at(packet, 8 + 4 * i).map(IpAddr::from),
        IpAddr::V6(_) => ipv6_at(packet, 8 + 16 * i).map(IpAddr::from),
    };
    let version_2 = version == 2;
    let end = match source {
        IpAddr::V4(_) => 8 + 4 * count + if version_2 { 8 } else { 0 },
        IpAddr::V6(_) => 8 + 16 * count,
    };
    Some(Advert {
        version,
        source,
        destination,
        ttl,
        vrid: *packet.get(1)?,
        priority: *packet.get(2)?,
        interval: if version_2 { u16::from(*packet.get(5)?) } else { u16_at(packet, 4)? & 0x0fff },
        authentication: if version_2 { *packet.get(4)? } else { 0 },
        addresses: (0..count).map_while(address).collect(),
        trailer: packet.get(end..).unwrap_or_default().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_2_advert_is_read() {
        let mut bytes = hex("01005e000012 02aabbccddee 0800");
        bytes.extend(hex("45c00028 00010000 ff70 0000 0a4e0001 e0000012"));
        bytes.extend(hex("2133640101010000 0a4e0909 3131313100000000"));
        let frame = Frame::decode(Duration::ZERO, &bytes).unwrap();
        let Payload::Vrrp(advert) = frame.payload else { panic!("{frame:?}") };
        assert_eq!((advert.version, advert.vrid, advert.priority, advert.interval), (2, 51, 100, 1));
        assert_eq!((advert.authentication, advert.ttl), (1, 255));
        assert_eq!(advert.addresses, ["10.78.9.9".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_cut_off_frame_is_not_believed() {
        let bytes = hex("ffffffffffff 02aabbccddee 0806 0001080006040001");
        assert_eq!(Frame::decode(Duration::ZERO, &bytes).unwrap().payload, Payload::Other(0x0806));
        assert!(Frame::decode(Duration::ZERO, &bytes[..10]).is_none());
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect()
    }
}
