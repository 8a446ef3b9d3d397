//! One worker process, as its supervisor sees it. In: its socket and its exit. Out: reports, verdicts, an [`End`].

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::line::Report;
use super::pulse::Pulse;
use crate::stage::{self, Stage};

/// More than any sensible worker says between two looks; whoever says more is cut off.
const UNREAD: usize = 64 * 1024;

/// How a worker ended.
#[derive(Debug)]
pub(super) struct End {
    /// Its exit status; none if a signal ended it.
    pub(super) status: Option<i32>,
    /// For people.
    pub(super) reason: String,
    /// How long it ran.
    pub(super) lived: Duration,
}

pub(super) struct Worker {
    child: Child,
    socket: Option<UnixStream>,
    unread: Vec<u8>,
    pulse: Pulse,
    started: Instant,
    blamed: Option<String>,
}

impl Worker {
    pub(super) fn start(reason: Option<String>, listeners: usize) -> io::Result<Self> {
        let (child, socket) = stage::start(&Stage::Worker { reason }, listeners)?;
        socket.set_nonblocking(true)?;
        let started = Instant::now();
        Ok(Self {
            child,
            socket: Some(socket),
            unread: Vec::new(),
            pulse: Pulse::new(started),
            started,
            blamed: None,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What to poll; none once the worker closed it.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // ESRCH: it is dead already, which ended() will tell.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Ends it at once; [`Worker::ended`] tells when that has happened (a process that waits for a disk takes its time).
    pub(super) fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
    }

    /// Says why it is about to be killed.
    pub(super) fn blame(&mut self, reason: String) {
        self.blamed = Some(reason);
    }

    /// Starts to watch its beats anew.
    pub(super) fn forgive(&mut self, now: Instant) {
        self.pulse = Pulse::new(now);
    }

    pub(super) fn hung(&mut self, now: Instant) -> Option<&'static str> {
        self.pulse.hung(now)
    }

    /// What it said since the last call.
    pub(super) fn reports(&mut self) -> Vec<Report> {
        let mut buffer = [0; 4096];
        while let Some(socket) = &mut self.socket {
            match socket.read(&mut buffer) {
                Ok(0) => self.socket = None,
                Ok(n) => self.unread.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if self.unread.len() > UNREAD {
                self.unread.clear();
                break;
            }
        }
        let Some(end) = self.unread.iter().rposition(|&b| b == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = self.unread.drain(..=end).collect();
        let reports: Vec<_> = String::from_utf8_lossy(&whole).lines().filter_map(Report::parse).collect();
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
        let reason = self.blamed.take().unwrap_or_else(|| describe(status));
        Some(End { status: status.code(), reason, lived: self.started.elapsed() })
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal().and_then(|n| Signal::try_from(n).ok())) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by {}", signal.as_str()),
        (None, None) => "ended".into(),
    }
}
