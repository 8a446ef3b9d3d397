//! FIFOs: named pipes that are told of every change, a line each, and the scripts that read them.
//!
//! [`run`] takes every event from a lossless queue of the bus. [`Teller`] says who is to be told what, `lines` (pure) how
//! that is written, a `Pipe` writes it, and a `Reader` keeps the script going that reads it. It all happens in tasks
//! that nothing else waits for, and a pipe is never waited for either: a line for which there is no room is lost, which is
//! counted and told once.
//!
//! As in keepalived, a pipe is taken away and made anew at each reload, so that its readers get an end of file; and it
//! can be written whether anybody reads it or not: the first 64 KiB wait in it.

use std::fs::symlink_metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::fact::{ConsumerFact, DaemonFact};
use keepwatch_bus::{Deliveries, EventId, Fact, Reader as World, WeakBus};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::pipe::{Pipe, Written};
use self::reader::Reader;
use crate::occasions::{Occasion, Teller};

mod lines;
mod memory;
mod pipe;
mod reader;
mod settings;

pub use memory::{MadePipe, Memory, PipeNews};
pub use settings::{FifoSettings, PipeSettings};

/// What making a pipe may take: the owner's name may have to be asked of a directory service.
const MADE_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether the pipes are still there.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(3);
/// At the very end: how long readers may go on after the end of file before they are asked to end. At a reload they are
/// asked at once, as keepalived does.
const LAST_READING: Duration = Duration::from_millis(300);
/// What [`run`] takes at most after its queue has ended or everything has stopped.
pub const LAST_READERS: Duration =
    LAST_READING.saturating_add(reader::GRACE).saturating_add(Duration::from_millis(300));

/// Tells FIFOs of what `events` (a queue from `Hub::deliver`) says, until the queue ends or everything has stopped.
/// `settings` may change at any time; that counts from the next reload on. `memory` knows which pipes are ours although this
/// process did not make them, and is told which it makes.
pub async fn run(
    mut events: Deliveries,
    mut settings: watch::Receiver<Arc<FifoSettings>>,
    world: World,
    bus: WeakBus,
    memory: Memory,
) {
    let first = Arc::clone(&settings.borrow_and_update());
    let mut teller = Teller::new(Arc::clone(&first.watched));
    let mut desk = Desk { settings: Arc::default(), open: Vec::new(), world, bus, memory };
    desk.renew(first, None).await;
    let mut rounds = interval(LOOKED_AT_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = rounds.tick(), if desk.has_pipes() => {
                desk.look().await;
                continue;
            }
        };
        let Some(event) = event else { break };
        match &event.fact {
            Fact::Daemon(DaemonFact::ConfigLoaded { reload: true, .. }) => {
                let next = Arc::clone(&settings.borrow_and_update());
                teller.change(Arc::clone(&next.watched));
                desk.renew(next, Some(event.id)).await;
                if desk.settings.states_on_reload {
                    for about in teller.states() {
                        desk.tell(&Occasion { about, event: event.id });
                    }
                }
            }
            Fact::Daemon(DaemonFact::DaemonStopped { .. }) => break,
            _ => teller.note(&event).iter().for_each(|occasion| desk.tell(occasion)),
        }
    }
    desk.close().await;
}

/// The pipes, and who reads them.
struct Desk {
    settings: Arc<FifoSettings>,
    open: Vec<Open>,
    world: World,
    bus: WeakBus,
    memory: Memory,
}

/// A pipe that is written.
struct Open {
    settings: PipeSettings,
    /// None if it could not be made.
    pipe: Option<Pipe>,
    /// It is no longer what its path leads to, which has been told.
    gone: bool,
    reader: Option<Reader>,
}

impl Desk {
    /// Takes all pipes away and makes those that are wanted now.
    async fn renew(&mut self, settings: Arc<FifoSettings>, cause: Option<EventId>) {
        let mut leaving: Vec<(PathBuf, JoinHandle<()>)> = Vec::new();
        for Open { settings, pipe, reader, .. } in std::mem::take(&mut self.open) {
            // First the end of file, then the end.
            self.memory.part_with(pipe);
            leaving.extend(reader.map(|reader| (settings.path, reader.stop(Duration::ZERO))));
        }
        let wanted = |path: &PathBuf| settings.pipes.iter().any(|pipe| pipe.path == *path);
        self.forget(wanted, cause);
        self.settings = Arc::clone(&settings);
        for pipe in &settings.pipes {
            let before = leaving.iter().position(|(path, _)| *path == pipe.path);
            let before = before.map(|at| leaving.swap_remove(at).1);
            let open = self.open(pipe.clone(), before, cause).await;
            self.open.push(open);
        }
        // Those that nobody wants any more, of a process that was killed.
        self.memory.remove_the_rest();
    }

