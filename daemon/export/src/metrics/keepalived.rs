//! The metrics of github mehdy/keepalived-exporter, with its names and labels, so that dashboards and alerts made for
//! it go on working.

use keepwatch_bus::counters::Counters;
use keepwatch_bus::world::{Instance, World};

use super::family::{Families, Family, flag};
use super::instances::{Counted, count, sample_each};

const COUNTED: [Counted; 14] = [
    ("keepalived_advertisements_received_total", "Advertisements received", |c| &c.adverts_received),
    ("keepalived_advertisements_sent_total", "Advertisements sent", |c| &c.adverts_sent),
    ("keepalived_become_master_total", "Times the virtual router became master", |c| &c.became_master),
    ("keepalived_release_master_total", "Times the virtual router stopped being master", |c| {
        &c.released_master
    }),
    ("keepalived_packet_length_errors_total", "Packets of a wrong length", |c| &c.packet_length_errors),
    ("keepalived_advertisements_interval_errors_total", "Packets with another advertisement interval", |c| {
        &c.interval_errors
    }),
    ("keepalived_ip_ttl_errors_total", "Packets with a TTL other than 255", |c| &c.ttl_errors),
    ("keepalived_invalid_type_received_total", "Packets of an unknown type", |c| &c.invalid_type),
    ("keepalived_address_list_errors_total", "Packets with other addresses", |c| &c.address_list_errors),
    ("keepalived_authentication_invalid_total", "Packets with an unknown authentication type", |c| {
        &c.invalid_auth_type
    }),
    ("keepalived_authentication_mismatch_total", "Packets with another authentication type", |c| {
        &c.auth_type_mismatch
    }),
    ("keepalived_authentication_failure_total", "Packets with a wrong password or digest", |c| {
        &c.auth_failures
    }),
    ("keepalived_priority_zero_received_total", "Advertisements with priority 0 received", |c| {
        &c.priority_zero_received
    }),
    ("keepalived_priority_zero_sent_total", "Advertisements with priority 0 sent", |c| &c.priority_zero_sent),
];

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    families.gauge("keepalived_up", "Whether the daemon answers").sample(&[], flag(true));

    let instances = world.instances_in_order();
    states(families, &instances);
    count(families, &COUNTED, &instances, counters);
    let delay = families.counter(
        "keepalived_gratuitous_arp_delay_total",
        "Configured delay of the second gratuitous ARP burst",
    );
    sample_each(delay, &instances, |i| Some(i.settings.garp_master_delay.as_secs_f64()));
}

/// One sample for each address, with the address's own interface, as the exporter has it.
fn states(families: &mut Families, instances: &[&Instance]) {
    let mut state = families
        .gauge("keepalived_vrrp_state", "State of the virtual router: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT");
    for instance in instances {
        let Instance { settings, .. } = instance;
        for address in &settings.addresses {
            state_of(&mut state, instance, &address.interface, &address.to_string());
        }
        if settings.addresses.is_empty() {
            state_of(&mut state, instance, settings.interface.as_deref().unwrap_or_default(), "");
        }
    }
    drop(state);
    let mut excluded = families.gauge(
        "keepalived_vrrp_excluded_state",
        "State of the virtual router, for the addresses that its advertisements leave out",
    );
    for instance in instances {
        for address in &instance.settings.excluded_addresses {
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
