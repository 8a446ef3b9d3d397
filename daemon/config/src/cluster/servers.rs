//! The virtual servers of machines that take over from each other: whoever does must balance as the other one did.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::checks;
use super::file::{Block, File, Finding};
use crate::diagnostics::Diagnostic;
use crate::model::{GroupEntry, RealServer, VirtualServer, VirtualServerKey};
use crate::tree::Node;

const CODE: &str = "cluster-virtual-servers";

/// A virtual server of a file.
#[derive(Clone, Copy)]
struct Server<'a> {
    server: &'a VirtualServer,
    block: Block<'a>,
}

/// Compares the virtual servers of the files of a cluster.
pub(super) fn compare<'a>(files: &[&'a File<'a>], findings: &mut super::Findings) {
    let mut keys: Vec<&VirtualServerKey> = Vec::new();
    let mut known: HashMap<&VirtualServerKey, Vec<Server<'a>>> = HashMap::new();
    for (server, block) in files.iter().flat_map(|file| file.servers()) {
        let same = known.entry(&server.key).or_default();
        if same.is_empty() {
            keys.push(&server.key);
        }
        same.push(Server { server, block });
    }
    let holders = Holders::of(files);
    let mut missing = Vec::new();
    for key in keys {
        let Some(same) = known.get(key) else { continue };
        let Some((first, others)) = same.split_first() else { continue };
        for here in others {
            differences(*here, *first, findings);
        }
        let has = |file: &File<'_>| same.iter().any(|server| server.block.file.number == file.number);
        let lacking: Vec<&File<'a>> =
            holders.of_key(key, files).into_iter().filter(|file| !has(file)).collect();
        if !lacking.is_empty() {
            missing.push((*first, lacking));
        }
    }
    tell_missing(missing, findings);
    if let Some((first, others)) = files.split_first() {
        for here in others {
            findings.add(here, groups(here, first));
        }
    }
}

/// Which files have instances with an address.
struct Holders<'a>(Vec<(&'a File<'a>, HashSet<IpAddr>)>);

impl<'a> Holders<'a> {
    fn of(files: &[&'a File<'a>]) -> Self {
        let addresses = |file: &File<'_>| {
            file.config.instances.iter().flat_map(super::routers::addresses).collect::<HashSet<IpAddr>>()
        };
        Self(files.iter().map(|file| (*file, addresses(file))).collect())
    }

    /// The files that should have a virtual server: those whose instances have its address, else all. That one lacks
    /// the address itself is said of the address.
    fn of_key(&self, key: &VirtualServerKey, all: &[&'a File<'a>]) -> Vec<&'a File<'a>> {
        let Some(address) = key.address() else { return all.to_vec() };
        let holding = self.0.iter().filter(|(_, addresses)| addresses.contains(&address));
        let holding: Vec<&File<'_>> = holding.map(|(file, _)| *file).collect();
        if holding.is_empty() { all.to_vec() } else { holding }
    }
}

/// Says which virtual servers are not in which files. Of a file that has none at all, this is said once.
fn tell_missing<'a>(missing: Vec<(Server<'a>, Vec<&'a File<'a>>)>, findings: &mut super::Findings) {
    let mut without_any: HashSet<usize> = HashSet::new();
    for (at, (only, lacking)) in missing.iter().enumerate() {
        let fresh =
            |file: &&&File<'_>| !file.config.virtual_servers.is_empty() || without_any.insert(file.number);
        let lacking: Vec<&&File<'_>> = lacking.iter().filter(fresh).collect();
        let names: Vec<String> = lacking.iter().map(|file| file.path.display().to_string()).collect();
        if names.is_empty() || other_port(*only, &missing, at, findings) {
            continue;
        }
        let names = names.join(" and ");
        let message = match lacking.iter().all(|file| file.config.virtual_servers.is_empty()) {
            true => format!("there are no virtual servers in {names}"),
            false => format!("the virtual server {} is not in {names}", only.server.key),
        };
        let diagnostic = Diagnostic::warning(CODE, message)
            .at(only.block.head(), "only here")
            .help("nobody answers for it after a takeover");
        findings.add(only.block.file, [diagnostic]);
    }
}

