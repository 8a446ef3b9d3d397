//! A machine on which a product has installed keepalived: with processes, `/run`, `/tmp`, `/etc/keepalived` and `/var/lib`
//! of its own, and `keepalived` in its PATH, which is Debian's or ours.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::ExitStatus,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{Host, Lab, Process, binaries, keepalived::Keepalived, process::tree, wait};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Which program is called `keepalived`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// That of the distribution.
    Debian,
    /// `keepwatchd`.
    Ours,
}

/// The first process of a machine: it takes in orphans, does what is in `/run/job` when it is told to, and ends with the test.
const INIT: &str = "trap : TERM HUP; trap '. /run/job' USR1; while :; do sleep 1000 & wait $!; done";
/// The directories that a machine has to itself, and their names in the host's directory. `/tmp` is another.
const OWN: [(&str, &str); 3] = [("/run", "run"), ("/etc/keepalived", "etc"), ("/var/lib", "lib")];
/// What a command of a product may take on a machine that is busy.
const COMMAND: Duration = Duration::from_secs(60);
/// Between two commands.
const PAUSE: Duration = Duration::from_millis(50);

/// The machine.
pub(crate) struct Machine {
    host: Host,
    programs: PathBuf,
    first: Process,
    init: Pid,
}

/// The PATH of a machine with these programs besides the system's.
fn search(programs: &Path) -> String {
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display())
}

/// What a command of a product said.
pub(crate) struct Said {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it wrote, to standard output and standard error.
    pub(crate) text: String,
}

impl Machine {
    /// Starts it.
    pub(crate) fn boot(host: &Host, make: Make) -> Result<Self> {
        let programs = host.directory().join("sbin");
        fs::create_dir_all(&programs)?;
        let program = match make {
            Make::Debian => PathBuf::from("/usr/sbin/keepalived"),
            Make::Ours => binaries::path("keepwatchd")?,
        };
        symlink(&program, programs.join("keepalived")).context("install keepalived")?;
        // keepalived believes that a service manager has started it if its parent is process 1 and has this name.
        symlink("/bin/sh", programs.join("systemd"))?;
        let mut spawn = host
            .process("machine", "unshare")
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .arg(programs.join("systemd"))
            .args(["-c", INIT])
            .env("PATH", search(&programs))
            .private_tmp();
        for (directory, name) in OWN {
            let own = host.directory().join(name);
            fs::create_dir_all(&own)?;
            spawn = spawn.shows(own, directory);
        }
        let first = spawn.start()?;
        let init = wait::value("the machine has its first process", wait::SHORT, || {
            let init = *tree::below(first.pid()).first()?;
            let name = fs::read_to_string(format!("/proc/{init}/comm")).ok()?;
            (name.trim() == "systemd").then_some(init)
        })?;
        Ok(Self { host: host.clone(), programs, first, init })
    }

    /// Its interfaces.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// What was written to the standard output of its first process.
    pub(crate) fn log(&self) -> String {
        self.first.log()
    }

