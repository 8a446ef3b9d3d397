//! FRR in a host: another implementation of VRRP version 3, and of BFD.

use std::path::PathBuf;

use anyhow::Result;

use crate::{Host, Process, conf::VIP, wait};

/// A running zebra and vrrpd.
pub struct Frr {
    vrrpd: Process,
    _zebra: Process,
}

impl Frr {
    /// Starts them with virtual router 51 of version 3 on `eth0`: this priority, an advert each tenth of a second, the
    /// address [`VIP`]. It lives on an interface of its own, which bears the virtual address all the time and is switched on
    /// when it is master.
    pub fn start(host: &Host, priority: u8) -> Result<Self> {
        host.run("ip", &["link", "add", "vrrp4", "link", "eth0", "type", "macvlan", "mode", "bridge"])?;
        host.run("ip", &["link", "set", "vrrp4", "address", "00:00:5e:00:01:33"])?;
        host.run("ip", &["address", "add", &format!("{VIP}/16"), "dev", "vrrp4"])?;
        host.run("ip", &["link", "set", "vrrp4", "up"])?;
        let lines = format!(
            "interface eth0\n vrrp 51 version 3\n vrrp 51 priority {priority}\n vrrp 51 advertisement-interval 100\n \
             vrrp 51 ip {VIP}\n"
        );
        let suite = Suite::new(host, &lines)?;
        let zebra = suite.zebra()?;
        Ok(Self { vrrpd: suite.spawn("vrrpd", &[])?, _zebra: zebra })
    }

    /// The process that speaks VRRP.
    pub fn vrrpd(&mut self) -> &mut Process {
        &mut self.vrrpd
    }
}

/// A running zebra and bfdd.
pub struct Bfdd {
    suite: Suite,
    bfdd: Process,
    _zebra: Process,
}

impl Bfdd {
    /// Starts them with these lines of the block `bfd`.
    pub fn start(host: &Host, lines: &str) -> Result<Self> {
        let suite = Suite::new(host, &format!("bfd\n{lines}!\n"))?;
        let zebra = suite.zebra()?;
        let bfdd = suite.bfdd()?;
        Ok(Self { suite, bfdd, _zebra: zebra })
    }

    /// Kills it and starts it anew.
    pub fn restart(&mut self) -> Result<()> {
        self.bfdd.kill();
        self.bfdd = self.suite.bfdd()?;
        Ok(())
    }

    /// Has it carry out commands, as one would type them; what it answers.
    pub fn tell(&self, commands: &[&str]) -> Result<String> {
        let directory = self.suite.directory.to_string_lossy();
        let commands = commands.iter().flat_map(|command| ["-c", command]);
        let arguments: Vec<&str> =
            ["--vty_socket", &directory, "-d", "bfdd"].into_iter().chain(commands).collect();
        self.suite.host.run("/usr/bin/vtysh", &arguments)
    }
}

/// The programs of FRR in a host, with their configuration and a place for their sockets.
struct Suite {
    host: Host,
    config: PathBuf,
    directory: PathBuf,
}

impl Suite {
    fn new(host: &Host, lines: &str) -> Result<Self> {
        let config = host.file("frr.conf", lines)?;
        // They give up root's rights.
        let directory = host.directory().join("frr");
        std::fs::create_dir(&directory)?;
        std::fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        Ok(Self { host: host.clone(), config, directory })
    }

    fn spawn(&self, name: &str, flags: &[&str]) -> Result<Process> {
        let spawn =
            self.host.process(name, format!("/usr/lib/frr/{name}")).args(["--log", "stdout", "--vty_socket"]);
        let spawn = spawn.arg(&self.directory).arg("-z").arg(self.zebra_socket()).arg("-f").arg(&self.config);
        spawn.arg("-i").arg(self.directory.join(format!("{name}.pid"))).args(flags).start()
    }

    fn zebra_socket(&self) -> PathBuf {
        self.directory.join("zserv.sock")
    }

    fn zebra(&self) -> Result<Process> {
        let zebra = self.spawn("zebra", &[])?;
        wait::until("zebra listens", wait::LONG, || self.zebra_socket().exists())?;
        Ok(zebra)
    }

    fn bfdd(&self) -> Result<Process> {
        let control = self.directory.join("bfdd.sock");
        self.spawn("bfdd", &["--bfdctl", &control.to_string_lossy()])
    }
}
