//! The daemon is two programs. What an operator starts, `keepwatchd`, is small: it holds signals back at once, starts the
//! worker, and keeps it alive ([`crate::supervisor`]). The worker, `keepwatch-worker`, has everything else in it: it reads
//! the command line that `keepwatchd` was given, checks a configuration where that is all that is asked for, and
//! otherwise tells the supervisor by what it is to be supervised, and runs. This file: where the worker's program is,
//! how it is started, and how it knows by whom.
//!
//! Between the two is a stream socket, whose number is in the worker's environment, for the few lines that the worker
//! must say ([`crate::supervisor::line`]). Standard input, output and error are the operator's.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use caps::CapSet;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::{Pid, geteuid, getppid};

use crate::kept::Kept;
use crate::left;

/// The name of the worker's program.
pub const WORKER: &str = "keepwatch-worker";
/// Where programs lie that are not for people to start.
const ASIDE: [&str; 2] = ["/usr/libexec/keepwatch", "/usr/lib/keepwatch"];
/// A worker is told by the name that it is called by (argv\[0\]): unlike the environment, that is not handed on to the
/// programs that it starts. It also reads well in a list of processes.
const CALLED: &str = ": worker";
/// The variable that says which descriptor leads to the supervisor.
const LINE: &str = "KEEPWATCH_LINE";
/// The variable that says which descriptor is that of the configuration in force.
const KEPT: &str = "KEEPWATCH_KEPT";
/// The variable that holds the directory from which relative paths of the command line count.
const DIRECTORY: &str = "KEEPWATCH_DIRECTORY";
/// The variable that says by whom it was started.
const PARENT: &str = "KEEPWATCH_PARENT";
/// The variable that says why the worker before it had to be replaced.
const REASON: &str = "KEEPWATCH_RESTART_REASON";
/// The variable that says that the supervisor has left the operator's terminal.
const BACKGROUND: &str = "KEEPWATCH_BACKGROUND";

/// The worker's program. It is held open, so that all workers of a supervisor are the program that was there when it was
/// started, even where a newer one has been installed meanwhile: they speak the same over the line.
#[derive(Debug)]
pub struct Program {
    file: File,
    /// By which name the operator started us.
    called: String,
    /// The operator's working directory; none if that is gone.
    directory: Option<PathBuf>,
    /// The configuration in force; none on a kernel that has no memory for it: then workers go by the file alone.
    kept: Option<Kept>,
}

impl Program {
    /// Looks for it beside this program, and where a package puts what nobody starts by hand.
    ///
    /// # Errors
    /// Where it was looked for.
    pub fn find() -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| format!("which program this is: {error}"))?;
        let places = places(&own);
        // To execute it needs no right to read it.
        let open = |path: &PathBuf| OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).ok();
        let Some(file) = places.iter().find_map(open) else {
            let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
            return Err(format!("its other program is not there: looked for {}", places.join(", ")));
        };
        let called = std::env::args_os().next().unwrap_or_default();
        let called = Path::new(&called).file_name().unwrap_or(OsStr::new("keepwatchd"));
        let called = called.to_string_lossy().into_owned();
        Ok(Self { file, called, directory: std::env::current_dir().ok(), kept: Kept::make().ok() })
    }

    /// Has the next worker begin with the file as it is, and not with what was in force before it.
    pub fn forget_the_configuration(&self) {
        if let Some(kept) = &self.kept {
            // Of what can't be forgotten nothing is lost.
            let _ = kept.forget();
        }
    }

    /// Starts a worker, with a socket to it. `reason`: why the one before had to be replaced; `background`: this process
    /// has left the operator's terminal; `listeners`: how many sockets the service manager handed in; `left`: what the workers
    /// before have left, in the words of the line.
    ///
    /// # Errors
    /// When the process or the socket can't be made.
    pub fn start(
        &self,
        reason: Option<&str>,
        background: bool,
        listeners: usize,
        left: &str,
    ) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        // There is no other thread that could start a program meanwhile.
        fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))?;
        let mut command = Command::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        command
            .arg0(format!("{}{CALLED}", self.called))
            .args(std::env::args_os().skip(1))
            .env(LINE, theirs.as_raw_fd().to_string())
            .env(PARENT, std::process::id().to_string())
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDS")
            .env(crate::systemd::HANDED_IN, listeners.to_string());
        let background = background.then(|| OsString::from("1"));
        let directory = self.directory.clone().map(OsString::from);
        let left = (!left.is_empty()).then(|| OsString::from(left));
        let kept = self.kept.as_ref().map(|kept| OsString::from(kept.file().as_raw_fd().to_string()));
        let own = [
            (REASON, reason.map(OsString::from)),
            (BACKGROUND, background),
            (DIRECTORY, directory),
            (left::VARIABLE, left),
            (KEPT, kept),
        ];
        for (name, value) in own {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        hand_rights_on();
        Ok((command.spawn()?, ours))
    }
}