    /// Where a file of the machine is for the test.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let own = OWN.into_iter().chain([("/tmp", "tmp")]);
        let found = own
            .filter_map(|(directory, name)| Some((name, Path::new(path).strip_prefix(directory).ok()?)))
            .next();
        match found {
            Some((name, rest)) => self.host.directory().join(name).join(rest),
            None => PathBuf::from(path),
        }
    }

    /// Writes a file of the machine, whole, in the place of the one that was there; makes its directory.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<()> {
        let at = self.path(path);
        if let Some(directory) = at.parent() {
            fs::create_dir_all(directory)?;
        }
        let new = at.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, &at).with_context(|| format!("write {path}"))
    }

    /// Writes a script of the machine.
    pub(crate) fn script(&self, path: &str, text: &str) -> Result<()> {
        self.write(path, text)?;
        Ok(fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755))?)
    }

    /// A file of the machine; empty if there is none.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// Starts a program of the machine.
    pub(crate) fn start(&self, name: &str, program: &str, arguments: &[&str]) -> Result<Service> {
        let search = format!("PATH={}", search(&self.programs));
        let init = self.init.to_string();
        let process = self
            .host
            .process(name, "nsenter")
            .args(["--target", &init, "--mount", "--pid", "--wd=/", "--"])
            .args(["env", "-u", "TMPDIR", &search, program])
            .args(arguments)
            .start()?;
        Ok(Service { process })
    }

    /// Runs a command of the shell to its end.
    pub(crate) fn shell(&self, script: &str) -> Result<Said> {
        let mut service = self.start("shell", "bash", &["-c", script])?;
        let status = service.process.wait(COMMAND).with_context(|| script.to_owned())?;
        // Those who ask again and again leave the processors to who is asked.
        sleep(PAUSE);
        Ok(Said { status, text: service.process.log() })
    }

    /// The same, if it has to succeed.
    pub(crate) fn run(&self, script: &str) -> Result<String> {
        let said = self.shell(script)?;
        ensure!(said.status.success(), "{script}: {}: {}", said.status, said.text);
        Ok(said.text)
    }

    /// Has its first process do this, as a service manager.
    pub(crate) fn job(&self, script: &str) -> Result<()> {
        self.write("/run/job", script)?;
        kill(self.init, Signal::SIGUSR1).context("tell the first process")
    }

    /// Whether a command of the shell succeeds.
    pub(crate) fn is(&self, script: &str) -> bool {
        self.shell(script).is_ok_and(|said| said.status.success())
    }

    /// Waits until a command of the shell succeeds.
    pub(crate) fn wait_until(&self, what: &str, script: &str) -> Result<()> {
        wait::until(what, wait::LONG, || self.is(script))
    }
}

/// A program that a product started, and waits for.
pub(crate) struct Service {
    process: Process,
}

impl Service {
    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        // nsenter has it as its child.
        let pid = *tree::below(self.process.pid()).first().context("the program has ended")?;
        kill(pid, signal).context("send a signal")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait(limit)
    }

    /// Asks it to stop, as a service manager does that signals the first process only, and waits for its end.
    pub(crate) fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait(limit)
    }
}

/// A machine, and the host of another router on its LAN.
pub(crate) struct Stage {
    /// The machine.
    pub(crate) machine: Machine,
    /// The host of the other router, 10.78.0.2.
    pub(crate) other: Host,
}

impl Stage {
    /// Sets it; the machine is 10.78.0.1.
    pub(crate) fn set(name: &str, make: Make) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (_lan, mut hosts) = lab.routers(2)?;
        let (other, host) = (hosts.remove(1), hosts.remove(0));
        let machine = Machine::boot(&host, make)?;
        Ok(Self { machine, other })
    }

    /// Starts Debian's keepalived on the other host.
    pub(crate) fn rival(&self, config: &str) -> Result<Keepalived> {
        Keepalived::start(&self.other, config, &[])
    }

    /// Waits until the other host has the address, by its keepalived.
    pub(crate) fn wait_for_rival(&self, rival: &Keepalived, address: &str) -> Result<()> {
        wait::until(&format!("the other host has {address}"), wait::LONG, || self.other.has("eth0", address))
            .with_context(|| format!("its log:\n{}", rival.process().log()))
    }

    /// Waits until the address is on the machine's interface.
    pub(crate) fn wait_for(&self, interface: &str, address: &str) -> Result<()> {
        let host = self.machine.host();
        wait::until(&format!("{address} is on the machine's {interface}"), wait::LONG, || {
            host.has(interface, address)
        })
    }

    /// Waits until the address is not on the machine's interface.
    pub(crate) fn wait_without(&self, interface: &str, address: &str) -> Result<()> {
        let host = self.machine.host();
        wait::until(&format!("{address} has left the machine's {interface}"), wait::LONG, || {
            !host.has(interface, address)
        })
    }
}
