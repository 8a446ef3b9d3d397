//! What programs left behind that were killed, and this run does not want: told once, at the start. It bears the mark that all
//! of keepalived and keepwatch share, so it can't be known whose it was, and nobody takes it away: but for a virtual address
//! of this run on an interface where this run would never put it, or take it off. It was renamed meanwhile, or the
//! configuration was changed, and this host would go on to answer for an address of which another may be master. Where
//! another such program runs in this network all of it is that one's, and nothing is done or told.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{RoutingEntry, RoutingFact};
use keepwatch_bus::subject::Name;
use keepwatch_model::{Family as RouteFamily, RoutingTable};
use keepwatch_net::address::{AddressOperation, AddressSpec, PROTOCOL_KEEPALIVED, PresentAddress};
use keepwatch_net::link::{Link, LinkTable};
use keepwatch_net::netlink::{Marked, Monitor, Requests};
use keepwatch_net::promotion::{Promotion, would_take_along};

use super::Worker;
use crate::Definitions;
use crate::link::prefix_of;
use crate::spec::is_mark;
use crate::wire::IPPROTO_VRRP;

/// What this run wants, of what may be there from before.
#[derive(Default)]
pub(super) struct Wanted {
    /// Static ones.
    addresses: HashSet<(IpAddr, u8)>,
    /// Virtual ones, and where they belong.
    virtuals: HashMap<IpAddr, Vec<(Name, u8)>>,
    routing: HashSet<Marked>,
    /// Where routes of VRFs lead: which table that is the kernel knows.
    of_vrfs: HashSet<(IpAddr, u8)>,
}

