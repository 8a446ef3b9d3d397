//! Real servers as attributes, and back.

use std::net::SocketAddr;

use netlink_packet_core::DecodeError;

use super::{
    attribute::DestinationAttribute as Attribute,
    service::{address, address_bytes, family, family_number, there},
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
            Forwarding::Unknown { method, .. } => method & METHOD,
        }),
        Attribute::Weight(destination.weight),
        Attribute::UpperThreshold(destination.upper_threshold),
        Attribute::LowerThreshold(destination.lower_threshold),
    ]);
    let tunnel = match destination.forwarding {
        Forwarding::Tunnel(Encapsulation::Ipip) => Some((0, 0, 0)),
        Forwarding::Tunnel(Encapsulation::Gue { port, flags }) => Some((1, port, flags)),
        Forwarding::Tunnel(Encapsulation::Gre { flags }) => Some((2, 0, flags)),
        Forwarding::Unknown { tunnel, .. } => Some((tunnel, 0, 0)),
        Forwarding::Masquerade | Forwarding::Local | Forwarding::DirectRouting | Forwarding::Bypass => None,
    };
    if let Some((kind, port, flags)) = tunnel {
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
/// If an attribute that belongs to every real server is missing, or the address family is none that there is.
pub(crate) fn read_destination(attributes: &[Attribute], service: Family) -> Result<Read, DecodeError> {
    let (mut bytes, mut port, mut addresses) = (None, None, service);
    let (mut weight, mut upper_threshold, mut lower_threshold) = (None, 0, 0);
    let (mut method, mut tunnel, mut tunnel_port, mut tunnel_flags) = (None, 0, 0, 0);
    let (mut activity, mut statistics) = (Activity::default(), Statistics::default());
    for attribute in attributes {
        match attribute {
            Attribute::Address(value) => bytes = Some(*value),
            Attribute::Port(value) => port = Some(*value),
            Attribute::Family(value) => addresses = family(*value)?,
            Attribute::Forwarding(value) => method = Some(*value & METHOD),
            Attribute::Weight(value) => weight = Some(*value),
            Attribute::UpperThreshold(value) => upper_threshold = *value,
            Attribute::LowerThreshold(value) => lower_threshold = *value,
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
    const WHAT: &str = "real server";
    let bytes = there(bytes, WHAT, "address")?;
    let key = SocketAddr::new(address(addresses, bytes), there(port, WHAT, "port")?);
    let of_it = format_args!("{WHAT} {key}");
    let forwarding = match (there(method, of_it, "forwarding method")?, tunnel) {
        (0, _) => Forwarding::Masquerade,
        (1, _) => Forwarding::Local,
        (2, 0) => Forwarding::Tunnel(Encapsulation::Ipip),
        (2, 1) => Forwarding::Tunnel(Encapsulation::Gue { port: tunnel_port, flags: tunnel_flags }),
        (2, 2) => Forwarding::Tunnel(Encapsulation::Gre { flags: tunnel_flags }),
        (3, _) => Forwarding::DirectRouting,
        (4, _) => Forwarding::Bypass,
        (method, tunnel) => Forwarding::Unknown { method, tunnel },
    };
    let weight = there(weight, of_it, "weight")?;
    let destination = Destination { weight, forwarding, upper_threshold, lower_threshold };
    Ok(Read { key, destination, activity, statistics })
}
