//! A host as a real server of direct routing (DR) and tunnels (TUN): packets come to it with the virtual address as their
//! destination, so it has to have that address, and must never tell anybody on the LAN.
//!
//! | module | what |
//! |---|---|
//! | [`plan`] | what this host needs, from a configuration and its own addresses: no I/O |
//! | [`change`] | what is to be done, from the plan, the record and what is there: no I/O |
//! | [`judge`] | whether the host serves, from the record and what is there: no I/O |
//! | [`record`] | what was done, as a file: written before it is done, so that a crash leaves nothing that nobody undoes |
//! | [`host`] | asks the kernel what is there, and has it changed |
//! | [`setup`] | up, down and status, of these |
//!
//! ```text
//!  configuration ─┐
//!  own addresses ─┴─► Plan ─┐
//!             record ───────┼─► Change ──record is written──► steps, one after the other
//!      what is there ───────┘
//! ```

pub mod change;
pub mod host;
pub mod judge;
pub mod plan;
pub mod record;
pub mod setup;

pub use change::{Present, Step};
pub use host::Host;
pub use judge::Judgement;
pub use plan::{Asked, Device, Plan, PlanError};
pub use record::{Record, RecordError};
pub use setup::{Failed, Setup, Standing};
