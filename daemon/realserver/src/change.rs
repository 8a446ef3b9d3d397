//! What is to be done: from what is wanted (a [`Plan`]), what was done (a [`Record`]) and what is there ([`Present`]).
//!
//! Settings come before addresses, and go after them: an address that is there before its host keeps silent about it is
//! told to the LAN, and the director loses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use keepwatch_net::address::PROTOCOL_KEEPALIVED;

use crate::plan::{Device, Plan};
use crate::record::{Changed, Put, Record};

/// An address that is on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of the interface.
    pub link: String,
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix in bits.
    pub prefix: u8,
    /// Who put it there (`IFA_PROTO`), where the kernel keeps that.
    pub mark: u8,
    /// Its label, for IPv4.
    pub label: Option<String>,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// The interfaces, and whether each is up.
    pub links: BTreeMap<String, bool>,
    /// Those of them that are up and by which neighbours are found by ARP.
    pub lan: BTreeSet<String>,
    /// Their addresses.
    pub addresses: Vec<Found>,
    /// Settings, by their paths below `/proc/sys/net`.
    pub settings: BTreeMap<String, String>,
    /// Does the kernel keep who put an address there?
    pub keeps_marks: bool,
}

impl Present {
    fn find(&self, put: &Put) -> Option<&Found> {
        self.addresses.iter().find(|found| found.link == put.device.name() && found.address == put.address)
    }

    /// Whether what is there is what was put there, and not another's.
    fn is_ours(&self, put: &Put, found: &Found) -> bool {
        found.prefix == put.prefix()
            && found.label == put.label
            && (!self.keeps_marks || found.mark == PROTOCOL_KEEPALIVED)
    }

    /// A setting of an interface for IPv4, or of `all`, as text.
    pub(crate) fn conf(&self, scope: &str, name: &str) -> &str {
        self.settings.get(&format!("ipv4/conf/{scope}/{name}")).map_or("", String::as_str)
    }

    /// What the kernel goes by at an interface: the larger one of its own and that of all.
    pub(crate) fn in_force(&self, link: &str, name: &str) -> u32 {
        let value = |scope| self.conf(scope, name).parse().unwrap_or(0);
        value(link).max(value("all"))
    }

    /// A setting; of an interface that is not there yet, what it will begin with.
    fn setting(&self, setting: &str) -> &str {
        let named = self.settings.get(setting);
        let of_new = || {
            let mut parts: Vec<&str> = setting.split('/').collect();
            *parts.get_mut(2)? = "default";
            self.settings.get(&parts.join("/"))
        };
        named.or_else(of_new).map_or("", String::as_str)
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Have the kernel make its own end of a tunnel.
    Make(Device),
    /// Take an interface up.
    Raise(Device),
    /// Take an interface down again.
    Lower(Device),
    /// Change a setting.
    Set {
        /// Its path below `/proc/sys/net`.
        setting: String,
        /// What it is.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// Put an address on an interface.
    Put(Put),
    /// Take it off.
    Take(Put),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(device) => write!(f, "make {device}"),
            Self::Raise(device) => write!(f, "take {device} up"),
            Self::Lower(device) => write!(f, "take {device} down"),
            Self::Set { setting, from, to } => {
                write!(f, "set net.{} from {from} to {to}", setting.replace('/', "."))
            }
            Self::Put(put) => {
                write!(f, "put {}/{} on {}", put.address, put.prefix(), put.device)?;
                put.label.as_ref().map_or(Ok(()), |label| write!(f, " as {label}"))
            }
            Self::Take(put) => write!(f, "take {}/{} off {}", put.address, put.prefix(), put.device),
        }
    }
}

/// What is to be done, and what is known then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The record to be written first: all that is done or about to be.
    pub during: Record,
    /// What is to be done, in this order.
    pub steps: Vec<Step>,
    /// The record of what is left then.
    pub after: Record,
    /// What somebody should know: for people.
    pub notes: Vec<String>,
}

/// A setting that real servers need: those values will do, and this is what it is made else.
struct Need {
    setting: String,
    enough: &'static [&'static str],
    to: &'static str,
}

/// Of the kernel's ways of answering ARP, those that keep silent about addresses of other interfaces: 1 and 2 answer only for
/// the interface's own, 8 for none.
pub(crate) const SILENT: &[&str] = &["1", "2", "8"];

