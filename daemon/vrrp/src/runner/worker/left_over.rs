//! What programs left behind that were killed, and this run does not want: told once, at the start. It bears the mark that all
//! of keepalived and keepwatch share, so it can't be known whose it was, and nobody takes it away. Where another such
//! program runs in this network it is that one's, and nothing is told.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{RoutingEntry, RoutingFact};
use keepwatch_model::{Family as RouteFamily, RoutingTable};
use keepwatch_net::address::PROTOCOL_KEEPALIVED;
use keepwatch_net::link::LinkTable;
use keepwatch_net::netlink::{Marked, Monitor};

use super::Worker;
use crate::Definitions;
use crate::link::prefix_of;
use crate::spec::is_mark;

/// What this run wants, of what may be there from before.
pub(super) struct Wanted {
    addresses: HashSet<(IpAddr, u8)>,
    routing: HashSet<Marked>,
    /// Where routes of VRFs lead: which table that is the kernel knows.
    of_vrfs: HashSet<(IpAddr, u8)>,
}

impl Wanted {
    pub(super) fn by(definitions: &Definitions) -> Self {
        let mut wanted = Self { addresses: HashSet::new(), routing: HashSet::new(), of_vrfs: HashSet::new() };
        let routers = || definitions.routers.iter().map(|router| &router.spec);
        for address in routers().flat_map(|spec| spec.addresses.iter()) {
            wanted.addresses.insert((address.address, prefix_of(address)));
        }
        for entry in definitions.statics.iter().chain(routers().flat_map(|spec| spec.routing.iter())) {
            wanted.add(entry);
        }
        wanted
    }

    fn add(&mut self, entry: &RoutingEntry) {
        match entry {
            RoutingEntry::Address(address) => {
                self.addresses.insert((address.address, prefix_of(address)));
            }
            RoutingEntry::Rule(rule) => {
                let (ipv6, preference) = (rule.family == RouteFamily::Inet6, rule.preference);
                self.routing.insert(Marked::Rule { ipv6, preference });
            }
            RoutingEntry::Route(route) => {
                let (destination, length) = (route.destination.address, route.destination.length);
                match route.table {
                    RoutingTable::Id(table) => {
                        self.routing.insert(Marked::Route { destination, length, table });
                    }
                    RoutingTable::Vrf(_) => {
                        self.of_vrfs.insert((destination, length));
                    }
                }
            }
        }
    }

    fn has(&self, there: &Marked) -> bool {
        let of_vrf = match there {
            Marked::Route { destination, length, .. } => self.of_vrfs.contains(&(*destination, *length)),
            Marked::Rule { .. } => false,
        };
        of_vrf || self.routing.contains(there)
    }
}

impl Worker {
    /// Tells of what is there and not wanted.
    pub(super) fn tell_left_over(&mut self, wanted: &Wanted, cause: Option<EventId>) {
        let interfaces = std::mem::take(&mut self.strange).into_iter();
        let mut what: Vec<String> = interfaces.map(|name| format!("interface {name}")).collect();
        what.extend(addresses(wanted));
        // What the kernel does not tell can't be told.
        let there = Marked::all().unwrap_or_default();
        what.extend(there.iter().filter(|entry| !wanted.has(entry)).map(words));
        if !what.is_empty() && !another_runs_here() {
            self.bus.publish(cause, RoutingFact::LeftOver { what });
        }
    }
}

/// The addresses that are there and not wanted; those of the interfaces of virtual routers go with them.
fn addresses(wanted: &Wanted) -> Vec<String> {
    let mut links = LinkTable::default();
    let dumped = Monitor::open()
        .and_then(|mut monitor| monitor.dump(|notification| links.apply(notification, |_| {})));
    if dumped.is_err() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for link in links.iter().filter(|link| !link.report.alias.as_deref().is_some_and(is_mark)) {
        let marked = link.addresses.iter().filter(|address| address.protocol == PROTOCOL_KEEPALIVED);
        let left = marked.filter(|address| !wanted.addresses.contains(&(address.address, address.prefix)));
        found.extend(left.map(|a| format!("address {}/{} dev {}", a.address, a.prefix, link.report.name)));
    }
    found.sort();
    found
}

fn words(entry: &Marked) -> String {
    match entry {
        Marked::Route { destination, length, table } => {
            let family = if destination.is_ipv6() { "-6 " } else { "" };
            format!("{family}route {destination}/{length} table {table}")
        }
        Marked::Rule { ipv6, preference } => {
            format!("{}rule {preference}", if *ipv6 { "-6 " } else { "" })
        }
    }
}

/// Whether another program runs in this network whose entries have the same mark. The supervisor and what else is of this
/// daemon does not count.
///
/// The link below `ns` is refused for a process that has more rights than this one (ptrace(2)), as any keepalived has; but
/// what the kernel shows below `net` is one file for all processes of a network, and anybody may ask which.
fn another_runs_here() -> bool {
    let network = |of: &str| {
        let dev = fs::metadata(format!("/proc/{of}/net/dev"))?;
        Ok::<_, io::Error>((dev.dev(), dev.ino()))
    };
    let (here, own) = (network("thread-self").ok(), std::process::id());
    let daemon = [own, nix::unistd::getppid().as_raw().unsigned_abs()];
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let names = processes.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.parse::<u32>().is_ok_and(|number| !daemon.contains(&number))).any(|number| {
        marks(&number)
            && match network(&number) {
                Ok(network) => Some(network) == here,
                // Any other error is that of a process which has ended, and is nowhere: nobody has asked for it yet.
                Err(error) => error.kind() == ErrorKind::PermissionDenied,
            }
    })
}

/// Whether that process is of a program that makes entries with the mark. The supervisor and the worker have one name,
/// whatever their files are called.
fn marks(number: &str) -> bool {
    let name = fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
    name.trim_end() == "keepwatchd" || name.starts_with("keepalived")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keepwatch_model::{InterfaceAddress, VirtualRouterId};

    use super::*;
    use crate::{RouterDefinition, RouterSpec};

    #[test]
    fn what_a_definition_has_is_wanted_and_nothing_else() {
        let address = |text: &str| InterfaceAddress::host(text.parse().unwrap());
        let vips = Arc::from([address("10.0.0.9")]);
        let spec = RouterSpec::new("VI_1".into(), "eth0".into(), VirtualRouterId(51), vips);
        let statics = Arc::from([RoutingEntry::Address(Box::new(address("10.0.0.8")))]);
        let routers = vec![RouterDefinition::detached(spec)];
        let wanted = Wanted::by(&Definitions { routers, statics, ..Definitions::default() });
        for (text, prefix, is) in
            [("10.0.0.9", 32, true), ("10.0.0.8", 32, true), ("10.0.0.9", 24, false), ("10.0.0.7", 32, false)]
        {
            assert_eq!(wanted.addresses.contains(&(text.parse().unwrap(), prefix)), is, "{text}/{prefix}");
        }
        assert!(!wanted.has(&Marked::Rule { ipv6: false, preference: 0 }));
    }
}
