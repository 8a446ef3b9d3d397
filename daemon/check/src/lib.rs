//! Health checkers: are the machines behind the virtual servers there, and do they answer?
//!
//! In go [`Definition`]s, one for each checker of each real server, by [`Checkers::apply`]; out come [`HealthChange`]s
//! over a channel, and facts on the bus: `CheckFailed`, `CheckSucceeded`, `CheckNotRun`. What follows for a real server
//! is the director's to tell.
//!
//! - `tries`: what one checker concludes from its tries; `roster`: all checkers, whose turn it is, and what that means
//!   for their real servers. Both are without I/O: time and results are handed to them.
//! - `kinds`: the checks themselves, one file for each kind; `connect`: how they open their connections; `datagram`: how
//!   those that have none ask.
//! - `search`, `pcre`: patterns in bodies that come in pieces.
//! - `openings`: connections that are only opened and closed, thousands of them without a task for each.
//! - `room`: how many of them are under way at once.
//! - [`Checkers`]: the scheduler, one task, which starts a short task for each check that is due, or begins to
//!   open its connection where that is all.
//!
//! - `followers`: real servers that follow the number in a file or a BFD session ([`Checkers::level`]): nothing is run for
//!   them.
//!
//! A real server is up while all of its checkers are and all that it follows says so, and has the weight that is configured with what
//! its checkers and files add to it; at start it counts as up unless a checker of it is `alpha`.

mod connect;
mod datagram;
mod definition;
mod followers;
mod kinds;
mod openings;
mod outcome;
mod pcre;
mod room;
mod roster;
mod scheduler;
mod search;
mod tries;

pub use definition::{Definition, definitions};
pub use followers::{Follower, followers};
pub use kinds::commands_under_way;
pub use roster::HealthChange;
pub use scheduler::{Checkers, HealthChanges, Renamed};
