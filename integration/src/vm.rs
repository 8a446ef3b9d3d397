//! A small virtual machine with a kernel that has IPVS.
//!
//! In goes a [`Scenario`]: a shell script and the environment it needs. The machine boots Debian's kernel under
//! qemu's own emulation (no KVM needed), sees the host's file system read-only with a layer of its memory on top,
//! runs the script as root and switches itself off. Out comes an [`Outcome`]: what the script printed, its exit
//! code, and the kernel's console for the case that it never got so far.
//!
//! A boot takes about four seconds; inside, everything runs some ten to twenty times slower than outside and
//! starting a process costs about 27 ms, so a scenario should be a whole story rather than one assertion.

mod guest;
mod image;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{binaries, wait};

pub use image::Image;

/// One story to be played inside the machine.
#[derive(Debug, Clone)]
pub struct Scenario {
    script: String,
    environment: Vec<(String, String)>,
    modules: Vec<String>,
    limit: Duration,
    memory_mib: u32,
}

impl Scenario {
    /// A scenario that runs `script` with bash, as root, in the directory of the caller.
    #[must_use]
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            environment: Vec::new(),
            modules: Vec::new(),
            limit: Duration::from_secs(600),
            memory_mib: 1024,
        }
    }

    /// A scenario that runs tests of the calling test program inside the machine, those that only run if they are asked for
    /// (`#[ignore]`): `which` are more arguments for it. They find keepwatch's programs.
    ///
    /// # Errors
    /// If the calling program, or keepwatch's, cannot be found.
    pub fn of_this_test(which: &str) -> Result<Self> {
        let programs = binaries::path("keepwatchd")?;
        let programs = programs.parent().context("a directory of programs")?;
        let scenario = Self::new(format!("$TEST --ignored --nocapture {which}"));
        let scenario = scenario.env("TEST", std::env::current_exe()?).env(binaries::DIRECTORY, programs);
        // The machine is slow, and slower yet beside others.
        Ok(scenario.env(wait::PATIENCE, "4"))
    }

    /// Plays it, and shows what it printed.
    ///
    /// # Errors
    /// As [`Self::run`], and if the script fails.
    pub fn succeed(&self) -> Result<()> {
        let outcome = self.run()?;
        println!("{}", outcome.output);
        ensure!(outcome.code == 0, "it went wrong inside the machine");
        Ok(())
    }

    /// Sets an environment variable for the script.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_string_lossy().into_owned()));
        self
    }

    /// Has a kernel module loaded (with what it depends on) before the script starts.
    #[must_use]
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// Gives the whole run, boot included, at most this long; the default is 400 s.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Boots a machine, plays the scenario in it and waits for its end.
    ///
    /// # Errors
    /// If something that the machine needs is missing (the message says what), if it does not boot, or if the
    /// scenario is not over within its limit. A script that fails is no error: see [`Outcome::code`].
    pub fn run(&self) -> Result<Outcome> {
        let image = Image::prepare().context("the virtual machine cannot be built")?;
        let share = tempfile::Builder::new().prefix("keepwatch-vm-").tempdir()?;
        guest::write(share.path(), self)?;
        let started = Instant::now();
        let mut machine = Machine::boot(&image, share.path(), self.memory_mib)?;
        let ended = machine.wait(self.limit)?;
        let read = |name: &str| {
            fs::read(share.path().join(name))
                .map(|b| String::from_utf8_lossy(&b).into_owned())
                .unwrap_or_default()
        };
        let (output, console) = (read("output"), read("console"));
        let Some(status) = ended else {
            bail!(
                "the scenario was not over after {:?}\n--- output\n{output}\n--- console\n{}",
                self.limit,
                tail(&console)
            );
        };
        let Ok(code) = read("status").trim().parse() else {
            bail!(
                "the machine ended ({status}) before the scenario did\n--- output\n{output}\n--- console\n{}\n--- qemu\n{}",
                tail(&console),
                read("qemu")
            );
        };
        Ok(Outcome { output, code, console, took: started.elapsed() })
    }
}

/// What came back from the machine.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// All that the script and its children wrote to standard output and standard error.
    pub output: String,
    /// The script's exit code.
    pub code: i32,
    /// The kernel's messages.
    pub console: String,
    /// From switching on to switching off.
    pub took: Duration,
}

impl Outcome {
    /// The lines between `== name` and the next `== ` in the output: scripts mark their chapters so.
    #[must_use]
    pub fn chapter(&self, name: &str) -> String {
        let heading = format!("== {name}");
        self.output
            .lines()
            .skip_while(|line| *line != heading)
            .skip(1)
            .take_while(|line| !line.starts_with("== "))
            .fold(String::new(), |text, line| text + line + "\n")
    }
}

/// A running qemu; killed when dropped, so that a failing test leaves no machine behind.
struct Machine {
    qemu: Child,
}

impl Machine {
    fn boot(image: &Image, share: &Path, memory_mib: u32) -> Result<Self> {
        let fs_device = |id: &str, path: &Path, readonly: bool| {
            let readonly = if readonly { "on" } else { "off" };
            let path = path.display();
            format!("local,id={id},path={path},security_model=none,readonly={readonly},multidevs=remap")
        };
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m"])
            .arg(memory_mib.to_string())
            .args(["-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"])
            .arg("-kernel")
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&image.initramfs)
            .args(["-append", "console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off"])
            .arg("-serial")
            .arg(format!("file:{}", share.join("console").display()))
            .args(["-fsdev", &fs_device("root", Path::new("/"), true)])
            .args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"])
            .args(["-fsdev", &fs_device("share", share, false)])
            .args(["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"])
            .args(["-fsdev", &fs_device("modules", &image.modules, true)])
            .args(["-device", "virtio-9p-pci,fsdev=modules,mount_tag=modules"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(share.join("qemu"))?)
            .spawn()
            .context("qemu-system-x86_64 (Debian package qemu-system-x86) does not start")?;
        Ok(Self { qemu })
    }

    fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.qemu.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Already gone in the ordinary case; there is nobody to tell otherwise.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Downloads and builds what the machine boots, unless that was done before: the only step that needs the Internet.
///
/// # Errors
/// If a tool or the package is missing; the message names the Debian package that brings it.
pub fn prepare() -> Result<()> {
    image::Image::prepare().map(drop)
}

/// The end of a long console: what matters is the last thing that it said.
fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(4000);
    text.get(start..).or_else(|| text.get(start + 1..)).unwrap_or(text)
}

/// The directory that Cargo builds into, found from where the running test was built.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    exe.ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").exists())
        .map(Path::to_path_buf)
        .with_context(|| format!("{} is not in a Cargo target directory", exe.display()))
}
