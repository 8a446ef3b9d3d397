//! A program on a terminal of its own: a pseudo-terminal of any size, with keys that are pressed and a screen that is
//! read as a person would read it.
#![allow(unsafe_code)] // nix gives pseudo-terminals by a feature that everything else would be built anew for.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    num::NonZero,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::{Child, Command, ExitStatus},
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{errno::Errno, sys::signal::Signal, unistd::Pid};

use crate::wait;

/// A program on a terminal; it is killed when this is dropped.
pub struct Terminal {
    keys: File,
    screen: Arc<Mutex<vt100::Parser>>,
    child: Child,
}

fn size_of(width: u16, height: u16) -> libc::winsize {
    libc::winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 }
}

/// A terminal has at least one row and column.
fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap_or(NonZero::<u16>::MIN)
}

/// The two ends of a new pseudo-terminal: ours and the program's.
fn open(width: u16, height: u16) -> Result<(OwnedFd, OwnedFd)> {
    let (mut ours, mut theirs) = (-1, -1);
    let size = size_of(width, height);
    // SAFETY: all pointers are to locals that live through the call, or null where that is allowed; the descriptors are
    // new, and owned by nobody else.
    unsafe {
        Errno::result(libc::openpty(&mut ours, &mut theirs, ptr::null_mut(), ptr::null_mut(), &size))
            .context("openpty")?;
        Ok((OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)))
    }
}

impl Terminal {
    /// Runs a program on a new terminal of this size; `environment` is added to ours.
    pub fn run(
        program: impl AsRef<OsStr>,
        arguments: &[&str],
        environment: &[(&str, &str)],
        (width, height): (u16, u16),
    ) -> Result<Self> {
        let (ours, theirs) = open(width, height)?;
        // setsid gives it the terminal as its own, so that it hears of a new size.
        let child = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .arg(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(theirs.try_clone()?)
            .stdout(theirs.try_clone()?)
            .stderr(theirs)
            .spawn()
            .context("run setsid")?;
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(height), cells(width), 0)));
        let keys = File::from(ours);
        let (mut from, shown) = (keys.try_clone()?, Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 16 << 10];
            // It fails when the program has gone.
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let mut screen = shown.lock().unwrap_or_else(PoisonError::into_inner);
                screen.process(buffer.get(..count).unwrap_or_default());
            }
        });
        Ok(Self { keys, screen, child })
    }

    /// What is on the screen, and how.
    pub fn screen(&self) -> MutexGuard<'_, vt100::Parser> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.screen().screen().contents().to_string()
    }

    /// Waits until the screen has this text on it.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        wait::until(&format!("the screen says {text:?}"), wait::LONG, || self.text().contains(text))
            .with_context(|| self.text())
    }

    /// How many characters have a colour of their own.
    pub fn coloured(&self) -> usize {
        let parser = self.screen();
        let screen = parser.screen();
        let (rows, columns) = screen.size();
        let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        cells
            .filter_map(|(row, column)| screen.cell(row, column))
            .filter(|cell| cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default)
            .count()
    }

    /// Presses these keys.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("press keys")
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, width: u16, height: u16) -> Result<()> {
        self.screen().screen_mut().set_size(cells(height), cells(width));
        let size = size_of(width, height);
        // SAFETY: the request reads a `winsize`, which lives through the call.
        Errno::result(unsafe { libc::ioctl(self.keys.as_raw_fd(), libc::TIOCSWINSZ, &size) })
            .context("TIOCSWINSZ")?;
        Ok(())
    }

    /// Waits until the program has ended.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let child = &mut self.child;
        wait::value("the program ends", limit, || child.try_wait().transpose())?.context("wait for it")
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // setsid waits for it; whoever is below is meant.
        let below = crate::process::tree::below(self.pid());
        for pid in if below.is_empty() { vec![self.pid()] } else { below } {
            nix::sys::signal::kill(pid, signal)?;
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
