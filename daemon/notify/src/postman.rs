//! From the queue of events to the mail server, one letter at a time.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keepwatch_bus::fact::{ConsumerFact, DaemonFact};
use keepwatch_bus::{Event, Fact, Reader, WeakBus};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::{Letter, MailSettings, Secretary, SendError, mail};

/// How patient the postman is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Pause after the first failure; each further one in a row doubles it.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// Letters that may wait; then the oldest is given up.
    pub capacity: usize,
    /// How long a letter is tried; then it is given up.
    pub keep: Duration,
    /// After `DaemonStopping`: how long letters are still tried before the task ends.
    pub farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            capacity: 256,
            keep: Duration::from_secs(3600),
            farewell: Duration::from_secs(2),
        }
    }
}

/// A letter in the bag.
struct Waiting {
    letter: Letter,
    since: Instant,
}

type Attempt = BoxFuture<'static, (Waiting, Result<u32, SendError>)>;

struct Postman {
    settings: watch::Receiver<Option<MailSettings>>,
    bus: WeakBus,
    patience: Patience,
    bag: VecDeque<Waiting>,
    attempt: Option<Attempt>,
    /// Failures in a row, and when the next try is due.
    failures: u32,
    next_try: Instant,
    /// The last error told, so that the same one is not told with every try.
    told: Option<String>,
}

/// Sends mail about what `events` (a queue from `Hub::deliver`) says, until the queue ends or a while after
/// `DaemonStopping`. `settings` may change at any time; while it is `None`, no mail is sent. `reader` tells why things
/// happened; what becomes of letters is published on `bus`,
/// which it does not keep alive.
pub async fn run(
    mut events: UnboundedReceiver<Arc<Event>>,
    settings: watch::Receiver<Option<MailSettings>>,
    reader: Reader,
    bus: WeakBus,
    patience: Patience,
) {
    let mut secretary = Secretary::default();
    let mut changes = settings.clone();
    let mut postman = Postman {
        settings,
        bus,
        patience,
        bag: VecDeque::new(),
        attempt: None,
        failures: 0,
        next_try: Instant::now(),
        told: None,
    };
    let mut end: Option<Instant> = None;
    loop {
        postman.set_out();
        if end.is_some() && postman.idle() {
            return;
        }
        tokio::select! {
            event = events.recv(), if end.is_none() => {
                let Some(event) = event else { return };
                secretary.set_silent_faults(postman.silent_faults());
                let letters = secretary.note(&event, &reader.history());
                letters.into_iter().for_each(|letter| postman.take(letter));
                if let Fact::Daemon(DaemonFact::DaemonStopping { .. }) = event.fact {
                    end = Some(Instant::now() + postman.patience.farewell);
                    postman.next_try = Instant::now();
                }
            }
            (waiting, result) = returned(&mut postman.attempt) => postman.back(waiting, result),
            () = sleep_until(postman.next_try), if postman.may_set_out_later() => {}
            Ok(()) = changes.changed() => postman.start_afresh(),
            () = until(end) => return,
        }
    }
}

/// The attempt under way, if there is one; it is gone when it has ended.
async fn returned(attempt: &mut Option<Attempt>) -> (Waiting, Result<u32, SendError>) {
    match attempt {
        Some(running) => {
            let result = running.await;
            *attempt = None;
            result
        }
        None => pending().await,
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

impl Postman {
    fn idle(&self) -> bool {
        self.bag.is_empty() && self.attempt.is_none()
    }

    fn may_set_out_later(&self) -> bool {
        self.attempt.is_none() && !self.bag.is_empty()
    }

    fn silent_faults(&self) -> bool {
        self.settings.borrow().as_ref().is_some_and(|settings| settings.no_email_faults)
    }

    /// Puts a letter into the bag; when it is full, the oldest is given up for it.
    fn take(&mut self, letter: Letter) {
        if self.settings.borrow().is_none() {
            return;
        }
        if self.bag.len() >= self.patience.capacity.max(1)
            && let Some(oldest) = self.bag.pop_front()
        {
            let error = format!("{} newer mails wait for the mail server", self.bag.len() + 1);
            self.give_up(&oldest.letter, error);
        }
        self.bag.push_back(Waiting { letter, since: Instant::now() });
    }

    /// Begins an attempt if there is something to deliver and the time has come.
    fn set_out(&mut self) {
        if self.attempt.is_some() || Instant::now() < self.next_try {
            return;
        }
        // A clone, so that the lock on the settings is not held over the attempt.
        let settings = self.settings.borrow_and_update().clone();
        let Some(settings) = settings else {
            self.bag.clear();
            return;
        };
        if let Some(waiting) = self.bag.pop_front() {
            self.attempt = Some(Box::pin(async move {
                let result = mail::send(&settings, &waiting.letter).await;
                (waiting, result)
            }));
        }
    }

    /// An attempt has ended.
    fn back(&mut self, waiting: Waiting, result: Result<u32, SendError>) {
        match result {
            Ok(recipients) => {
                self.failures = 0;
                self.told = None;
                let Waiting { letter, since } = waiting;
                let fact =
                    ConsumerFact::MailSent { subject: letter.subject, recipients, took: since.elapsed() };
                self.bus.publish(Some(letter.event), fact);
            }
            Err(error) if error.is_permanent() => self.give_up(&waiting.letter, error.to_string()),
            Err(error) if waiting.since.elapsed() >= self.patience.keep => {
                self.pause();
                self.give_up(&waiting.letter, format!("tried for {:?}: {error}", self.patience.keep));
            }
            Err(error) => {
                let retry_in = self.pause();
                let error = error.to_string();
                if self.told.as_ref() != Some(&error) {
                    let fact = ConsumerFact::MailDelayed {
                        subject: waiting.letter.subject.clone(),
                        error: error.clone(),
                        waiting: u32::try_from(self.bag.len() + 1).unwrap_or(u32::MAX),
                        retry_in,
                    };
                    self.bus.publish(Some(waiting.letter.event), fact);
                    self.told = Some(error);
                }
                self.bag.push_front(waiting);
            }
        }
    }

    /// Other settings: what failed before may go well now.
    fn start_afresh(&mut self) {
        self.failures = 0;
        self.told = None;
        self.next_try = Instant::now();
    }

    /// Sets the time of the next try, and says how far it is.
    fn pause(&mut self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.min(16));
        let pause = self.patience.first_pause.saturating_mul(doubled).min(self.patience.longest_pause);
        self.failures = self.failures.saturating_add(1);
        self.next_try = Instant::now() + pause;
        pause
    }

    fn give_up(&mut self, letter: &Letter, error: String) {
        self.bus
            .publish(Some(letter.event), ConsumerFact::MailFailed { subject: letter.subject.clone(), error });
    }
}

#[cfg(test)]
mod tests;
