//! IPVS: the kernel's load balancer, kept as the configuration and the health of the real servers demand.
//!
//! ```text
//!  configuration ─► definitions ─► director ─► desired table ─┐
//!                                     ▲                       ├─► diff ─► steps ─► data plane ─► ledger ─► facts
//!  checkers ──────► health ───────────┘     table as it is ───┘           kernel | memory | shadow
//! ```
//!
//! - [`Engine`]: the task that does all this; what the daemon starts and talks to.
//! - [`definitions`]: virtual servers from the typed configuration.
//! - `director`: quorum, sorry servers, `inhibit_on_failure`; without I/O.
//! - `reconciler`: changes and audits of the data plane; `ledger`: what is told of the table, when it was done.
//! - `leaving`: real servers that a reload takes away, which go when their connections are over.
//! - `desk`: where orders arrive, which are taken in even while the data plane is at work.
//! - [`Marking`]: marks for packets of groups (`nftables_ipvs`).
//! - [`table`]: virtual services and their real servers, the same type for what we want and for what there is.
//! - [`diff`]: what must be done to make one table into another, in an order that drops nobody.
//! - [`codec`]: the kernel's `IPVS` generic-netlink family on the wire; [`Kernel`]: the kernel itself.

pub mod codec;
pub mod statistics;
pub mod table;

mod complaints;
mod dataplane;
mod definition;
mod desk;
mod diff;
mod director;
mod drift;
mod engine;
#[cfg(test)]
mod fixture;
mod kernel;
mod leaving;
mod ledger;
mod marking;
mod meters;
mod netlink;
mod owner;
mod reconciler;
mod step;

pub use dataplane::{AUDIT_PERIOD, DataplaneKind};
pub use definition::{Definition, Server, Sorry, definitions};
pub use desk::Here;
pub use diff::diff;
pub use director::Renamed;
pub use engine::{Desired, Engine, EngineSettings, Farewell};
pub use kernel::{Access, Kernel, KernelError, Snapshot, SyncDaemon, SyncRole, Timeouts};
pub use marking::Marking;
pub use meters::Meters;
