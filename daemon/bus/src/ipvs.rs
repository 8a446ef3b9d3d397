//! The table as it should be, and the kernel's.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::line::{Level, Written};
use crate::service::Refusal;
use crate::subject::{ServiceKey, endpoint};
use crate::world::{Change, World};

/// What happens between the table as it should be and the kernel's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IpvsFact {
    /// The kernel's table was not what it should be, and was put right.
    DriftRepaired {
        /// The virtual server.
        service: ServiceKey,
        /// The real server, if it was about one.
        real: Option<SocketAddr>,
        /// What was wrong.
        drift: Drift,
    },
    /// In shadow mode: an operation that would have been done, and was not.
    IpvsWithheld {
        /// What would have been done: `add service [10.0.0.1]:tcp:80 (wlc)`.
        operation: String,
    },
    /// IPVS did not take a change of the table, for this reason; said once, however often it is tried again. Of a
    /// virtual server that can't be added nothing is said of its real servers: they share its lot.
    IpvsRefused {
        /// The virtual server.
        service: ServiceKey,
        /// The real server or sorry server, if it was about one.
        real: Option<SocketAddr>,
        /// What was tried.
        change: TableChange,
        /// What the kernel said.
        error: String,
    },
    /// What IPVS had refused has been done since, or is not wanted any more.
    IpvsAccepted {
        /// The virtual server.
        service: ServiceKey,
        /// The real server or sorry server, if it was about one.
        real: Option<SocketAddr>,
    },
    /// IPVS can't be reached, or something other than a change of the table did not work.
    IpvsFailed {
        /// What was tried: `read`, `set timeouts`.
        operation: String,
        /// What the kernel said.
        error: String,
    },
    /// Everything that IPVS had refused has been done since.
    IpvsRecovered {},
}

/// What was to be done to an entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableChange {
    /// To put it there.
    Add,
    /// To change its parameters.
    Change,
    /// To take it away.
    Remove,
}

impl fmt::Display for TableChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
        })
    }
}

/// How the kernel's table differed from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// An entry was gone.
    Missing,
    /// An entry had other parameters.
    Altered,
    /// A real server was there that should not be.
    Surplus,
    /// The packets of a group had no marks (`nftables_ipvs`).
    Unmarked,
}

impl IpvsFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, changed: Change) {
        match self {
            Self::IpvsRefused { service, real, change, error } => {
                let entry = real.map_or_else(|| service.to_string(), |real| format!("{real} of {service}"));
                w.ipvs_error = Some(format!("refused to {change} {entry}: {error}"));
                w.ipvs_failed.get_or_insert(changed);
                let refusal =
                    |sorry| Box::new(Refusal { change: *change, sorry, error: error.clone(), changed });
                refuse(w, service, *real, refusal);
            }
            Self::IpvsAccepted { service, real } => accept(w, service, *real),
            Self::IpvsRecovered {} => (w.ipvs_error, w.ipvs_failed) = (None, None),
            Self::IpvsFailed { operation, error } => {
                w.ipvs_error = Some(format!("{operation}: {error}"));
                w.ipvs_failed.get_or_insert(changed);
            }
            Self::IpvsWithheld { .. } | Self::DriftRepaired { .. } => {}
        }
    }

    /// Writes its line.
    pub(crate) fn line(&self, out: &mut String) -> Written {
        match self {
            Self::DriftRepaired { service, real, drift } => {
                let what = match drift {
                    Drift::Missing => "was missing",
                    Drift::Altered => "had been altered",
                    Drift::Surplus => "did not belong there",
                    Drift::Unmarked => "had packets without a mark",
                };
                let entry = table_entry(service, *real);
                (Level::Warning, write!(out, "IPVS table repaired: {entry} {what}"))
            }
            Self::IpvsWithheld { operation } => {
                (Level::Info, write!(out, "IPVS (shadow): would {operation}"))
            }
            Self::IpvsRecovered {} => (Level::Info, write!(out, "IPVS works again")),
            Self::IpvsRefused { service, real, change, error } => {
                let entry = table_entry(service, *real);
                (Level::Error, write!(out, "IPVS refused to {change} {entry}: {error}"))
            }
            // What was done is told by itself.
            Self::IpvsAccepted { service, real } => {
                (Level::Detail, write!(out, "IPVS refuses {} no longer", table_entry(service, *real)))
            }
            Self::IpvsFailed { operation, error } => {
                (Level::Error, write!(out, "IPVS: {operation}: {error}"))
            }
        }
    }
}

fn refuse(
    w: &mut World,
    service: &ServiceKey,
    real: Option<SocketAddr>,
    refusal: impl FnOnce(Option<SocketAddr>) -> Box<Refusal>,
) {
    let Some(s) = w.services.get_mut(service) else { return };
    match real.map(|real| (real, s.reals.get_mut(&real))) {
        Some((_, Some(known))) => known.refused = Some(refusal(None)),
        Some((sorry, None)) => s.refused = Some(refusal(Some(sorry))),
        None => s.refused = Some(refusal(None)),
    }
}

fn accept(w: &mut World, service: &ServiceKey, real: Option<SocketAddr>) {
    let Some(s) = w.services.get_mut(service) else { return };
    match real.map(|real| s.reals.get_mut(&real)) {
        Some(Some(known)) => known.refused = None,
        Some(None) | None => s.refused = None,
    }
}

/// An entry of the table: a virtual server, or one of those behind it.
fn table_entry(service: &ServiceKey, real: Option<SocketAddr>) -> String {
    match real {
        Some(real) => format!("{} of VS {service}", endpoint(&real, service.protocol())),
        None => format!("VS {service}"),
    }
}