impl Wanted {
    pub(super) fn by(definitions: &Definitions) -> Self {
        let mut wanted = Self::default();
        let routers = || definitions.routers.iter().map(|router| &router.spec);
        for spec in routers() {
            for address in spec.addresses.iter() {
                let places = wanted.virtuals.entry(address.address).or_default();
                places.extend(spec.interface_of(address).map(|name| (name.clone(), prefix_of(address))));
            }
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

    /// What this run makes of an address that bears the mark and is on this interface.
    fn judge(&self, interface: &Name, there: &PresentAddress) -> Verdict {
        if self.addresses.contains(&(there.address, there.prefix)) {
            return Verdict::Wanted;
        }
        let Some(places) = self.virtuals.get(&there.address) else { return Verdict::Unknown };
        let belongs = places.iter().any(|(name, prefix)| (name, *prefix) == (interface, there.prefix));
        // A link-local address is one of its link: on another it is another one, and the host answers nobody for ours by it.
        let link_local = matches!(there.address, IpAddr::V6(address) if address.is_unicast_link_local());
        let elsewhere = || link_local && places.iter().all(|(name, _)| name != interface);
        match belongs {
            true => Verdict::Wanted,
            false if elsewhere() => Verdict::Unknown,
            false => Verdict::Stray,
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

/// What an address is to this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Wanted,
    /// It is another's, or was.
    Unknown,
    /// One of the virtual addresses, where this run does not put it.
    Stray,
}

impl Worker {
    /// Tells of what is there and not wanted, and takes virtual addresses off that are where they do not belong.
    pub(super) fn see_to_left_over(&mut self, wanted: &Wanted, cause: Option<EventId>) {
        let interfaces = std::mem::take(&mut self.strange).into_iter();
        let mut what: Vec<String> = interfaces.map(|name| format!("interface {name}")).collect();
        let links = links();
        let unknown = marked(&links, wanted, Verdict::Unknown);
        let mut addresses: Vec<String> = unknown.map(|(link, address)| words_of(link, address)).collect();
        addresses.sort();
        what.extend(addresses);
        // What the kernel does not tell can't be told.
        let there = Marked::all().unwrap_or_default();
        what.extend(there.iter().filter(|entry| !wanted.has(entry)).map(words));
        let strays: Vec<_> = marked(&links, wanted, Verdict::Stray).collect();
        if (what.is_empty() && strays.is_empty()) || another_runs_here() {
            return;
        }
        let (removed, refused) = remove(&strays);
        what.extend(refused);
        if !what.is_empty() {
            self.bus.publish(cause, RoutingFact::LeftOver { what });
        }
        if !removed.is_empty() {
            self.bus.publish(cause, RoutingFact::StraysRemoved { what: removed });
        }
    }
}

/// Takes them off; those that are gone, and those that the kernel does not take off, each with why.
fn remove(strays: &[(&Link, &PresentAddress)]) -> (Vec<String>, Vec<String>) {
    let named = || strays.iter().map(|(link, address)| words_of(link, address));
    let mut requests = match Requests::routing() {
        Ok(requests) => requests,
        Err(error) => return (Vec::new(), named().map(|what| format!("{what} ({error})")).collect()),
    };
    let mut promotion = Promotion::default();
    for (link, address) in strays {
        if would_take_along(link, |going| going == *address) {
            promotion.hold(&link.report.name);
        }
        requests.push_address(AddressOperation::Remove, link.report.index, &AddressSpec::of(address));
    }
    let (mut removed, mut refused) = (Vec::new(), Vec::new());
    for (what, answer) in named().zip(requests.carry_out()) {
        match answer {
            Ok(_) => removed.push(what),
            Err(error) => refused.push(format!("{what} ({error})")),
        }
    }
    (removed, refused)
}

fn words_of(link: &Link, address: &PresentAddress) -> String {
    format!("address {}/{} dev {}", address.address, address.prefix, link.report.name)
}

/// The interfaces as they are; none if the kernel does not tell.
fn links() -> LinkTable {
    let mut links = LinkTable::default();
    let dumped = Monitor::open()
        .and_then(|mut monitor| monitor.dump(|notification| links.apply(notification, |_| {})));
    if dumped.is_err() { LinkTable::default() } else { links }
}

/// The addresses that bear the mark and are this to this run; those of the interfaces of virtual routers go with them.
fn marked<'a>(
    links: &'a LinkTable,
    wanted: &'a Wanted,
    verdict: Verdict,
) -> impl Iterator<Item = (&'a Link, &'a PresentAddress)> {
    let others = links.iter().filter(|link| !link.report.alias.as_deref().is_some_and(is_mark));
    let all = others.flat_map(|link| link.addresses.iter().map(move |address| (link, address)));
    all.filter(|(_, address)| address.protocol == PROTOCOL_KEEPALIVED)
        .filter(move |(link, address)| wanted.judge(&link.report.name, address) == verdict)
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

/// Whether another program may run in this network whose entries have the same mark. The supervisor and what else is of this
/// daemon does not count.
///
/// Its processes tell, where they can be seen and have a usual name; else the sockets by which it hears adverts, which the
/// kernel shows whoever they are of: also of a container with processes of its own, in the network of the host.
fn another_runs_here() -> bool {
    let families = ["raw", "raw6"].map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")));
    let own = own_sockets();
    families.into_iter().any(|table| match table {
        Ok(table) => hears_adverts(&table).any(|socket| !own.contains(&socket)),
        // Where there is no IPv6, there is no such table.
        Err(error) => error.kind() != ErrorKind::NotFound,
    }) || another_is_seen()
}

/// The inodes of this process' sockets.
fn own_sockets() -> HashSet<u64> {
    let descriptors = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let sockets = descriptors.filter_map(|descriptor| {
        let link = fs::read_link(descriptor.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    });
    sockets.collect()
}

/// The inodes of the sockets of VRRP's protocol in a table of raw ones, in which it stands where others have a port
/// (`raw_sock_seq_show`, `ip6_dgram_sock_seq_show`).
fn hears_adverts(table: &str) -> impl Iterator<Item = u64> {
    table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (_, protocol) = words.next()?.rsplit_once(':')?;
        let is_vrrp = u32::from_str_radix(protocol, 16) == Ok(u32::from(IPPROTO_VRRP));
        words.nth(7)?.parse().ok().filter(|_| is_vrrp)
    })
}

/// Whether there is a process of such a program.
///
/// The link below `ns` is refused for a process that has more rights than this one (ptrace(2)), as any keepalived has; but
/// what the kernel shows below `net` is one file for all processes of a network, and anybody may ask which.
fn another_is_seen() -> bool {
    let network = |of: &str| {
        let dev = fs::metadata(format!("/proc/{of}/net/dev"))?;
        Ok::<_, io::Error>((dev.dev(), dev.ino()))
    };
    let (here, own) = (network("thread-self").ok(), std::process::id());
    let daemon = [own, nix::unistd::getppid().as_raw().unsigned_abs()];
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let names = processes.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.parse::<u32>().is_ok_and(|number| !daemon.contains(&number))).any(|number| {
        marks(&number)
            && match network(&number) {
                Ok(network) => here.is_none_or(|here| here == network),
                // Any other error is that of a process which has ended, and is nowhere: nobody has asked for it yet.
                Err(error) => error.kind() == ErrorKind::PermissionDenied,
            }
    })
}

/// Whether that process is of a program that makes entries with the mark, by the name that it has unless it was given
/// another (`process_name`).
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

    fn present(text: &str) -> PresentAddress {
        PresentAddress {
            link: keepwatch_net::link::LinkIndex(2),
            address: text.parse().unwrap(),
            prefix: 32,
            peer: None,
            secondary: false,
            tentative: false,
            duplicate: false,
            protocol: 0,
        }
    }

    #[test]
    fn what_a_definition_has_is_wanted_and_a_virtual_address_elsewhere_is_a_stray() {
        let address = |text: &str| InterfaceAddress::host(text.parse().unwrap());
        let vips = Arc::from([address("10.0.0.9"), address("fe80::1")]);
        let spec = RouterSpec::new("VI_1".into(), "eth0".into(), VirtualRouterId(51), vips);
        let statics = Arc::from([RoutingEntry::Address(Box::new(address("10.0.0.8")))]);
        let routers = vec![RouterDefinition::detached(spec)];
        let wanted = Wanted::by(&Definitions { routers, statics, ..Definitions::default() });
        let judge = |interface: &str, text: &str, prefix| {
            let there = PresentAddress { prefix, protocol: PROTOCOL_KEEPALIVED, ..present(text) };
            wanted.judge(&interface.into(), &there)
        };
        for (interface, text, prefix, verdict) in [
            ("eth0", "10.0.0.9", 32, Verdict::Wanted),
            ("eth0", "10.0.0.8", 32, Verdict::Wanted),
            ("eth0", "10.0.0.8", 24, Verdict::Unknown),
            ("eth0", "10.0.0.7", 32, Verdict::Unknown),
            ("eth0", "10.0.0.9", 24, Verdict::Stray),
            ("eth1", "10.0.0.9", 32, Verdict::Stray),
            ("eth0", "fe80::1", 64, Verdict::Stray),
            ("eth1", "fe80::1", 128, Verdict::Unknown),
        ] {
            assert_eq!(judge(interface, text, prefix), verdict, "{text}/{prefix} dev {interface}");
        }
        assert!(!wanted.has(&Marked::Rule { ipv6: false, preference: 0 }));
    }

    #[test]
    fn sockets_of_adverts_are_found_among_raw_ones() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
             101: 00000000:00FF 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 109 2 0000000000000000 0\n \
             120: 120000E0:0070 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 117 2 0000000000000000 0\n";
        assert_eq!(hears_adverts(table).collect::<Vec<_>>(), [117]);
        assert_eq!(hears_adverts("").count() + hears_adverts("x\ny\n: 1:\n").count(), 0);
    }
}
