//! The building: a directory for files and logs, a switch with bridges, and a factory of hosts.

use std::{
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    capture::Capture,
    host::{Host, link},
    netns,
};

/// One network laboratory. It goes with the last of it and of the hosts and bridges made from it.
pub struct Lab {
    shared: Arc<Shared>,
}

/// What hosts and bridges keep alive of the lab.
pub(crate) struct Shared {
    pub(crate) directory: TempDir,
    pub(crate) switch: OwnedFd,
    cables: AtomicU32,
}

impl Shared {
    /// The number of the next veth pair: names inside the switch must differ.
    pub(crate) fn next_cable(&self) -> u32 {
        self.cables.fetch_add(1, Ordering::Relaxed)
    }
}

impl Lab {
    /// Makes an empty lab; `name` is only for people who look at the temporary directory.
    ///
    /// # Errors
    /// When there is no right to make network namespaces.
    pub fn new(name: &str) -> Result<Self> {
        nix::sys::prctl::set_child_subreaper(true).context("become the reaper of orphans")?;
        let directory = tempfile::Builder::new()
            .prefix(&format!("kw-{name}-"))
            .tempdir()
            .context("make the lab's temporary directory")?;
        // Daemons that give up their rights must reach their files too.
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let switch = netns::anonymous()?;
        Ok(Self { shared: Arc::new(Shared { directory, switch, cables: AtomicU32::new(0) }) })
    }

    /// Where the lab's files and logs are; removed with the lab.
    pub fn directory(&self) -> &Path {
        self.shared.directory.path()
    }

    /// A new bridge, up and without multicast snooping: a LAN that floods as a plain hub does for multicast.
    pub fn bridge(&self, name: &str) -> Result<Bridge> {
        netns::inside(&self.shared.switch, || link::add_bridge(name))?;
        Ok(Bridge { name: name.to_owned(), shared: Arc::clone(&self.shared) })
    }

    /// A new host: a network namespace with loopback up and nothing plugged in.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::new(name, Arc::clone(&self.shared))
    }

    /// `count` hosts `a`, `b`, … on one bridge `lan`; host number i (from 1) has 10.78.0.i/16 and fd78::i/64 on
    /// `eth0`. The network most tests want.
    pub fn routers(&self, count: u8) -> Result<(Bridge, Vec<Host>)> {
        let lan = self.bridge("lan")?;
        let hosts = (1..=count).map(|i| lan.router(i)).collect::<Result<Vec<_>>>()?;
        Ok((lan, hosts))
    }
}

/// One LAN.
#[derive(Clone)]
pub struct Bridge {
    pub(crate) name: String,
    pub(crate) shared: Arc<Shared>,
}

impl Bridge {
    /// A new host on this LAN, number `i` of [`Lab::routers`].
    pub fn router(&self, i: u8) -> Result<Host> {
        let host = Host::new(&char::from(b'a' + i - 1).to_string(), Arc::clone(&self.shared))?;
        host.plug("eth0", self)?
            .address("eth0", &format!("10.78.0.{i}/16"))?
            .address("eth0", &format!("fd78::{i}/64"))?;
        Ok(host)
    }

    /// Starts to record every frame that is on this LAN from now on. Ready when it returns.
    pub fn capture(&self) -> Result<Capture> {
        let socket = netns::inside(&self.shared.switch, || crate::capture::socket::listen_on(&self.name))?;
        Capture::start(socket)
    }
}
