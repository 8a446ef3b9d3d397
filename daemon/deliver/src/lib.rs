//! What all consumers share that hand events over to a server: OTLP, webhooks, and the pauses of mail.
//!
//! In: parcels, from a task that must not wait. Out: batches at a [`Carrier`], again and again with growing pauses
//! ([`Patience`]) while its server does not take them, never more of them waiting than a bound. What becomes of each
//! parcel is counted (`keepwatch_delivery_*`); that a server stopped taking them, and that it takes them again, is a fact
//! each, told once and not for each try.
//!
//! [`Courier`] is the queue with its one attempt under way; whoever owns it drives it with [`Courier::step`] beside its
//! own events. [`http`] is the client of those whose server speaks HTTP.

mod aside;
mod courier;
pub mod http;
mod patience;

use std::future::Future;
use std::time::Duration;

pub use aside::made_aside;
pub use courier::{Batch, Courier};
pub use patience::Patience;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server is responsible for it from now on, but for so many parcels that it does not want.
    Taken {
        /// Parcels that it refused for good.
        refused: u64,
        /// What it said of them; nothing if it took all.
        why: String,
    },
    /// The server will never take it.
    Never(String),
    /// Not now: it can't be reached, is busy, or does not answer.
    NotNow {
        /// What went wrong.
        error: String,
        /// When to come again, if the server said so.
        again: Option<Duration>,
    },
}

impl Verdict {
    /// All of it was taken.
    pub fn taken() -> Self {
        Self::Taken { refused: 0, why: String::new() }
    }
}

/// What brings a batch to a server.
pub trait Carrier: Send + Sync + 'static {
    /// One thing to hand over.
    type Parcel: Send + Sync + 'static;

    /// Tries once. It must bound its own time.
    fn carry(&self, batch: &[Self::Parcel]) -> impl Future<Output = Verdict> + Send;
}
