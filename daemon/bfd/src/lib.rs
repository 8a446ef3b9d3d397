//! Bidirectional forwarding detection: whether packets get through to a neighbour and back, known within milliseconds.
//! In: the `bfd_instance`s of a configuration ([`Handle::apply`]), packets, time. Out: a [`Notice`] for each change of a
//! session, for whoever tells and follows it.
//!
//! - [`packet`]: the 24 octets of RFC 5880 §4.1, to and from bytes; what may not be taken.
//! - [`pace`]: when a session's next packet leaves: by chance, and together with others'.
//! - [`session`]: one session as a machine without I/O (RFC 5880 §6.8). It takes the time and a packet, and returns what
//!   to send and what changed.
//! - [`table`]: all sessions; which one a packet is for (RFC 5880 §6.3, RFC 5881 §3, RFC 5883 §4), and who is due.
//! - `ears`: the ports that neighbours send to.
//! - `hold`: whether packets that have come are read at once, or together in a moment.
//! - [`runner`]: the thread "bfd", which gives them sockets and a clock.

mod ears;
mod hold;
pub mod pace;
pub mod packet;
pub mod runner;
pub mod session;
pub mod table;

pub use runner::{Handle, News, Notice, StartError, THREAD, spawn};
