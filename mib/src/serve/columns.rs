//! How values of ours are written as SNMP's: what every table needs.

use std::net::IpAddr;
use std::time::Duration;

use snmp_agentx::{Cell, IndexBuilder, VarBindValue, value};

use crate::oids::below;

/// One row of one table: takes its columns.
pub(super) struct Row<'a> {
    builder: &'a mut IndexBuilder,
    /// The entry's name; the column's number comes after it.
    name: Vec<u32>,
    index: &'a [u32],
}

impl<'a> Row<'a> {
    /// The row with this index, of the table whose entry is at `entry` below `keepalived`.
    pub(super) fn new(builder: &'a mut IndexBuilder, entry: &[u32], index: &'a [u32]) -> Self {
        let mut name = below(entry);
        name.push(0);
        Self { builder, name, index }
    }

    /// Sets a column.
    pub(super) fn put(&mut self, column: u32, cell: impl Into<Cell>) {
        if let Some(last) = self.name.last_mut() {
            *last = column;
        }
        self.builder.add(&self.name, self.index, cell);
    }

    /// Sets a column to a text, if there is one; else the row has no such column.
    pub(super) fn put_text(&mut self, column: u32, text: Option<impl AsRef<str>>) {
        if let Some(text) = text {
            self.put(column, value::text(text.as_ref()));
        }
    }

    /// Sets a column to a value that is read when it is asked for.
    pub(super) fn put_live(&mut self, column: u32, read: impl Fn() -> VarBindValue + Send + Sync + 'static) {
        self.put(column, Cell::Live(std::sync::Arc::new(read)));
    }
}

/// A TruthValue, and every other enumeration in which 1 is yes and 2 is no.
pub(super) fn truth(yes: bool) -> VarBindValue {
    value::integer(if yes { 1 } else { 2 })
}

/// An INTEGER from a small number.
pub(super) fn integer(number: impl Into<i64>) -> VarBindValue {
    let number: i64 = number.into();
    value::integer(number.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
}

/// Unsigned32 or Gauge32; what is too large is the largest.
pub(super) fn unsigned(number: u128) -> VarBindValue {
    value::unsigned(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Whole seconds, as Unsigned32.
pub(super) fn seconds(time: Duration) -> VarBindValue {
    unsigned(time.as_secs().into())
}

/// Microseconds, as Unsigned32.
pub(super) fn microseconds(time: Duration) -> VarBindValue {
    unsigned(time.as_micros())
}

/// InetAddressType: ipv4(1), ipv6(2).
pub(crate) fn address_type(address: &IpAddr) -> VarBindValue {
    value::integer(if address.is_ipv4() { 1 } else { 2 })
}

/// InetAddress: 4 or 16 octets.
pub(crate) fn address(address: &IpAddr) -> VarBindValue {
    match address {
        IpAddr::V4(v4) => value::octets(&v4.octets()),
        IpAddr::V6(v6) => value::octets(&v6.octets()),
    }
}
