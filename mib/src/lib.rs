//! The MIBs of keepwatch, served over AgentX.
//!
//! - [`source`]: the world and the counters, from which everything is read when it is asked for.
//! - [`keepalived`]: KEEPALIVED-MIB, as constant tables of columns; a GetNext finds one row and reads one cell.
//! - [`rfc`]: VRRP-MIB (RFC 2787) and VRRPV3-MIB (RFC 6527), in the same way.
//! - [`traps`]: events as notifications.
//! - [`agent`]: the task that holds the session with the master agent, answers from the tables and sends the traps.
//!
//! The text of the MIB is `KEEPALIVED-MIB.txt` beside this crate: the names, numbers and syntaxes of keepalived's,
//! in words of our own. A test holds text and tables together.

pub mod agent;
mod cells;
#[cfg(test)]
mod conformance;
pub mod keepalived;
pub mod rfc;
pub mod source;
pub mod traps;

pub use agent::{SetRequest, Settings, run};
pub use keepalived::Parts;
