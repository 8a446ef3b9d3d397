//! The queue of one destination, with the one attempt that is under way.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::counters::DeliveryCounters;
use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Counters, WeakBus};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{Carrier, Patience, Verdict};

/// How parcels travel together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// At most so many.
    pub size: usize,
    /// A batch that is not full waits for so long.
    pub linger: Duration,
}

struct Waiting<P> {
    parcel: P,
    since: Instant,
}

type Attempt<P> = Pin<Box<dyn Future<Output = (Vec<P>, Verdict)> + Send>>;

/// Since when a server takes nothing, or not as much as there is.
struct Interruption {
    since: Instant,
    /// More came than there was room for: it is over when no more waits than goes with the next batch.
    full: bool,
}

/// A bounded queue to one destination. Offer parcels at any time; drive it with [`Courier::step`]; end it with
/// [`Courier::finish`] or [`Courier::dismiss`].
pub struct Courier<C: Carrier> {
    name: Name,
    carrier: Arc<C>,
    batch: Batch,
    patience: Patience,
    counters: Arc<DeliveryCounters>,
    bus: WeakBus,
    bag: VecDeque<Waiting<C::Parcel>>,
    attempt: Option<Attempt<C::Parcel>>,
    /// Since when each of the parcels under way has waited.
    carried: Vec<Instant>,
    /// Failures in a row, and when the next try is due.
    failures: u32,
    next_try: Instant,
    interrupted: Option<Interruption>,
    /// Something was lost for want of room since the last try ended; how that ends says why.
    overflowed: bool,
    /// What was lost and is not told yet.
    untold: u64,
}

impl<C: Carrier> Courier<C> {
    /// One that knows no parcels yet. `name` is the destination in facts and metrics.
    pub fn new(
        name: Name,
        carrier: C,
        batch: Batch,
        patience: Patience,
        counters: &Counters,
        bus: WeakBus,
    ) -> Self {
        let now = Instant::now();
        Self {
            counters: counters.deliveries.resolve(&name),
            name,
            carrier: Arc::new(carrier),
            batch,
            patience,
            bus,
            bag: VecDeque::new(),
            attempt: None,
            carried: Vec::new(),
            failures: 0,
            next_try: now,
            interrupted: None,
            overflowed: false,
            untold: 0,
        }
    }

    /// Takes a parcel; if too many wait, the oldest is lost for it. Never waits.
    pub fn offer(&mut self, parcel: C::Parcel) {
        if self.room() == 0 {
            self.bag.pop_front();
            self.lose(1);
            self.overflowed = true;
        }
        self.bag.push_back(Waiting { parcel, since: Instant::now() });
    }

    /// How many more parcels may wait before one is lost for another.
    pub fn room(&self) -> usize {
        self.patience.capacity.max(1).saturating_sub(self.bag.len())
    }

    /// Whether every parcel has come to its end.
    pub fn is_idle(&self) -> bool {
        self.bag.is_empty() && self.attempt.is_none()
    }

    /// Does the next thing that is to be done, when its time has come; never ends while there is none. Cancel-safe: what
    /// is under way goes on with the next call.
    pub async fn step(&mut self) {
        match &mut self.attempt {
            Some(attempt) => {
                let (parcels, verdict) = attempt.await;
                self.attempt = None;
                self.judge(parcels, verdict);
            }
            None => match self.due() {
                Some(due) => {
                    sleep_until(due).await;
                    self.set_out();
                }
                None => pending().await,
            },
        }
    }

    /// Tries what waits for as long as it may, without lingering; what is left then is lost, and counted.
    pub async fn finish(mut self) {
        let until = Instant::now() + self.patience.farewell;
        self.batch.linger = Duration::ZERO;
        self.next_try = Instant::now();
        while !self.is_idle() && timeout_at(until, self.step()).await.is_ok() {}
        self.dismiss();
    }

    /// Gives up: nobody is told of anything any more. What waits is lost, and counted.
    pub fn dismiss(mut self) {
        // Of what is under way nobody will know.
        let under_way = if self.attempt.is_some() { self.carried.len() } else { 0 };
        let left = self.bag.len() + under_way;
        self.lose(left as u64);
        if left > 0 || self.interrupted.is_some() {
            let lost = self.untold;
            self.bus.publish(None, ConsumerFact::DeliveryEnded { consumer: self.name.clone(), lost });
        }
    }

