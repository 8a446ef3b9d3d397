//! One machine of the lab: a network namespace with interfaces, addresses, a firewall and processes.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    lab::{Bridge, Shared},
    netns,
    process::{Process, Spawn},
    wait,
};

pub(crate) mod link;

/// A machine of the lab. Cheap to clone; the namespace goes when the last clone and the last process in it go.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    namespace: OwnedFd,
    directory: PathBuf,
    shared: Arc<Shared>,
}

impl Host {
    pub(crate) fn new(name: &str, shared: Arc<Shared>) -> Result<Self> {
        let directory = shared.directory.path().join(name);
        fs::create_dir(&directory).with_context(|| format!("make the directory of host {name}"))?;
        let namespace = netns::anonymous()?;
        netns::inside(&namespace, || {
            // No duplicate address detection: a lab's addresses are known to be its own. Where /proc/sys is
            // read-only (containers) the addresses are added with `nodad` all the same.
            for which in ["default", "all"] {
                let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{which}/accept_dad"), "0");
            }
            link::set_up("lo", true)
        })?;
        Ok(Self { inner: Arc::new(Inner { name: name.to_owned(), namespace, directory, shared }) })
    }

    /// The host's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// A directory for this host's files and logs.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// The whole lab's directory.
    pub(crate) fn lab_directory(&self) -> &Path {
        self.inner.shared.directory.path()
    }

    /// Writes a file in the host's directory and returns its path.
    pub fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.inner.directory.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// Connects the host to `bridge` by an interface of this name, takes it up, and waits until frames pass.
    pub fn plug(&self, interface: &str, bridge: &Bridge) -> Result<&Self> {
        let shared = &self.inner.shared;
        let outer = format!("c{}", shared.next_cable());
        netns::inside(&shared.switch, || {
            link::add_cable(&outer, &bridge.name, interface, &self.inner.namespace)
        })?;
        self.up(interface)?;
        wait::until("both ends of the cable have noticed each other", wait::SHORT, || {
            netns::inside(&shared.switch, || link::is_operational(&outer)).unwrap_or_default()
                && self.inside(|| link::is_operational(interface)).unwrap_or_default()
        })?;
        Ok(self)
    }

    /// Puts the cable of an interface into another bridge: the host itself sees nothing of it.
    pub fn replug(&self, interface: &str, bridge: &Bridge) -> Result<()> {
        let outer = self.inside(|| link::other_end(interface))?;
        netns::inside(&self.inner.shared.switch, || link::move_port(outer, &bridge.name))
    }

    /// Takes an interface up.
    pub fn up(&self, interface: &str) -> Result<&Self> {
        self.inside(|| link::set_up(interface, true))?;
        Ok(self)
    }

    /// Takes an interface down.
    pub fn down(&self, interface: &str) -> Result<&Self> {
        self.inside(|| link::set_up(interface, false))?;
        Ok(self)
    }

    /// Removes an interface.
    pub fn remove_interface(&self, interface: &str) -> Result<&Self> {
        self.inside(|| link::remove(interface))?;
        Ok(self)
    }

    /// Adds an address, written `10.0.0.1/24`.
    pub fn address(&self, interface: &str, address: &str) -> Result<&Self> {
        let (ip, prefix) =
            address.split_once('/').with_context(|| format!("{address} has no prefix length"))?;
        let (ip, prefix) = (ip.parse()?, prefix.parse()?);
        self.inside(|| link::add_address(interface, ip, prefix))?;
        Ok(self)
    }

    /// Removes an address wherever it is; says whether there was one.
    pub fn remove_address(&self, address: &str) -> Result<bool> {
        let address = address.parse()?;
        self.inside(|| link::remove_address(address))
    }

    /// The addresses of an interface.
    pub fn addresses(&self, interface: &str) -> Result<Vec<IpAddr>> {
        self.inside(|| link::addresses(interface))
    }

    /// Whether an interface has this address. False when there is no such interface.
    pub fn has(&self, interface: &str, address: &str) -> bool {
        let Ok(address) = address.parse::<IpAddr>() else { return false };
        self.addresses(interface).is_ok_and(|all| all.contains(&address))
    }

    /// Runs `work` on a thread inside the host.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        netns::inside(&self.inner.namespace, work)
    }

    pub(crate) fn namespace(&self) -> &OwnedFd {
        &self.inner.namespace
    }

    /// Runs a command in the host to its end and returns its output, whatever its exit status.
    pub fn output(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(&program);
        command.args(arguments);
        self.inside(|| command.output().with_context(|| format!("run {}", program_name(&command))))
    }

    /// Runs a command in the host to its end and returns what it wrote to standard output.
    ///
    /// # Errors
    /// When it does not end with success; its standard error is in the message.
    pub fn run(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Result<String> {
        let program = program.as_ref();
        let output = self.output(program, arguments)?;
        ensure!(
            output.status.success(),
            "{} {arguments:?} in host {}: {}: {}",
            program.display(),
            self.name(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Prepares a process to run in the host.
    pub fn process(&self, name: &str, program: impl AsRef<std::ffi::OsStr>) -> Spawn {
        Spawn::new(self.clone(), name, program.as_ref())
    }

    /// Starts a process in the host; its output goes to a log file.
    pub fn spawn(
        &self,
        name: &str,
        program: impl AsRef<std::ffi::OsStr>,
        arguments: &[&str],
    ) -> Result<Process> {
        self.process(name, program).args(arguments).start()
    }

    /// A TCP listener in the host.
    pub fn listen(&self, at: SocketAddr) -> Result<TcpListener> {
        self.inside(|| TcpListener::bind(at).with_context(|| format!("listen on {at}")))
    }

    /// A TCP connection from the host.
    pub fn connect(&self, to: SocketAddr, limit: Duration) -> Result<TcpStream> {
        self.inside(|| TcpStream::connect_timeout(&to, limit).with_context(|| format!("connect to {to}")))
    }

    /// Loads nftables rules (a whole ruleset file's text) in the host, besides those that are there.
    pub fn firewall(&self, rules: &str) -> Result<&Self> {
        let file = self.file("rules.nft", rules)?;
        self.run("nft", &["-f", &file.to_string_lossy()])?;
        Ok(self)
    }

    /// Drops everything that the host would receive and that it sends, but on loopback: a partition.
    /// ARP is IPv4's business too, so it is dropped as well.
    pub fn isolate(&self) -> Result<&Self> {
        self.firewall(
            "table inet lab {
                 chain in { type filter hook input priority -300; iif != lo drop; }
                 chain out { type filter hook output priority -300; oif != lo drop; }
             }
             table arp lab {
                 chain in { type filter hook input priority -300; drop; }
                 chain out { type filter hook output priority -300; drop; }
             }
            ",
        )
    }

    /// Removes all firewall rules.
    pub fn open_firewall(&self) -> Result<&Self> {
        self.run("nft", &["flush", "ruleset"])?;
        Ok(self)
    }
}

fn program_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
