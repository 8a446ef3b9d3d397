//! Virtual services as attributes, and back.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use netlink_packet_core::DecodeError;

use super::{
    attribute::{ADDRESS_LENGTH, ServiceAttribute as Attribute},
    statistics::read_statistics,
};
use crate::{
    statistics::Statistics,
    table::{Family, Granularity, Persistence, Protocol, Service, ServiceFlags, ServiceKey},
};

/// The kernel's flag of a service with persistence (`IP_VS_SVC_F_PERSISTENT`).
const PERSISTENT: u32 = 0x0001;

/// The attributes that tell the kernel which service is meant.
pub(crate) fn service_identity(key: &ServiceKey) -> Vec<Attribute> {
    let family = Attribute::Family(family_number(key.family()));
    match key {
        ServiceKey::Address { protocol, address, port } => vec![
            family,
            Attribute::Protocol(protocol.number().into()),
            Attribute::Address(address_bytes(*address)),
            Attribute::Port(*port),
        ],
        ServiceKey::Fwmark { fwmark, .. } => vec![family, Attribute::Mark(*fwmark)],
    }
}

/// All attributes of a service: which one is meant, and how it treats what arrives.
pub(crate) fn service_attributes(key: &ServiceKey, service: &Service) -> Vec<Attribute> {
    let mut attributes = service_identity(key);
    let (timeout, granularity, persistent) = match &service.persistence {
        Some(persistence) => {
            let seconds = u32::try_from(persistence.timeout.as_secs()).unwrap_or(u32::MAX);
            (seconds, persistence.granularity, PERSISTENT)
        }
        None => (0, Granularity::single(key.family()), 0),
    };
    attributes.extend([
        Attribute::Scheduler(service.scheduler.clone()),
        Attribute::Flags { flags: service.flags.bits() | persistent, mask: u32::MAX },
        Attribute::Timeout(timeout),
        Attribute::Netmask(match granularity {
            Granularity::Mask(mask) => mask.octets(),
            Granularity::Prefix(length) => u32::from(length).to_ne_bytes(),
        }),
    ]);
    if let Some(engine) = service.persistence.as_ref().and_then(|p| p.engine.clone()) {
        attributes.push(Attribute::Engine(engine));
    }
    attributes
}

/// Reads a service from the kernel's answer.
///
/// Gives nothing for a service of a protocol that we never spread.
///
/// # Errors
/// If an attribute that belongs to every such service is missing, or its value makes no sense.
pub(crate) fn read_service(
    attributes: &[Attribute],
) -> Result<Option<(ServiceKey, Service, Statistics)>, DecodeError> {
    let mut parts = Parts::default();
    let mut statistics = Statistics::default();
    for attribute in attributes {
        match attribute {
            Attribute::Family(number) => parts.family = Some(family(*number)?),
            Attribute::Protocol(number) => parts.protocol = Some(*number),
            Attribute::Address(bytes) => parts.address = Some(*bytes),
            Attribute::Port(port) => parts.port = Some(*port),
            Attribute::Mark(mark) => parts.mark = *mark,
            Attribute::Scheduler(name) => parts.scheduler = Some(name),
            Attribute::Flags { flags, .. } => parts.flags = Some(*flags),
            Attribute::Timeout(seconds) => parts.timeout = Some(*seconds),
            Attribute::Netmask(mask) => parts.netmask = Some(*mask),
            Attribute::Engine(name) => parts.engine = Some(name.clone()).filter(|name| !name.is_empty()),
            // A kernel that sends 64 bits sends 32 as well, before them.
            Attribute::Statistics(inner) | Attribute::Statistics64(inner) => {
                statistics = read_statistics(inner)
            }
            Attribute::Other(_) => (),
        }
    }
    Ok(parts.assemble()?.map(|(key, service)| (key, service, statistics)))
}

/// A service whose attributes have been read, but not yet understood.
#[derive(Default)]
struct Parts<'a> {
    family: Option<Family>,
    protocol: Option<u16>,
    address: Option<[u8; ADDRESS_LENGTH]>,
    port: Option<u16>,
    mark: u32,
    scheduler: Option<&'a String>,
    flags: Option<u32>,
    timeout: Option<u32>,
    netmask: Option<[u8; 4]>,
    engine: Option<String>,
}

impl Parts<'_> {
    fn assemble(self) -> Result<Option<(ServiceKey, Service)>, DecodeError> {
        let family = there(self.family, "service", "address family")?;
        let key = if self.mark != 0 {
            ServiceKey::Fwmark { fwmark: self.mark, family }
        } else {
            let number = there(self.protocol, "service", "protocol")?;
            let Some(protocol) = protocol(number) else { return Ok(None) };
            let address = address(family, there(self.address, "service", "address")?);
            ServiceKey::Address { protocol, address, port: there(self.port, "service", "port")? }
        };
        let of_it = format_args!("service {key}");
        let flags = there(self.flags, of_it, "flags")?;
        let persistence = match flags & PERSISTENT {
            0 => None,
            _ => {
                let netmask = there(self.netmask, of_it, "netmask")?;
                Some(Persistence {
                    timeout: Duration::from_secs(there(self.timeout, of_it, "timeout")?.into()),
                    granularity: match family {
                        Family::Inet => Granularity::Mask(netmask.into()),
                        Family::Inet6 => {
                            Granularity::Prefix(u8::try_from(u32::from_ne_bytes(netmask)).unwrap_or(128))
                        }
                    },
                    engine: self.engine,
                })
            }
        };
        let scheduler = there(self.scheduler, of_it, "scheduler")?.clone();
        Ok(Some((key, Service { scheduler, flags: ServiceFlags::from_bits(flags), persistence })))
    }
}

/// An attribute that belongs to each of them.
pub(super) fn there<T>(part: Option<T>, of: impl fmt::Display, name: &str) -> Result<T, DecodeError> {
    part.ok_or_else(|| DecodeError::from(format!("a {of} without {name}")))
}

/// An address as the kernel wants it: 16 bytes, whatever the family.
pub(super) fn address_bytes(address: IpAddr) -> [u8; ADDRESS_LENGTH] {
    match address {
        IpAddr::V4(v4) => {
            let mut bytes = [0; ADDRESS_LENGTH];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

pub(super) fn address(family: Family, bytes: [u8; ADDRESS_LENGTH]) -> IpAddr {
    match family {
        Family::Inet => {
            let [a, b, c, d, ..] = bytes;
            Ipv4Addr::new(a, b, c, d).into()
        }
        Family::Inet6 => Ipv6Addr::from(bytes).into(),
    }
}

pub(super) fn family_number(family: Family) -> u16 {
    match family {
        Family::Inet => 2,
        Family::Inet6 => 10,
    }
}

pub(super) fn family(number: u16) -> Result<Family, DecodeError> {
    match number {
        2 => Ok(Family::Inet),
        10 => Ok(Family::Inet6),
        _ => Err(DecodeError::from(format!("address family {number}"))),
    }
}

/// The protocol with that number in the IP header, if it is one that IPVS spreads.
fn protocol(number: u16) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|p| u16::from(p.number()) == number)
}
