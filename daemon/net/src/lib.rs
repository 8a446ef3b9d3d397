//! The kernel's network: links, addresses, raw sockets, ARP and NA frames, timers.
//!
//! Everything here is a plain descriptor or a value; nothing spawns, nothing waits (but [`netlink::Monitor::dump`],
//! for use at the start). An event loop owns the descriptors, and every socket's `unsafe` lives in this crate.
//!
//! - [`socket`]: raw sockets for VRRP, read and written many datagrams at a time.
//! - [`netlink`]: interfaces and addresses as they are ([`netlink::Monitor`] feeding a [`link::LinkTable`]), and
//!   as they shall be ([`netlink::AddressSocket`]).
//! - [`wire`]: gratuitous ARP and neighbour advertisement frames.
//! - [`linkbeat`]: whether an interface has a link, asked of its driver.
//! - [`process_events`]: which processes begin and end.
//! - [`timer`]: a deadline as a descriptor, better than a millisecond.
//! - [`sysctl`]: the kernel's settings of its network.
//! - [`memory`]: what a process gives back of it.
//! - [`sched`], [`namespace`]: what a thread may ask of the scheduler, and which network it lives in.

pub mod address;
mod error;
pub mod link;
pub mod linkbeat;
pub mod memory;
pub mod namespace;
pub mod netlink;
pub mod process_events;
pub mod promotion;
pub mod sched;
pub mod socket;
pub mod sysctl;
pub mod timer;
pub mod wire;

pub use error::{Error, Result};