/// A virtual server that the other of two files has at the same address, but at another port or of another protocol:
/// said of the one in the later file, so nothing is said of the earlier one.
fn other_port<'a>(
    only: Server<'a>,
    missing: &[(Server<'a>, Vec<&'a File<'a>>)],
    at: usize,
    findings: &mut super::Findings,
) -> bool {
    let Some(address) = only.server.key.address() else { return false };
    let alike = |other: &Server<'_>| other.server.key.address() == Some(address);
    let file = only.block.file.number;
    let same_side =
        missing.iter().filter(|(other, _)| alike(other) && other.block.file.number == file).count();
    let mut others =
        missing.iter().enumerate().filter(|(_, (other, _))| alike(other) && other.block.file.number != file);
    let (Some((number, (other, _))), None, 1) = (others.next(), others.next(), same_side) else {
        return false;
    };
    if number < at {
        let message = format!(
            "the virtual server is {} here and {} in {}",
            only.server.key,
            other.server.key,
            other.block.file.path.display()
        );
        let diagnostic = Diagnostic::warning(CODE, message)
            .at(only.block.head(), "here")
            .also(other.block.head(), "in the other file")
            .help("nobody answers for it after a takeover");
        findings.add(only.block.file, [diagnostic]);
    }
    true
}

/// A setting: its keywords, and how it is told.
type Setting<T> = (&'static [&'static str], fn(&T) -> String);

/// What both must say of a virtual server.
const SETTINGS: &[Setting<VirtualServer>] = &[
    (&["lvs_sched"], |server| server.scheduler.to_string()),
    (&["lvs_method"], |server| method(server.forwarding)),
    (&["persistence_timeout"], |server| match server.persistence_timeout {
        Some(time) => format!("{time:?}"),
        None => "none".to_owned(),
    }),
    (&["persistence_granularity"], |server| optional(server.persistence_granularity.as_ref())),
    (&["persistence_engine"], |server| optional(server.persistence_engine.as_ref())),
    (&["quorum"], |server| server.quorum.to_string()),
    (&["hysteresis"], |server| server.hysteresis.to_string()),
    (&["weight"], |server| server.weight.to_string()),
    (&["inhibit_on_failure"], |server| on(server.inhibit_on_failure)),
    (&["sorry_server"], |server| optional(server.sorry_server.as_ref().map(|sorry| sorry.address).as_ref())),
    (&["ops"], |server| on(server.flags.one_packet)),
    (&["sh-fallback", "mh-fallback", "flag-1"], |server| on(server.flags.sched_1)),
    (&["sh-port", "mh-port", "flag-2"], |server| on(server.flags.sched_2)),
];

/// What both must say of a real server. What it has from its virtual server is said there.
const REAL_SETTINGS: &[Setting<RealServer>] = &[
    (&["weight"], |real| real.weight.to_string()),
    (&["lvs_method"], |real| method(real.forwarding)),
    (&["uthreshold"], |real| real.upper_threshold.to_string()),
    (&["lthreshold"], |real| real.lower_threshold.to_string()),
    (&["inhibit_on_failure"], |real| on(real.inhibit_on_failure)),
];

fn on(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

fn optional<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "none".to_owned(), T::to_string)
}

fn method(forwarding: crate::model::Forwarding) -> String {
    use crate::model::Forwarding;
    match forwarding {
        Forwarding::Nat | Forwarding::Dr => forwarding.to_string(),
        Forwarding::Tun(tunnel) => format!("{forwarding} {tunnel:?}"),
    }
}

fn differences(here: Server<'_>, there: Server<'_>, findings: &mut super::Findings) {
    let key = here.server.key.to_string();
    let file = here.block.file;
    let other = there.block.file.path.display();
    for (keywords, value) in SETTINGS {
        let (one, another) = (value(here.server), value(there.server));
        if one != another {
            let keyword = keywords.first().copied().unwrap_or_default();
            let message = format!("`{keyword}` of {key} is {one} here and {another} in {other}");
            let diagnostic = Diagnostic::warning(CODE, message).help("a takeover changes it");
            findings.add(file, Finding { diagnostic, keywords }.said_of(here.block, there.block));
        }
    }
    real_servers(here, there, findings);
}

/// The real servers of a virtual server with their blocks, by address.
fn reals<'a>(server: Server<'a>) -> Vec<(&'a RealServer, Block<'a>)> {
    let blocks = server.block.inner(|node| node.keyword.name == "real_server" && !node.bad);
    let mut by_address: HashMap<String, Block<'a>> = HashMap::new();
    for block in blocks {
        by_address.entry(written_address(block.node())).or_insert(block);
    }
    let real = |real: &'a RealServer| {
        let (address, port) = (real.address.ip(), real.address.port());
        // Without a port it has that of the virtual server.
        let found =
            by_address.get(&format!("{address} {port}")).or_else(|| by_address.get(&format!("{address} ")));
        (real, found.copied().unwrap_or(server.block))
    };
    server.server.real_servers.iter().map(real).collect()
}

/// Address and port, as one text however they were spelt.
fn written_address(node: &Node) -> String {
    let address = node.arg(0).unwrap_or("");
    let address =
        address.parse::<IpAddr>().map_or_else(|_| address.to_owned(), |address| address.to_string());
    let port = node.arg(1).unwrap_or("");
    let port = port.parse::<u16>().map_or_else(|_| port.to_owned(), |port| port.to_string());
    format!("{address} {port}")
}

