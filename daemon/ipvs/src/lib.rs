//! IPVS: the kernel's load balancer, kept as the configuration and the health of the real servers demand.
//!
//! ```text
//!  configuration ─► definitions ─► director ─► desired table ─┐
//!                                     ▲                       ├─► diff ─► operations ─► data plane
//!  checkers ──────► health ───────────┘     table as it is ───┘            kernel | memory | shadow
//! ```
//!
//! - [`Engine`]: the task that does all this; what the daemon starts and talks to.
//! - [`definitions`]: virtual servers from the typed configuration.
//! - `director`: quorum, sorry servers, `inhibit_on_failure`; without I/O.
//! - `reconciler`: changes, audits and statistics of the data plane.
//! - [`table`]: virtual services and their real servers, the same type for what we want and for what there is.
//! - [`diff`]: what must be done to make one table into another, in an order that drops nobody.
//! - [`codec`]: the kernel's `IPVS` generic-netlink family on the wire; [`Kernel`]: the kernel itself.

pub mod codec;
pub mod statistics;
pub mod table;

mod dataplane;
mod definition;
mod diff;
mod director;
mod engine;
#[cfg(test)]
mod fixture;
mod kernel;
mod netlink;
mod reconciler;
mod settings;

pub use dataplane::{AUDIT_PERIOD, DataplaneKind};
pub use definition::{Definition, Meters, Server, Sorry, definitions};
pub use diff::diff;
pub use engine::{Desired, Engine, EngineSettings, Farewell};
pub use kernel::{Kernel, KernelError, Snapshot, SyncDaemon, SyncRole, Timeouts};
