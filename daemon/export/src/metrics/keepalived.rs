//! The metrics of github mehdy/keepalived-exporter, with its names and labels, so that dashboards and alerts made for
//! it go on working.

use keepwatch_bus::counters::Counters;
use keepwatch_bus::subject::{VirtualAddress, VrrpState};
use keepwatch_bus::world::{Instance, World};

use super::family::{Families, flag};
use super::instances::{self, LABELS, count, sample_each};

const OF_ADDRESS: [&str; 4] = ["iname", "intf", "vrid", "ip_address"];

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    families.gauge("keepalived_up", "Whether the daemon answers", &[]).sample(&[], flag(true));
    families
        .gauge(
            "keepalived_exporter_build_info",
            "Version of what stands in for the exporter; always 1",
            &["branch", "goarch", "goos", "goversion", "revision", "tags", "version"],
        )
        .sample(&["", "", "", "", "", "", &world.settings.version], 1.0);
    let instances = instances::shown(world);
    states(families, world);
    count(families, "keepalived_", &instances, counters);
    let delay = families.counter(
        "keepalived_gratuitous_arp_delay_total",
        "Configured delay of the second gratuitous ARP burst, in seconds",
        &LABELS,
    );
    sample_each(delay, &instances, |i| Some(i.settings.garp.master_delay.as_secs_f64()));
}

/// One sample for each address, with the address's own interface, as the exporter has it.
fn states(families: &mut Families, world: &World) {
    let advertised = |instance: &Instance| -> Vec<VirtualAddress> {
        let settings = &instance.settings;
        settings.addresses.iter().map(|address| settings.virtual_address(address)).collect()
    };
    let excluded = |instance: &Instance| -> Vec<VirtualAddress> {
        let settings = &instance.settings;
        settings.excluded_addresses.iter().map(|address| settings.virtual_address(address)).collect()
    };
    let state = |instance: &Instance, _: &VirtualAddress| f64::from(instance.state.number());
    let served = |instance: &Instance, address: &VirtualAddress| flag(is_served(instance, address));
    let help = "State of the virtual router: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT";
    of_addresses(families, world, ("keepalived_vrrp_state", help), advertised, state, true);
    let help = "State of the virtual router, for the addresses that its advertisements leave out";
    of_addresses(families, world, ("keepalived_vrrp_excluded_state", help), excluded, state, false);
    // The exporter runs a script for each address, if it is told of one, which usually pings it. Under its older name too.
    let help = "Whether the address is served: it is on its interface here, or another host is heard as master with it";
    for name in ["keepalived_check_script_status", "keepalived_exporter_check_script_status"] {
        let all = |instance: &Instance| [advertised(instance), excluded(instance)].concat();
        of_addresses(families, world, (name, help), all, served, false);
    }
}

fn of_addresses(
    families: &mut Families,
    world: &World,
    (name, help): (&str, &str),
    addresses: impl Fn(&Instance) -> Vec<VirtualAddress>,
    value: impl Fn(&Instance, &VirtualAddress) -> f64,
    also_without: bool,
) {
    let mut family = families.gauge(name, help, &OF_ADDRESS);
    for instance in world.instances.values() {
        let vrid = instance.settings.vrid.to_string();
        let addresses = addresses(instance);
        for address in &addresses {
            let text = address.to_string();
            family.sample(&[&instance.name, &address.interface, &vrid, &text], value(instance, address));
        }
        if addresses.is_empty() && also_without {
            let interface = instance.settings.interface_name();
            family.sample(&[&instance.name, interface, &vrid, ""], f64::from(instance.state.number()));
        }
    }
}

fn is_served(instance: &Instance, address: &VirtualAddress) -> bool {
    match instance.state {
        VrrpState::Master => instance.addresses.contains(address) || instance.own_addresses.contains(address),
        VrrpState::Backup => instance.master.is_some(),
        VrrpState::Init | VrrpState::Fault => false,
    }
}
