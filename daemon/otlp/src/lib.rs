//! What happens as OpenTelemetry sees it, over OTLP: each chain of causes is a trace, each event of it a span, and each
//! event with a line in the log a log record.
//!
//! In: events, from a watcher of the bus; [`Settings`], made of the configuration and the standard variables of the
//! environment. Out: batches of protobuf to a collector, over HTTP or gRPC, by a [`keepwatch_deliver::Courier`] for each
//! of the two signals. A collector that is down or slow costs what does not fit into the queue, which is counted.
//!
//! | module | what |
//! |---|---|
//! | [`chains`] | which trace and parent an event has, and which chains of checks are sent; pure |
//! | [`records`] | an event as a span and as a log record; pure |
//! | [`settings`] | the configuration and `OTEL_*` |
//! | `carrier` | a batch to the collector |
//!
//! The SDK of OpenTelemetry is not used: it times spans by itself, makes up their ids, and says `Ok` to a flush while spans
//! are lost, where all of that is known here.

mod carrier;
pub mod chains;
pub mod records;
mod run;
pub mod settings;

pub use run::run;
pub use settings::{Error, Settings};
