//! KEEPALIVED-MIB: its tables, one file a subject, and which of them are served.

mod addresses;
mod encap;
mod global;
mod groups;
mod instances;
mod ipvs;
mod reals;
mod routes;
mod rules;
mod server_groups;
mod services;
#[cfg(test)]
pub(crate) mod tests;
mod tracked;
mod trackers;
mod traffic;

use snmp_agentx::syntax::Base;
use snmp_agentx::{Described, Mib, Objects, Syntax};

use crate::rfc::{v2, v3};
use crate::source::Keepwatch;

/// What the notifications tell of.
pub(crate) mod told {
    pub(crate) use super::global::{GLOBAL, ROUTER_ID};
    pub(crate) use super::groups::{GROUPS, NAME as GROUP_NAME, STATE as GROUP_STATE};
    pub(crate) use super::instances::{INITIAL_STATE, INSTANCES, NAME, STATE};
    pub(crate) use super::reals::{
        ADDRESS as REAL_ADDRESS, ADDRESS_TYPE as REAL_ADDRESS_TYPE, PORT as REAL_PORT, REALS, RealRow,
        STATUS as REAL_STATUS,
    };
    pub(crate) use super::services::{
        ADDRESS, ADDRESS_TYPE, GROUP, KIND, MARK, PORT, PROTOCOL, QUORUM, QUORUM_STATUS, REALS_TOTAL,
        REALS_UP, SERVICES, ServiceRow, protocol, protocol_of, service_type,
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
    /// VRRP-MIB (`enable_snmp_rfcv2`).
    pub rfc_v2: bool,
    /// VRRPV3-MIB (`enable_snmp_rfcv3`).
    pub rfc_v3: bool,
}

impl Parts {
    /// All of them.
    pub const ALL: Self = Self { vrrp: true, checker: true, rfc_v2: true, rfc_v3: true };
    /// KEEPALIVED-MIB as a whole.
    pub const KEEPALIVED: Self = Self { rfc_v2: false, rfc_v3: false, ..Self::ALL };

    /// Whether anything of KEEPALIVED-MIB is served; its global part is then.
    pub fn any_of_keepalived(self) -> bool {
        self.vrrp || self.checker
    }
}

const VRRP: [Tables; 7] = [
    groups::TABLES,
    instances::TABLES,
    addresses::TABLES,
    routes::TABLES,
    rules::TABLES,
    tracked::TABLES,
    trackers::TABLES,
];
const CHECKER: [Tables; 4] = [server_groups::TABLES, services::TABLES, reals::TABLES, ipvs::TABLES];

/// The objects of these parts.
pub fn mib(parts: Parts) -> Mib<Keepwatch> {
    let mib = tables(parts).fold(Mib::default(), |mib, tables| mib.and(&ROOT, tables));
    let mib = if parts.rfc_v2 { mib.and(&v2::ROOT, v2::TABLES) } else { mib };
    if parts.rfc_v3 { mib.and(&v3::ROOT, v3::TABLES) } else { mib }
}

/// What each of the objects of KEEPALIVED-MIB is, with its place below `keepalived`.
pub fn objects(parts: Parts) -> impl Iterator<Item = Described> {
    tables(parts).flatten().flat_map(|table| table.describe())
}

fn tables(parts: Parts) -> impl Iterator<Item = Tables> {
    let vrrp = VRRP.into_iter().filter(move |_| parts.vrrp);
    let checker = CHECKER.into_iter().filter(move |_| parts.checker);
    let global = [global::TABLES].into_iter().filter(move |_| parts.any_of_keepalived());
    global.chain(vrrp).chain(checker)
}
