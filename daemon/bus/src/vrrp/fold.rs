//! What facts of virtual routers and groups do to the world.

use keepwatch_model::{self as model, Priority};

use super::{AdvertError, Group, Instance, MasterReason, Missing, NoSource, Rival, VrrpFact};
use crate::subject::VrrpState;
use crate::world::{Change, World};

impl VrrpFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            Self::InstanceConfigured { instance, settings } => {
                match w.instances.get_mut(instance) {
                    Some(known) => {
                        known.settings = settings.clone();
                        // They are told again.
                        known.own_addresses.clear();
                        let mine: Vec<_> = settings
                            .all_addresses()
                            .map(|address| settings.virtual_address(address))
                            .collect();
                        known.missing.retain(|missing| mine.contains(&missing.address));
                    }
                    None => {
                        let new = Instance {
                            name: instance.clone(),
                            state: VrrpState::Init,
                            wanted: first_wish(settings),
                            priority: settings.priority.0,
                            settings: settings.clone(),
                            master: None,
                            rivals: Vec::new(),
                            addresses: Vec::new(),
                            missing: Vec::new(),
                            own_addresses: Vec::new(),
                            dropped: Vec::new(),
                            drop_error: None,
                            drop_failed: None,
                            no_source: None,
                            changed: None,
                            transitions: 0,
                            master_reason: MasterReason::NotMaster,
                            next_reason: MasterReason::NotMaster,
                            protocol_error: None,
                            running_since: None,
                        };
                        w.instances.insert(instance.clone(), new);
                    }
                }
                w.instances.settle(instance);
                w.layout += 1;
            }
            Self::InstanceUnconfigured { instance } => {
                w.layout += 1;
                w.instances.remove(instance);
                w.forget_routing(instance);
            }
            Self::InstanceRenamed { instance, from } => {
                w.layout += 1;
                w.rename_routing(from, instance);
                if let Some(mut known) = w.instances.remove(from) {
                    known.name = instance.clone();
                    w.instances.insert(instance.clone(), known);
                    w.instances.settle(instance);
                }
            }
            Self::GroupConfigured { group, settings } => {
                let settings = settings.clone();
                match w.groups.get_mut(group) {
                    Some(known) => known.settings = settings,
                    None => {
                        let new =
                            Group { name: group.clone(), settings, state: VrrpState::Init, changed: None };
                        w.groups.insert(group.clone(), new);
                    }
                }
                w.groups.settle(group);
            }
            Self::GroupUnconfigured { group } => {
                w.groups.remove(group);
            }
            Self::GroupStateChanged { group, to, .. } => {
                if let Some(g) = w.groups.get_mut(group) {
                    g.state = *to;
                    g.changed = Some(change);
                }
            }
            Self::AdvertTimedOut { instance, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.wanted = VrrpState::Master;
                    // Whoever was master, and with what priority, was waited for in vain.
                    i.next_reason = match i.master {
                        None if i.next_reason == MasterReason::Priority => MasterReason::Priority,
                        Some(_) | None => MasterReason::NoResponse,
                    };
                }
            }
            Self::StateChanged { instance, from, to, priority } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.wanted = match to {
                        VrrpState::Init => first_wish(&i.settings),
                        // From the start it listens first, whatever it was told to be.
                        VrrpState::Backup if *from == VrrpState::Init => i.wanted,
                        VrrpState::Backup | VrrpState::Master | VrrpState::Fault => *to,
                    };
                    match to {
                        VrrpState::Master => {
                            i.master_reason = match std::mem::take(&mut i.next_reason) {
                                // The owner waits for nobody; a group takes its members along.
                                MasterReason::NotMaster if *priority == Priority::OWNER.0 => {
                                    MasterReason::Preempted
                                }
                                // One that is heard, and not waited for: that it has less right was told before.
                                MasterReason::NotMaster
                                    if i.master.is_some_and(|(_, theirs)| theirs < *priority) =>
                                {
                                    MasterReason::Preempted
                                }
                                MasterReason::NotMaster => MasterReason::NoResponse,
                                known => known,
                            };
                        }
                        VrrpState::Init | VrrpState::Backup | VrrpState::Fault => {
                            i.next_reason = MasterReason::NotMaster;
                        }
                    }
                    i.running_since = match to {
                        VrrpState::Init | VrrpState::Fault => None,
                        VrrpState::Backup | VrrpState::Master => i.running_since.or(Some(change.at)),
                    };
                    if matches!(to, VrrpState::Backup | VrrpState::Master) {
                        i.no_source = None;
                    }
                    i.state = *to;
                    i.priority = *priority;
                    i.changed = Some(change);
                    i.transitions += 1;
                    if *to != VrrpState::Backup {
                        i.master = None;
                    }
                    if *to != VrrpState::Master {
                        i.missing.clear();
                        i.rivals.clear();
                        // Nothing has to be dropped any more.
                        (i.drop_error, i.drop_failed) = (None, None);
                    }
                }
            }
            Self::PriorityChanged { instance, to, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.priority = *to;
                }
            }
            Self::MasterHeard { instance, address, priority }
            | Self::HigherPriorityReceived { instance, address, priority, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.master = Some((*address, *priority));
                    i.next_reason = MasterReason::NotMaster;
                    if i.state == VrrpState::Backup {
                        i.wanted = VrrpState::Backup;
                    }
                }
            }
            // A backup waits no longer for who has less right; a master only answers.
            Self::LowerPriorityReceived { instance, .. } => {
                if let Some(i) = w.instances.get_mut(instance)
                    && i.state == VrrpState::Backup
                {
                    i.next_reason = MasterReason::Preempted;
                }
            }
            Self::MasterResigned { instance, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.master = None;
                    i.next_reason = MasterReason::Priority;
                }
            }
            Self::AdvertRejected {
                instance,
                error:
                    error @ (AdvertError::Ttl
                    | AdvertError::Version
                    | AdvertError::Checksum
                    | AdvertError::VirtualRouterId),
                ..
            } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.protocol_error = Some(*error);
                }
            }
            Self::AddressAdded { instance, address, .. }
            | Self::AddressRestored { instance, address, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.missing.retain(|missing| missing.address != *address);
                    if !i.addresses.contains(address) {
                        if i.addresses.is_empty() {
                            // Mostly it is one; a list that grows by itself makes room for four.
                            i.addresses.reserve_exact(i.settings.all_addresses().count());
                        }
                        i.addresses.push(address.clone());
                    }
                }
            }
            Self::AddressFailed { instance, address, adding: true, error } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.addresses.retain(|a| a != address);
                    i.missing.retain(|missing| missing.address != *address);
                    let (address, error) = (address.clone(), error.clone());
                    i.missing.push(Missing { address, error, changed: change });
                }
            }
            Self::SplitBrainBegan { instance, address, priority, sign, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    let (address, priority, sign) = (*address, *priority, *sign);
                    i.rivals.retain(|rival| rival.address != address);
                    i.rivals.push(Rival { address, priority, sign, changed: change });
                }
            }
            Self::SplitBrainEnded { instance, address, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.rivals.retain(|rival| rival.address != *address);
                }
            }
            Self::AddressRemoved { instance, address }
            | Self::AddressLost { instance, address }
            | Self::AddressStays { instance, address, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.addresses.retain(|a| a != address);
                }
            }
            Self::OwnAddress { instance, address, present, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.own_addresses.retain(|a| a != address);
                    if *present {
                        i.own_addresses.push(address.clone());
                    }
                }
            }
            Self::DropSet { instance, table, addresses } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.dropped = addresses.iter().map(|address| (*address, table.clone())).collect();
                    (i.drop_error, i.drop_failed) = (None, None);
                }
            }
            Self::DropFailed { instance, error } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.drop_error = Some(error.clone());
                    i.drop_failed.get_or_insert(change);
                }
            }
            Self::DropLifted { instance } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.dropped.clear();
                    (i.drop_error, i.drop_failed) = (None, None);
                }
            }
            Self::SourceAddressChanged { instance, address, wanted } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.no_source = address.is_none().then_some(NoSource { wanted: *wanted });
                }
            }
            // What holds it stands in its settings; the others happened and leave no state behind.
            Self::OtherOwner { .. }
            | Self::AdvertRejected { .. }
            | Self::AddressFailed { adding: false, .. }
            | Self::AddressesAnnounced { .. }
            | Self::AdvertSendFailed { .. }
            | Self::AdvertDetoured { .. }
            | Self::ClockSkewed { .. }
            | Self::UnknownVrid { .. }
            | Self::ThreadLate { .. }
            | Self::HeldInFault { .. }
            | Self::AdvertDelayed { .. } => {}
        }
    }
}

