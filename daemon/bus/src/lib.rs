//! The bus of keepwatch: facts flow one way, from what acts to what watches, and what watches can never hold up
//! what acts.
//!
//! A publisher (VRRP, a checker, the IPVS engine) calls [`Bus::publish`] with a [`Fact`] and the event that led to
//! it, and gets the new [`EventId`] back at once, so that chains of causes form by themselves. The [`Hub`] folds each
//! [`Event`] into the [`World`], keeps it in the [`History`], counts it and hands it on. Consumers hold a [`Reader`]
//! (world, history, [`Counters`], [`Watcher`]s) or a queue of every event from [`Hub::deliver`].
//!
//! | module | what |
//! |---|---|
//! | `daemon`, `link`, `vrrp`, `track`, `routing`, `service`, `ipvs`, `consumer` | one a subject: its facts, its state in the world, what the facts do to it, and their lines |
//! | [`fact`] | everything that can happen: the facts of all subjects |
//! | [`subject`], [`configured`] | whom facts are about, and what the configuration says of them |
//! | [`world`] | the state of everything, built only by folding events; and what of it is in trouble |
//! | [`counters`] | atomics that every exporter reads |
//! | [`histogram`], [`times`], [`tally`] | those of them that are more than a number: how long, by whom, and for which event |
//! | [`beat`] | how a loop shows that it lives |
//! | [`flat`] | a map that takes no more than its pairs |
//! | [`delivery`] | the queue of a consumer that delivers |
//! | [`history`] | the last events, in memory and in a bounded file |
//! | [`line`](mod@line) | a fact as a line of the log ([`Event::line`]) |
//! | [`local_time`] | the host's time zone |
//! | [`mailbox`] | the queue whose sender never waits |
//! | [`pause`] | how long whoever tries again waits |
//! | [`own_file`] | how files of the daemon's own are opened |
//! | `sample` | settings and events for tests (feature `test-support`) |

pub mod beat;
pub mod configured;
mod consumer;
pub mod counters;
mod daemon;
pub mod delivery;
mod event;
pub mod fact;
pub mod flat;
mod health;
pub mod histogram;
pub mod history;
mod hub;
mod ipvs;
pub mod line;
mod link;
pub mod local_time;
pub mod mailbox;
pub mod mention;
pub mod own_file;
pub mod pause;
mod routing;
#[cfg(feature = "test-support")]
pub mod sample;
mod service;
pub mod tally;
pub mod times;
mod track;
mod vrrp;
mod watcher;
pub mod world;

pub use configured::{Configured, Process};
pub use counters::Counters;
pub use delivery::Deliveries;
pub use event::{Event, EventId};
pub use fact::Fact;
pub use flat::FlatMap;
pub use health::Health;
pub use history::{FileSettings, History, Recorded};
pub use hub::{Bus, BusSettings, Hub, Reader, WeakBus, monotonic_nanoseconds};
pub use keepwatch_model::subject;
pub use watcher::{Seen, Watcher};
pub use world::World;
