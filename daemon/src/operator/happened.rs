//! What happens to virtual routers in the tests of this module, and the world after it.

use std::net::IpAddr;

use keepwatch_bus::fact::{SplitSign, VrrpFact};
use keepwatch_bus::{Configured, Event, EventId, Fact, World};
use keepwatch_config::model::{Instance, VirtualRouterId};

/// The world once these things happened, one after the other.
pub(super) fn world(facts: impl IntoIterator<Item = Fact>) -> World {
    let mut world = World::default();
    for (id, fact) in (1..).zip(facts) {
        let id = EventId(id);
        world.apply(&Event { id, at: jiff::Timestamp::UNIX_EPOCH, mono: 0, cause: None, fact });
    }
    world
}

/// A virtual router of this name.
pub(super) fn instance(name: &str) -> Instance {
    Instance::new(name.into(), "eth0".into(), VirtualRouterId(51))
}

/// It is there.
pub(super) fn configured(instance: Instance) -> Fact {
    let name = instance.name.clone();
    VrrpFact::InstanceConfigured { instance: name, settings: Configured::new(1, instance) }.into()
}

/// `VI_1` has heard another master.
pub(super) fn split_brain() -> Fact {
    VrrpFact::SplitBrainBegan {
        instance: "VI_1".into(),
        address: IpAddr::from([10, 0, 0, 2]),
        priority: 50,
        own_address: None,
        own: 100,
        sign: SplitSign::Heard,
    }
    .into()
}
