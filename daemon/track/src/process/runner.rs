//! The thread that knows which processes there are: told by the kernel where it tells, else by looking at all of them
//! again and again. In: the tracked processes of a configuration. Out: their levels.

use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::TrackFact;
use keepwatch_bus::mailbox::{Receiver, Sender, mailbox};
use keepwatch_bus::subject::{TrackedKey, TrackedKind};
use keepwatch_model::{KernelBuffer, Level, Name, TrackProcess};
use keepwatch_net::process_events::{ProcessEvent, ProcessEvents, Told};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use super::table::{self, Life};
use super::{Machine, matches};
use crate::Voice;

/// Between two looks at all processes where the kernel does not tell of them …
const LOOK: Duration = Duration::from_millis(250);
/// … and where it does.
const AUDIT: Duration = Duration::from_secs(10);
/// A look may cost this share of the processor's time until the next at most: on a machine with very many processes it is
/// rarer. How long it took does not count: on a machine that is busy with other things it would say nothing of the look.
const SHARE: u32 = 50;
/// When one whose first thread has ended is looked at again.
const AGAIN: Duration = Duration::from_millis(50);
/// Events that are taken together, so that of a process that comes and goes nothing is looked at.
const BATCH: usize = 4096;
/// How long the first look may be waited for.
const FIRST: Duration = Duration::from_millis(500);

/// The tracked processes of a configuration.
pub(crate) struct Processes {
    voice: Voice,
    commands: Option<Sender<Apply>>,
}

impl std::fmt::Debug for Processes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Processes")
    }
}

struct Apply {
    wanted: Vec<TrackProcess>,
    buffer: KernelBuffer,
    cause: Option<EventId>,
    done: mpsc::Sender<()>,
}

impl Processes {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, commands: None }
    }

    /// Tracks these from now on, and no others; `buffer` is `process_monitor_rcv_bufs`. The thread is started when it is
    /// first needed.
    pub(crate) fn apply(&mut self, wanted: &[&TrackProcess], buffer: KernelBuffer, cause: Option<EventId>) {
        if wanted.is_empty() && self.commands.is_none() {
            return;
        }
        let commands = match &self.commands {
            Some(commands) => commands,
            None => match Thread::start(self.voice.clone(), cause) {
                Ok(commands) => self.commands.insert(commands),
                Err(error) => {
                    let (what, every) = (TrackedKind::Process, LOOK);
                    let error = error.to_string();
                    self.voice.publish(cause, TrackFact::TrackingPolled { what, every, error });
                    return;
                }
            },
        };
        let (done, looked) = mpsc::channel();
        let wanted = wanted.iter().map(|settings| (*settings).clone()).collect();
        commands.send(Apply { wanted, buffer, cause, done });
        // So that virtual routers begin with the right priority.
        let _ = looked.recv_timeout(FIRST);
    }
}

struct Thread {
    voice: Voice,
    inbox: Receiver<Apply>,
    events: Option<ProcessEvents>,
    /// The receive buffer of those.
    buffer: KernelBuffer,
    machines: HashMap<Name, Machine>,
    /// Some tracker goes by the command line.
    with_command: bool,
    /// Those whose first thread has ended.
    again: HashMap<u32, Instant>,
    next_look: Instant,
    /// What a change is put down to that comes with a configuration.
    cause: Option<EventId>,
}

/// From the end of a look that cost so much to the next.
fn until_next(usual: Duration, cost: Duration) -> Duration {
    usual.max((cost * SHARE).min(AUDIT))
}

/// What this thread has had of a processor. Where the kernel does not say, looks count as costing nothing.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

impl Thread {
    fn start(voice: Voice, cause: Option<EventId>) -> std::io::Result<Sender<Apply>> {
        let (commands, inbox) = mailbox()?;
        let mut thread = Self {
            voice,
            inbox,
            events: None,
            buffer: KernelBuffer::default(),
            machines: HashMap::new(),
            with_command: false,
            again: HashMap::new(),
            next_look: Instant::now(),
            cause: None,
        };
        std::thread::Builder::new().name("processes".into()).spawn(move || {
            thread.subscribe(cause);
            thread.run();
        })?;
        Ok(commands)
    }

    fn subscribe(&mut self, cause: Option<EventId>) {
        match ProcessEvents::open() {
            Ok(events) => self.events = Some(events),
            Err(error) => {
                let (what, every, error) = (TrackedKind::Process, LOOK, error.to_string());
                self.voice.publish(cause, TrackFact::TrackingPolled { what, every, error });
            }
        }
    }

    /// Gives the subscription the receive buffer that is configured.
    fn size(&mut self, buffer: KernelBuffer) {
        let before = std::mem::replace(&mut self.buffer, buffer);
        let Some(events) = self.events.as_ref().filter(|_| before != buffer) else { return };
        let sized = match buffer.bytes {
            Some(bytes) => events.set_receive_buffer(bytes, buffer.force),
            None => events.set_usual_receive_buffer(),
        };
        // It can only be refused to who has no right to be told of processes either. One that is smaller than it should be
        // loses events sooner, which is noticed and made up for.
        drop(sized);
    }

    fn run(&mut self) {
        while self.hear() {
            self.hear_kernel();
            let now = Instant::now();
            self.look_again(now);
            if self.next_look <= now && !self.machines.is_empty() {
                self.look_at_all();
            }
            self.let_delays_end();
            self.sleep();
        }
    }

