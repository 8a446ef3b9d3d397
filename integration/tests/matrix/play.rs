//! One daemon on one host, brought into a state, and what is asked of it there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{Host, Instance, Lab, conf::VIP, keepwatchd::Keepwatchd, stuck::StuckFile, wait};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the daemon is about when something happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its `startup_script` runs.
    Starting,
    Backup,
    Master,
    /// Its interface is down.
    Fault,
    /// A master that reads a file of its configuration, which takes long.
    Reloading,
    /// Its `shutdown_script` runs.
    Stopping,
}

impl State {
    /// All of them, in the order of the columns of the tables.
    pub(crate) const ALL: [Self; 6] =
        [Self::Starting, Self::Backup, Self::Master, Self::Fault, Self::Reloading, Self::Stopping];
}

/// A daemon in a state.
pub(crate) struct Play {
    pub(crate) host: Host,
    pub(crate) daemon: Keepwatchd,
    pub(crate) state: State,
    config: String,
    /// What it waits for to get on: a script waits for this file.
    gate: PathBuf,
    stuck: Option<StuckFile>,
}

impl Play {
    pub(crate) fn begin(state: State) -> Result<Self> {
        let (_lan, mut hosts) = Lab::new("row")?.routers(1)?;
        let host = hosts.remove(0);
        let gate = host.directory().join("gate");
        let script = host
            .file("wait", &format!("#!/bin/sh\nuntil test -e {}; do sleep 0.05; done\n", gate.display()))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let script = script.display();
        let global = match state {
            State::Starting => {
                format!("script_user root\nstartup_script {script}\nstartup_script_timeout 60")
            }
            State::Stopping => {
                format!("script_user root\nshutdown_script {script}\nshutdown_script_timeout 5")
            }
            State::Backup | State::Master | State::Fault | State::Reloading => String::new(),
        };
        // Nobody else is there: a backup is one that has not waited long enough.
        let interval = if state == State::Backup { "20" } else { "0.1" };
        let config = Instance::new("VI_1").interval(interval).version_3(&global);
        if state == State::Fault {
            host.down("eth0")?;
        }
        let daemon = start(&host, &config)?;
        let mut play = Self { host, daemon, state, config, gate, stuck: None };
        play.reach().with_context(|| play.log())?;
        Ok(play)
    }

    fn reach(&mut self) -> Result<()> {
        match self.state {
            State::Starting => self.logs("Starting keepwatchd v", 1)?,
            State::Backup => self.logs("(VI_1) Entering BACKUP STATE", 1)?,
            State::Fault => self.logs("(VI_1) Entering FAULT STATE", 1)?,
            State::Master | State::Reloading | State::Stopping => self.master()?,
        }
        match self.state {
            State::Starting => {
                // Until its script runs, nothing is held up.
                wait::until("the script before everything runs", wait::LONG, || {
                    self.workers().first().is_some_and(|worker| !children(*worker).is_empty())
                })?;
            }
            State::Backup | State::Master | State::Fault => self.daemon.wait_for_control()?,
            State::Reloading => {
                self.daemon.wait_for_control()?;
                let stuck = StuckFile::new(&self.host.directory().join("stuck.conf"))?;
                let text = format!("{}include {}\n", self.config, stuck.path().display());
                fs::write(self.daemon.config_path(), text)?;
                self.stuck = Some(stuck);
                self.daemon.process().signal(Signal::SIGHUP)?;
                // It is asked, and can't be answered.
                std::thread::sleep(Duration::from_millis(300));
            }
            State::Stopping => {
                self.daemon.wait_for_control()?;
                self.daemon.process().signal(Signal::SIGTERM)?;
                wait::until("its address is off", wait::LONG, || !self.has_address())?;
                wait::until("the script after everything runs", wait::LONG, || {
                    self.workers().first().is_some_and(|worker| !children(*worker).is_empty())
                })?;
            }
        }
        Ok(())
    }

