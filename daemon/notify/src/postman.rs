//! From the queue of events to the mail server, one letter at a time.

use std::collections::VecDeque;
use std::future::pending;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use keepwatch_bus::fact::{ConsumerFact, DaemonFact};
use keepwatch_bus::{Deliveries, Fact, Reader, WeakBus};
use keepwatch_deliver::Patience;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::mail::{self, Delivery};
use crate::news::News;
use crate::spool::{Kept, Left, Spool};
use crate::{Letter, MailSettings, Secretary, SendError, Wishes, digest};

/// Bytes of letters that may wait, however few they are.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// What the spool may take to write what was ordered, at the end.
const LAST_WRITES: Duration = Duration::from_millis(200);

/// A letter in the bag.
struct Waiting {
    /// Its number in the spool.
    number: u64,
    letter: Letter,
    since: Instant,
    /// Who is still to get it, when the server took it for others; everybody when `None`.
    to: Option<Vec<String>>,
    /// Tries so far.
    tries: u32,
    /// Not tried before: the server does not want it for these recipients just now.
    not_before: Instant,
}

type Attempt = BoxFuture<'static, (Waiting, Result<Delivery, SendError>)>;

struct Postman {
    settings: watch::Receiver<Option<MailSettings>>,
    bus: WeakBus,
    patience: Patience,
    spool: Spool,
    /// The number of the next letter.
    next: u64,
    bag: VecDeque<Waiting>,
    attempt: Option<Attempt>,
    /// Failures in a row, and when the next try is due.
    failures: u32,
    next_try: Instant,
    /// The last error told, so that the same one is not told with every try.
    told: Option<String>,
}

/// What [`run`] is to be told.
pub fn concerns(fact: &Fact) -> bool {
    matches!(fact, Fact::Daemon(_)) || News::of(fact).is_some()
}

/// Sends mail about what `events` (a queue from `Hub::deliver`) says, until the queue ends or a while after
/// `DaemonStopping`. `settings` may change at any time; while it is `None`, no mail is sent. `reader` tells why things
/// happened; what becomes of letters is published on `bus`,
/// which it does not keep alive. What waits is kept in `spool` too; `left` is what an earlier run left there.
pub async fn run(
    mut events: Deliveries,
    settings: watch::Receiver<Option<MailSettings>>,
    reader: Reader,
    bus: WeakBus,
    patience: Patience,
    (spool, mut left): (Spool, Option<Left>),
) {
    let mut secretary = Secretary::default();
    let mut changes = settings.clone();
    let mut postman = Postman {
        settings,
        bus,
        patience,
        spool,
        // Numbers go on after those of earlier runs, whatever they were.
        next: milliseconds().saturating_mul(1000),
        bag: VecDeque::new(),
        attempt: None,
        failures: 0,
        next_try: Instant::now(),
        told: None,
    };
    let mut end: Option<Instant> = None;
    loop {
        postman.set_out();
        reader.counters().mails_waiting.set(i64::try_from(postman.waiting()).unwrap_or(i64::MAX));
        if end.is_some() && postman.idle() {
            break;
        }
        let next_start = postman.next_start();
        tokio::select! {
            event = events.recv(), if end.is_none() => {
                let Some(event) = event else { break };
                secretary.heed(postman.wishes());
                let letters = secretary.note(&event, &reader.history());
                letters.into_iter().for_each(|letter| postman.take(letter));
                if let Fact::Daemon(DaemonFact::DaemonStopping { .. }) = event.fact {
                    end = Some(Instant::now() + postman.patience.farewell);
                    postman.hurry();
                }
            }
            (waiting, result) = returned(&mut postman.attempt) => postman.back(waiting, result),
            () = until(next_start) => {}
            kept = found(&mut left) => postman.resume(kept),
            Ok(()) = changes.changed() => postman.start_afresh(),
            () = until(end) => break,
        }
    }
    // The last thing that this task does; its waiting delays nobody.
    let _ = tokio::task::spawn_blocking(move || postman.spool.close(LAST_WRITES)).await;
}

/// What an earlier run left, once.
async fn found(left: &mut Option<Left>) -> Vec<Kept> {
    match left {
        Some(reading) => {
            let kept = reading.await.unwrap_or_default();
            *left = None;
            kept
        }
        None => pending().await,
    }
}

