//! Scripts at work: a task for each, which sleeps until its machine wants something. Dropping them ends what runs.

use std::collections::HashMap;
use std::time::Duration;

use keepwatch_model::{Name, TrackScript, encoding};
use keepwatch_process::{Command, End, Finished, NotRun, Output, Running, User};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::script::{Change, Machine, Run, Step, Verdict};

/// From asking a script to end to killing it.
const GRACE: Duration = Duration::from_secs(2);
/// How much of what it writes is kept.
const EVIDENCE: usize = 1024;

/// The tracked scripts of a configuration, running.
#[derive(Debug)]
pub struct Scripts {
    tell: UnboundedSender<Change>,
    running: HashMap<Name, Task>,
}

/// What holds for every script: `enable_script_security`, and the umask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Manner {
    secure: bool,
    umask: u32,
}

#[derive(Debug)]
struct Task {
    settings: TrackScript,
    manner: Manner,
    handle: JoinHandle<()>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Scripts {
    /// None yet. Changes of what will be tracked go to `tell`.
    pub fn new(tell: UnboundedSender<Change>) -> Self {
        Self { tell, running: HashMap::new() }
    }

    /// Tracks these from now on, and no others. One that is as it was goes on undisturbed; one that changed begins anew.
    /// To be called on a tokio runtime.
    pub fn apply(&mut self, wanted: &[TrackScript], secure: bool, umask: u32) {
        let manner = Manner { secure, umask };
        self.running.retain(|_, task| task.manner == manner && wanted.contains(&task.settings));
        for settings in wanted {
            if !self.running.contains_key(&settings.name) {
                let handle = tokio::spawn(track(settings.clone(), manner, self.tell.clone()));
                let task = Task { settings: settings.clone(), manner, handle };
                self.running.insert(settings.name.clone(), task);
            }
        }
    }
}

async fn track(settings: TrackScript, manner: Manner, tell: UnboundedSender<Change>) {
    let command = command(&settings, manner);
    let mut machine = Machine::new(settings, now());
    let mut running: Option<Running> = None;
    let mut step = machine.start().map(Step::Tell);
    loop {
        match step.take() {
            Some(Step::Tell(change)) => {
                // Nobody listens any more.
                let Ok(()) = tell.send(change) else { return };
            }
            Some(Step::Run) => running = Some(keepwatch_process::run(command.clone())),
            None => {}
        }
        step = tokio::select! {
            result = ended(&mut running) => machine.ended(described(result)),
            () = sleep_until(Instant::from_std(machine.due())) => machine.tick(now()),
        };
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
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
    let user = settings.script.user.as_ref().map(|user| User {
        name: user.name.to_string(),
        group: user.group.as_ref().map(ToString::to_string),
        supplementary_groups: user.supplementary_groups,
    });
    Command {
        user,
        secure: manner.secure,
        limit: Some(settings.timeout),
        grace: GRACE,
        umask: manner.umask,
        output: Output::Kept(EVIDENCE),
        ..Command::new(settings.script.argv.iter().map(|word| encoding::os_string(word)))
    }
}

fn described(result: Result<Finished, NotRun>) -> Run {
    match result {
        Err(error) => {
            let verdict = Verdict::NotRun(error.to_string());
            Run { verdict, last_line: String::new(), took: Duration::ZERO }
        }
        Ok(Finished { end, took, output }) => {
            let verdict = match end {
                End::Exited(status) => Verdict::Exited(status),
                End::Killed(signal) => Verdict::Killed(signal),
                End::TimedOut | End::Stopped => Verdict::TimedOut,
            };
            let last_line = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            Run { verdict, last_line: last_line.to_owned(), took }
        }
    }
}

#[cfg(test)]
mod tests;
