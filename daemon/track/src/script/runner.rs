//! Scripts at work: a task for each, which sleeps until its machine wants something. Dropping them ends what runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keepwatch_bus::counters::TrackScriptCounters;
use keepwatch_bus::fact::{Evidence, ScriptRun, TrackFact, Verdict};
use keepwatch_bus::subject::{TrackedKey, TrackedKind};
use keepwatch_bus::{Counters, EventId};
use keepwatch_model::{Level, Name, TrackScript};
use keepwatch_process::{Command, End, Finished, Manner, NotRun, Running};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use super::{Ended, Machine, Step};
use crate::Voice;

/// From asking a script to end to killing it.
const GRACE: Duration = Duration::from_secs(2);

/// The tracked scripts of a configuration, running.
#[derive(Debug)]
pub(crate) struct Scripts {
    voice: Voice,
    running: HashMap<Name, Task>,
}

#[derive(Debug)]
struct Task {
    settings: TrackScript,
    manner: Manner,
    /// Looked at by whoever takes its place.
    machine: Arc<Mutex<Machine>>,
    handle: JoinHandle<()>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Scripts {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, running: HashMap::new() }
    }

    /// Tracks these from now on, and no others. One that is as it was goes on undisturbed, a run under way too; one that
    /// changed runs anew, and stands as it did until that run has ended. To be called on a tokio runtime.
    pub(crate) fn apply(
        &mut self,
        wanted: &[&TrackScript],
        manner: Manner,
        counters: &Counters,
        cause: Option<EventId>,
    ) {
        let mut before = std::mem::take(&mut self.running);
        for settings in wanted {
            let known = before.remove(&settings.name);
            let task = match known {
                Some(task) if task.manner == manner && task.settings == **settings => task,
                known => self.begin(settings, manner, known.as_ref(), counters, cause),
            };
            self.running.insert(settings.name.clone(), task);
        }
    }

    fn begin(
        &self,
        settings: &TrackScript,
        manner: Manner,
        before: Option<&Task>,
        counters: &Counters,
        cause: Option<EventId>,
    ) -> Task {
        let now = Instant::now();
        let mut machine = match before {
            // A run of before that ends from now on says nothing any more.
            Some(task) => Machine::after(&mut lock(&task.machine), settings.clone(), now),
            None => Machine::new(settings.clone(), now),
        };
        let key = TrackedKey { kind: TrackedKind::Script, name: settings.name.clone() };
        match machine.start() {
            Some(change) => self.voice.changed(cause, key, change.level, Evidence::Assumed),
            None if machine.level() == Level::Undecided => self.voice.undecided(key),
            None => {}
        }
        let machine = Arc::new(Mutex::new(machine));
        let counters = counters.track_scripts.resolve(&settings.name);
        let work = Work { machine: machine.clone(), voice: self.voice.clone(), counters };
        let handle = tokio::spawn(work.go(command(settings, manner)));
        Task { settings: settings.clone(), manner, machine, handle }
    }
}

/// What the task of one script holds.
struct Work {
    machine: Arc<Mutex<Machine>>,
    voice: Voice,
    counters: Arc<TrackScriptCounters>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.counters.state.set(0);
    }
}

impl Work {
    async fn go(self, command: Command) {
        let mut running: Option<Running> = None;
        // A run that is skipped is told of once.
        let mut told = false;
        loop {
            let due = lock(&self.machine).due();
            tokio::select! {
                result = ended(&mut running) => {
                    told = false;
                    self.counters.state.set(0);
                    self.took_place(described(result));
                }
                () = sleep_until(due.into()) => match self.tick() {
                    Some(Step::Run) => {
                        self.counters.state.set(1);
                        running = Some(keepwatch_process::run(command.clone()));
                    }
                    Some(Step::Skip) => self.skip(&mut told),
                    None => {}
                },
            }
        }
    }

    fn tick(&self) -> Option<Step> {
        lock(&self.machine).tick(Instant::now())
    }

    fn skip(&self, told: &mut bool) {
        self.counters.skipped.inc();
        let machine = lock(&self.machine);
        let running = machine.running().map_or(Duration::ZERO, |since| since.elapsed());
        let limit = machine.settings().timeout;
        let state = match running {
            _ if running >= limit + GRACE => 3,
            _ if running >= limit => 2,
            _ => 1,
        };
        self.counters.state.set(state);
        if !std::mem::replace(told, true) {
            let script = machine.settings().name.clone();
            self.voice.publish(None, TrackFact::TrackScriptSkipped { script, running });
        }
    }

    fn took_place(&self, run: ScriptRun) {
        let micros = run.took.as_micros();
        self.counters.took_microseconds.add(u64::try_from(micros).unwrap_or(u64::MAX));
        self.counters.last_took_microseconds.set(i64::try_from(micros).unwrap_or(i64::MAX));
        let counted = if run.verdict.is_success() { &self.counters.succeeded } else { &self.counters.failed };
        counted.inc();
        if run.verdict == Verdict::TimedOut {
            self.counters.timed_out.inc();
        }
        // Held until it is told, so that whoever takes over from it (a reload) goes by what has been told.
        let mut machine = lock(&self.machine);
        let Ended { news, change } = machine.ended(&run);
        let name = machine.settings().name.clone();
        let script = name.clone();
        let told = news.then(|| self.voice.publish(None, TrackFact::TrackScriptReturned { script, run }));
        if let Some(change) = change {
            let key = TrackedKey { kind: TrackedKind::Script, name };
            let evidence = change.run.map_or(Evidence::Assumed, Evidence::Run);
            self.voice.changed(told, key, change.level, evidence);
        }
    }
}

/// No panic can leave a machine half changed: it does one thing at a time.
fn lock(machine: &Mutex<Machine>) -> std::sync::MutexGuard<'_, Machine> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of the run under way, if there is one.
async fn ended(running: &mut Option<Running>) -> Result<Finished, NotRun> {
    match running {
        Some(run) => {
            let result = run.await;
            *running = None;
            result
        }
        None => std::future::pending().await,
    }
}

fn command(settings: &TrackScript, manner: Manner) -> Command {
    let command = Command::of_script(&settings.script, manner);
    Command { limit: Some(settings.timeout), grace: GRACE, ..command }
}

fn described(result: Result<Finished, NotRun>) -> ScriptRun {
    match result {
        Err(error) => {
            let verdict = Verdict::NotRun(error.to_string());
            ScriptRun { verdict, last_line: String::new(), took: Duration::ZERO }
        }
        Ok(Finished { end, took, output }) => {
            let verdict = match end {
                End::Exited(status) => Verdict::Exited(status),
                End::Killed(signal) => Verdict::Killed(signal),
                End::TimedOut | End::Stopped => Verdict::TimedOut,
            };
            let last_line = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            ScriptRun { verdict, last_line: last_line.to_owned(), took }
        }
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
