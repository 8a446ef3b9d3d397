//! Raw sockets for VRRP and for announcements, read and written in batches: one system call for many datagrams.
//!
//! [`VrrpReceiver`]: one per interface and family, however many virtual routers it carries; fills a
//! [`ReceiveBatch`]. [`SendBatch`]: datagrams of many routers and interfaces that are due together; flushed through
//! the one [`VrrpSender`] of its family, or through the [`Announcer`] (ARP and neighbour advertisements). [`Detour`]: the
//! way of an advertisement to its group when the kernel's IP has none. [`BfdReceiver`] and [`BfdSender`]: UDP as BFD wants it.
//! [`Listener`] only listens.

mod announce;
mod bfd;
mod detour;
mod listen;
mod receive;
mod send;
mod vrrp;

pub use announce::Announcer;
pub use bfd::{BfdReceiver, BfdSender};
pub use detour::Detour;
pub use listen::{Listener, Overheard};
pub use receive::{Arrival, Packet, ReceiveBatch};
pub use send::{Destination, Refusal, SendBatch};
pub use vrrp::{Carrier, Family, VRRP_PROTOCOL, VrrpReceiver, VrrpSender};
