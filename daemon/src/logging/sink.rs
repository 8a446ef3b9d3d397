//! The sinks themselves, written to in the calling thread. In: a line, its time and severity. Out: the bytes, in
//! keepalived's formats.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keepwatch_bus::own_file;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{LogSettings, Severity};
use crate::cli::Facility;

/// One line to write.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it happened.
    pub at: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// The text, without an end of line.
    pub text: String,
}

impl Line {
    /// A line of this moment.
    pub fn now(severity: Severity, text: impl Into<String>) -> Self {
        Self { at: Timestamp::now(), severity, text: text.into() }
    }
}

/// A place to write lines to.
pub trait Sink: Send {
    /// What it is, for a message about it.
    fn name(&self) -> &'static str;

    /// Writes one line; may wait as long as the sink makes it wait.
    ///
    /// # Errors
    /// When the line did not get there.
    fn write(&mut self, line: &Line) -> io::Result<()>;

    /// Whether a line can be written now without waiting.
    fn ready(&self) -> bool {
        true
    }
}

fn local(at: Timestamp) -> jiff::Zoned {
    at.to_zoned(TimeZone::system())
}

/// Standard error, each line as keepalived writes it: `Sat Nov 21 00:03:14 2026: text`.
struct Console;

impl Sink for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let text = format!("{}: {}\n", local(line.at).strftime("%a %b %e %H:%M:%S %Y"), line.text);
        io::stderr().lock().write_all(text.as_bytes())
    }

    fn ready(&self) -> bool {
        let stderr = io::stderr();
        let mut watched = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut watched, PollTimeout::ZERO), Ok(1))
    }
}

/// A file, with nanoseconds; opened anew when it was moved away (log rotation).
struct LogFile {
    path: PathBuf,
    file: File,
    /// Why the file that is there now is not written to.
    refused: Option<String>,
}

impl LogFile {
    fn put(&mut self, at: Timestamp, text: &str) -> io::Result<()> {
        let text = format!("{}: {text}\n", local(at).strftime("%a %b %d %H:%M:%S.%9f %Y"));
        self.file.write_all(text.as_bytes())
    }

    fn open(path: &Path) -> io::Result<File> {
        own_file::append(path, own_file::PRIVATE)
    }
}

impl Sink for LogFile {
    fn name(&self) -> &'static str {
        "log file"
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let there = std::fs::symlink_metadata(&self.path).map(|m| (m.dev(), m.ino())).ok();
        if there != self.file.metadata().map(|m| (m.dev(), m.ino())).ok() {
            // What stands there now may be none of ours: then the old one, wherever it was moved, goes on, and says why.
            let text = match Self::open(&self.path) {
                Ok(file) => {
                    self.file = file;
                    self.refused = None;
                    None
                }
                Err(error) if self.refused.as_ref() != Some(&error.to_string()) => {
                    let text =
                        format!("Log file {}: {error}; the one before is written on", self.path.display());
                    self.refused = Some(error.to_string());
                    Some(text)
                }
                Err(_) => None,
            };
            if let Some(text) = text {
                self.put(line.at, &text)?;
            }
        }
        self.put(line.at, &line.text)
    }
}

/// The local syslog daemon (RFC 3164's form, as the C library sends it).
struct Syslog {
    path: &'static str,
    facility: Facility,
    socket: Option<UnixDatagram>,
    retry: Option<Instant>,
}

impl Syslog {
    fn new(path: &'static str, facility: Facility) -> Self {
        Self { path, facility, socket: None, retry: None }
    }

    const RETRY: Duration = Duration::from_secs(1);

    fn connect(&mut self) -> Option<&UnixDatagram> {
        if self.socket.is_none() && self.retry.is_none_or(|at| Instant::now() >= at) {
            let connected = UnixDatagram::unbound().and_then(|s| s.connect(self.path).map(|()| s));
            self.retry = connected.is_err().then(|| Instant::now() + Self::RETRY);
            self.socket = connected.ok();
        }
        self.socket.as_ref()
    }
}

