//! The link-layer frames that announce addresses: gratuitous ARP and unsolicited neighbour advertisements. Each has
//! a `Repr`, what it says, and `emit`, which writes the whole frame into a buffer. Nothing here touches a socket.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod ndisc;
