//! A copy of the daemon's world that keeps itself right: the state once, then each event folded in, as they come over
//! the control socket. So whoever watches costs the daemon what happens, not what there is.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use keepwatch_bus::{Event, World};

use crate::control::client::{self, Answers, ClientError};
use crate::control::protocol::{Answer, Question};

/// Answers that may wait; who lags further behind is given the state anew by the daemon.
const WAITING: usize = 4096;

/// What came of looking for news.
pub(super) enum News {
    /// Something happened; none where all was told anew.
    Event(Option<Arc<Event>>),
    /// Nothing, in the time that was waited for it.
    Nothing,
    /// The daemon has gone.
    Ended,
}

/// The copy.
pub(super) struct Mirror {
    /// The state of everything.
    pub(super) world: World,
    /// The daemon's clock less ours.
    ahead: SignedDuration,
    answers: Receiver<Result<Answer, ClientError>>,
}

impl Mirror {
    /// Begins to follow the daemon behind `socket`.
    ///
    /// # Errors
    /// When no daemon listens there, or it refuses.
    pub(super) fn new(socket: &Path) -> Result<Self> {
        let stream = client::ask(socket, &Question::Follow, None)?;
        let (sender, answers) = sync_channel(WAITING);
        std::thread::Builder::new().name("answers".into()).spawn(move || read(stream, &sender))?;
        let mut mirror = Self { world: World::default(), ahead: SignedDuration::ZERO, answers };
        match mirror.answers.recv_timeout(super::PATIENCE) {
            Ok(answer) => mirror.take(answer?),
            Err(RecvTimeoutError::Timeout) => bail!(ClientError::Late(super::PATIENCE)),
            Err(RecvTimeoutError::Disconnected) => bail!("the daemon has ended"),
        };
        Ok(mirror)
    }

    /// The daemon's time.
    pub(super) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.ahead).unwrap_or(now)
    }

    /// Waits for the next thing that happens, and folds it in.
    ///
    /// # Errors
    /// When what the daemon says is not understood.
    pub(super) fn next(&mut self, wait: Duration) -> Result<News> {
        match self.answers.recv_timeout(wait) {
            Ok(answer) => Ok(News::Event(self.take(answer.context("the daemon's answer")?))),
            Err(RecvTimeoutError::Timeout) => Ok(News::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(News::Ended),
        }
    }

    fn take(&mut self, answer: Answer) -> Option<Arc<Event>> {
        match answer {
            Answer::Status { now, world } => {
                self.world = *world;
                self.ahead = now.duration_since(Timestamp::now());
                None
            }
            Answer::Event { event, .. } => {
                self.world.apply(&event);
                Some(event)
            }
            // What else there is belongs to other questions.
            _ => None,
        }
    }
}

fn read(mut answers: Answers, to: &SyncSender<Result<Answer, ClientError>>) {
    loop {
        let sent = match answers.one_more() {
            Ok(Some(answer)) => to.send(Ok(answer)),
            // Cut off: it has gone.
            Ok(None) | Err(ClientError::Silent(_)) => return,
            Err(error) => {
                let _ = to.send(Err(error));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