impl Sink for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let priority = self.facility.0 | line.severity as i32;
        let when = local(line.at).strftime("%b %e %H:%M:%S").to_string();
        let text = format!("<{priority}>{when} keepwatchd[{}]: {}", std::process::id(), line.text);
        // A machine without a syslog daemon is no error: keepalived says nothing either.
        let Some(socket) = self.connect() else { return Ok(()) };
        let sent = socket.send(text.as_bytes());
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            Err(_) => {
                // The daemon was restarted: its new socket has to be connected to.
                self.socket = None;
                self.retry = None;
                self.connect().map_or(Ok(()), |again| again.send(text.as_bytes()).map(drop))
            }
        }
    }

    fn ready(&self) -> bool {
        let Some(socket) = &self.socket else { return true };
        let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut watched, PollTimeout::ZERO), Ok(1))
    }
}

/// Opens the sinks that are asked for. One that can't be opened is left out, and said so by the second value.
pub fn open(settings: &LogSettings) -> (Vec<Box<dyn Sink>>, Vec<String>) {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let mut complaints = Vec::new();
    if settings.console {
        sinks.push(Box::new(Console));
    }
    if let Some(facility) = settings.syslog {
        sinks.push(Box::new(Syslog::new("/dev/log", facility)));
    }
    if let Some(path) = &settings.file {
        match LogFile::open(path) {
            Ok(file) => sinks.push(Box::new(LogFile { path: path.clone(), file, refused: None })),
            Err(error) => complaints.push(format!("log file {}: {error}", path.display())),
        }
    }
    (sinks, complaints)
}

/// All sinks, for a process without threads.
pub struct Sinks(Vec<Box<dyn Sink>>);

impl Sinks {
    /// Nowhere.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Opens them; what can't be opened is said on the others.
    pub fn open(settings: &LogSettings) -> Self {
        let (sinks, complaints) = open(settings);
        let mut all = Self(sinks);
        for complaint in complaints {
            all.now(Severity::Warning, complaint);
        }
        all
    }

    /// Writes a line to every sink that would not make us wait.
    pub fn now(&mut self, severity: Severity, text: impl Into<String>) {
        let line = Line::now(severity, text);
        for sink in self.0.iter_mut().filter(|sink| sink.ready()) {
            let _ = sink.write(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_gets_its_priority_and_a_restarted_daemon_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path: &'static str = dir.path().join("log").to_string_lossy().into_owned().leak();
        let mut syslog = Syslog::new(path, Facility(nix::libc::LOG_LOCAL3));
        let mut say = |text: &str| syslog.write(&Line::now(Severity::Warning, text)).unwrap();
        say("nobody is there yet");
        std::thread::sleep(Syslog::RETRY);
        let heard = |daemon: &UnixDatagram| {
            let mut buffer = [0; 512];
            let length = daemon.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let daemon = UnixDatagram::bind(path).unwrap();
        say("first");
        let line = heard(&daemon);
        assert!(
            line.starts_with("<156>") && line.contains(" keepwatchd[") && line.ends_with("]: first"),
            "{line}"
        );
        drop(daemon);
        std::fs::remove_file(path).unwrap();
        let daemon = UnixDatagram::bind(path).unwrap();
        say("second");
        assert!(heard(&daemon).ends_with("]: second"));
    }

    #[test]
    fn a_log_file_that_was_moved_away_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.log");
        let settings = LogSettings { console: false, syslog: None, file: Some(path.clone()), detail: false };
        let mut sinks = Sinks::open(&settings);
        sinks.now(Severity::Info, "one");
        std::fs::rename(&path, dir.path().join("d.log.1")).unwrap();
        sinks.now(Severity::Info, "two");
        let old = std::fs::read_to_string(dir.path().join("d.log.1")).unwrap();
        let new = std::fs::read_to_string(&path).unwrap();
        assert!(old.ends_with(": one\n") && new.ends_with(": two\n"), "{old:?} {new:?}");
    }
}
