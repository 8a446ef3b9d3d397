//! Processes in hosts: started in their own process group with their output in a log file, signalled, waited for, and
//! killed with everything below them on drop.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::{
        signal::{Signal, kill, killpg},
        wait::waitpid,
    },
    unistd::Pid,
};

use crate::{host::Host, wait};

mod enter;
pub mod tree;

/// Tells log files of processes with the same name apart.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A process about to be started in a host.
pub struct Spawn {
    host: Host,
    name: String,
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    private_tmp: bool,
    small: Vec<(PathBuf, u64)>,
    over: Vec<(PathBuf, PathBuf)>,
    inherit: Vec<OwnedFd>,
}

impl Spawn {
    pub(crate) fn new(host: Host, name: &str, program: &OsStr) -> Self {
        Self {
            host,
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            private_tmp: false,
            small: Vec::new(),
            over: Vec::new(),
            inherit: Vec::new(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Gives the process a `/tmp` of its own, which is `tmp/` in the host's directory to everybody else (for daemons
    /// that write to fixed names there). The lab's own directory stays where it is.
    pub fn private_tmp(mut self) -> Self {
        self.private_tmp = true;
        self
    }

    /// Gives the process a small file system in memory at this directory, which only it sees.
    pub fn small_disk(mut self, at: impl Into<PathBuf>, bytes: u64) -> Self {
        self.small.push((at.into(), bytes));
        self
    }

    /// Has the process see the file or directory `shown` where others see `hidden`, which may be one in /proc.
    pub fn shows(mut self, shown: impl Into<PathBuf>, hidden: impl Into<PathBuf>) -> Self {
        self.over.push((shown.into(), hidden.into()));
        self
    }

    /// Hands a listening socket in as systemd's socket activation does: as descriptor 3, 4, … with `LISTEN_FDS`
    /// and `LISTEN_PID` set.
    pub fn listen_fd(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.inherit.push(socket.into());
        self
    }

    /// Starts it. The process dies with the thread that called this, at the latest.
    pub fn start(self) -> Result<Process> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = self.host.directory().join(format!("{}-{number}.log", self.name));
        let out = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut command = if self.inherit.is_empty() {
            Command::new(&self.program)
        } else {
            // Only the process itself knows its id, which LISTEN_PID must be: a shell sets it and becomes the program.
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg("LISTEN_PID=$$ exec \"$0\" \"$@\"").arg(&self.program);
            shell.env("LISTEN_FDS", self.inherit.len().to_string());
            shell
        };
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let mounts = enter::Mounts::prepare(&self.host, self.private_tmp, &self.small, &self.over)?;
        let child = enter::spawn(command, self.host.namespace(), mounts, self.inherit)
            .with_context(|| format!("start {} in host {}", self.program.display(), self.host.name()))?;
        Ok(Process { name: self.name, log, child, ended: None, _host: self.host })
    }
}

/// A running (or ended) process in a host.
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    ended: Option<ExitStatus>,
    _host: Host,
}

impl Process {
    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file as the process sees it, with what is mounted for it alone.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where its output goes.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// All that it wrote so far, to standard output and standard error.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until its log has `text` in it.
    pub fn wait_for_log(&self, text: &str, limit: Duration) -> Result<()> {
        wait::until(&format!("{} logs {text:?}", self.name), limit, || self.log().contains(text))
            .with_context(|| format!("log of {}:\n{}", self.name, self.log()))
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("send {signal} to {}", self.name))
    }

    /// Sends a signal to the process and all below it.
    pub fn signal_all(&self, signal: Signal) {
        for pid in tree::below(self.pid()).into_iter().chain([self.pid()]) {
            let _ = kill(pid, signal);
        }
    }

    /// Kills the process and all below it, as a power cut would, and waits for its end. Returns when that was.
    pub fn kill(&mut self) -> Instant {
        let mut at = Instant::now();
        if self.ended.is_none() {
            let all = tree::below(self.pid());
            at = Instant::now();
            let _ = killpg(self.pid(), Signal::SIGKILL);
            for &pid in &all {
                let _ = kill(pid, Signal::SIGKILL);
            }
            self.ended = self.child.wait().ok();
            // They are our children now (`Lab::new` made us the reaper of orphans): no zombie stays, and their ids
            // are free when this returns.
            for pid in all {
                let _ = waitpid(pid, None);
            }
        }
        at
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.is_none()
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let began = Instant::now();
        while self.is_running() && began.elapsed() < limit {
            sleep(Duration::from_millis(5));
        }
        self.ended
            .with_context(|| format!("{} has not ended in {limit:?}; its log:\n{}", self.name, self.log()))
    }

    /// Asks it to stop (SIGTERM) and waits for its end; kills it when `limit` has passed.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        if self.is_running() {
            self.signal(Signal::SIGTERM)?;
        }
        let ended = self.wait(limit);
        self.kill();
        ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
