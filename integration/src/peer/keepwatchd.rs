//! Our own daemon in a host.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use nix::sys::signal::Signal;

use crate::{
    Host, Process, binaries,
    http::{self, Response},
    wait,
};

/// A keepwatchd to be started.
pub struct Settings {
    host: Host,
    config: String,
    flags: Vec<String>,
    listen_fd: Option<std::os::fd::OwnedFd>,
    variables: Vec<(String, String)>,
    shows: Vec<(PathBuf, PathBuf)>,
    history: PathBuf,
    small_disk: Option<u64>,
    module_loader: Option<PathBuf>,
}

impl Settings {
    /// The text of its configuration file.
    pub fn config(mut self, text: impl Into<String>) -> Self {
        self.config = text.into();
        self
    }

    /// Adds to the text of its configuration file.
    pub fn and(mut self, text: &str) -> Self {
        self.config += text;
        self
    }

    /// Adds a command line flag.
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Adds command line flags.
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|&f| f.to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has it see the file or directory `shown` where others see `hidden`.
    pub fn shows(mut self, shown: impl Into<PathBuf>, hidden: impl Into<PathBuf>) -> Self {
        self.shows.push((shown.into(), hidden.into()));
        self
    }

    /// Hands the HTTP listener in, as socket activation does.
    pub fn listen_fd(mut self, socket: impl Into<std::os::fd::OwnedFd>) -> Self {
        self.listen_fd = Some(socket.into());
        self
    }

    /// Puts the history file on a disk of its own, this small.
    pub fn history_on_a_small_disk(mut self, bytes: u64) -> Self {
        self.history = self.host.directory().join("disk/history.jsonl");
        self.small_disk = Some(bytes);
        self
    }

    /// Has it find this program where the system has `modprobe`.
    pub fn module_loader(mut self, program: impl Into<PathBuf>) -> Self {
        self.module_loader = Some(program.into());
        self
    }

    /// Starts it in the foreground, with its files (pid files, control socket, history) in the host's directory.
    pub fn start(self) -> Result<Keepwatchd> {
        let host = self.host;
        let config = host.file("keepwatch.conf", &self.config)?;
        let control = host.directory().join("control.sock");
        let at = |name: &str| host.directory().join(name);
        let mut spawn = host
            .process("keepwatchd", binaries::path("keepwatchd")?)
            .args(["--dont-fork", "--log-console", "--log-detail"])
            .arg("--use-file")
            .arg(&config)
            .arg("--pid")
            .arg(at("keepwatchd.pid"))
            .arg("--vrrp_pid")
            .arg(at("keepwatchd-vrrp.pid"))
            .arg("--checkers_pid")
            .arg(at("keepwatchd-checkers.pid"))
            .arg("--control-socket")
            .arg(&control)
            .arg("--history-file")
            .arg(&self.history)
            .args(self.flags);
        for (name, value) in &self.variables {
            spawn = spawn.env(name, value);
        }
        for (shown, hidden) in self.shows {
            spawn = spawn.shows(shown, hidden);
        }
        if let (Some(bytes), Some(disk)) = (self.small_disk, self.history.parent()) {
            spawn = spawn.small_disk(disk, bytes);
        }
        if let Some(program) = self.module_loader {
            // A kernel without modules does not say where that is.
            let says = Path::new("/proc/sys/kernel/modprobe");
            spawn = match says.exists() {
                true => spawn.shows(host.file("modprobe-path", &program.to_string_lossy())?, says),
                false => spawn.shows(program, "/sbin/modprobe"),
            };
        }
        if let Some(socket) = self.listen_fd {
            spawn = spawn.listen_fd(socket);
        }
        let started = Timestamp::now();
        Ok(Keepwatchd { process: spawn.start()?, started, config, control, history: self.history, host })
    }
}

/// A running keepwatchd.
pub struct Keepwatchd {
    process: Process,
    started: Timestamp,
    host: Host,
    config: PathBuf,
    control: PathBuf,
    history: PathBuf,
}

impl Keepwatchd {
    /// Where its HTTP listener is, in its host.
    pub const METRICS: &'static str = "127.0.0.1:9165";

    /// A keepwatchd for this host, not yet started.
    pub fn on(host: &Host) -> Settings {
        Settings {
            host: host.clone(),
            config: String::new(),
            flags: Vec::new(),
            listen_fd: None,
            variables: Vec::new(),
            shows: Vec::new(),
            history: host.directory().join("history.jsonl"),
            small_disk: None,
            module_loader: None,
        }
    }

    /// One more daemon on a host that has one already, for virtual routers only.
    pub fn beside(host: &Host, config: &str) -> Result<Process> {
        let config = host.file("beside.conf", config)?;
        let at = |name: &str| host.directory().join(name).to_string_lossy().into_owned();
        host.spawn(
            "beside",
            binaries::path("keepwatchd")?,
            &[
                "--dont-fork",
                "--log-console",
                "--log-detail",
                "--vrrp",
                "--use-file",
                &config.to_string_lossy(),
                "--pid",
                &at("beside.pid"),
                "--vrrp_pid",
                &at("beside-vrrp.pid"),
                "--checkers_pid",
                &at("beside-checkers.pid"),
                "--control-socket",
                &at("beside.sock"),
                "--history-file",
                "none",
                "--listen",
                "none",
            ],
        )
    }

    /// The supervisor.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The supervisor, to stop or kill it.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// When it was started: what its history holds from before is of another run.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The configuration file that it reads, to be changed before a reload.
    pub fn config_path(&self) -> &Path {
        &self.config
    }

    /// Has it read another configuration.
    pub fn reload(&self, config: &str) -> Result<()> {
        std::fs::write(&self.config, config).context("write the configuration")?;
        self.process.signal(Signal::SIGHUP)
    }

    /// The control socket.
    pub fn control_path(&self) -> &Path {
        &self.control
    }

    /// The history file, as the daemon sees it.
    pub fn history_path(&self) -> PathBuf {
        self.process.seen(&self.history)
    }

    /// Runs the operator's command against it, for example `["why", "VI_1"]`.
    pub fn ask(&self, arguments: &[&str]) -> Result<Output> {
        let control = self.control.to_string_lossy().into_owned();
        let mut all = vec!["--socket", &control];
        all.extend(arguments);
        self.host.output(binaries::path("keepwatch")?, &all)
    }

    /// What the operator's command writes, with both outputs together.
    pub fn answer(&self, arguments: &[&str]) -> Result<String> {
        let output = self.ask(arguments)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }

    /// Gets a page of its HTTP listener, from inside its host.
    pub fn get(&self, path: &str) -> Result<Response> {
        let at: SocketAddr = Self::METRICS.parse()?;
        http::get(&self.host, at, path, Duration::from_secs(5))
    }

    /// The value of the first metric line that starts with `name` and has all `labels` in it.
    pub fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let page = self.get("/metrics").ok()?;
        page.body
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .find(|line| labels.iter().all(|label| line.contains(label)))
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
    }

    /// Waits until the operator's command can reach it.
    pub fn wait_for_control(&self) -> Result<()> {
        // A socket that nobody listens on may be left by a run that was killed.
        let connects = || std::os::unix::net::UnixStream::connect(&self.control).is_ok();
        wait::until("keepwatchd listens on its control socket", wait::LONG, connects)
            .with_context(|| format!("log of keepwatchd:\n{}", self.process.log()))
    }

    /// Waits until its log has `text` in it.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        self.process.wait_for_log(text, wait::LONG)
    }
}
