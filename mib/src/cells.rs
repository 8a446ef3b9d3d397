//! How values of ours are written as SNMP's: what every table needs. A cell that is not there is `None`.

use std::net::IpAddr;
use std::time::Duration;

use snmp_agentx::{VarBindValue, value};

pub(crate) type Cell = Option<VarBindValue>;

/// A DisplayString.
pub(crate) fn text(text: impl AsRef<str>) -> Cell {
    Some(value::text(text.as_ref()))
}

/// A DisplayString, where there is one.
pub(crate) fn text_of(given: &Option<impl AsRef<str>>) -> Cell {
    given.as_ref().and_then(text)
}

/// A TruthValue, and every other enumeration in which 1 is yes and 2 is no.
pub(crate) fn truth(yes: bool) -> Cell {
    Some(value::integer(if yes { 1 } else { 2 }))
}

/// An INTEGER; what does not fit is the largest or the smallest.
pub(crate) fn integer(number: impl Into<i64>) -> Cell {
    let number: i64 = number.into();
    Some(value::integer(number.clamp(i32::MIN.into(), i32::MAX.into()) as i32))
}

/// Unsigned32 or Gauge32; what is too large is the largest.
pub(crate) fn unsigned(number: impl TryInto<u32>) -> Cell {
    Some(value::unsigned(number.try_into().unwrap_or(u32::MAX)))
}

/// Whole seconds, as Unsigned32.
pub(crate) fn seconds(time: Duration) -> Cell {
    unsigned(time.as_secs())
}

/// Microseconds, as Unsigned32.
pub(crate) fn microseconds(time: Duration) -> Cell {
    unsigned(time.as_micros())
}

/// InetAddressType: ipv4(1), ipv6(2).
pub(crate) fn address_type(address: &IpAddr) -> Cell {
    integer(if address.is_ipv4() { 1 } else { 2 })
}

/// InetAddress: 4 or 16 octets.
pub(crate) fn address(address: &IpAddr) -> Cell {
    Some(match address {
        IpAddr::V4(v4) => value::octets(&v4.octets()),
        IpAddr::V6(v6) => value::octets(&v6.octets()),
    })
}
