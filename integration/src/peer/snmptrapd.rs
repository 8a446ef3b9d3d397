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

    /// What makes it send them to [`start_old`](Self::start_old) too, as traps of SNMPv1.
    pub const OLD_SINK: &'static str = "trapsink 127.0.0.1:1163 public";

    /// Starts it and waits until it listens.
    pub fn start(host: &Host) -> Result<Self> {
        Self::listen(host, "snmptrapd", 1162, "TRAP %v END\\n")
    }

    /// One for traps of SNMPv1. What [`traps`](Self::traps) has before the objects of each: the enterprise, the generic
    /// number and the specific one after a dot, with a space between.
    pub fn start_old(host: &Host) -> Result<Self> {
        Self::listen(host, "snmptrapd-old", 1163, "TRAP \\t%N %w %q\\t%v END\\n")
    }

    fn listen(host: &Host, name: &str, port: u16, format: &str) -> Result<Self> {
        let address = format!("disableAuthorization yes\nsnmpTrapdAddr udp:127.0.0.1:{port}\n");
        let config = host.file(&format!("{name}.conf"), &address)?;
        let process = host
            .process(name, "snmptrapd")
            .args(["-f", "-Lo", "-On", "-C", "-F", format, "-c"])
            .arg(config)
            // What it writes there is its own.
            .env("SNMP_PERSISTENT_DIR", host.directory().join(name))
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
