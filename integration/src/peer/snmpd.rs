//! net-snmp's master agent, and walks through it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Output,
};

use anyhow::{Result, ensure};

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

    /// The line that lets [`set`](Self::set) set.
    pub const WRITABLE: &'static str = "rwcommunity private 127.0.0.1";
    /// Where it listens for AgentX over TCP with [`OVER_TCP`](Self::OVER_TCP).
    pub const TCP: &'static str = "tcp:127.0.0.1:1705";
    /// The line that has it listen for AgentX over TCP, and on no Unix socket.
    pub const OVER_TCP: &'static str = "agentXSocket tcp:127.0.0.1:1705";

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

    /// Runs one of net-snmp's clients against it: version 2c as `community`, numeric names, one attempt.
    fn client(&self, program: &str, community: &str, rest: &[&str]) -> Result<Output> {
        let common = ["-On", "-m", "", "-v2c", "-c", community, "-t", "5", "-r", "0", Self::ADDRESS];
        self.host.output(program, &[&common, rest].concat())
    }

    fn answer(&self, program: &str, community: &str, rest: &[&str]) -> Result<String> {
        let output = self.client(program, community, rest)?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {rest:?}: {}: {error}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Gets one object, numeric: `OID = TYPE: value`.
    pub fn get(&self, oid: &str) -> Result<String> {
        self.get_as("public", oid)
    }

    /// The same as another community, which may stand for a context.
    pub fn get_as(&self, community: &str, oid: &str) -> Result<String> {
        self.answer("snmpget", community, &[oid])
    }

    /// Gets many at once: a line for each, as [`get`](Self::get) has it.
    pub fn get_all(&self, oids: &[String]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        // As many as fit a packet.
        for some in oids.chunks(50) {
            let names: Vec<&str> = some.iter().map(String::as_str).collect();
            lines.extend(self.answer("snmpget", "public", &names)?.lines().map(str::to_owned));
        }
        Ok(lines)
    }

    /// Sets objects, each as its name, the letter of its type and its value, and returns what the client says, whether it
    /// is done or refused. Needs [`WRITABLE`](Self::WRITABLE).
    pub fn set(&self, what: &[&str]) -> Result<String> {
        let output = self.client("snmpset", "private", what)?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// All objects below `oid`, one a line: `OID = TYPE: value`, numeric.
    pub fn walk(&self, oid: &str) -> Result<String> {
        self.answer("snmpbulkwalk", "public", &[oid])
    }

    /// What snmptable shows of a table by its name, `MODULE::table`, with the modules of these directories.
    pub fn table(&self, modules: &[&Path], table: &str) -> Result<String> {
        let directories: Vec<String> = modules.iter().map(|path| path.display().to_string()).collect();
        let module = table.split("::").next().unwrap_or_default();
        let common =
            ["-v2c", "-c", "public", "-t", "5", "-r", "0", "-m", module, "-M", &directories.join(":")];
        let output = self.host.output("snmptable", &[&common[..], &[Self::ADDRESS, table]].concat())?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

/// What a walk below `root` shows: the rest of each name behind the root, and its value with its type.
pub fn rows(walk: &str, root: &str) -> BTreeMap<String, String> {
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in walk.lines() {
        match line.strip_prefix(root).and_then(|line| line.split_once(" = ")) {
            Some((name, value)) => {
                name.clone_into(&mut last);
                rows.insert(last.clone(), value.to_owned());
            }
            // A string with a line end in it goes on.
            None => rows.entry(last.clone()).or_default().push_str(line),
        }
    }
    rows
}

/// What two such walks do not show alike: a line for each difference.
pub fn differences(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    names
        .into_iter()
        .filter(|name| ours.get(*name) != theirs.get(*name))
        .map(|name| format!("{name}: ours {:?}, theirs {:?}", ours.get(name), theirs.get(name)))
        .collect()
}