/// Bytes that a letter takes.
fn size(letter: &Letter) -> usize {
    letter.subject.len() + letter.body.len()
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The attempt under way, if there is one; it is gone when it has ended.
async fn returned(attempt: &mut Option<Attempt>) -> (Waiting, Result<Delivery, SendError>) {
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
    /// Letters that are not delivered yet.
    fn waiting(&self) -> usize {
        self.bag.len() + usize::from(self.attempt.is_some())
    }

    fn idle(&self) -> bool {
        (self.bag.is_empty() || self.settings.borrow().is_none()) && self.attempt.is_none()
    }

    /// What an earlier run left comes before what has happened since.
    fn resume(&mut self, kept: Vec<Kept>) {
        let (now, at) = (Instant::now(), milliseconds());
        for kept in kept.into_iter().rev() {
            let waited = Duration::from_millis(at.saturating_sub(kept.since));
            self.next = self.next.max(kept.number.saturating_add(1));
            if self.is_full(size(&kept.letter)) {
                self.spool.forget(kept.number);
                self.give_up(
                    &kept.letter,
                    format!("{} newer mails wait for the mail server", self.bag.len()),
                );
                continue;
            }
            let Kept { number, letter, to, tries, .. } = kept;
            let since = now.checked_sub(waited).unwrap_or(now);
            self.bag.push_front(Waiting { number, letter, since, to, tries, not_before: now });
        }
    }

    /// Keeps on disk how a letter stands.
    fn keep(&mut self, waiting: &Waiting) {
        let waited = u64::try_from(waiting.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.spool.keep(Kept {
            number: waiting.number,
            letter: waiting.letter.clone(),
            since: milliseconds().saturating_sub(waited),
            to: waiting.to.clone(),
            tries: waiting.tries,
        });
    }

    /// When the next letter can be tried, if nothing happens before.
    fn next_start(&self) -> Option<Instant> {
        if self.settings.borrow().is_none() {
            return None;
        }
        let first = self.bag.iter().map(|waiting| waiting.not_before).min();
        first.filter(|_| self.attempt.is_none()).map(|first| first.max(self.next_try))
    }

    fn wishes(&self) -> Wishes {
        self.settings.borrow().as_ref().map(|settings| settings.wishes).unwrap_or_default()
    }

    /// Whether there is no room for a letter of so many bytes.
    fn is_full(&self, size: usize) -> bool {
        let bytes = || self.bag.iter().map(|waiting| self::size(&waiting.letter)).sum::<usize>();
        self.bag.len() >= self.patience.capacity.max(1)
            || (!self.bag.is_empty() && bytes().saturating_add(size) > MOST_BYTES)
    }

    /// Puts a letter into the bag; when it is full, those that wait become one, or the oldest are given up for it.
    fn take(&mut self, letter: Letter) {
        let Some(group) = self.settings.borrow().as_ref().map(|settings| settings.mail.group) else { return };
        let size = size(&letter);
        if let Some(group) = group.filter(|_| self.is_full(size)) {
            self.group(group.least);
        }
        while self.is_full(size)
            && let Some(oldest) = self.bag.pop_front()
        {
            let error = format!("{} newer mails wait for the mail server", self.bag.len() + 1);
            self.spool.forget(oldest.number);
            self.give_up(&oldest.letter, error);
        }
        let now = Instant::now();
        let not_before = now + group.map_or(Duration::ZERO, |group| group.wait);
        self.add(Waiting { number: 0, letter, since: now, to: None, tries: 0, not_before });
    }

    /// Gives it a number, keeps it, and puts it behind the others.
    fn add(&mut self, mut waiting: Waiting) {
        waiting.number = self.next;
        self.next += 1;
        self.keep(&waiting);
        self.bag.push_back(waiting);
    }

    /// Makes one letter of those that wait and were not tried yet, if they are so many that they are to be one.
    fn group(&mut self, least: u32) {
        let fresh = |waiting: &Waiting| waiting.tries == 0 && !digest::is_one(&waiting.letter);
        if self.bag.iter().filter(|waiting| fresh(waiting)).count()
            < usize::try_from(least).unwrap_or(usize::MAX)
        {
            return;
        }
        let (together, others): (Vec<_>, Vec<_>) = self.bag.drain(..).partition(fresh);
        self.bag = others.into();
        let (since, now) = (together.first().map_or_else(Instant::now, |first| first.since), Instant::now());
        let letters: Vec<Letter> = together.iter().map(|waiting| waiting.letter.clone()).collect();
        if let Some(letter) = digest::of(&letters) {
            // On disk before those that it is made of are forgotten: rather twice than never.
            self.add(Waiting { number: 0, letter, since, to: None, tries: 0, not_before: now });
        }
        together.iter().for_each(|waiting| self.spool.forget(waiting.number));
    }

    /// Begins an attempt if there is something to deliver and the time has come.
    fn set_out(&mut self) {
        let now = Instant::now();
        if self.attempt.is_some() || now < self.next_try {
            return;
        }
        // A clone, so that the lock on the settings is not held over the attempt.
        let settings = self.settings.borrow_and_update().clone();
        let Some(settings) = settings else { return };
        let due = |bag: &VecDeque<Waiting>| bag.iter().position(|waiting| waiting.not_before <= now);
        if let (Some(_), Some(group)) = (due(&self.bag), settings.mail.group) {
            self.group(group.least);
        }
        let next = due(&self.bag);
        if let Some(mut waiting) = next.and_then(|next| self.bag.remove(next)) {
            waiting.tries += 1;
            self.attempt = Some(Box::pin(async move {
                let to = waiting.to.as_ref().unwrap_or(&settings.to);
                let result = mail::send(&settings, &waiting.letter, to).await;
                (waiting, result)
            }));
        }
    }

    /// An attempt has ended.
    fn back(&mut self, waiting: Waiting, result: Result<Delivery, SendError>) {
        match result {
            Ok(delivery) => {
                self.failures = 0;
                self.told = None;
                self.delivered(waiting, delivery);
            }
            Err(error) if error.is_permanent() => {
                self.spool.forget(waiting.number);
                self.give_up(&waiting.letter, error.to_string());
            }
            Err(error) if waiting.since.elapsed() >= self.patience.keep => {
                self.pause();
                self.spool.forget(waiting.number);
                self.give_up(&waiting.letter, format!("tried for {:?}: {error}", self.patience.keep));
            }
            Err(error) => {
                let retry_in = self.pause();
                let error = error.to_string();
                if self.told.as_ref() != Some(&error) {
                    self.delay(&waiting.letter, error.clone(), retry_in);
                    self.told = Some(error);
                }
                self.bag.push_front(waiting);
            }
        }
    }

    /// The server has heard of all recipients. Those whom it does not want now are tried again by themselves, while
    /// other letters go on.
    fn delivered(&mut self, mut waiting: Waiting, delivery: Delivery) {
        let Delivery { taken, refused, deferred, why_deferred } = delivery;
        let (letter, took) = (&waiting.letter, waiting.since.elapsed());
        if deferred.is_empty() || took >= self.patience.keep {
            self.spool.forget(waiting.number);
        }
        let nobody = taken == 0 && deferred.is_empty() && waiting.to.is_none();
        if nobody {
            let all: Vec<_> = refused.iter().map(|(recipient, why)| format!("{recipient}: {why}")).collect();
            self.give_up(letter, all.join("; "));
            return;
        }
        for (recipient, error) in refused {
            let subject = letter.subject.clone();
            self.bus.publish(Some(letter.event), ConsumerFact::MailRefused { subject, recipient, error });
        }
        if taken > 0 {
            let (subject, tries) = (letter.subject.clone(), waiting.tries);
            let fact = ConsumerFact::MailSent { subject, recipients: taken, took, tries };
            self.bus.publish(Some(letter.event), fact);
        }
        if deferred.is_empty() {
            return;
        }
        if took >= self.patience.keep {
            self.give_up(letter, format!("tried for {:?}: {why_deferred}", self.patience.keep));
            return;
        }
        let retry_in = self.patience.pause_after(waiting.tries);
        if waiting.tries == 1 {
            self.delay(letter, why_deferred, retry_in);
        }
        waiting.to = Some(deferred);
        waiting.not_before = Instant::now() + retry_in;
        self.keep(&waiting);
        self.bag.push_front(waiting);
    }

    fn delay(&self, letter: &Letter, error: String, retry_in: Duration) {
        let (subject, waiting) =
            (letter.subject.clone(), u32::try_from(self.bag.len() + 1).unwrap_or(u32::MAX));
        self.bus.publish(Some(letter.event), ConsumerFact::MailDelayed { subject, error, waiting, retry_in });
    }

    /// Other settings: what failed before may go well now.
    fn start_afresh(&mut self) {
        if self.settings.borrow().is_none() {
            self.bag.drain(..).for_each(|waiting| self.spool.forget(waiting.number));
        }
        self.failures = 0;
        self.told = None;
        self.hurry();
    }

    /// Nothing waits for others to join it, or for its next try.
    fn hurry(&mut self) {
        self.next_try = Instant::now();
        self.bag.iter_mut().for_each(|waiting| waiting.not_before = self.next_try);
    }

    /// Sets the time of the next try, and says how far it is.
    fn pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let pause = self.patience.pause_after(self.failures);
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
