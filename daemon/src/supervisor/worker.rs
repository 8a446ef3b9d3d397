//! One worker process, as its supervisor sees it. In: its socket and its exit. Out: reports, verdicts, an [`End`].

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::line::{GO, Report};
use super::pulse::{Hang, PROCESS, Pace, Pulse};
use crate::signals;
use crate::stage::Program;
use crate::worker::pulse::THREAD as PULSE_THREAD;

/// More than any line of a sensible worker; what is longer is left out.
const LONGEST: usize = 4096;
/// Reports that are acted on before anything else is looked at again.
const AT_A_TIME: usize = 4096;

/// How a worker ended.
#[derive(Debug)]
pub(super) struct End {
    /// Its exit status; none if a signal ended it.
    pub(super) status: Option<i32>,
    /// Its exit status as a shell has it: 128 and the number of the signal that ended it.
    pub(super) code: i32,
    /// For people.
    pub(super) reason: String,
    /// How long it ran.
    pub(super) lived: Duration,
    /// When it last gave a sign of life.
    pub(super) silent: Instant,
    /// It asked for another in its place.
    pub(super) gave_way: bool,
}

pub(super) struct Worker {
    child: Child,
    socket: Option<UnixStream>,
    unread: Vec<u8>,
    pulse: Pulse,
    started: Instant,
    pace: Pace,
    /// What it was found to hang in when it was last looked at.
    suspected: Option<Hang>,
    /// It ends by itself, and is left alone until then.
    ends: Option<Instant>,
    blamed: Option<(String, Instant)>,
    gives_way: bool,
}

impl Worker {
    /// Starts one, as [`Program::start`] does.
    pub(super) fn start(
        program: &Program,
        reason: Option<&str>,
        background: bool,
        listeners: usize,
        left: &str,
    ) -> io::Result<Self> {
        let (child, socket) = program.start(reason, background, listeners, left)?;
        socket.set_nonblocking(true)?;
        let started = Instant::now();
        Ok(Self {
            child,
            socket: Some(socket),
            unread: Vec::new(),
            pulse: Pulse::new(started),
            started,
            pace: Pace::of(None),
            suspected: None,
            ends: None,
            blamed: None,
            gives_way: false,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What to poll; none once the worker closed it.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Lets it begin: no other daemon runs.
    pub(super) fn go(&mut self) {
        // An error means that it is dead, which ended() will tell.
        let _ = self.socket.as_mut().map(|socket| socket.write_all(&[GO]));
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.signal_number(signal as i32);
    }

    pub(super) fn signal_number(&self, number: i32) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // ESRCH: it is dead already, which ended() will tell.
            let _ = signals::send(Pid::from_raw(pid), number);
        }
    }

    /// Ends it at once; [`Worker::ended`] tells when that has happened (a process that waits for a disk takes its time).
    pub(super) fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
    }