    /// What held it up is over.
    pub(crate) fn release(&mut self) -> Result<()> {
        match self.state {
            State::Starting | State::Stopping => fs::write(&self.gate, "")?,
            State::Reloading => self.stuck = None,
            State::Fault => drop(self.host.up("eth0")?),
            State::Backup | State::Master => {}
        }
        Ok(())
    }

    /// The file is as it was before the reload that takes long.
    pub(crate) fn mend_file(&self) -> Result<()> {
        Ok(fs::write(self.daemon.config_path(), &self.config)?)
    }

    /// Another daemon on the same file.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.mend_file()?;
        fs::write(&self.gate, "")?;
        if self.state == State::Fault {
            self.host.up("eth0")?;
        }
        self.daemon = start(&self.host, &self.config)?;
        match self.state {
            State::Backup => self.logs("(VI_1) Entering BACKUP STATE", 1),
            _ => self.master(),
        }
        .with_context(|| self.log())
    }

    pub(crate) fn master(&self) -> Result<()> {
        self.logs("(VI_1) Entering MASTER STATE", 1)?;
        wait::until("the address is there", wait::LONG, || self.has_address())
    }

    pub(crate) fn has_address(&self) -> bool {
        self.host.has("eth0", VIP)
    }

    pub(crate) fn log(&self) -> String {
        self.daemon.process().log()
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Waits until the log has this so many times.
    pub(crate) fn logs(&self, text: &str, times: usize) -> Result<()> {
        wait::until(&format!("the log has {text:?} {times} times"), wait::LONG, || self.count(text) >= times)
    }

    pub(crate) fn supervisor(&self) -> Pid {
        self.daemon.process().pid()
    }

    /// The workers among the supervisor's children: there is one at most.
    pub(crate) fn workers(&self) -> Vec<Pid> {
        let is_worker = |child: &Pid| {
            fs::read(format!("/proc/{child}/cmdline"))
                .is_ok_and(|line| line.starts_with(b"keepwatchd: worker"))
        };
        children(self.supervisor()).into_iter().filter(is_worker).collect()
    }

    pub(crate) fn worker(&self) -> Result<Pid> {
        self.workers().first().copied().context("there is no worker")
    }

    /// Stops it, and looks that nothing is left of it.
    pub(crate) fn end(&mut self) -> Result<()> {
        let status = self.daemon.process_mut().stop(wait::LONG)?;
        ensure!(status.success(), "the stop: {status}");
        self.nothing_is_left()?;
        ensure!(!self.host.directory().join("control.sock").exists(), "its socket is left");
        Ok(())
    }

    /// No script that it began outlives it.
    pub(crate) fn no_script_is_left(&self) -> Result<()> {
        let script = self.gate.with_file_name("wait");
        let script = script.as_os_str().as_encoded_bytes();
        wait::until("its scripts have ended", wait::SHORT, || {
            let all = fs::read_dir("/proc").into_iter().flatten().flatten();
            let mut lines = all.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
            !lines.any(|line| line.windows(script.len()).any(|part| part == script))
        })
    }

    pub(crate) fn nothing_is_left(&self) -> Result<()> {
        ensure!(!self.has_address(), "the address is left");
        for name in ["keepwatchd.pid", "keepwatchd-vrrp.pid"] {
            ensure!(!self.host.directory().join(name).exists(), "{name} is left");
        }
        Ok(())
    }
}

fn start(host: &Host, config: &str) -> Result<Keepwatchd> {
    let directory = host.directory().to_string_lossy().into_owned();
    // No HTTP: one thing less to start.
    Keepwatchd::on(host)
        .config(config)
        .flags(&["--vrrp", "--listen", "none", "--no-syslog"])
        .variable("TMPDIR", &directory)
        .start()
}

/// The children of a process.
pub(crate) fn children(of: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<String> = lists.collect();
    let numbers = all.iter().flat_map(|list| list.split_whitespace());
    numbers.filter_map(|number| number.parse().ok().map(Pid::from_raw)).collect()
}

/// Whether there is no such process any more, or only its exit status.
pub(crate) fn is_gone(process: Pid) -> bool {
    if kill(process, None) == Err(Errno::ESRCH) {
        return true;
    }
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}
