//! The world as an ordered index of names and values.
//!
//! Goes in: a [`World`] and the [`Counters`]. Comes out: an [`Index`] in which a GetNext is a binary search. What the
//! world knows is fixed in the index; what counters know is read from them when it is asked for.

mod check;
mod columns;
#[cfg(test)]
mod conformance;
mod global;
#[cfg(test)]
mod tests;
mod traffic;
mod vrrp;

/// How values are written, for the notifications too.
pub(crate) mod shown {
    pub(crate) use super::check::{protocol, service_type};
    pub(crate) use super::columns::{address, address_type};
}

use keepwatch_bus::{Counters, World};
use snmp_agentx::{Index, IndexBuilder};

/// Which parts of the tree are served besides the global one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The VRRP part (`enable_snmp_vrrp`).
    pub vrrp: bool,
    /// The part of virtual and real servers (`enable_snmp_checker`).
    pub checker: bool,
}

/// Builds the index of one version of the world.
pub fn index(world: &World, counters: &Counters, parts: Parts) -> Index {
    let mut builder = IndexBuilder::default();
    global::add(world, &mut builder);
    if parts.vrrp {
        vrrp::add(world, &mut builder);
    }
    if parts.checker {
        check::add(world, counters, &mut builder);
    }
    builder.build()
}
