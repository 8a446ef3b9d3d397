//! The client: asks the VIP for a page every 10 ms, whatever happened to the last question, and remembers each answer.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use integration::{
    Host,
    background::{Background, Ending},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};

/// Time from one question to the next.
pub(crate) const PACE: Duration = Duration::from_millis(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// One question and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    /// When it was asked.
    pub(crate) asked: Instant,
    /// When the answer was there, or it was given up.
    pub(crate) ended: Instant,
    /// The page, if there was an answer.
    pub(crate) answer: Option<String>,
}

/// What a client saw of a span of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    /// Questions asked.
    pub(crate) asked: usize,
    /// Questions without an answer.
    pub(crate) lost: usize,
    /// The longest time from the last answer before a gap to the first after it; zero if nothing was lost.
    pub(crate) outage: Duration,
}

/// The polling client.
pub(crate) struct Client {
    polls: Arc<Mutex<Vec<Poll>>>,
    _thread: Background,
}

impl Client {
    /// Starts to poll `vip` from `host`.
    pub(crate) fn start(host: &Host, vip: SocketAddr) -> Result<Self> {
        let polls = Arc::new(Mutex::new(Vec::new()));
        let (out, host) = (Arc::clone(&polls), host.clone());
        let thread = Background::start("client", move |end| {
            // Sockets belong to the namespace of the thread that makes them: the runtime lives inside the host.
            let _ = host.inside(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(poll_until(&end, vip, &out));
                Ok(())
            });
        })?;
        Ok(Self { polls, _thread: thread })
    }

    /// What came of the questions asked from `since` on, in the order of asking. Questions under way are not in it.
    pub(crate) fn polls(&self, since: Instant) -> Vec<Poll> {
        let mut found: Vec<Poll> =
            lock(&self.polls).iter().filter(|poll| poll.asked >= since).cloned().collect();
        found.sort_by_key(|poll| poll.asked);
        found
    }

    /// Whether a question asked after `since` was answered, and by a page that `matches`.
    pub(crate) fn answered(&self, since: Instant, matches: impl Fn(&str) -> bool) -> bool {
        lock(&self.polls)
            .iter()
            .rev()
            .take_while(|poll| poll.ended >= since)
            .any(|poll| poll.asked >= since && poll.answer.as_deref().is_some_and(&matches))
    }

    /// The first poll that was answered after one asked since `since` was not.
    pub(crate) fn answered_again(&self, since: Instant) -> Option<Poll> {
        self.polls(since)
            .into_iter()
            .skip_while(|poll| poll.answer.is_some())
            .find(|poll| poll.answer.is_some())
    }

    /// Sums up what was asked from `since` until `until`.
    pub(crate) fn summary(&self, since: Instant, until: Instant) -> Summary {
        let mut polls = self.polls(since);
        polls.retain(|poll| poll.asked <= until);
        summarize(&polls, since)
    }
}

fn summarize(polls: &[Poll], since: Instant) -> Summary {
    let mut summary = Summary { asked: polls.len(), ..Summary::default() };
    let mut last_answer = since;
    let mut gap = false;
    for poll in polls {
        if poll.answer.is_some() {
            if gap {
                summary.outage = summary.outage.max(poll.ended.saturating_duration_since(last_answer));
            }
            gap = false;
            last_answer = poll.ended;
        } else {
            summary.lost += 1;
            gap = true;
        }
    }
    summary
}

async fn poll_until(end: &Ending, vip: SocketAddr, out: &Arc<Mutex<Vec<Poll>>>) {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !end.is_near() {
        ticks.tick().await;
        let out = Arc::clone(out);
        tokio::spawn(async move {
            let asked = Instant::now();
            let answer = timeout(PATIENCE, ask(vip)).await.map_err(|_| anyhow!("no answer"));
            let answer = answer.and_then(|result| result.map_err(Into::into)).ok();
            lock(&out).push(Poll { asked, ended: Instant::now(), answer });
        });
    }
}

async fn ask(vip: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(vip).await?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: vip\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split_once("\r\n\r\n") {
        Some((_, page)) if !page.is_empty() => Ok(page.trim().to_owned()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_last_answer_to_the_next() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let poll = |asked, ended, answer: Option<&str>| Poll {
            asked: at(asked),
            ended: at(ended),
            answer: answer.map(str::to_owned),
        };
        let polls = [
            poll(0, 1, Some("web1")),
            poll(10, 11, Some("web2")),
            poll(20, 21, None),
            poll(30, 31, None),
            poll(40, 41, Some("web1")),
            poll(50, 51, None),
        ];
        let summary = summarize(&polls, start);
        assert_eq!((summary.asked, summary.lost, summary.outage), (6, 3, Duration::from_millis(30)));
    }
}
