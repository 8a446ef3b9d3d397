//! VRRP-MIB (RFC 2787) and VRRPV3-MIB (RFC 6527): virtual routers by the index of their interface and their id.
//!
//! As in keepalived, the first has those of version 2, and the second all of them. [`order`] keeps them sorted.

pub(crate) mod order;
#[cfg(test)]
mod tests;
pub(crate) mod v2;
pub(crate) mod v3;

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::counters::{Counter, RouterCounters, VrrpCounters};
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Instance, Interface};
use keepwatch_model::Family;
use snmp_agentx::syntax::Base;
use snmp_agentx::{Rows, Start, Syntax, value};

use crate::cells::Cell;
use crate::source::{Keepwatch, View};
use order::Places;

pub use order::Order;

const MAC_ADDRESS: Syntax = Syntax::new("MacAddress", Base::OctetString);
const ROW_STATUS: Syntax = Syntax::new("RowStatus", Base::Integer);
const TIME_STAMP: Syntax = Syntax::new("TimeStamp", Base::TimeTicks);

/// Rows that are virtual routers, by interface and id (two numbers, VRRP-MIB) or by interface, id and family (three,
/// VRRPV3-MIB).
pub(crate) struct Routers<const N: usize>;

impl<const N: usize> Rows for Routers<N> {
    type Source = Keepwatch;
    type Index = [u32; N];
    type Row<'s> = Row<'s>;
}

/// The first of these virtual routers from the start on.
fn routers<'s, const N: usize>(
    view: View<'s>,
    places: &Places<N>,
    start: Start<'_>,
) -> Option<([u32; N], Row<'s>)> {
    let (index, name) = places.first(start.numbers()?)?;
    Some((index, Row { view, instance: view.world.instances.get(name)? }))
}

/// A virtual router, with what a row tells of it.
#[derive(Clone, Copy)]
pub(crate) struct Row<'s> {
    pub(crate) view: View<'s>,
    pub(crate) instance: &'s Instance,
}

impl<'s> Row<'s> {
    pub(crate) fn settings(&self) -> &'s keepwatch_model::Instance {
        &self.instance.settings
    }

    /// Its interface, as far as that is known.
    fn interface(&self) -> Option<&'s Interface> {
        self.view.world.interfaces.get(self.settings().interface.as_ref()?)
    }

    /// Where its advertisements come from: what is written, or the interface's first address.
    pub(crate) fn primary(&self) -> Option<IpAddr> {
        self.settings().source_address.or_else(|| match self.settings().family {
            Family::Inet => self.interface()?.inet.map(IpAddr::V4),
            Family::Inet6 => self.interface()?.inet6.map(IpAddr::V6),
        })
    }

    /// The master: itself, or the one that it heard.
    fn master(&self) -> Option<IpAddr> {
        match self.instance.state {
            VrrpState::Master => self.primary(),
            VrrpState::Backup => self.instance.master.map(|(address, _)| address),
            VrrpState::Init | VrrpState::Fault => None,
        }
    }

    /// The Ethernet address that its virtual addresses have: the virtual router's (RFC 9568 section 7.3) with `use_vmac`,
    /// else the interface's own.
    fn hardware(&self) -> Cell {
        let octets = match (&self.settings().vmac, self.settings().family) {
            (Some(_), Family::Inet) => [0, 0, 0x5e, 0, 1, self.settings().vrid.0],
            (Some(_), Family::Inet6) => [0, 0, 0x5e, 0, 2, self.settings().vrid.0],
            (None, _) => self.interface()?.hardware?,
        };
        Some(value::octets(&octets))
    }

    fn counter(&self, field: fn(&VrrpCounters) -> &Counter) -> u64 {
        self.view.counters.vrrp.get(&self.instance.name).map_or(0, |counters| field(&counters).get())
    }

    /// How long it has been neither in Init nor in Fault.
    fn running(&self) -> Duration {
        let since = self.instance.running_since;
        since
            .and_then(|since| jiff::Timestamp::now().duration_since(since).try_into().ok())
            .unwrap_or_default()
    }
}

/// initialize(1), backup(2), master(3).
fn state(state: VrrpState) -> i32 {
    match state {
        VrrpState::Init | VrrpState::Fault => 1,
        VrrpState::Backup => 2,
        VrrpState::Master => 3,
    }
}

/// What is counted of all packets: of those of virtual routers, also of such as are there no more, and of those that belong
/// to none.
fn of_all(
    view: View<'_>,
    of_none: fn(&RouterCounters) -> &Counter,
    of_one: fn(&VrrpCounters) -> &Counter,
) -> u64 {
    let each = view.counters.vrrp.all();
    each.iter().map(|(_, counters)| of_one(counters).get()).sum::<u64>()
        + of_none(&view.counters.gone).get()
        + of_none(&view.counters.router).get()
}

/// TimeTicks of a time: hundredths of a second, which wrap.
fn ticks(time: Duration) -> Cell {
    Some(value::ticks(((time.as_millis() / 10) & u128::from(u32::MAX)) as u32))
}