    /// Says that pipes are no longer there which a reload took away.
    fn forget(&self, wanted: impl Fn(&PathBuf) -> bool, cause: Option<EventId>) {
        for gone in self.settings.pipes.iter().filter(|pipe| !wanted(&pipe.path)) {
            self.bus.publish(cause, ConsumerFact::FifoRemoved { fifo: gone.name() });
        }
    }

    async fn open(
        &mut self,
        settings: PipeSettings,
        before: Option<JoinHandle<()>>,
        cause: Option<EventId>,
    ) -> Open {
        let (wanted, mode) = (settings.clone(), self.settings.mode());
        let earlier = self.memory.take(&settings.path);
        let opening = spawn_blocking(move || Pipe::open(&wanted, mode, earlier));
        let opened = match timeout(MADE_WITHIN, opening).await {
            Ok(Ok(opened)) => opened.map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it could not be made within {} s", MADE_WITHIN.as_secs())),
        };
        let fifo = settings.name();
        let (pipe, error) = match opened {
            Ok((pipe, complaint)) => (Some(pipe), complaint),
            Err(error) => (None, Some(error)),
        };
        self.memory.note(pipe.as_ref());
        let told = match error {
            None => self.bus.publish(cause, ConsumerFact::FifoOpened { fifo }),
            Some(error) => self.bus.publish(cause, ConsumerFact::FifoFailed { fifo, error }),
        };
        let reader = pipe.is_some().then(|| settings.reader(&self.settings)).flatten();
        let reader = reader
            .map(|command| Reader::start(command, settings.name(), self.bus.clone(), told.or(cause), before));
        Open { settings, pipe, gone: false, reader }
    }

    /// Writes an occasion into the pipes that are told of it.
    fn tell(&mut self, occasion: &Occasion) {
        let line = lines::line(&occasion.about);
        let vrrp = lines::is_vrrp(&occasion.about);
        let mut facts = Vec::new();
        for open in &mut self.open {
            let concerns = if vrrp { open.settings.vrrp } else { open.settings.lvs };
            let Some(pipe) = open.pipe.as_mut().filter(|_| concerns) else { continue };
            let fifo = open.settings.name();
            let written = pipe.write(&line);
            let counters = self.world.counters().fifos.resolve(&fifo);
            match written {
                Written::Whole => counters.lines.inc(),
                Written::WholeAfter(lost) => {
                    counters.lines.inc();
                    facts.push(ConsumerFact::FifoFlows { fifo, lost });
                }
                Written::Lost => counters.lost.inc(),
                Written::LostFirst(error) => {
                    counters.lost.inc();
                    facts.push(ConsumerFact::FifoLosesLines { fifo, error });
                }
            }
        }
        for fact in facts {
            self.bus.publish(Some(occasion.event), fact);
        }
    }

    fn has_pipes(&self) -> bool {
        self.open.iter().any(|open| open.pipe.is_some() && !open.gone)
    }

    /// Looks whether the pipes are still where they were made, and tells of those that are not. Whoever holds one open
    /// goes on getting its lines, so it is written all the same.
    async fn look(&mut self) {
        for open in self.open.iter_mut().filter(|open| !open.gone) {
            let Some(Ok(made)) = open.pipe.as_ref().map(Pipe::identity) else { continue };
            let path = open.settings.path.clone();
            // A file system may be as slow as it likes.
            let looking = spawn_blocking(move || symlink_metadata(path));
            let Ok(Ok(found)) = timeout(MADE_WITHIN, looking).await else { continue };
            let error = match found {
                Ok(found) if (found.dev(), found.ino()) == made => continue,
                Ok(_) => "something else is in its place".to_owned(),
                Err(error) if error.kind() == ErrorKind::NotFound => "somebody removed it".to_owned(),
                // Not allowed to look any more: that says nothing of it.
                Err(_) => continue,
            };
            open.gone = true;
            let error = format!("{error}: who opens it from now on gets no lines; a reload makes it anew");
            self.bus.publish(None, ConsumerFact::FifoFailed { fifo: open.settings.name(), error });
        }
    }

    /// Takes the pipes away and waits until their readers have ended.
    async fn close(mut self) {
        let mut leaving = Vec::new();
        for Open { pipe, reader, .. } in std::mem::take(&mut self.open) {
            self.memory.part_with(pipe);
            leaving.extend(reader.map(|reader| reader.stop(LAST_READING)));
        }
        // They bound themselves.
        let _ = futures::future::join_all(leaving).await;
    }
}

#[cfg(test)]
mod tests;
