//! keepalived's D-Bus interface: each virtual router is an object, its changes are signals, and a few things can be asked
//! for. Names, paths, signatures and the order of signals are those of keepalived 2.4.3.
//!
//! | module | what |
//! |---|---|
//! | [`names`] | the bus name, and which path a virtual router has |
//! | `objects` | the two interfaces: what can be called and read |
//! | `routers` | the virtual routers, as far as the events that were taken tell of them |
//! | [`service`] | the connection, made again when it breaks; the objects that come and go; the signals |
//!
//! ```text
//!  events ──► service ──► signals, objects ──► system bus
//!                                                 │ calls
//!  worker ◄── Asked (reload, dumps, announcements) ◄┘
//! ```
//!
//! It only watches: a bus that hangs holds up nothing but this task. What is asked for goes to the worker, which decides.

pub mod names;
mod objects;
mod routers;
pub mod service;

pub use names::Names;
pub use service::{concerns, run};

use keepwatch_bus::EventId;
use keepwatch_model::Name;

/// What somebody on the bus asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub request: Request,
    /// The event that tells of the call.
    pub cause: Option<EventId>,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `PrintData`: write `keepalived.data`.
    PrintData,
    /// `PrintStats`: write `keepalived.stats`.
    PrintStats,
    /// `PrintStatsClear`: the same, and count from zero again.
    PrintStatsClear,
    /// `ReloadConfig`.
    Reload,
    /// `SendGarp`: announce the addresses of this virtual router, if it is master.
    Announce(Name),
}