    fn due(&self) -> Option<Instant> {
        let first = self.bag.front()?;
        let ready = match self.bag.len() >= self.batch.size {
            true => first.since,
            false => first.since + self.batch.linger,
        };
        Some(ready.max(self.next_try))
    }

    fn set_out(&mut self) {
        if self.bag.is_empty() {
            return;
        }
        let size = self.batch.size.clamp(1, self.bag.len());
        let parcels: Vec<_>;
        (parcels, self.carried) =
            self.bag.drain(..size).map(|waiting| (waiting.parcel, waiting.since)).unzip();
        let carrier = self.carrier.clone();
        self.attempt = Some(Box::pin(async move {
            let verdict = carrier.carry(&parcels).await;
            (parcels, verdict)
        }));
    }

    fn judge(&mut self, parcels: Vec<C::Parcel>, verdict: Verdict) {
        let all = parcels.len() as u64;
        match verdict {
            Verdict::Taken { refused, why } => {
                let refused = refused.min(all);
                self.counters.delivered.add(all - refused);
                self.failures = 0;
                if refused > 0 {
                    self.interrupt(&why);
                    self.lose(refused);
                } else if self.overflowed {
                    self.interrupt("more than can wait, and the oldest is lost");
                } else {
                    self.resume();
                }
            }
            Verdict::Never(error) => {
                self.failures = 0;
                self.counters.failed_tries.inc();
                self.interrupt(&error);
                self.lose(all);
            }
            Verdict::NotNow { error, again } => {
                self.counters.failed_tries.inc();
                self.failures = self.failures.saturating_add(1);
                let pause = again.unwrap_or_default().min(self.patience.longest_pause);
                self.next_try = Instant::now() + self.patience.pause_after(self.failures).max(pause);
                self.back(parcels);
                self.interrupt(&error);
            }
        }
    }

    /// A batch was not taken: what is not too old of it waits at the front again, as far as there is room.
    fn back(&mut self, parcels: Vec<C::Parcel>) {
        let all = parcels.len();
        let waited = parcels.into_iter().zip(std::mem::take(&mut self.carried));
        let young: Vec<_> = waited
            .map(|(parcel, since)| Waiting { parcel, since })
            .filter(|waiting| waiting.since.elapsed() < self.patience.keep)
            .collect();
        let surplus = young.len().saturating_sub(self.room());
        self.lose((all - young.len() + surplus) as u64);
        for waiting in young.into_iter().skip(surplus).rev() {
            self.bag.push_front(waiting);
        }
    }

    fn lose(&mut self, lost: u64) {
        self.counters.lost.add(lost);
        self.untold += lost;
    }

    fn interrupt(&mut self, error: &str) {
        if self.interrupted.is_none() {
            self.interrupted = Some(Interruption { since: Instant::now(), full: false });
            let waiting = u32::try_from(self.bag.len()).unwrap_or(u32::MAX);
            let (consumer, error) = (self.name.clone(), error.to_owned());
            self.bus.publish(None, ConsumerFact::DeliveryInterrupted { consumer, error, waiting });
        }
        if let Some(interruption) = &mut self.interrupted {
            interruption.full |= std::mem::take(&mut self.overflowed);
        }
    }

    fn resume(&mut self) {
        // What came while a batch was under way is in the bag already: a server that keeps up never finds it empty. Half
        // of the room must be free all the same, or a bag smaller than a batch would end it at every one.
        let few = self.bag.len() <= self.batch.size.min(self.patience.capacity / 2);
        let over = |interruption: &mut Interruption| !interruption.full || few;
        if let Some(Interruption { since, .. }) = self.interrupted.take_if(over) {
            let (consumer, stood, lost) =
                (self.name.clone(), since.elapsed(), std::mem::take(&mut self.untold));
            self.bus.publish(None, ConsumerFact::DeliveryResumed { consumer, lost, stood });
        }
    }
}

#[cfg(test)]
mod tests;
