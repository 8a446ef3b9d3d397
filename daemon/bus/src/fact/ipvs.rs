//! What happens between the table as it should be and the kernel's.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Drift, TableChange};
use crate::subject::ServiceKey;

/// What happens between the table as it should be and the kernel's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
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
