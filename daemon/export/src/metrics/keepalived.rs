//! The metrics of github mehdy/keepalived-exporter, with its names and labels, so that dashboards and alerts made for
//! it go on working.

use keepwatch_bus::counters::Counters;
use keepwatch_bus::world::{Instance, World};

use super::family::{Families, Family, flag};
use super::instances::{count, sample_each};

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    families.gauge("keepalived_up", "Whether the daemon answers").sample(&[], flag(true));

    let instances = world.instances_in_order();
    states(families, &instances);
    count(families, "keepalived_", &instances, counters);
    let delay = families.counter(
        "keepalived_gratuitous_arp_delay_total",
        "Configured delay of the second gratuitous ARP burst",
    );
    sample_each(delay, &instances, |i| Some(i.settings.garp.master_delay.as_secs_f64()));
}

/// One sample for each address, with the address's own interface, as the exporter has it.
fn states(families: &mut Families, instances: &[&Instance]) {
    let mut state = families
        .gauge("keepalived_vrrp_state", "State of the virtual router: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT");
    for instance in instances {
        let Instance { settings, .. } = instance;
        for address in settings.addresses.iter().map(|address| settings.virtual_address(address)) {
            state_of(&mut state, instance, &address.interface, &address.to_string());
        }
        if settings.addresses.is_empty() {
            state_of(&mut state, instance, settings.interface_name(), "");
        }
    }
    drop(state);
    let mut excluded = families.gauge(
        "keepalived_vrrp_excluded_state",
        "State of the virtual router, for the addresses that its advertisements leave out",
    );
    for instance in instances {
        let settings = &instance.settings;
        for address in settings.excluded_addresses.iter().map(|address| settings.virtual_address(address)) {
            state_of(&mut excluded, instance, &address.interface, &address.to_string());
        }
    }
}

fn state_of(family: &mut Family<'_>, instance: &Instance, interface: &str, address: &str) {
    let vrid = instance.settings.vrid.to_string();
    family.sample(
        &[("iname", &instance.name), ("intf", interface), ("vrid", &vrid), ("ip_address", address)],
        f64::from(instance.state.number()),
    );
}
