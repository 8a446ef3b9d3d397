//! Real servers as attributes, and back.

use std::net::SocketAddr;

use netlink_packet_core::DecodeError;

use super::{
    attribute::{ADDRESS_LENGTH, DestinationAttribute as Attribute},
    service::{address, address_bytes, family, family_number},
    statistics::read_statistics,
};
use crate::{
    statistics::{Activity, Statistics},
    table::{Destination, Encapsulation, Family, Forwarding},
};

/// The forwarding method within the kernel's connection flags (`IP_VS_CONN_F_FWD_MASK`).
const METHOD: u32 = 0x0007;

/// The attributes that tell the kernel which real server is meant.
pub(crate) fn destination_identity(key: &SocketAddr) -> Vec<Attribute> {
    vec![
        Attribute::Address(address_bytes(key.ip())),
        Attribute::Port(key.port()),
        Attribute::Family(family_number(Family::of(key.ip()))),
    ]
}

/// All attributes of a real server: which one is meant, and how packets get there.
pub(crate) fn destination_attributes(key: &SocketAddr, destination: &Destination) -> Vec<Attribute> {
    let mut attributes = destination_identity(key);
    attributes.extend([
        Attribute::Forwarding(match destination.forwarding {
            Forwarding::Masquerade => 0,
            Forwarding::Local => 1,
            Forwarding::Tunnel(_) => 2,
            Forwarding::DirectRouting => 3,
            Forwarding::Bypass => 4,
        }),
        Attribute::Weight(destination.weight),
        Attribute::UpperThreshold(destination.upper_threshold),
        Attribute::LowerThreshold(destination.lower_threshold),
    ]);
    if let Forwarding::Tunnel(encapsulation) = destination.forwarding {
        let (kind, port, flags) = match encapsulation {
            Encapsulation::Ipip => (0, 0, 0),
            Encapsulation::Gue { port, flags } => (1, port, flags),
            Encapsulation::Gre { flags } => (2, 0, flags),
        };
        attributes.extend([
            Attribute::TunnelType(kind),
            Attribute::TunnelPort(port),
            Attribute::TunnelFlags(flags),
        ]);
    }
    attributes
}

/// A real server as it is in the kernel.
pub(crate) struct Read {
    pub(crate) key: SocketAddr,
    pub(crate) destination: Destination,
    pub(crate) activity: Activity,
    pub(crate) statistics: Statistics,
}

/// Reads a real server from the kernel's answer; `service` is the family of its service, which kernels before 3.18
/// do not repeat.
///
/// # Errors
/// If the forwarding method or the address family is none that there is.
pub(crate) fn read_destination(attributes: &[Attribute], service: Family) -> Result<Read, DecodeError> {
    let mut destination =
        Destination { weight: 0, forwarding: Forwarding::Masquerade, upper_threshold: 0, lower_threshold: 0 };
    let (mut bytes, mut port, mut addresses) = ([0; ADDRESS_LENGTH], 0, service);
    let (mut method, mut tunnel, mut tunnel_port, mut tunnel_flags) = (0, 0, 0, 0);
    let (mut activity, mut statistics) = (Activity::default(), Statistics::default());
    for attribute in attributes {
        match attribute {
            Attribute::Address(value) => bytes = *value,
            Attribute::Port(value) => port = *value,
            Attribute::Family(value) => addresses = family(*value)?,
            Attribute::Forwarding(value) => method = *value & METHOD,
            Attribute::Weight(value) => destination.weight = *value,
            Attribute::UpperThreshold(value) => destination.upper_threshold = *value,
            Attribute::LowerThreshold(value) => destination.lower_threshold = *value,
            Attribute::ActiveConnections(value) => activity.active = *value,
            Attribute::InactiveConnections(value) => activity.inactive = *value,
            Attribute::PersistentConnections(value) => activity.persistent = *value,
            Attribute::Statistics(inner) | Attribute::Statistics64(inner) => {
                statistics = read_statistics(inner)
            }
            Attribute::TunnelType(value) => tunnel = *value,
            Attribute::TunnelPort(value) => tunnel_port = *value,
            Attribute::TunnelFlags(value) => tunnel_flags = *value,
            Attribute::Other(_) => (),
        }
    }
    destination.forwarding = match method {
        0 => Forwarding::Masquerade,
        1 => Forwarding::Local,
        2 => Forwarding::Tunnel(match tunnel {
            0 => Encapsulation::Ipip,
            1 => Encapsulation::Gue { port: tunnel_port, flags: tunnel_flags },
            2 => Encapsulation::Gre { flags: tunnel_flags },
            other => return Err(DecodeError::from(format!("tunnel type {other}"))),
        }),
        3 => Forwarding::DirectRouting,
        4 => Forwarding::Bypass,
        other => return Err(DecodeError::from(format!("forwarding method {other}"))),
    };
    let key = SocketAddr::new(address(addresses, bytes), port);
    Ok(Read { key, destination, activity, statistics })
}
