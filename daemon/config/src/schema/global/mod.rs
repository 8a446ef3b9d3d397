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
