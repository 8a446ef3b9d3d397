//! The thread of one command: prepares it, starts it, listens to it, ends it when it must end, and collects it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{PipeReader, Read, pipe};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::{Mode, fchmod};

use super::child::{self, Child, Setting};
use super::{Counted, End, Finished, NotRun, drain, group};
use crate::command::{Command, Output};
use crate::environment::{handed_on, search_path};
use crate::identity::{Identity, look_up};
use crate::output::Tail;
use crate::security::{self, Who};

/// A script that is being written just now can not be started: how often and how soon that is tried again.
const BUSY_TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// What others of a group have after its leader has followed SIGTERM, before they are killed.
const FOLLOWERS: Duration = Duration::from_millis(200);
/// How long output of a command that has ended is waited for, before somebody else goes on reading it: a service that
/// is being started mostly gives its output up by then.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// How others tell a thread that its command is to end.
#[derive(Debug)]
pub(super) struct Control {
    /// With how much grace it is to end, once it is.
    wanted: Mutex<Option<Duration>>,
    /// Wakes the thread. Without one (no descriptor left) the command is not started.
    bell: Option<EventFd>,
}

impl Control {
    pub(super) fn new() -> Self {
        let bell = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        Self { wanted: Mutex::new(None), bell: bell.ok() }
    }

    pub(super) fn stop(&self, grace: Duration) {
        let mut wanted = self.wanted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *wanted = Some(wanted.map_or(grace, |earlier| earlier.min(grace)));
        if let Some(bell) = &self.bell {
            // An error says that it rings already.
            let _ = bell.write(1);
        }
    }

    fn wanted(&self) -> Option<Duration> {
        *self.wanted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Runs a command to its end, tells that, and stays as long as there is something to clean up.
pub(super) fn carry_out(
    command: &Command,
    control: &Control,
    tell: oneshot::Sender<Result<Finished, NotRun>>,
    counted: Counted,
) {
    let (result, pipe) = match start(command, control) {
        Ok(mut started) => (started.attend(control), started.pipe),
        Err(error) => (Err(error), None),
    };
    drop(counted);
    // An error says that nobody wants to know any more.
    let _ = tell.send(result);
    if let Some(pipe) = pipe {
        see_off(pipe);
    }
}

/// A command that runs.
struct Started {
    child: Child,
    program: PathBuf,
    begun: Instant,
    limit: Option<Duration>,
    grace: Duration,
    pipe: Option<PipeReader>,
    tail: Tail,
}

/// What the thread waits for.
#[derive(Clone, Copy)]
enum Phase {
    /// Its end, until this time.
    Running(Option<Instant>),
    /// Its end, which it has been asked for; at this time it is killed.
    Ending(End, Instant),
    /// Its death.
    Killed(End),
}

fn start(command: &Command, control: &Control) -> Result<Started, NotRun> {
    let name = command.argv.first().filter(|name| !name.is_empty()).ok_or(NotRun::Empty)?;
    let identity = look_up(command.user.as_ref(), command.secure)?;
    let who = identity.as_ref().map_or_else(Who::ourselves, Identity::who);
    let mut program = security::look(&command.argv, Some(who), command.secure, &search_path())?;
    if let Some(written) = security::written(name, &search_path()).filter(|_| command.keep_links) {
        program = written;
    }
    if control.bell.is_none() {
        return Err(NotRun::Start { path: program, error: Errno::EMFILE.into() });
    }
    if control.wanted().is_some() {
        return Err(NotRun::Stopped);
    }
    let begun = Instant::now();
    let setting = Setting::of_command(identity, command.umask);
    let mut spawned = spawn(&program, &command.argv, &setting, command.output);
    for _ in 0..BUSY_TRIES {
        if !is(&spawned, Errno::ETXTBSY) {
            break;
        }
        std::thread::sleep(BUSY_PAUSE);
        spawned = spawn(&program, &command.argv, &setting, command.output);
    }
    // A script without `#!` is the shell's, as keepalived and every shell have it.
    if is(&spawned, Errno::ENOEXEC) {
        let mut argv = vec!["sh".into(), program.clone().into_os_string()];
        argv.extend(command.argv.iter().skip(1).cloned());
        spawned = spawn(Path::new("/bin/sh"), &argv, &setting, command.output);
    }
    let (child, pipe) = spawned.map_err(|error| NotRun::Start { path: program.clone(), error })?;
    let tail = Tail::new(if let Output::Kept(bytes) = command.output { bytes } else { 0 });
    Ok(Started { child, program, begun, limit: command.limit, grace: command.grace, pipe, tail })
}

fn is<T>(result: &std::io::Result<T>, errno: Errno) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(errno as i32))
}

