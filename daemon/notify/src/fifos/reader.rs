//! The script that reads a FIFO: it runs as long as the FIFO is there. One that fails is started again, with growing
//! pauses; one that ends well by itself has its reasons (it may have left a service behind that reads on), and is not.

use std::ffi::OsString;
use std::time::Duration;

use keepwatch_bus::fact::{ConsumerFact, about_reader};
use keepwatch_bus::subject::Name;
use keepwatch_bus::{EventId, WeakBus};
use keepwatch_process::{Command, End, Finished, NotRun, Running};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::scripts::outcome;

/// From asking a reader to end to killing it.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// The first pause before one that failed is started again; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause. One that ran for longer has not failed in a row.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A reader that is kept going.
pub(super) struct Reader {
    /// To let it end, with how long it may go on by itself before it is asked to.
    stop: oneshot::Sender<Duration>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Keeps `command` going, which reads `fifo`, as soon as `before` has ended: the reader of the FIFO that was there
    /// before this one.
    pub(super) fn start(
        command: Command,
        fifo: Name,
        bus: WeakBus,
        cause: Option<EventId>,
        before: Option<JoinHandle<()>>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let keeper = Keeper { command, fifo, bus, cause };
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                // It bounds itself.
                let _ = before.await;
            }
            keeper.keep(stopped).await;
        });
        Self { stop, task }
    }

    /// Lets it end: by itself within `by_itself`, else by SIGTERM, else by SIGKILL. What is returned ends when it is gone.
    pub(super) fn stop(self, by_itself: Duration) -> JoinHandle<()> {
        // An error says that there is none any more.
        let _ = self.stop.send(by_itself);
        self.task
    }
}

struct Keeper {
    command: Command,
    fifo: Name,
    bus: WeakBus,
    cause: Option<EventId>,
}

impl Keeper {
    async fn keep(self, mut stopped: oneshot::Receiver<Duration>) {
        let mut pause = FIRST_PAUSE;
        // How long one that had failed has to run now until that counts as over.
        let mut proof: Option<Duration> = None;
        loop {
            // One that was taken away before it began.
            if !matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                return;
            }
            let begun = Instant::now();
            let mut running = keepwatch_process::run(self.command.clone());
            let ended = loop {
                tokio::select! {
                    ended = &mut running => break ended,
                    by_itself = &mut stopped => {
                        end(running, by_itself.unwrap_or_default()).await;
                        return;
                    }
                    () = sleep(proof.unwrap_or_default()), if proof.is_some() => {
                        proof = None;
                        let (fifo, script) = (self.fifo.clone(), self.script());
                        self.bus.publish(self.cause, ConsumerFact::FifoReaderWorks { fifo, script });
                    }
                }
            };
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            if !self.tell(ended, pause) {
                return;
            }
            proof = Some(pause);
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                _ = &mut stopped => return,
            }
        }
    }

    /// The command, in words.
    fn script(&self) -> String {
        let script = self.command.argv.iter().map(|word: &OsString| word.to_string_lossy());
        script.collect::<Vec<_>>().join(" ")
    }

    /// Tells that it ended by itself; whether it is started again.
    fn tell(&self, ended: Result<Finished, NotRun>, pause: Duration) -> bool {
        let (script, fifo) = (self.script(), self.fifo.clone());
        let (fact, again) = match ended {
            Err(error) => {
                let about = about_reader(&fifo);
                (ConsumerFact::ScriptNotRun { script, about, error: error.to_string() }, true)
            }
            Ok(Finished { end, took, output }) => {
                let again = end != End::Exited(0);
                let again_in = again.then_some(pause);
                let outcome = outcome(end);
                (ConsumerFact::FifoReaderEnded { fifo, script, outcome, took, output, again_in }, again)
            }
        };
        self.bus.publish(self.cause, fact);
        again
    }
}

/// Waits for the end of a reader whose FIFO is gone.
async fn end(mut running: Running, by_itself: Duration) {
    if !by_itself.is_zero() && timeout(by_itself, &mut running).await.is_ok() {
        return;
    }
    running.stop(GRACE);
    // Its end was wanted, so nothing is told of it.
    let _ = running.await;
}
