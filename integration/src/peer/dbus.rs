//! A D-Bus daemon in a host, as the system bus, with the policy that keepwatch ships; and who talks and listens there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{Host, Process, wait};

/// A system bus of its own.
pub struct SystemBus {
    process: Process,
    host: Host,
    socket: PathBuf,
}

impl SystemBus {
    /// Starts it, and waits until it listens.
    pub fn start(host: &Host) -> Result<Self> {
        let socket = host.directory().join("bus");
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/dbus/org.keepalived.Vrrp1.conf");
        let config = host.file(
            "bus.conf",
            &format!(
                "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\n\
                 <policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/><deny send_type=\"method_call\"/>\n\
                 <allow send_type=\"signal\"/><allow send_requested_reply=\"true\" send_type=\"method_return\"/>\n\
                 <allow send_requested_reply=\"true\" send_type=\"error\"/><allow receive_type=\"method_call\"/>\n\
                 <allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow receive_type=\"signal\"/>\n\
                 <allow send_destination=\"org.freedesktop.DBus\"/></policy>\n\
                 <policy user=\"root\"><allow send_destination=\"org.freedesktop.DBus\" \
                 send_interface=\"org.freedesktop.DBus.Monitoring\"/></policy>\n\
                 <include>{}</include></busconfig>\n",
                socket.display(),
                policy.display()
            ),
        )?;
        // A daemon that was killed leaves its socket.
        let _ = std::fs::remove_file(&socket);
        let arguments =
            [format!("--config-file={}", config.display()), "--nofork".into(), "--nopidfile".into()];
        let process = host.process("dbus-daemon", "dbus-daemon").args(arguments).start()?;
        wait::until("the bus listens", wait::SHORT, || socket.exists())?;
        std::fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        Ok(Self { process, host: host.clone(), socket })
    }

    /// Its address, for `DBUS_SYSTEM_BUS_ADDRESS`.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket.display())
    }

    /// The daemon.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Calls a method and returns what `dbus-send` prints of the answer; an error if the answer is one. `call`: object,
    /// interface and method, arguments.
    pub fn call(&self, call: &[&str]) -> Result<String> {
        self.send("dbus-send", &[], call)
    }

    /// The same as somebody who is not root.
    pub fn call_as_nobody(&self, call: &[&str]) -> Result<String> {
        self.send("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups", "dbus-send"], call)
    }

    fn send(&self, program: &str, before: &[&str], call: &[&str]) -> Result<String> {
        let bus = format!("--bus={}", self.address());
        let common = [&*bus, "--print-reply", "--reply-timeout=5000", "--dest=org.keepalived.Vrrp1"];
        let output = self.host.output(program, &[before, &common, call].concat())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(output.status.success(), "{}", text(&output.stderr));
        Ok(text(&output.stdout))
    }

    /// Starts to listen to all signals.
    pub fn listen(&self) -> Result<Signals> {
        let arguments = ["--address", &self.address(), "type='signal'"];
        let process = self.host.process("dbus-monitor", "dbus-monitor").args(arguments).start()?;
        // It has become a monitor when it is told that its own name is gone.
        process.wait_for_log("NameLost", wait::SHORT).context("dbus-monitor listens")?;
        Ok(Signals(process))
    }
}

/// What is signalled on a bus.
pub struct Signals(Process);

impl Signals {
    /// The signals of our interfaces so far, as `Member` or `Member LAST-PATH-ELEMENTS NUMBER`.
    pub fn heard(&self) -> Vec<String> {
        let log = self.0.log();
        let mut heard: Vec<String> = Vec::new();
        let mut ours = false;
        for line in log.lines() {
            if line.starts_with("signal ") {
                ours = line.contains("interface=org.keepalived.Vrrp1.");
                let field = |name: &str| {
                    let rest = line.split_once(name).map_or("", |(_, rest)| rest);
                    rest.split([';', ' ']).next().unwrap_or_default()
                };
                if ours {
                    let (path, member) = (field("path="), field("member="));
                    let path =
                        path.split_once("/Instance/").map_or(String::new(), |(_, end)| format!(" {end}"));
                    heard.push(format!("{member}{path}"));
                }
            } else if let (true, Some(number), Some(last)) =
                (ours, line.trim().strip_prefix("uint32 "), heard.last_mut())
            {
                *last = format!("{last} {number}");
            }
        }
        heard
    }
}
