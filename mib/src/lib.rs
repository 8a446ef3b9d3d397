//! KEEPALIVED-MIB, served over AgentX from the world of keepwatch.
//!
//! - [`serve`]: the world as an ordered index of names and values, built once per version of the world.
//! - [`traps`]: events as notifications.
//! - [`agent`]: the task that holds the session with the master agent, answers from the index and sends the traps.
//!
//! The text of the MIB is `KEEPALIVED-MIB.txt` beside this crate: the names, numbers and syntaxes of keepalived's,
//! in words of our own. Nothing is writable.

pub mod agent;
mod oids;
pub mod serve;
pub mod traps;

pub use agent::{Settings, run};
pub use serve::Parts;