    /// New configurations; false when there will be none any more.
    fn hear(&mut self) -> bool {
        self.inbox.rearm();
        while let Some(Apply { wanted, buffer, cause, done }) = self.inbox.try_recv() {
            self.size(buffer);
            let mut before = std::mem::take(&mut self.machines);
            for settings in wanted {
                let mut machine =
                    before.remove(&settings.name).unwrap_or_else(|| Machine::new(settings.clone()));
                machine.settings = settings;
                self.machines.insert(machine.settings.name.clone(), machine);
            }
            self.with_command = self.machines.values().any(|machine| machine.settings.full_command);
            self.cause = cause;
            self.look_at_all();
            self.cause = None;
            // Nobody waits any more if this took too long.
            let _ = done.send(());
        }
        !self.inbox.is_closed()
    }

    fn hear_kernel(&mut self) {
        let Some(events) = &mut self.events else { return };
        // The last that was told of each.
        let mut told: HashMap<u32, ProcessEvent> = HashMap::new();
        for _ in 0..BATCH {
            match events.look() {
                Told::Event(event) => {
                    let (ProcessEvent::Forked { process, .. }
                    | ProcessEvent::Changed { process }
                    | ProcessEvent::Ended { process }) = event;
                    told.insert(process, event);
                }
                Told::Lost => self.next_look = Instant::now(),
                Told::Nothing => break,
            }
        }
        for (process, event) in told {
            match event {
                // A copy of one that nobody looks for is of no interest either.
                ProcessEvent::Forked { parent, .. } if !self.is_known(parent) => {}
                ProcessEvent::Ended { .. } if !self.is_known(process) => {}
                ProcessEvent::Forked { .. } | ProcessEvent::Changed { .. } | ProcessEvent::Ended { .. } => {
                    self.look_at(process);
                }
            }
        }
    }

    fn is_known(&self, process: u32) -> bool {
        self.machines.values().any(|machine| machine.has(process))
    }

    /// Finds out which trackers one process counts for.
    fn look_at(&mut self, process: u32) {
        let called = table::called(process, self.with_command);
        let wanted =
            |machine: &Machine| called.as_ref().is_some_and(|called| matches(&machine.settings, called));
        let mut counts: HashSet<Name> =
            self.machines.iter().filter(|(_, m)| wanted(m)).map(|(name, _)| name.clone()).collect();
        if !counts.is_empty() || self.is_known(process) {
            match table::life(process) {
                Life::Alive => {}
                Life::InThreads => drop(self.again.insert(process, Instant::now() + AGAIN)),
                Life::Dead => counts.clear(),
            }
        }
        let now = Instant::now();
        for (name, machine) in &mut self.machines {
            if let Some(level) = machine.set(now, process, counts.contains(name)) {
                tell(&self.voice, self.cause, machine, level);
            }
        }
    }

    fn look_again(&mut self, now: Instant) {
        let due: Vec<u32> =
            self.again.iter().filter(|(_, at)| **at <= now).map(|(process, _)| *process).collect();
        for process in due {
            self.again.remove(&process);
            self.look_at(process);
        }
    }

    fn look_at_all(&mut self) {
        let begun = processor_time();
        let mut counting: HashMap<Name, HashSet<u32>> = HashMap::new();
        for process in table::all() {
            let Some(called) = table::called(process, self.with_command) else { continue };
            let wanted: Vec<&Name> = self
                .machines
                .iter()
                .filter(|(_, machine)| matches(&machine.settings, &called))
                .map(|(name, _)| name)
                .collect();
            if !wanted.is_empty() && table::life(process) != Life::Dead {
                for name in wanted {
                    counting.entry(name.clone()).or_default().insert(process);
                }
            }
        }
        let now = Instant::now();
        for (name, machine) in &mut self.machines {
            if let Some(level) = machine.replace(now, counting.remove(name).unwrap_or_default()) {
                tell(&self.voice, self.cause, machine, level);
            }
        }
        let usual = if self.events.is_some() { AUDIT } else { LOOK };
        self.next_look = now + until_next(usual, processor_time().saturating_sub(begun));
    }

    fn let_delays_end(&mut self) {
        let now = Instant::now();
        for machine in self.machines.values_mut() {
            if let Some(level) = machine.tick(now) {
                tell(&self.voice, None, machine, level);
            }
        }
    }

    fn sleep(&self) {
        let look = (!self.machines.is_empty()).then_some(self.next_look);
        let again = self.again.values().copied().min();
        let delays = self.machines.values().filter_map(Machine::due).min();
        let timeout = [look, again, delays].into_iter().flatten().min().map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX)
        });
        let mut waited = vec![PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN)];
        waited.extend(self.events.as_ref().map(|events| PollFd::new(events.as_fd(), PollFlags::POLLIN)));
        // An error is an interruption: the next turn finds out what there is.
        let _ = poll(&mut waited, timeout);
    }
}

fn tell(voice: &Voice, cause: Option<EventId>, machine: &Machine, level: Level) {
    let tracker = TrackedKey { kind: TrackedKind::Process, name: machine.settings.name.clone() };
    voice.changed(cause, tracker, level, machine.evidence());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_had_to_wait_for_a_processor_is_followed_by_the_next_in_time() {
        let millis = Duration::from_millis;
        for (cost, next) in [(0, 250), (5, 250), (20, 1_000), (1_000, 10_000)] {
            assert_eq!(until_next(LOOK, millis(cost)), millis(next), "{cost} ms of a processor");
        }
        assert_eq!(until_next(AUDIT, millis(1)), AUDIT);
        let before = processor_time();
        std::thread::sleep(millis(50));
        assert!(processor_time() - before < millis(25), "time that it sleeps is none of a processor's");
    }
}