fn needs(plan: &Plan, record: &Record, present: &Present) -> Vec<Need> {
    let mut needs = Vec::new();
    let devices: BTreeSet<Device> =
        plan.addresses.iter().filter(|(_, address)| address.is_ipv4()).map(|(device, _)| *device).collect();
    if devices.is_empty() {
        // A host answers a neighbour solicitation for addresses of the interface that it came in by, and for no others.
        return needs;
    }
    for scope in ["all"].into_iter().chain(devices.iter().map(|device| device.name())) {
        let setting = |name: &str| format!("ipv4/conf/{scope}/{name}");
        needs.push(Need { setting: setting("arp_ignore"), enough: SILENT, to: "1" });
        needs.push(Need { setting: setting("arp_announce"), enough: &["2"], to: "2" });
    }
    if devices.contains(&Device::Tunl0) {
        // The larger of the two counts. Strict, it drops what came by a tunnel from a client that is elsewhere; loose is
        // enough, and leaves all other interfaces as they are.
        let setting = format!("ipv4/conf/{}/rp_filter", Device::Tunl0);
        let own =
            record.changed(&setting).map_or_else(|| present.setting(&setting), |changed| &changed.before);
        if own.max(present.setting("ipv4/conf/all/rp_filter")) == "1" {
            needs.push(Need { setting, enough: &["2"], to: "2" });
        }
    }
    needs
}

/// What makes a host what the plan wants, whatever part of it is there.
pub fn up(plan: &Plan, record: &Record, present: &Present) -> Change {
    let mut change = Change { after: record.clone(), notes: plan.left_out.clone(), ..Change::default() };
    change.after.servers = plan.servers.clone();
    change.after.wanted = plan.addresses.clone();
    let devices: BTreeSet<Device> = plan.addresses.iter().map(|(device, _)| *device).collect();
    for device in &devices {
        let up = present.links.get(device.name());
        if up.is_none() {
            change.steps.push(Step::Make(*device));
        }
        if up != Some(&true) {
            change.steps.push(Step::Raise(*device));
            // Every host has its loopback interface up, and much breaks where it is down: who undoes this leaves it so.
            if *device != Device::Lo {
                change.after.raised.insert(*device);
            }
        }
    }
    let needs = needs(plan, record, present);
    for Need { setting, enough, to } in &needs {
        let from = present.setting(setting).to_owned();
        if enough.contains(&&*from) {
            continue;
        }
        change.steps.push(Step::Set { setting: setting.clone(), from: from.clone(), to: (*to).to_owned() });
        if record.changed(setting).is_none() {
            change.after.settings.push(Changed {
                setting: setting.clone(),
                before: from,
                now: (*to).to_owned(),
            });
        }
    }
    if !needs.is_empty() {
        change.notes.extend(talkative(present));
    }
    for (device, address) in &plan.addresses {
        put(&mut change, record, present, *device, *address);
    }
    change.during = change.after.clone();
    // What is wanted no longer: as in the end, of that alone.
    let wanted = |put: &Put| plan.addresses.contains(&(put.device, put.address));
    let superfluous = Record {
        addresses: record.addresses.iter().filter(|put| !wanted(put)).cloned().collect(),
        settings: record
            .settings
            .iter()
            .filter(|s| needs.iter().all(|n| n.setting != s.setting))
            .cloned()
            .collect(),
        raised: record.raised.difference(&devices).copied().collect(),
        ..Record::default()
    };
    let end = down(&superfluous, present);
    // What can't be undone yet stays known.
    let left = end.after;
    change.after.addresses.retain(|put| !superfluous.addresses.contains(put) || left.addresses.contains(put));
    change
        .after
        .settings
        .retain(|changed| !superfluous.settings.contains(changed) || left.settings.contains(changed));
    change.after.raised.retain(|device| !superfluous.raised.contains(device) || left.raised.contains(device));
    change.steps.extend(end.steps);
    change.notes.extend(end.notes);
    change
}

/// Interfaces that answer for other interfaces' addresses whatever is set for all of them.
fn talkative(present: &Present) -> impl Iterator<Item = String> + '_ {
    present.links.keys().filter_map(|link| {
        let value = present.settings.get(&format!("ipv4/conf/{link}/arp_ignore"))?;
        let number: u32 = value.parse().ok()?;
        (number > 1 && !SILENT.contains(&&**value)).then(|| {
            format!("{link} may tell the LAN of the addresses all the same: its arp_ignore is {value}, which counts as it is larger")
        })
    })
}

