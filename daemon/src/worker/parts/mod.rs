//! The parts that a worker is made of: one small type each. Each has, as far as it applies to it,
//!
//! - `start`: sets it going with what the configuration says;
//! - `apply`: the configuration is another one now; what did not change for the part sees nothing;
//! - `stop`: ends it, within a bound of its own;
//! - `beat`: shows that it lives, to whoever watches ([`super::pulse`]).
//!
//! What acts ([`super::publishers`]):
//!
//! | part | what |
//! |---|---|
//! | [`virtual_routers`] | the VRRP side |
//! | [`local_igmp`] | the kernel's reports of memberships, switched off meanwhile |
//! | [`trackers`] | scripts, files and processes that virtual routers follow |
//! | [`services`] | virtual servers, checkers, connection synchronisation |
//! | `own_threads` | a thread of their own for those, where that is asked for |
//! | [`present`] | which addresses are on this host, for checkers that rest without them |
//!
//! What watches ([`super::consumers`]), and can't hold up what acts:
//!
//! | part | what |
//! |---|---|
//! | [`log`] | events as lines, on the sinks |
//! | [`history`] | events in a file that outlives the worker |
//! | [`mail`], [`scripts`], [`fifos`] | what is sent, run and written for events |
//! | [`turning_points`] | the scripts before the start and after the stop |
//! | [`webhooks`] | events posted to HTTP servers |
//! | [`dumps`] | files that signals ask for |
//! | [`saved`] | files around reloads |
//! | [`schedule`] | a file that says when to reload |
//! | [`reflector`] | addresses that come and go, where that is to be logged |
//! | [`otlp`] | traces and log records for OpenTelemetry |
//! | [`dbus`] | the daemon on the system bus |
//! | [`snmp`] | the session with the SNMP master agent |
//! | [`control`], [`http`] | the two listeners |
//! | [`placed`] | which addresses are where, for the supervisor |
//! | [`standing`] | what the daemon is about, for the service manager |

pub(super) mod control;
pub(super) mod dbus;
pub(crate) mod dumps;
pub(super) mod fifos;
pub(super) mod history;
pub(super) mod http;
pub(super) mod local_igmp;
pub(super) mod log;
pub(super) mod mail;
pub(super) mod otlp;
mod own_threads;
pub(super) mod placed;
pub(super) mod present;
pub(super) mod reflector;
pub(crate) mod saved;
pub(super) mod schedule;
pub(super) mod scripts;
pub(super) mod services;
pub(super) mod snmp;
pub(super) mod standing;
pub(super) mod trackers;
pub(super) mod turning_points;
pub(super) mod virtual_routers;
pub(super) mod webhooks;

use keepwatch_bus::subject::Name;

/// The name of this host, as others are told it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// A part that watches and could not start: which, and why.
pub(super) type Complaint = (Name, String);
