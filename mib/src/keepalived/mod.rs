//! KEEPALIVED-MIB: its tables, one file a subject, and which of them are served.

mod addresses;
mod global;
mod groups;
mod instances;
mod ipvs;
mod reals;
mod server_groups;
mod services;
#[cfg(test)]
pub(crate) mod tests;
mod tracked;
mod trackers;
mod traffic;

use snmp_agentx::syntax::Base;
use snmp_agentx::{Described, Mib, Objects, Syntax};

use crate::source::Keepwatch;

/// What the notifications tell of.
pub(crate) mod told {
    pub(crate) use super::global::{GLOBAL, ROUTER_ID};
    pub(crate) use super::groups::{GROUPS, NAME as GROUP_NAME, STATE as GROUP_STATE};
    pub(crate) use super::instances::{INITIAL_STATE, INSTANCES, InstanceRow, NAME, STATE};
    pub(crate) use super::reals::{
        ADDRESS as REAL_ADDRESS, ADDRESS_TYPE as REAL_ADDRESS_TYPE, PORT as REAL_PORT, REALS, RealRow,
        STATUS as REAL_STATUS,
    };
    pub(crate) use super::services::{
        ADDRESS, ADDRESS_TYPE, GROUP, KIND, MARK, PORT, PROTOCOL, QUORUM, QUORUM_STATUS, REALS_TOTAL,
        REALS_UP, SERVICES, ServiceRow, protocol, service_type,
    };
}

/// `keepalived`: { enterprises debian(9586) project(100) 5 }.
pub(crate) const ROOT: [u32; 9] = [1, 3, 6, 1, 4, 1, 9586, 100, 5];

/// VrrpState, a textual convention of the module.
const VRRP_STATE: Syntax = Syntax::new("VrrpState", Base::Integer);

type Tables = &'static [&'static dyn Objects<Keepwatch>];

/// Which parts of the tree are served besides the global one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The VRRP part (`enable_snmp_vrrp`).
    pub vrrp: bool,
    /// The part of virtual and real servers (`enable_snmp_checker`).
    pub checker: bool,
}

const VRRP: [Tables; 5] =
    [groups::TABLES, instances::TABLES, addresses::TABLES, tracked::TABLES, trackers::TABLES];
const CHECKER: [Tables; 4] = [server_groups::TABLES, services::TABLES, reals::TABLES, ipvs::TABLES];

/// The objects of these parts.
pub fn mib(parts: Parts) -> Mib<Keepwatch> {
    tables(parts).fold(Mib::default(), |mib, tables| mib.and(&ROOT, tables))
}

/// What each of these objects is, with its place below `keepalived`.
pub fn objects(parts: Parts) -> impl Iterator<Item = Described> {
    tables(parts).flatten().flat_map(|table| table.describe())
}

fn tables(parts: Parts) -> impl Iterator<Item = Tables> {
    let vrrp = VRRP.into_iter().filter(move |_| parts.vrrp);
    let checker = CHECKER.into_iter().filter(move |_| parts.checker);
    [global::TABLES].into_iter().chain(vrrp).chain(checker)
}
