//! FRR in a host: another implementation of VRRP version 3.

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
        let config = host.file("frr.conf", &lines)?;
        // Both give up root's rights, and need a place for their sockets.
        let directory = host.directory().join("frr");
        std::fs::create_dir(&directory)?;
        std::fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        let socket = directory.join("zserv.sock");
        let spawn = |name: &str| {
            let spawn =
                host.process(name, format!("/usr/lib/frr/{name}")).args(["--log", "stdout", "--vty_socket"]);
            let spawn = spawn.arg(&directory).arg("-z").arg(&socket).arg("-f").arg(&config);
            spawn.arg("-i").arg(directory.join(format!("{name}.pid"))).start()
        };
        let zebra = spawn("zebra")?;
        wait::until("zebra listens", wait::LONG, || socket.exists())?;
        Ok(Self { vrrpd: spawn("vrrpd")?, _zebra: zebra })
    }

    /// The process that speaks VRRP.
    pub fn vrrpd(&mut self) -> &mut Process {
        &mut self.vrrpd
    }
}
