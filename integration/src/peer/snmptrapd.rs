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
            .args(["-f", "-Lo", "-On", "-C", "-F", "TRAP %v END\\n", "-c"])
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
        let traps = log.split("TRAP ").skip(1).filter_map(|rest| Some(rest.split_once(" END\n")?.0));
        traps.map(objects).collect()
    }
}

/// The objects of a notification. Octets that are a tab or a line feed are written as such, also those of an address.
fn objects(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in text.split('\t').skip(1) {
        match found.last_mut().filter(|_| !piece.starts_with(".1.")) {
            Some(last) => *last += &format!("\t{piece}"),
            None => found.push(piece.to_owned()),
        }
    }
    found
}
