//! What people and programs watch over HTTP: Prometheus metrics, the status page, JSON and a live stream of events.
//!
//! A [`Reader`](keepwatch_bus::Reader) and a listening socket go in; [`serve`] answers on it until it is dropped:
//!
//! | path | what |
//! |---|---|
//! | `/` | the status page, for people; live where there are scripts |
//! | `/event/N` | an event, what led to it and what followed, for people |
//! | `/live` | what changes, for pages that are open (`text/event-stream`) |
//! | `/metrics` | Prometheus text format, or OpenMetrics with exemplars: keepalived_* as mehdy/keepalived-exporter names them, and keepwatch_* |
//! | `/api/v1/world` | the world as JSON |
//! | `/api/v1/events` | the last events as JSON, or all from now on as `text/event-stream` |
//! | `/-/healthy`, `/-/ready` | for orchestration |
//!
//! Nothing here can change anything, and nothing here can hold anything up: answers are made from a brief look at the
//! world, at most ten times a second for each path, the number of connections is bounded, a client that stalls (half a
//! request, never reading) is dropped, and when all places are taken the longest idle one goes to whoever comes next.
//! The page and `/api` are answered only where they are asked for by a name of this host.
//!
//! [`serve_metrics`] answers `/metrics` alone, with what somebody else has measured, written by [`Families`].
//!
//! [`dump`] makes the files that keepalived writes on a signal.

mod accept;
mod api;
mod board;
pub mod dump;
mod fresh;
mod guard;
mod host_names;
mod live;
mod metrics;
mod packed;
mod page;
mod places;
mod probes;
mod routes;
mod samples;
mod scrape;
mod server;
mod timeline;
mod web;

pub use guard::Guarded;
pub use metrics::{
    Described, Exposition, Families, Family, Format, Kind, Labels, exposition, families, flag, number,
};
pub use places::{Place, Places, Streaming};
pub use server::{Limits, serve, serve_behind, serve_metrics};
pub use web::Web;
