//! Raw sockets for VRRP and for announcements, read and written in batches: one system call for many datagrams.
//!
//! [`VrrpReceiver`]: one per interface and family, however many virtual routers it carries; fills a
//! [`ReceiveBatch`]. [`SendBatch`]: datagrams of many routers and interfaces that are due together; flushed through
//! the one [`VrrpSender`] of its family, or through the [`Announcer`] (ARP and neighbour advertisements).

mod announce;
mod receive;
mod send;
mod vrrp;

pub use announce::Announcer;
pub use receive::{Arrival, Packet, ReceiveBatch};
pub use send::{Destination, SendBatch};
pub use vrrp::{Carrier, Family, VRRP_PROTOCOL, VrrpReceiver, VrrpSender};
