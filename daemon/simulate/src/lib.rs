//! The virtual routers of several hosts on simulated LANs: the real machine of each host
//! ([`Node`](keepwatch_vrrp::Node)), no socket, no real time. A minute of it takes milliseconds, and the same seed
//! always gives the same run.
//!
//! | module | what |
//! |---|---|
//! | [`lan`] | hosts, segments, packets on their way, weather, and what may go wrong |
//! | [`host`] | one host: its machine, its interfaces and addresses, its clock |
//! | [`fault`] | what goes wrong when, as operators write it: `A down at 10s for 5s` |
//! | [`cluster`] | a LAN out of the configurations of a cluster |
//! | [`history`] | who was master when: outages, split brain |
//! | [`story`] | that as text and as an SVG picture |
//! | [`watch`] | what must hold at every moment, whatever goes wrong |
//! | [`seeds`] | a LAN and its troubles thrown by dice, and the verdict on it |
//!
//! ```text
//!  configurations ──cluster──┐            ┌──► history ──► text, SVG
//!            seed ──seeds────┴─► Lan ─────┤
//!          faults ──────────────► │       └──► watch ────► broken rules, with the seed that breaks them
//! ```

pub mod cluster;
pub mod dice;
pub mod fault;
pub mod history;
pub mod host;
pub mod lan;
pub mod seeds;
pub mod story;
pub mod watch;

pub use dice::Dice;
pub use fault::{Fault, Scheduled};
pub use history::History;
pub use host::{Host, HostPlan, LinkPlan};
pub use lan::{Lan, Weather};
