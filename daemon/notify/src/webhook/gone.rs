//! Which alerts have outlived their trouble: what began them is not in the world any more, whether or not an event said so.
//! Pure. What the world can't tell of lasts.

use keepwatch_bus::subject::{Name, RealKey, TrackedKind, VrrpState};
use keepwatch_bus::world::{RealState, World};
use keepwatch_model::Tracking;

use super::alerts::{
    ADDRESS_MISSING, DELIVERY_FAILS, FAULT, HISTORY_FAILS, IPVS_FAILS, Key, LINK_DOWN, PART_HANGS,
    QUORUM_LOST, REAL_DOWN, RELOAD_REFUSED,
};

/// Whether the world has nothing of the kind.
pub(super) fn is_gone((name, labels): &Key, world: &World) -> bool {
    let label = |wanted: &str| {
        let found = labels.iter().find(|(label, _)| *label == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    match *name {
        FAULT => {
            let instance = world.instances.get(&Name::from(label("instance")));
            instance.is_none_or(|instance| instance.state != VrrpState::Fault)
        }
        ADDRESS_MISSING => {
            let instance = world.instances.get(&Name::from(label("instance")));
            let is_it = |address: &str| address == label("address");
            instance.is_none_or(|instance| {
                !instance.missing.iter().any(|missing| is_it(&missing.address.to_string()))
            })
        }
        LINK_DOWN => {
            let interface = Name::from(label("interface"));
            world.interfaces.get(&interface).is_none_or(|interface| interface.up)
                || !is_used(&interface, world)
        }
        REAL_DOWN | QUORUM_LOST => {
            let service =
                world.services.values().find(|service| service.key.to_string() == label("virtual_server"));
            let Some(service) = service else { return true };
            if *name == QUORUM_LOST {
                return service.quorum;
            }
            let key = |real| RealKey { service: service.key, real };
            let real = service.reals.values().find(|real| key(real.address).label() == label("real_server"));
            real.is_none_or(|real| real.up || real.state() == RealState::Unchecked && !real.resting)
        }
        IPVS_FAILS => world.ipvs_error.is_none(),
        RELOAD_REFUSED => world.config.rejected.is_none(),
        HISTORY_FAILS => world.history_error.is_none(),
        PART_HANGS => !world.hung.contains_key(label("part")),
        DELIVERY_FAILS => !world.interrupted.contains_key(label("consumer")),
        _ => false,
    }
}

/// Whether any virtual router has to do with an interface; also when that can't be known, for one that it makes itself
/// need not have a name in the configuration.
fn is_used(interface: &Name, world: &World) -> bool {
    let tracks = |tracking: &Tracking| {
        tracking.lines().any(|(kind, line)| kind == TrackedKind::Link && line.name == *interface)
    };
    world.groups.values().any(|group| tracks(&group.settings.tracking))
        || world.instances.values().any(|instance| {
            let settings = &instance.settings;
            settings.vmac.is_some()
                || settings.vmac_for_addresses
                || settings.interface.as_ref() == Some(interface)
                || tracks(&settings.tracking)
                || settings
                    .all_addresses()
                    .any(|address| settings.virtual_address(address).interface == *interface)
        })
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::fact::{LinkDownReason, LinkFact, ServiceFact, VrrpFact};
    use keepwatch_bus::{Configured, Fact, sample};

    use super::*;

    #[test]
    fn what_is_not_configured_any_more_or_well_again_is_gone() {
        let mut world = World::default();
        let mut id = 0;
        let mut tell = |world: &mut World, fact: Fact| {
            id += 1;
            world.apply(&sample::event(id, None, fact));
        };
        let link = |name: &str| (LINK_DOWN, vec![("interface", name.to_owned())]);
        let real = sample::real_key(([10, 0, 0, 100], 80), ([10, 0, 1, 1], 8080));
        let down = (
            REAL_DOWN,
            vec![("virtual_server", real.service.to_string()), ("real_server", real.label().to_string())],
        );
        let reason = LinkDownReason::NoCarrier;
        for interface in ["eth0", "eth7"] {
            tell(&mut world, LinkFact::LinkDown { interface: interface.into(), reason }.into());
        }
        let settings = Configured::new(1, sample::instance());
        tell(&mut world, VrrpFact::InstanceConfigured { instance: "VI_1".into(), settings }.into());
        assert!(!is_gone(&link("eth0"), &world) && is_gone(&link("eth7"), &world));
        tell(&mut world, VrrpFact::InstanceUnconfigured { instance: "VI_1".into() }.into());
        assert!(is_gone(&link("eth0"), &world));

        assert!(is_gone(&down, &world));
        let settings = Configured::new(1, sample::service());
        let service = real.service;
        tell(&mut world, ServiceFact::VirtualServerConfigured { service, settings }.into());
        let settings = Configured::new(1, sample::real_server());
        let (starts_up, checked) = (true, true);
        tell(&mut world, ServiceFact::RealServerConfigured { real, starts_up, checked, settings }.into());
        tell(&mut world, ServiceFact::RealServerDown { real }.into());
        assert!(!is_gone(&down, &world));
        tell(&mut world, ServiceFact::RealServerUp { real }.into());
        assert!(is_gone(&down, &world));
        assert!(!is_gone(&("KeepwatchMailFails", Vec::new()), &world));
    }
}
