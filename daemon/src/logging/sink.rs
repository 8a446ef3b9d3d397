//! The sinks themselves, written to in the calling thread. In: a line, its time and severity. Out: the bytes, in
//! keepalived's formats or another ([`super::form`]).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keepwatch_bus::{Event, own_file};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::form::{Form, local};
use super::journal::{self, Journal};
use super::{LogSettings, Severity};
use crate::cli::Facility;
use crate::terminal::plain;

/// One line to write.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it happened.
    pub at: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// The text, without an end of line.
    pub text: String,
    /// The event that it tells of, if it is of one.
    pub event: Option<Arc<Event>>,
}

impl Line {
    /// A line of this moment.
    pub fn now(severity: Severity, text: impl Into<String>) -> Self {
        Self { at: Timestamp::now(), severity, text: text.into(), event: None }
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

/// Standard error.
struct Console(Form);

impl Sink for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        io::stderr().lock().write_all(self.0.console(line).as_bytes())
    }

    fn ready(&self) -> bool {
        let stderr = io::stderr();
        let mut watched = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut watched, PollTimeout::ZERO), Ok(1))
    }
}

/// A file, to which each line is written at once; opened anew when it was moved away (log rotation).
struct LogFile {
    path: PathBuf,
    file: File,
    form: Form,
    /// Why the file that is there now is not written to.
    refused: Option<String>,
}

impl LogFile {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        self.file.write_all(self.form.file(line).as_bytes())
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
                    let text = format!(
                        "Log file {} can't be written: {}; the one before is written on",
                        self.path.display(),
                        plain(&error)
                    );
                    self.refused = Some(error.to_string());
                    Some(text)
                }
                Err(_) => None,
            };
            if let Some(text) = text {
                self.put(&Line { at: line.at, severity: Severity::Warning, text, event: None })?;
            }
        }
        self.put(line)
    }
}

/// The local syslog daemon (RFC 3164's form, as the C library sends it).
struct Syslog {
    path: &'static str,
    facility: Facility,
    /// Whether a line waits until the daemon has room, or is refused then.
    waits: bool,
    socket: Option<UnixDatagram>,
    retry: Option<Instant>,
}

impl Syslog {
    fn new(path: &'static str, facility: Facility, waits: bool) -> Self {
        Self { path, facility, waits, socket: None, retry: None }
    }

    const RETRY: Duration = Duration::from_secs(1);

    fn connect(&mut self) -> Option<&UnixDatagram> {
        if self.socket.is_none() && self.retry.is_none_or(|at| Instant::now() >= at) {
            let connect = |socket: UnixDatagram| {
                socket.set_nonblocking(!self.waits)?;
                socket.connect(self.path).map(|()| socket)
            };
            let connected = UnixDatagram::unbound().and_then(connect);
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
        self.socket.as_ref().is_none_or(has_room)
    }
}

/// What collects the lines of this machine: the journal where there is one, which gets the data of events as fields; else
/// the syslog daemon. Looked at anew for each line, for either may come and go.
struct System {
    journal: Journal,
    syslog: Syslog,
}

impl Sink for System {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        if self.journal.is_there() && self.journal.write(line).is_ok() {
            return Ok(());
        }
        self.syslog.write(line)
    }

    fn ready(&self) -> bool {
        match self.journal.socket() {
            Some(socket) => has_room(socket),
            None => self.syslog.ready(),
        }
    }
}

fn has_room(socket: &UnixDatagram) -> bool {
    let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    matches!(poll(&mut watched, PollTimeout::ZERO), Ok(1))
}

/// Opens the sinks that are asked for; what collects the lines of this machine may make a line wait if `waits`. One that
/// can't be opened is left out, and said so by the second value.
pub fn open(settings: &LogSettings, waits: bool) -> (Vec<Box<dyn Sink>>, Vec<String>) {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let mut complaints = Vec::new();
    if settings.console {
        sinks.push(Box::new(Console(settings.form)));
    }
    if let Some(facility) = settings.syslog {
        let journal = Journal::new(journal::SOCKET, facility, waits);
        let syslog = Syslog::new("/dev/log", facility, waits);
        sinks.push(Box::new(System { journal, syslog }));
    }
    if let Some(path) = &settings.file {
        match LogFile::open(path) {
            Ok(file) => {
                sinks.push(Box::new(LogFile { path: path.clone(), file, form: settings.form, refused: None }))
            }
            Err(error) => complaints.push(format!("{} can't be written: {}", path.display(), plain(&error))),
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

    /// Opens them; what can't be opened is left out, and told by the worker, which opens the same.
    pub fn open(settings: &LogSettings) -> Self {
        Self(open(settings, false).0)
    }

    /// The same for a process that may end before a worker could tell: what can't be opened is said in the others.
    pub fn open_and_tell(settings: &LogSettings) -> Self {
        let (sinks, complaints) = open(settings, false);
        let mut sinks = Self(sinks);
        complaints.into_iter().for_each(|why| sinks.now(Severity::Warning, why));
        sinks
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
        let mut syslog = Syslog::new(path, Facility(nix::libc::LOG_LOCAL3), true);
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
    fn a_process_without_threads_does_not_wait_for_a_daemon_that_reads_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path =
            |name: &str| -> &'static str { dir.path().join(name).to_string_lossy().into_owned().leak() };
        let (journal, log) = (path("journal"), path("log"));
        let mut daemons = Vec::new();
        for path in [journal, log] {
            let daemon = UnixDatagram::bind(path).unwrap();
            // Others have filled it before the first line.
            let other = UnixDatagram::unbound().unwrap();
            other.connect(path).unwrap();
            other.set_nonblocking(true).unwrap();
            while other.send(b"x").is_ok() {}
            daemons.push(daemon);
        }
        let facility = Facility(nix::libc::LOG_LOCAL3);
        let (journal, syslog) = (Journal::new(journal, facility, false), Syslog::new(log, facility, false));
        let (told, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut sinks = Sinks(vec![Box::new(System { journal, syslog })]);
            (0..3).for_each(|_| sinks.now(Severity::Error, "The worker hangs"));
            let _ = told.send(());
        });
        end.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_log_file_that_was_moved_away_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.log");
        let settings =
            LogSettings { console: false, syslog: None, file: Some(path.clone()), form: Form::Keepalived };
        let mut sinks = Sinks::open(&settings);
        sinks.now(Severity::Info, "one");
        std::fs::rename(&path, dir.path().join("d.log.1")).unwrap();
        sinks.now(Severity::Info, "two");
        let old = std::fs::read_to_string(dir.path().join("d.log.1")).unwrap();
        let new = std::fs::read_to_string(&path).unwrap();
        assert!(old.ends_with(": one\n") && new.ends_with(": two\n"), "{old:?} {new:?}");
    }
}
