//! net-snmp's master agent, and walks through it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{Host, Process, wait};

/// A running snmpd with AgentX in a host.
pub struct Snmpd {
    process: Process,
    host: Host,
    socket: PathBuf,
}

impl Snmpd {
    /// Where it answers, in its host.
    pub const ADDRESS: &'static str = "127.0.0.1:1161";

    /// The AgentX socket that an snmpd of this host has or will have.
    pub fn socket_of(host: &Host) -> PathBuf {
        host.directory().join("agentx.sock")
    }

    /// Starts it and waits until it answers.
    pub fn start(host: &Host) -> Result<Self> {
        Self::start_with(host, "")
    }

    /// The same, with these lines more in its configuration.
    pub fn start_with(host: &Host, lines: &str) -> Result<Self> {
        let socket = Self::socket_of(host);
        let config = host.file(
            "snmpd.conf",
            &format!(
                "agentaddress udp:{}\nrocommunity public 127.0.0.1\nmaster agentx\n\
                 agentXSocket unix:{}\nagentXPerms 0777 0777\n{lines}\n",
                Self::ADDRESS,
                socket.display()
            ),
        )?;
        let process = host
            .process("snmpd", "snmpd")
            .args(["-f", "-Lo", "-C", "-c"])
            .arg(config)
            .env("SNMP_PERSISTENT_DIR", host.directory())
            .env("MIBS", "")
            .start()?;
        let agent = Self { process, host: host.clone(), socket };
        wait::until("snmpd answers", wait::SHORT, || {
            agent.walk(".1.3.6.1.2.1.1.3").is_ok_and(|text| !text.is_empty())
        })?;
        Ok(agent)
    }

    /// The AgentX socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to stop or kill it.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Gets one object, numeric: `OID = TYPE: value`.
    pub fn get(&self, oid: &str) -> Result<String> {
        self.host.run(
            "snmpget",
            &["-On", "-m", "", "-v2c", "-c", "public", "-t", "5", "-r", "0", Self::ADDRESS, oid],
        )
    }

    /// All objects below `oid`, one a line: `OID = TYPE: value`, numeric.
    pub fn walk(&self, oid: &str) -> Result<String> {
        self.host.run(
            "snmpbulkwalk",
            &["-On", "-m", "", "-v2c", "-c", "public", "-t", "5", "-r", "0", Self::ADDRESS, oid],
        )
    }
}
