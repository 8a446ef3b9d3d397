//! VRRP: packet codecs, the virtual-router machine, sync groups and their runner.
//!
//! | module | what |
//! |---|---|
//! | [`wire`] | packets: versions 2 and 3, over IPv4 and IPv6 |
//! | [`spec`] | what runs: virtual routers and sync groups, from the configuration |
//! | [`follow`] | what routers follow: interfaces, scripts, files, processes, BFD sessions |
//! | [`node`] | the machine of one host: all its routers and groups |
//! | [`router`] | one virtual router: its states and timers |
//! | [`outbox`] | what the machine says: facts, and things to do |
//! | [`runner`] | the thread that gives it sockets, timer and interfaces |
//!
//! ```text
//!  keepalived.conf ─► Definitions ──apply──┐                         ┌─► Fact ─► bus
//!            raw socket ─► Datagram ──receive──► Node ──► Outbox ────┤
//!                 clock ──handle_timeouts──┤   ▲  │                  └─► Output: packet, address, burst, notice
//!   netlink ──link_changed, address_added──┘   │  └─ one Router per virtual router; groups keep them together
//!                                              └──── next_deadline: when to look at the clock
//! ```
//!
//! Everything but [`runner`] is a machine without I/O: no socket, no clock, no thread, no randomness. The runner, the
//! simulator of the tests and the example below drive the same code. A packet costs one look into an array and, in
//! the common case that it only says "still here", moves one deadline: nothing is allocated, nothing published.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//!
//! use keepwatch_bus::{EventId, Fact};
//! use keepwatch_model::{InterfaceAddress, VirtualRouterId};
//! use keepwatch_vrrp::{Definitions, LinkState, Node, Outbox, Output, RouterDefinition, RouterSpec};
//!
//! /// Where facts and actions go: here, into a list.
//! #[derive(Default)]
//! struct Story(Vec<String>);
//!
//! impl Outbox for Story {
//!     fn publish(&mut self, cause: Option<EventId>, fact: Fact) -> EventId {
//!         self.0.push(fact.kind().to_owned());
//!         EventId(self.0.len() as u64)
//!     }
//!     fn act(&mut self, output: Output<'_>) {
//!         match output {
//!             Output::Send(sent) => self.0.push(format!("send {} bytes", sent.packet.len())),
//!             Output::AddAddresses(change) => self.0.push(format!("add {}", change.addresses[0])),
//!             Output::RemoveAddresses(change) => self.0.push(format!("remove {}", change.addresses[0])),
//!             Output::Announce(burst) => self.0.push(format!("announce {} times", burst.repeat)),
//!             Output::Routing(_) | Output::StopDropping { .. } | Output::Notify(_) => {}
//!         }
//!     }
//! }
//!
//! let mut story = Story::default();
//! let start = Instant::now();
//! let mut node = Node::new(Arc::default());
//!
//! // What the kernel has.
//! let eth0 = node.link(&"eth0".into());
//! node.link_changed(start, eth0, LinkState::Up, None, &mut story);
//! node.address_added(start, eth0, [192, 0, 2, 1].into(), &mut story);
//!
//! // What shall run: one router, priority 100, an advertisement a second.
//! let vip = InterfaceAddress::host([192, 0, 2, 100].into());
//! let spec = RouterSpec::new("VI_1".into(), "eth0".into(), VirtualRouterId(51), Arc::from([vip]));
//! let routers = vec![RouterDefinition::detached(spec)];
//! node.apply(start, Definitions { routers, ..Definitions::default() }, None, &mut story);
//! assert_eq!(story.0, ["instance_configured", "state_changed"]); // Init to Backup
//!
//! // Nobody is heard for the Master_Down_Interval: 3 × 1 s + (256 − 100) / 256 s.
//! let deadline = node.next_deadline().unwrap();
//! assert_eq!(deadline - start, Duration::from_micros(3_609_375));
//! story.0.clear();
//! node.handle_timeouts(deadline, &mut story);
//! assert_eq!(story.0, [
//!     "advert_timed_out",
//!     "send 40 bytes",
//!     "state_changed", // Backup to Master, because of the first
//!     "add 192.0.2.100/32",
//!     "announce 5 times",
//! ]);
//! ```

pub mod follow;
mod group;
mod ids;
mod link;
pub mod node;
pub mod outbox;
pub mod router;
pub mod runner;
pub mod spec;
mod step;
mod timers;
pub mod wire;

pub use ids::{LinkId, RouterId, TrackedId};
pub use keepwatch_model::{Follow, Level, TrackedKind};
pub use link::{LinkAddress, LinkState, Origin};
pub use node::{Amendment, Node, Release};
pub use outbox::{AddressChange, Announcement, Notice, Outbox, Output, RoutingChange, Transmission};
pub use router::{Router, Subscription};
pub use spec::{Definitions, GroupDefinition, GroupSpec, RouterDefinition, RouterSpec};
pub use wire::Datagram;