fn real_servers(here: Server<'_>, there: Server<'_>, findings: &mut super::Findings) {
    let (ours, theirs) = (reals(here), reals(there));
    let by_address: HashMap<_, _> =
        theirs.iter().map(|(real, block)| (real.address, (*real, *block))).collect();
    let known: HashSet<_> = ours.iter().map(|(real, _)| real.address).collect();
    let mut checked_otherwise = false;
    for (real, block) in &ours {
        let Some((other, other_block)) = by_address.get(&real.address) else { continue };
        let (one, another) = ((*real, *block), (*other, *other_block));
        findings.add(here.block.file, real_settings(one, another, &here.server.key));
        let Some(found) = checks::compare(one, another, &here.server.key) else { continue };
        // What the checkers of all have from their virtual server is said once.
        if !found.inherited || !std::mem::replace(&mut checked_otherwise, true) {
            findings.add(here.block.file, [found.diagnostic]);
        }
    }
    let only_here: Vec<_> = ours.iter().filter(|(real, _)| !by_address.contains_key(&real.address)).collect();
    let only_there: Vec<_> = theirs.iter().filter(|(real, _)| !known.contains(&real.address)).collect();
    let key = &here.server.key;
    if only_here.len() == only_there.len() {
        for ((real, block), (other, other_block)) in only_here.into_iter().zip(only_there) {
            let file = there.block.file.path.display();
            let message =
                format!("a real server of {key} is {} here and {} in {file}", real.address, other.address);
            let diagnostic = Diagnostic::warning("cluster-real-servers", message)
                .at(block.head(), "here")
                .also(other_block.head(), "in the other file")
                .help("a takeover sends clients elsewhere");
            findings.add(here.block.file, [diagnostic]);
        }
        return;
    }
    for (only, lacking, list) in [(here, there, only_here), (there, here, only_there)] {
        for (real, block) in list {
            let file = lacking.block.file.path.display();
            let message = format!("the real server {} of {key} is not in {file}", real.address);
            let diagnostic = Diagnostic::warning("cluster-real-servers", message)
                .at(block.head(), "only here")
                .also(lacking.block.head(), "not in this one")
                .help("a takeover sends clients elsewhere");
            findings.add(only.block.file, [diagnostic]);
        }
    }
}

fn real_settings(
    (real, block): (&RealServer, Block<'_>),
    (other, other_block): (&RealServer, Block<'_>),
    key: &VirtualServerKey,
) -> Vec<Diagnostic> {
    let written = |keywords| block.keyword(keywords).is_some() || other_block.keyword(keywords).is_some();
    let differing = REAL_SETTINGS.iter().filter_map(|(keywords, value)| {
        let (one, another) = (value(real), value(other));
        if one == another || !written(keywords) {
            return None;
        }
        let keyword = keywords.first().copied().unwrap_or_default();
        let file = other_block.file.path.display();
        let message = format!(
            "`{keyword}` of real server {} of {key} is {one} here and {another} in {file}",
            real.address
        );
        let diagnostic = Diagnostic::warning("cluster-real-servers", message).help("a takeover changes it");
        Finding { diagnostic, keywords }.said_of(block, other_block)
    });
    differing.collect()
}

/// Groups of virtual servers with one name but other entries.
fn groups<'a>(here: &'a File<'a>, there: &'a File<'a>) -> Vec<Diagnostic> {
    let entries = |list: &[GroupEntry]| list.iter().copied().collect::<HashSet<GroupEntry>>();
    let mut found = Vec::new();
    for group in &here.config.virtual_server_groups {
        let other = there.config.virtual_server_groups.iter().find(|other| other.name == group.name);
        let blocks = [here, there].map(|file| file.block("virtual_server_group", &group.name));
        let (Some(other), [Some(block), Some(other_block)]) = (other, blocks) else { continue };
        let (ours, theirs) = (entries(&group.entries), entries(&other.entries));
        if ours == theirs {
            continue;
        }
        let only = |list: &[GroupEntry], known: &HashSet<GroupEntry>, block: Block<'a>| {
            list.iter().position(|entry| !known.contains(entry)).and_then(|number| block.line(number))
        };
        let file = there.path.display();
        let message =
            format!("the virtual server group `{}` has other entries here than in {file}", group.name);
        let mut diagnostic = Diagnostic::warning(CODE, message).help("a takeover loses those that differ");
        diagnostic = match only(&group.entries, &theirs, block) {
            Some(span) => diagnostic.at(span, "only here"),
            None => diagnostic.at(block.head(), "not all that are in the other file"),
        };
        if let Some(span) = only(&other.entries, &ours, other_block) {
            diagnostic = diagnostic.also(span, "only in the other file");
        }
        found.push(diagnostic);
    }
    found
}
