//! One script: found, checked, started, waited for. An [`Order`] in, the fact of what became of it out.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use keepwatch_bus::fact::{ConsumerFact, ScriptOutcome};
use keepwatch_model::ScriptUser;
use keepwatch_model::encoding;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Gid, Group, Pid, Uid, User, getuid};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::roster::Order;
use super::security::{self, Insecure};

/// Between asking a script to end and killing it.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A script that is being written just now can not be started: how often and how soon that is tried again.
const BUSY_TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Where programs are looked for, where the daemon itself was given no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Who runs scripts where nobody is named, if there is such a user.
const DEFAULT_USER: &str = "keepalived_script";

/// Why a script was not run.
#[derive(Debug, thiserror::Error)]
enum NotRun {
    #[error("the command is empty")]
    Empty,
    #[error(transparent)]
    Insecure(#[from] Insecure),
    #[error("there is no user `{0}`")]
    NoUser(String),
    #[error("there is no user `{DEFAULT_USER}`, and `script_user` names nobody (enable_script_security)")]
    Nobody,
    #[error("there is no group `{0}`")]
    NoGroup(String),
    #[error("look up user or group: {0}")]
    LookUp(Errno),
    #[error("{path}: {error}", path = .path.display())]
    Start { path: PathBuf, error: std::io::Error },
    #[error("preparing it failed")]
    Cancelled,
}

/// What is needed to start it.
struct Prepared {
    program: PathBuf,
    user: Option<(Uid, Gid)>,
}

/// Runs a script to its end, at most `limit`. With `secure`, a script that runs as root must be root's alone.
pub(super) async fn carry_out(order: Order, secure: bool, limit: Duration) -> ConsumerFact {
    let script = order.argv.join(" ");
    let about = order.about.clone();
    let begun = Instant::now();
    match start(order, secure).await {
        Err(error) => ConsumerFact::ScriptNotRun { script, about, error: error.to_string() },
        Ok(mut child) => {
            let outcome = attend(&mut child, limit).await;
            ConsumerFact::ScriptExited { script, about, outcome, took: begun.elapsed() }
        }
    }
}

async fn start(order: Order, secure: bool) -> Result<Child, NotRun> {
    // Looks at files and may ask a directory service for users: both can take their time.
    let prepared = {
        let order = order.clone();
        spawn_blocking(move || prepare(&order, secure)).await.map_err(|_| NotRun::Cancelled)??
    };
    let mut spawned = spawn(&prepared.program, &order.argv, &prepared);
    for _ in 0..BUSY_TRIES {
        if !matches!(&spawned, Err(error) if error.raw_os_error() == Some(Errno::ETXTBSY as i32)) {
            break;
        }
        sleep(BUSY_PAUSE).await;
        spawned = spawn(&prepared.program, &order.argv, &prepared);
    }
    match spawned {
        // A script without `#!` is the shell's, as keepalived and every shell have it.
        Err(error) if error.raw_os_error() == Some(Errno::ENOEXEC as i32) => {
            let shell = PathBuf::from("/bin/sh");
            let mut argv = vec!["sh".to_owned(), prepared.program.display().to_string()];
            argv.extend(order.argv.iter().skip(1).cloned());
            spawn(&shell, &argv, &prepared).map_err(|error| NotRun::Start { path: shell, error })
        }
        spawned => spawned.map_err(|error| NotRun::Start { path: prepared.program, error }),
    }
}

fn prepare(order: &Order, secure: bool) -> Result<Prepared, NotRun> {
    let name = order.argv.first().filter(|name| !name.is_empty()).ok_or(NotRun::Empty)?;
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(PATH));
    let program = security::find(name, &path)?;
    let user = look_up(order, secure)?;
    let as_root = user.map_or(getuid(), |(uid, _)| uid).is_root();
    if secure && as_root {
        security::examine(&program)?;
    }
    Ok(Prepared { program, user })
}

/// Who runs it; `None` is the user of this process.
fn look_up(order: &Order, secure: bool) -> Result<Option<(Uid, Gid)>, NotRun> {
    let Some(ScriptUser { name, group, .. }) = &order.user else {
        let user = User::from_name(DEFAULT_USER).map_err(NotRun::LookUp)?;
        return match user {
            Some(user) => Ok(Some((user.uid, user.gid))),
            None if secure => Err(NotRun::Nobody),
            None => Ok(None),
        };
    };
    let user = User::from_name(name).map_err(NotRun::LookUp)?;
    let user = user.ok_or_else(|| NotRun::NoUser(name.to_string()))?;
    let gid = match group {
        None => user.gid,
        Some(name) => {
            let group = Group::from_name(name).map_err(NotRun::LookUp)?;
            group.ok_or_else(|| NotRun::NoGroup(name.to_string()))?.gid
        }
    };
    Ok(Some((user.uid, gid)))
}

fn spawn(program: &PathBuf, argv: &[String], prepared: &Prepared) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    if let Some((own_name, arguments)) = argv.split_first() {
        command
            .arg0(encoding::os_string(own_name))
            .args(arguments.iter().map(|text| encoding::os_string(text)));
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What would change how the program is loaded or read.
        .env_remove("LD_PRELOAD")
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("IFS")
        // Of its own, so that it can be killed with everything it starts, and does not get our signals.
        .process_group(0)
        .kill_on_drop(false);
    // Not for the user that runs us: giving up supplementary groups needs rights.
    if let Some((uid, gid)) = prepared.user.filter(|(uid, _)| *uid != getuid()) {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command.spawn()
}

async fn attend(child: &mut Child, limit: Duration) -> ScriptOutcome {
    let mut group = ProcessGroup::of(child);
    if let Ok(status) = timeout(limit, child.wait()).await {
        group.release();
        return outcome(status);
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        group.signal(signal);
        // The script may have ended and left others of its group behind, so the second signal is sent in any case.
        let _ = timeout(LAST_WORDS, child.wait()).await;
    }
    group.release();
    ScriptOutcome::TimedOut
}

/// A running script with all that it started. Asked to end when nobody attends it any more: the daemon ends.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // An error says that it has just ended by itself.
            let _ = killpg(group, signal);
        }
    }

    fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
    }
}

fn outcome(status: std::io::Result<ExitStatus>) -> ScriptOutcome {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(status), _) => ScriptOutcome::Exited { status },
            (None, signal) => ScriptOutcome::Killed { signal: signal.unwrap_or(0) },
        },
        // Nobody else waits for our children; if somebody did, how it ended is lost.
        Err(_) => ScriptOutcome::Exited { status: -1 },
    }
}