    /// Ends it at once, and waits for that: so long at most.
    pub(super) fn kill_and_wait(&mut self, within: Duration) {
        self.kill();
        let until = Instant::now() + within;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Says why it is about to be killed, and since when it has been silent.
    pub(super) fn blame(&mut self, reason: String, silent: Instant) {
        self.blamed = Some((reason, silent));
    }

    /// Ends it at its own wish, with everything in place for the next one.
    pub(super) fn give_way(&mut self, reason: String) {
        self.gives_way = true;
        self.blame(reason, Instant::now());
        self.kill();
    }

    /// It takes so long until it starts to run.
    pub(super) fn prepares(&mut self, within: Duration) {
        self.pulse.prepares(within);
    }

    /// Starts to watch its beats anew.
    pub(super) fn forgive(&mut self, now: Instant) {
        self.pulse = Pulse::new(now);
        self.pulse.keep(now, self.pace);
    }

    /// It will tell as often, and is to be looked at as often, as [`Worker::looks_every`] says.
    pub(super) fn keep(&mut self, pace: Pace) {
        // At the same pace nothing is excused: what reloads often must not hide what hangs.
        if self.pace != pace {
            self.pace = pace;
            self.pulse.keep(Instant::now(), pace);
        }
    }

    /// It ends, be it because somebody told it so behind our back; that may take so long.
    pub(super) fn ends(&mut self, within: Duration) {
        self.ends = Some(Instant::now() + within);
    }

    /// How often [`Worker::hung`] is to be asked.
    pub(super) fn looks_every(&self) -> Duration {
        self.pace.looks_every()
    }

    /// When it was started, while it has not given any sign since.
    pub(super) fn not_yet_heard(&self) -> Option<Instant> {
        self.pulse.last_sign().is_none().then_some(self.started)
    }

    /// What hangs in it. One that would run but gets no processor, or waits for a disk, hangs only when it is certain:
    /// a machine that is too busy for this worker is no better for the next. And what it said just now may not have been
    /// read yet: so it is found twice.
    pub(super) fn hung(&mut self, now: Instant) -> Option<Hang> {
        let left_alone = self.ends.is_some_and(|until| now < until);
        let hang = self.pulse.hung(now).filter(|hang| {
            if left_alone {
                return false;
            }
            // Who has told that another stands still does not wait himself.
            let teller = (hang.what != PROCESS).then_some(PULSE_THREAD);
            hang.certain || !waits_for_the_machine(self.child.id(), teller)
        });
        let before = std::mem::replace(&mut self.suspected, hang);
        hang.filter(|hang| before.is_some_and(|before| before.what == hang.what))
    }

    /// What it said since the last call.
    pub(super) fn reports(&mut self) -> Vec<Report> {
        let mut buffer = [0; 4096];
        let mut reports = Vec::new();
        while let Some(socket) = &mut self.socket {
            match socket.read(&mut buffer) {
                Ok(0) => self.socket = None,
                Ok(n) => self.unread.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            match self.unread.iter().rposition(|&b| b == b'\n') {
                Some(end) => {
                    let whole: Vec<u8> = self.unread.drain(..=end).collect();
                    reports.extend(String::from_utf8_lossy(&whole).lines().filter_map(Report::parse));
                }
                None if self.unread.len() > LONGEST => self.unread.clear(),
                None => {}
            }
            if reports.len() > AT_A_TIME {
                break;
            }
        }
        for report in &reports {
            if let Report::Beat(counts) = report {
                self.pulse.beat(Instant::now(), counts);
            }
        }
        reports
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<End> {
        let status = self.child.try_wait().ok()??;
        let (reason, silent) = self.blamed.take().unwrap_or_else(|| (describe(status), Instant::now()));
        Some(End {
            status: status.code(),
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            reason,
            lived: self.started.elapsed(),
            silent,
            gave_way: self.gives_way,
        })
    }
}

/// Whether a thread of it, `but` for one of that name, could run, but for a processor or a disk: the letter of its state in
/// `proc(5)`, `R` or `D`. Others may sleep in wait for that one, which has a lock of the heap, say. Of a process that is
/// stopped, or whose threads wait for each other, none is.
fn waits_for_the_machine(process: u32, but: Option<&str>) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut stats = threads.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.any(|stat| {
        let named = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(") "));
        named.is_some_and(|(name, rest)| Some(name) != but && rest.starts_with(['R', 'D']))
    })
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal().and_then(|n| Signal::try_from(n).ok())) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by {}", signal.as_str()),
        (None, None) => "ended".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_could_run_is_told_from_one_that_is_stopped_or_sleeps() {
        let mut busy = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let mut idle = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let becomes = |child: &Child, but: Option<&str>, expected: bool| {
            let until = Instant::now() + Duration::from_secs(20);
            while waits_for_the_machine(child.id(), but) != expected && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            waits_for_the_machine(child.id(), but) == expected
        };
        let found = [
            becomes(&busy, Some("another"), true),
            becomes(&busy, Some("sh"), false),
            becomes(&idle, None, false),
            signals::send(Pid::from_raw(busy.id().cast_signed()), Signal::SIGSTOP as i32).is_ok(),
            becomes(&busy, None, false),
        ];
        for child in [&mut busy, &mut idle] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, [true; 5]);
    }
}
