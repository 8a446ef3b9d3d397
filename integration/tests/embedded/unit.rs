//! The distribution's `keepalived.service`, for products that go by it: a service manager that is told by `sd_notify` when the
//! service runs, reloads it by SIGHUP to its first process, and stops it by SIGTERM to every process that it has.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::wait;

use crate::machine::Machine;

/// Where the service manager listens.
const SOCKET: &str = "/run/notify";
/// What the service wrote.
const LOG: &str = "/run/unit.log";
/// How it ended.
const STATUS: &str = "/run/unit.status";

/// A service that runs.
pub(crate) struct Unit<'m> {
    machine: &'m Machine,
}

impl<'m> Unit<'m> {
    /// Starts it with these options from `/etc/default/keepalived`, and waits until it says that it runs.
    pub(crate) fn start(machine: &'m Machine, options: &str) -> Result<Self> {
        for left in [SOCKET, STATUS] {
            let _ = std::fs::remove_file(machine.path(left));
        }
        let socket = UnixDatagram::bind(machine.path(SOCKET)).context("listen as the service manager")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        machine.job(&format!(
            "NOTIFY_SOCKET={SOCKET} keepalived --dont-fork {options} > {LOG} 2>&1 & main=$!"
        ))?;
        let mut heard = String::new();
        wait::until("the service says that it is ready", wait::LONG, || {
            let mut buffer = [0; 4096];
            if let Ok(length) = socket.recv(&mut buffer) {
                heard += &String::from_utf8_lossy(&buffer[..length]);
                heard.push('\n');
            }
            heard.lines().any(|line| line == "READY=1")
        })
        .with_context(|| format!("{heard}\n{}", machine.read(LOG)))?;
        Ok(Self { machine })
    }

    /// `systemctl reload`.
    pub(crate) fn reload(&self) -> Result<()> {
        self.machine.run("kill -HUP $(pgrep -o keepalived)").map(drop)
    }

    /// `systemctl stop`, which has to end with success and leave nothing behind.
    pub(crate) fn stop(self) -> Result<()> {
        let machine = self.machine;
        machine.run("pkill -TERM keepalived")?;
        machine.job(&format!("wait $main; echo $? > {STATUS}"))?;
        wait::until("the service has ended", wait::LONG, || machine.read(STATUS).ends_with('\n'))?;
        ensure!(machine.read(STATUS) == "0\n", "{}: {}", machine.read(STATUS), machine.read(LOG));
        machine.wait_until("no process of that name is left", "! pgrep keepalived")
    }
}
