//! What of the status is asked for, and whether that is well.

use std::net::SocketAddr;

use jiff::Timestamp;
use keepwatch_bus::World;
use keepwatch_bus::subject::{ServiceKey, TrackedKey, VrrpState};
use keepwatch_bus::world::{Group, Instance, RealServer, RealState, Service, Standing};
use keepwatch_config::model::{Level, Name, group_label};
use serde_json::{Value, json};

/// Everything, or what is called by a name as people write it: an instance, group, interface, address, server, script.
pub(in crate::operator) struct Only(Option<String>);

impl Only {
    /// What is called so; everything if it is empty.
    pub(in crate::operator) fn called(name: &str) -> Self {
        let name = name.trim();
        Self((!name.is_empty()).then(|| name.to_owned()))
    }

    /// Is everything asked for?
    pub(in crate::operator) fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// The name.
    pub(in crate::operator) fn name(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    fn is(&self, name: &str) -> bool {
        self.0.as_deref().is_none_or(|wanted| wanted == name)
    }

    fn is_any(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.is(name))
    }

    /// An address and port, as people write them.
    fn is_at(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        self.is_any(&[address.to_string(), ip.to_string(), format!("{ip} {}", address.port())])
    }

    /// Whether this virtual router is asked for: by its name, interface, group or one of its addresses.
    pub(super) fn router(&self, instance: &Instance) -> bool {
        let settings = &instance.settings;
        self.is(&instance.name)
            || settings.interface.as_deref().is_some_and(|interface| self.is(interface))
            || settings.group.as_deref().is_some_and(|group| self.is(group))
            || settings.all_addresses().any(|address| {
                let address = settings.virtual_address(address);
                self.is_any(&[address.address.to_string(), address.to_string()])
            })
    }

    /// Whether this group is asked for, by its name or that of a member.
    pub(super) fn group(&self, group: &Group) -> bool {
        self.is(&group.name) || group.settings.members.iter().any(|member| self.is(member))
    }

    /// Whether this is asked for, which is tracked: `chk_haproxy`, `script chk_haproxy`, `eth1`, `interface eth1`.
    pub(super) fn tracked(&self, key: &TrackedKey) -> bool {
        self.is_any(&[key.to_string(), key.name.to_string()])
    }

    fn service_itself(&self, service: &Service) -> bool {
        let of_group =
            |group: &Name| self.is_any(&[group.to_string(), format!("[{group}]"), group_label(group)]);
        self.is(&service.key.to_string())
            || service.settings.group().is_some_and(of_group)
            || match service.key {
                ServiceKey::Address { address, port, .. } => self.is_at(SocketAddr::new(address, port)),
                ServiceKey::Fwmark { fwmark, .. } => self.is(&format!("fwmark {fwmark}")),
            }
    }

    /// Whether this virtual server is asked for, by itself or for one of its real servers.
    pub(super) fn service(&self, service: &Service) -> bool {
        self.service_itself(service) || service.reals.values().any(|real| self.is_at(real.address))
    }

    /// Whether this real server of it is.
    pub(super) fn real(&self, service: &Service, real: &RealServer) -> bool {
        self.service_itself(service) || self.is_at(real.address)
    }

    /// Is there anything of that name?
    pub(in crate::operator) fn finds(&self, world: &World) -> bool {
        world.instances.values().any(|instance| self.router(instance))
            || world.groups.values().any(|group| self.group(group))
            || world.tracked().any(|tracked| self.tracked(&tracked.key))
            || world.services.values().any(|service| self.service(service))
    }
}

/// Whether nothing of it is wrong: no virtual router in trouble, no group in FAULT, no tracker down that should not be, no
/// virtual server without quorum, no real server down, nothing that the kernel refuses; and, of everything, no other trouble.
pub(in crate::operator) fn is_well(world: &World, only: &Only) -> bool {
    let router = |i: &Instance| world.trouble_with(i).is_empty();
    let tracked = |t: Standing<'_>| t.level != Level::Down || world.is_meant_to_fail(&t.key);
    let real = |r: &RealServer| {
        r.state() != RealState::Down && r.refused.is_none() && r.hindrances().next().is_none()
    };
    let service = |s: &Service| {
        let mut reals = s.reals.values().filter(|real| only.real(s, real));
        s.quorum && !s.sorry && s.refused.is_none() && reals.all(real)
    };
    (!only.is_all() || (world.trouble().is_empty() && !world.stopping))
        && world.instances.values().filter(|i| only.router(i)).all(router)
        && world.groups.values().filter(|g| only.group(g)).all(|group| group.state != VrrpState::Fault)
        && world.services.values().filter(|s| only.service(s)).all(service)
        && world.tracked().filter(|t| only.tracked(&t.key)).all(tracked)
}

/// What is asked for, in JSON.
pub(in crate::operator) fn json(now: Timestamp, world: &World, only: &Only) -> Value {
    let services = world.services.values().filter(|service| only.service(service)).map(|service| {
        let mut value = json!(service);
        let reals = service.reals.values().filter(|real| only.real(service, real));
        value["reals"] = reals.map(|real| json!(real)).collect();
        value
    });
    json!({
        "answer": "status",
        "now": now,
        "well": is_well(world, only),
        "instances": world.instances.values().filter(|i| only.router(i)).collect::<Vec<_>>(),
        "groups": world.groups.values().filter(|g| only.group(g)).collect::<Vec<_>>(),
        "trackers": world.trackers.all().filter(|t| only.tracked(&t.key())).collect::<Vec<_>>(),
        "services": services.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::fact::{LinkDownReason, LinkFact};
    use keepwatch_config::model::{Instance, Tracked, Tracking};

    use super::*;
    use crate::operator::happened::{configured, instance, split_brain, world};

    #[test]
    fn who_asks_for_a_router_by_its_name_is_told_of_its_split_brain() {
        let world = world([configured(instance("VI_1")), configured(instance("VI_2")), split_brain()]);
        assert!(!is_well(&world, &Only::called("VI_1")) && is_well(&world, &Only::called("VI_2")));
        assert!(!is_well(&world, &Only::called("")));
    }

    #[test]
    fn what_all_who_follow_it_want_down_is_no_trouble_and_what_one_needs_is() {
        let follower = |name: &str, reverse| {
            let interfaces = vec![Tracked { name: "wg0".into(), weight: 0, reverse }];
            let tracking = Tracking { interfaces, ..Tracking::default() };
            configured(Instance { tracking: tracking.into(), ..instance(name) })
        };
        let down = |interface: &str| {
            LinkFact::LinkDown { interface: interface.into(), reason: LinkDownReason::Missing }.into()
        };
        let everything = Only::called("");
        let reversed = || [follower("VI_1", true), follower("VI_2", true), down("wg0")];
        assert!(is_well(&world(reversed()), &everything));
        assert!(!is_well(
            &world([follower("VI_1", true), follower("VI_2", false), down("wg0")]),
            &everything
        ));
        // Asked for by itself.
        for name in ["wg0", "interface wg0"] {
            let needed = world([follower("VI_1", false), down("wg0")]);
            let only = Only::called(name);
            assert!(only.finds(&needed) && !is_well(&needed, &only), "{name}");
            assert!(is_well(&world(reversed()), &only), "{name}");
        }
        // They send by that one.
        assert!(!is_well(&world(reversed().into_iter().chain([down("eth0")])), &everything));
    }
}