/// What a virtual router wants at its start. In a sync group only an address owner may want to be master at once.
fn first_wish(instance: &model::Instance) -> VrrpState {
    if instance.group.is_some() && instance.priority != Priority::OWNER {
        VrrpState::Backup
    } else {
        instance.state.into()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;
    use crate::subject::Name;
    use crate::{Configured, sample};

    const LOWER: u8 = 50;

    /// Why a router of priority 100 became master, after it was backup and this happened.
    fn reason(happened: impl IntoIterator<Item = VrrpFact>) -> MasterReason {
        let instance = Name::from("VI_1");
        let state = |from, to| VrrpFact::StateChanged { instance: instance.clone(), from, to, priority: 100 };
        let settings = Configured::new(1, sample::instance());
        let begun = [
            VrrpFact::InstanceConfigured { instance: instance.clone(), settings },
            state(VrrpState::Init, VrrpState::Backup),
        ];
        let master = state(VrrpState::Backup, VrrpState::Master);
        let mut world = World::default();
        for (id, fact) in (1..).zip(begun.into_iter().chain(happened).chain([master])) {
            world.apply(&sample::event(id, None, fact));
        }
        world.instances.get(&instance).unwrap().master_reason
    }

    fn heard(priority: u8) -> VrrpFact {
        VrrpFact::MasterHeard { instance: "VI_1".into(), address: IpAddr::from([10, 0, 0, 2]), priority }
    }

    fn lower() -> VrrpFact {
        let address = IpAddr::from([10, 0, 0, 2]);
        VrrpFact::LowerPriorityReceived { instance: "VI_1".into(), address, priority: LOWER, own: 100 }
    }

    fn silence() -> VrrpFact {
        let waited = Duration::from_secs(3);
        VrrpFact::AdvertTimedOut { instance: "VI_1".into(), master: None, waited, evidence: None }
    }

    #[test]
    fn a_master_of_lower_priority_that_still_speaks_is_preempted() {
        assert_eq!(reason([heard(LOWER), lower()]), MasterReason::Preempted);
        // Two of them, and the second is not told of as lower so soon again.
        assert_eq!(reason([heard(LOWER), lower(), heard(LOWER + 1)]), MasterReason::Preempted);
        assert_eq!(reason([heard(LOWER), lower(), heard(200), silence()]), MasterReason::NoResponse);
    }

    #[test]
    fn one_that_fell_silent_is_not_preempted_whatever_its_priority() {
        // `nopreempt` and `preempt_delay` let it be master.
        assert_eq!(reason([heard(LOWER), silence()]), MasterReason::NoResponse);
        assert_eq!(reason([heard(200), silence()]), MasterReason::NoResponse);
        assert_eq!(reason([silence()]), MasterReason::NoResponse);
    }

    #[test]
    fn one_that_resigned_gave_up() {
        let resigned =
            VrrpFact::MasterResigned { instance: "VI_1".into(), address: IpAddr::from([10, 0, 0, 2]) };
        assert_eq!(reason([heard(200), resigned]), MasterReason::Priority);
    }
}
