//! net-snmp's receiver of notifications.

use anyhow::Result;

use crate::{Host, Process, wait};

/// A running snmptrapd in a host.
pub struct Snmptrapd {
    process: Process,
}

impl Snmptrapd {
    /// What makes an [`Snmpd`](super::snmpd::Snmpd) of the same host send its notifications here.
    pub const SINK: &'static str = "trap2sink 127.0.0.1:1162 public";

    /// Starts it and waits until it listens.
    pub fn start(host: &Host) -> Result<Self> {
        let config =
            host.file("snmptrapd.conf", "disableAuthorization yes\nsnmpTrapdAddr udp:127.0.0.1:1162\n")?;
        let process = host
            .process("snmptrapd", "snmptrapd")
            .args(["-f", "-Lo", "-On", "-C", "-F", "TRAP %v\\n", "-c"])
            .arg(config)
            .env("SNMP_PERSISTENT_DIR", host.directory())
            .env("MIBS", "")
            .start()?;
        let receiver = Self { process };
        wait::until("snmptrapd listens", wait::SHORT, || {
            receiver.process.log().contains("NET-SNMP version")
        })?;
        Ok(receiver)
    }

    /// Every notification so far: its objects in their order, each as `OID = TYPE: value`, without sysUpTime.0.
    pub fn traps(&self) -> Vec<Vec<String>> {
        let log = self.process.log();
        let traps = log.lines().filter_map(|line| line.split_once("TRAP ").map(|(_, objects)| objects));
        traps.map(|objects| objects.split('\t').skip(1).map(str::to_owned).collect()).collect()
    }
}
