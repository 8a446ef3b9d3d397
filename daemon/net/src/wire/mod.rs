//! What is written byte by byte: the link-layer frames that announce addresses (gratuitous ARP and unsolicited neighbour
//! advertisements), each a `Repr`, what it says, and `emit`, which writes the whole frame into a buffer; and the headers
//! under them. Nothing here touches a socket.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub(crate) mod ipv6;
pub mod ndisc;
