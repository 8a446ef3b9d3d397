//! `global_defs`, by what its keywords are about.

mod buffers;
mod dbus;
mod files;
mod firewall;
mod garp;
mod ipvs;
mod links;
mod notify;
mod processes;
mod scripts;
mod smtp;
mod snmp;
mod vrrp;

use super::compose::compose;
use super::{Arg, Keyword, Kind, one};

/// Greatest number of 32 bits.
const U32: i64 = u32::MAX as i64;
/// Greatest number of 32 bits with a sign.
const I32: i64 = i32::MAX as i64;
/// Most seconds whose microseconds fit into 32 bits.
const SECS: i64 = 4294;
/// Most microseconds of a timer.
const LONG: u64 = u32::MAX as u64;

const PATH: &[Arg] = &[one("PATH", Kind::Word)];

/// `global_defs { … }`.
pub(super) const GLOBAL: &[Keyword] = compose!(
    smtp::SMTP,
    scripts::SCRIPTS,
    notify::NOTIFY,
    vrrp::VRRP,
    garp::GARP,
    links::LINKS,
    ipvs::IPVS,
    firewall::FIREWALL,
    processes::PROCESSES,
    buffers::BUFFERS,
    snmp::SNMP,
    dbus::DBUS,
    files::FILES,
);