/// What the file of this program gives it (`setcap`), its worker is to have as well: the file of that has nothing to give.
/// Root needs none of this, and a kernel that refuses it leaves a worker that says what it lacks.
fn hand_rights_on() {
    if geteuid().is_root() {
        return;
    }
    let Ok(own) = caps::read(None, CapSet::Permitted) else { return };
    if caps::set(None, CapSet::Inheritable, &own).is_ok() {
        for capability in own {
            let _ = caps::raise(None, CapSet::Ambient, capability);
        }
    }
}

/// Where the worker's program may be, of a supervisor whose program is `own`.
fn places(own: &Path) -> Vec<PathBuf> {
    let beside = own.parent().unwrap_or(Path::new("/"));
    let prefix = beside.parent().unwrap_or(Path::new("/"));
    let near = [beside.to_owned(), prefix.join("libexec/keepwatch"), prefix.join("lib/keepwatch")];
    let mut places = Vec::new();
    for place in near.into_iter().chain(ASIDE.map(PathBuf::from)) {
        let program = place.join(WORKER);
        if !places.contains(&program) {
            places.push(program);
        }
    }
    places
}

/// What a supervisor has told the worker that it started.
#[derive(Debug)]
pub struct Started {
    /// By which name the operator started it.
    pub called: String,
    /// Why the worker before had to be replaced.
    pub reason: Option<String>,
    /// It has left the operator's terminal.
    pub background: bool,
    /// The line to it.
    pub line: UnixStream,
    /// The configuration in force.
    pub kept: Option<Kept>,
}

/// By whom this process was started; none if it was no supervisor. To be called once, before there are other threads or
/// descriptors.
///
/// # Errors
/// When it was one, and the line to it is not there.
pub fn started() -> io::Result<Option<Started>> {
    let called = std::env::args().next();
    let Some(called) = called.as_deref().and_then(|called| called.strip_suffix(CALLED)) else {
        return Ok(None);
    };
    let line = handed_on(LINE)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(Some(Started {
        called: called.to_owned(),
        reason: std::env::var(REASON).ok(),
        background: std::env::var_os(BACKGROUND).is_some(),
        line: line.into(),
        kept: handed_on(KEPT)?.map(Kept::of),
    }))
}

/// The descriptor that this variable names; none if it names none. Programs that this process starts don't get it. To be called
/// once for each.
fn handed_on(variable: &str) -> io::Result<Option<OwnedFd>> {
    let number = std::env::var(variable).ok().and_then(|number| number.parse::<RawFd>().ok());
    let Some(number) = number.filter(|number| *number > 2) else { return Ok(None) };
    // SAFETY: borrowed for this one call, which tells whether it is open.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: the supervisor left it open for us, and this function, called once for each at the start, is the only one that
    // takes it.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// The directory from which relative paths of the command line count: that in which the operator stood. If it is gone, there
/// is no relative path either that could lead anywhere: the root.
pub fn directory(started: bool) -> PathBuf {
    let handed_on = std::env::var_os(DIRECTORY).filter(|_| started).map(PathBuf::from);
    handed_on.or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| PathBuf::from("/"))
}

/// Gives the process the name that people look for: that of the program which they started. Executed by way of /proc it
/// would be called by a number.
pub fn name_process(called: &str) {
    if let Ok(name) = CString::new(called) {
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// The program that started this worker, for a message that says what to do with it.
pub fn supervisor() -> PathBuf {
    std::fs::read_link(format!("/proc/{}/exe", getppid())).unwrap_or_else(|_| "keepwatchd".into())
}

/// Whether the process that started this worker is gone.
pub fn orphaned() -> bool {
    let parent = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    parent.is_some_and(|parent| parent != getppid())
}

/// Lets go of the operator's terminal: standard input, output and error lead nowhere from now on.
///
/// # Errors
/// When /dev/null can't be opened.
pub fn leave_terminal() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_is_looked_for_beside_the_supervisor_and_aside() {
        for (own, expected) in [
            (
                "/usr/local/sbin/keepwatchd",
                "/usr/local/sbin /usr/local/libexec/keepwatch /usr/local/lib/keepwatch /usr/libexec/keepwatch /usr/lib/keepwatch",
            ),
            ("/usr/sbin/keepalived", "/usr/sbin /usr/libexec/keepwatch /usr/lib/keepwatch"),
        ] {
            let expected: Vec<_> = expected.split(' ').map(|place| Path::new(place).join(WORKER)).collect();
            assert_eq!(places(Path::new(own)), expected);
        }
    }
}