fn put(change: &mut Change, record: &Record, present: &Present, device: Device, address: IpAddr) {
    let known = record.addresses.iter().find(|put| put.device == device && put.address == address);
    let found =
        present.addresses.iter().find(|found| found.link == device.name() && found.address == address);
    match (known, found) {
        (Some(_), Some(_)) => {}
        (Some(known), None) => change.steps.push(Step::Put(known.clone())),
        (None, Some(found)) => {
            let prefix = found.prefix;
            change
                .notes
                .push(format!("{address}/{prefix} was on {device} before, and stays when this is undone"));
        }
        (None, None) => {
            let label = address.is_ipv4().then(|| free_label(change, present, device));
            let put = Put { device, address, label };
            change.steps.push(Step::Put(put.clone()));
            change.after.addresses.insert(put);
        }
    }
    let elsewhere = present.addresses.iter().filter(|found| found.address == address);
    for found in elsewhere.filter(|found| found.link != device.name() && known_device(&found.link).is_none())
    {
        let link = &found.link;
        change.notes.push(format!(
            "{address} is on {link} too: this host tells the LAN that it has it, as a director does"
        ));
    }
}

pub(crate) fn known_device(link: &str) -> Option<Device> {
    [Device::Lo, Device::Tunl0].into_iter().find(|device| device.name() == link)
}

/// `lo:0` and so on: the first that nobody has.
fn free_label(change: &Change, present: &Present, device: Device) -> String {
    let there = present.addresses.iter().filter_map(|found| found.label.as_deref());
    let ours = change.after.addresses.iter().filter_map(|put| put.label.as_deref());
    let taken: BTreeSet<&str> = there.chain(ours).collect();
    let free = (0..).map(|number| format!("{device}:{number}")).find(|label| !taken.contains(&**label));
    free.unwrap_or_else(|| device.name().to_owned())
}

/// What undoes all that was done, but for what others have changed since. An address that stays keeps what it needs: a
/// host that answers for it while it is the director's takes the packets from the director.
pub fn down(record: &Record, present: &Present) -> Change {
    let mut change = Change { during: record.clone(), ..Change::default() };
    for put in &record.addresses {
        match present.find(put) {
            None => {}
            Some(found) if present.is_ours(put, found) => change.steps.push(Step::Take(put.clone())),
            Some(_) => {
                change
                    .notes
                    .push(format!("{} on {} is another's by now, and stays", put.address, put.device));
                change.after.addresses.insert(put.clone());
            }
        }
    }
    for device in record.raised.iter().filter(|device| **device != Device::Lo) {
        let others = |found: &&Found| {
            let ours =
                record.addresses.iter().any(|put| put.device == *device && put.address == found.address);
            found.link == device.name()
                && !ours
                && !found.address.is_loopback()
                && !is_link_local(found.address)
        };
        if present.links.get(device.name()) != Some(&true) {
            continue;
        }
        if change.after.addresses.iter().any(|put| put.device == *device) {
            change.after.raised.insert(*device);
            continue;
        }
        match present.addresses.iter().find(others) {
            None => change.steps.push(Step::Lower(*device)),
            Some(found) => {
                change.notes.push(format!("{device} stays up: it has {} of another's", found.address));
            }
        }
    }
    let staying: Vec<Put> =
        change.after.addresses.iter().filter(|put| put.address.is_ipv4()).cloned().collect();
    for changed @ Changed { setting, before, now } in record.settings.iter().rev() {
        let name = || setting.replace('/', ".");
        match present.settings.get(setting) {
            // It went with its interface.
            None => {}
            Some(value) if value == before => {}
            Some(value) if value == now => match staying.iter().find(|put| needed_by(setting, put)) {
                Some(put) => {
                    let address = put.address;
                    change.notes.push(format!(
                        "net.{} stays {now}: without it this host would tell the LAN of {address}, which stays; `down` undoes it \
                         once {address} is gone",
                        name()
                    ));
                    change.after.settings.insert(0, changed.clone());
                }
                None => change.steps.push(Step::Set {
                    setting: setting.clone(),
                    from: now.clone(),
                    to: before.clone(),
                }),
            },
            Some(value) => change
                .notes
                .push(format!("net.{} is {value}, which somebody else has made it: it stays", name())),
        }
    }
    if !change.after.is_empty() {
        change.after.place = record.place.clone();
        change.after.servers = record.servers.clone();
    }
    change
}

/// Does the setting keep the host silent about this address?
fn needed_by(setting: &str, put: &Put) -> bool {
    let mut parts = setting.rsplit('/');
    let (name, scope) = (parts.next(), parts.next());
    matches!(name, Some("arp_ignore" | "arp_announce"))
        && [Some("all"), Some(put.device.name())].contains(&scope)
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

#[cfg(test)]
mod tests;
