//! IPVS: the kernel's load balancer, kept as the configuration and the health of the real servers demand.
//!
//! - [`table`]: virtual services and their real servers, the same type for what we want and for what there is.
//! - [`diff`]: what must be done to make one table into another, in an order that drops nobody.
//! - [`codec`]: the kernel's `IPVS` generic-netlink family on the wire.
//! - [`Kernel`]: the kernel itself.

pub mod codec;
pub mod statistics;
pub mod table;

mod diff;
mod kernel;

pub use diff::diff;
pub use kernel::{Kernel, KernelError, Snapshot, SyncDaemon, SyncRole, Timeouts};
