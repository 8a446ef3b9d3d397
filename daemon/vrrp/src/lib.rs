//! VRRP: packet codecs, the virtual-router machine, sync groups and their runner.
//!
//! | module | what |
//! |---|---|
//! | [`wire`] | packets: versions 2 and 3, over IPv4 and IPv6 |
//! | [`spec`] | what runs: virtual routers and sync groups, from the configuration |
//! | [`node`] | the machine of one host: all its routers and groups |
//! | [`router`] | one virtual router: its states and timers |
//! | [`outbox`] | what the machine says: facts, and things to do |
//! | [`runner`] | the thread that gives it sockets, timer and interfaces |

mod group;
mod link;
pub mod node;
pub mod outbox;
pub mod router;
pub mod runner;
pub mod spec;
mod timers;
pub mod wire;

pub use link::{LinkId, LinkState};
pub use node::{Node, Release, RouterId, Subscription, Tracking};
pub use outbox::{AddressChange, Announcement, Notice, Outbox, Output, Transmission};
pub use router::Router;
pub use spec::{Definitions, GroupDefinition, GroupSpec, RouterDefinition, RouterSpec};
pub use wire::Datagram;
