//! Debian's keepalived as the other router.

use std::{collections::HashMap, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::{Host, Process, wait};

/// The reference implementation, in a host, in the foreground.
pub struct Keepalived {
    process: Process,
    host: Host,
}

impl Keepalived {
    /// Starts it on this configuration text (VRRP only), with `flags` besides the ones that the lab needs.
    pub fn start(host: &Host, config: &str, flags: &[&str]) -> Result<Self> {
        Self::start_program("keepalived".as_ref(), host, config, flags)
    }

    /// The same with a keepalived that is not the system's.
    pub fn start_program(program: &Path, host: &Host, config: &str, flags: &[&str]) -> Result<Self> {
        Self::start_part("--vrrp", program, host, config, flags)
    }

    /// Starts the system's for virtual servers only: needs a kernel that has IPVS.
    pub fn start_checking(host: &Host, config: &str) -> Result<Self> {
        Self::start_checking_program("keepalived".as_ref(), host, config, &[])
    }

    /// The same with one that is not the system's, and with these flags besides.
    pub fn start_checking_program(program: &Path, host: &Host, config: &str, flags: &[&str]) -> Result<Self> {
        Self::start_part("--check", program, host, config, flags)
    }

    fn start_part(part: &str, program: &Path, host: &Host, config: &str, flags: &[&str]) -> Result<Self> {
        let config = host.file("keepalived.conf", config)?;
        // Its pid and dump files have fixed names in /run and /tmp.
        let at = |name: &str| host.directory().join(name);
        let spawn = host
            .process("keepalived", program)
            .args(["--dont-fork", "--log-console", "--log-detail", part])
            .arg("--use-file")
            .arg(config)
            .arg("--pid")
            .arg(at("keepalived.pid"))
            .arg("--vrrp_pid")
            .arg(at("keepalived-vrrp.pid"))
            .arg("--checkers_pid")
            .arg(at("keepalived-checkers.pid"));
        let spawn = match has_bfd(program) {
            true => spawn.arg("--bfd_pid").arg(at("keepalived-bfd.pid")),
            false => spawn,
        };
        let spawn = spawn.args(flags);
        // A program that is itself under /tmp would not find itself in a /tmp of its own.
        let process =
            if program.starts_with("/tmp") { spawn.start()? } else { spawn.private_tmp().start()? };
        Ok(Self { process, host: host.clone() })
    }

    /// The parent process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The parent process, to stop or kill it.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Has it read another configuration.
    pub fn reload(&self, config: &str) -> Result<()> {
        self.host.file("keepalived.conf", config)?;
        self.process.signal(Signal::SIGHUP)
    }

    /// Its statistics of one instance as SIGUSR2 makes it write them: name of the line to its number, the sections'
    /// names before it (`Packet Errors/Length` …).
    pub fn statistics(&self, instance: &str) -> Result<HashMap<String, u64>> {
        let path = self.host.directory().join("tmp/keepalived.stats");
        let _ = fs::remove_file(&path);
        self.process.signal(Signal::SIGUSR2)?;
        wait::until("keepalived wrote its statistics", wait::SHORT, || {
            fs::read_to_string(&path).is_ok_and(|text| text.contains("Priority Zero") && text.ends_with('\n'))
        })?;
        std::thread::sleep(Duration::from_millis(100));
        let text = fs::read_to_string(&path).context("read keepalived's statistics")?;
        Ok(parse_statistics(&text, instance))
    }
}

/// Whether it was built with BFD: then it looks for the file of that process too, and else it does not know the flag.
fn has_bfd(program: &Path) -> bool {
    let help = Command::new(program).arg("--help").output();
    help.is_ok_and(|help| {
        [help.stdout, help.stderr].iter().any(|text| String::from_utf8_lossy(text).contains("--bfd_pid"))
    })
}

fn parse_statistics(text: &str, instance: &str) -> HashMap<String, u64> {
    let mut numbers = HashMap::new();
    let mut inside = false;
    let mut section = String::new();
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(name) = line.strip_prefix("VRRP Instance:") {
            inside = name.trim() == instance;
        } else if let (true, Some((name, value))) = (inside, line.split_once(':')) {
            match value.trim().parse() {
                Ok(number) if depth > 2 => drop(numbers.insert(format!("{section}/{name}"), number)),
                Ok(number) => drop(numbers.insert(name.to_owned(), number)),
                Err(_) => name.clone_into(&mut section),
            }
        }
    }
    numbers
}