fn spawn(
    program: &Path,
    argv: &[OsString],
    setting: &Setting,
    output: Output,
) -> std::io::Result<(Child, Option<PipeReader>)> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let environment = handed_on();
    let start = |output| {
        let descriptors = [null.as_fd(), output, output];
        child::start(program, argv, &environment, descriptors, setting)
    };
    match output {
        Output::Discarded => Ok((start(null.as_fd())?, None)),
        Output::Kept(_) => {
            let (reader, writer) = pipe()?;
            fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            // So that another user can open `/dev/stderr`; where that fails, only this does not work. Whoever has no
            // descriptor of the pipe does not find it.
            let _ = fchmod(&writer, Mode::from_bits_truncate(0o666));
            Ok((start(writer.as_fd())?, Some(reader)))
        }
    }
}

impl Started {
    fn attend(&mut self, control: &Control) -> Result<Finished, NotRun> {
        let mut phase = Phase::Running(self.limit.map(|limit| self.begun + limit));
        while !self.ends_within(phase, control) {
            phase = self.go_on(phase, control.wanted());
        }
        let took = self.begun.elapsed();
        let asked = match phase {
            Phase::Running(_) => None,
            Phase::Ending(why, kill_at) => {
                // Its leader is not collected yet, so the number of the group is still its own.
                group::wait_for_followers(self.child.pid, kill_at.min(Instant::now() + FOLLOWERS));
                self.signal(Signal::SIGKILL);
                Some(why)
            }
            Phase::Killed(why) => Some(why),
        };
        self.listen();
        let status = self.child.collect();
        let status = status.map_err(|error| NotRun::Start { path: self.program.clone(), error })?;
        let by_itself = match (status.code(), status.signal()) {
            (Some(status), _) => End::Exited(status),
            (None, signal) => End::Killed(signal.unwrap_or(0)),
        };
        let output = std::mem::replace(&mut self.tail, Tail::new(0)).text();
        Ok(Finished { end: asked.unwrap_or(by_itself), took, output })
    }

    fn go_on(&self, phase: Phase, wanted: Option<Duration>) -> Phase {
        let now = Instant::now();
        match (phase, wanted) {
            (Phase::Running(_), Some(grace)) => self.ask_to_end(End::Stopped, now + grace),
            (Phase::Running(Some(until)), None) if until <= now => {
                self.ask_to_end(End::TimedOut, now + self.grace)
            }
            (Phase::Running(until), None) => Phase::Running(until),
            (Phase::Ending(why, kill_at), _) if kill_at <= now => {
                self.signal(Signal::SIGKILL);
                Phase::Killed(why)
            }
            (Phase::Ending(why, kill_at), wanted) => {
                Phase::Ending(why, wanted.map_or(kill_at, |grace| kill_at.min(now + grace)))
            }
            (Phase::Killed(why), _) => Phase::Killed(why),
        }
    }

    fn ask_to_end(&self, why: End, kill_at: Instant) -> Phase {
        self.signal(Signal::SIGTERM);
        Phase::Ending(why, kill_at)
    }

    /// Signals the whole group.
    fn signal(&self, signal: Signal) {
        // An error says that all of it has just ended.
        let _ = killpg(self.child.pid, signal);
    }

    /// Waits until the command has ended (true), or the phase is over or there is something new to do.
    fn ends_within(&mut self, phase: Phase, control: &Control) -> bool {
        let until = match phase {
            Phase::Running(until) => until,
            Phase::Ending(_, kill_at) => Some(kill_at),
            Phase::Killed(_) => None,
        };
        let mut waited = vec![PollFd::new(self.child.pidfd.as_fd(), PollFlags::POLLIN)];
        waited.extend(control.bell.as_ref().map(|bell| PollFd::new(bell.as_fd(), PollFlags::POLLIN)));
        waited.extend(self.pipe.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        // An error is an interruption: the same again.
        let _ = poll(&mut waited, timeout(until));
        let ended = waited.first().is_some_and(is_ready);
        drop(waited);
        if let Some(bell) = &control.bell {
            // An error says that it did not ring.
            let _ = bell.read();
        }
        self.listen();
        ended
    }

    /// Takes in what there is of its output.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(read) => self.tail.push(&buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // Nothing more for now.
                Err(_) => break,
            }
        }
    }
}

fn is_ready(waited: &PollFd<'_>) -> bool {
    waited.revents().is_some_and(|events| !events.is_empty())
}

/// Rounded up, so that nothing is looked at a moment too early, again and again.
fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else { return PollTimeout::NONE };
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
    PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX)
}

/// Reads on after the command has ended, as long as somebody whom it left behind holds its output; soon, somebody
/// else does.
fn see_off(mut pipe: PipeReader) {
    let until = Instant::now() + LAST_OUTPUT;
    let mut buffer = [0; 4096];
    while Instant::now() < until {
        let mut waited = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut waited, timeout(Some(until)));
        if let Ok(0) = pipe.read(&mut buffer) {
            return;
        }
    }
    if fcntl(&pipe, FcntlArg::F_SETFL(OFlag::empty())).is_ok() {
        drain::hand_over(pipe);
    }
}
