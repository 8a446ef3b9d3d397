//! Whether a host serves: not whether all is as it was made, but whether what direct routing and tunnels need is so, whoever
//! made it so. And what of that which was made is otherwise by now.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::change::{Present, SILENT, known_device};
use crate::plan::Device;
use crate::record::{Changed, Record};

/// How a host stands: for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What keeps it from serving, or has it tell the LAN of addresses that are the director's.
    pub wrong: Vec<String>,
    /// Settings that somebody else has made something else since. What matters of that is in `wrong`.
    pub changed: Vec<String>,
}

/// Judges a host by what it was set up for.
pub fn judge(record: &Record, present: &Present) -> Judgement {
    let wanted = record.wanted_or_put();
    let mut wrong = Vec::new();
    for (device, address) in &wanted {
        here(*device, *address, present, &mut wrong);
    }
    let devices: BTreeSet<Device> = wanted.iter().map(|(device, _)| *device).collect();
    for device in devices.iter().filter(|device| present.links.get(device.name()) != Some(&true)) {
        wrong.push(format!("{device} is down"));
    }
    if wanted.iter().any(|(_, address)| address.is_ipv4()) {
        for link in &present.lan {
            silent(link, present, &mut wrong);
        }
    }
    if devices.contains(&Device::Tunl0) && present.in_force(Device::Tunl0.name(), "rp_filter") == 1 {
        wrong.push(format!(
            "what comes by {0} from clients elsewhere is dropped: its rp_filter is {1} and that of all {2}, of which the larger \
             counts: 0 or 2 is needed",
            Device::Tunl0,
            present.conf(Device::Tunl0.name(), "rp_filter"),
            present.conf("all", "rp_filter"),
        ));
    }
    let changed = record.settings.iter().filter_map(|Changed { setting, now, .. }| {
        let value = present.settings.get(setting).map_or("gone", String::as_str);
        (value != now).then(|| format!("net.{} is {value}, and was set to {now}", setting.replace('/', ".")))
    });
    Judgement { wrong, changed: changed.collect() }
}

/// The address is where packets for it are taken, and nowhere from where the LAN hears of it.
fn here(device: Device, address: IpAddr, present: &Present, wrong: &mut Vec<String>) {
    let full = if address.is_ipv4() { 32 } else { 128 };
    let found = || present.addresses.iter().filter(|found| found.address == address);
    if !found().any(|found| found.link == device.name()) {
        wrong.push(format!("{address} is not on {device}"));
    }
    for found in found() {
        match known_device(&found.link) {
            // All of a network that is on the loopback interface is this host.
            Some(Device::Lo) if found.prefix < full => wrong.push(format!(
                "{address} is on lo with a prefix of {}, so that this host takes all of that network for its own: {full} is needed",
                found.prefix
            )),
            Some(_) => {}
            None => wrong.push(format!(
                "{address} is on {} too: this host tells the LAN that it has it, as a director does",
                found.link
            )),
        }
    }
}

/// The host says nothing of the addresses by this interface.
fn silent(link: &str, present: &Present, wrong: &mut Vec<String>) {
    let needed = |name: &str, why: &str, need: &str| {
        format!(
            "{why}: its {name} is {} and that of all {}, of which the larger counts: {need} is needed",
            present.conf(link, name),
            present.conf("all", name)
        )
    };
    if !SILENT.contains(&&*present.in_force(link, "arp_ignore").to_string()) {
        let why = format!("{link} tells the LAN of the virtual addresses when it is asked");
        wrong.push(needed("arp_ignore", &why, "1, 2 or 8"));
    }
    if present.in_force(link, "arp_announce") < 2 {
        let why = format!("{link} tells the LAN of the virtual addresses when it asks");
        wrong.push(needed("arp_announce", &why, "2"));
    }
}
