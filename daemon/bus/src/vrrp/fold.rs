//! What facts of virtual routers and groups do to the world.

use keepwatch_model::{self as model, Priority};

use super::{Group, Instance, VrrpFact};
use crate::subject::VrrpState;
use crate::world::{Change, World, settle};

impl VrrpFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            Self::InstanceConfigured { instance, settings } => {
                match w.instances.get_mut(instance) {
                    Some(known) => known.settings = settings.clone(),
                    None => {
                        let new = Instance {
                            name: instance.clone(),
                            state: VrrpState::Init,
                            wanted: first_wish(settings),
                            priority: settings.priority.0,
                            settings: settings.clone(),
                            master: None,
                            addresses: Vec::new(),
                            changed: None,
                            transitions: 0,
                        };
                        w.instances.insert(instance.clone(), new);
                    }
                }
                settle(&mut w.instances, instance);
            }
            Self::InstanceUnconfigured { instance } => {
                w.instances.shift_remove(instance);
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
                settle(&mut w.groups, group);
            }
            Self::GroupUnconfigured { group } => {
                w.groups.shift_remove(group);
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
                    i.state = *to;
                    i.priority = *priority;
                    i.changed = Some(change);
                    i.transitions += 1;
                    if *to != VrrpState::Backup {
                        i.master = None;
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
                    if i.state == VrrpState::Backup {
                        i.wanted = VrrpState::Backup;
                    }
                }
            }
            Self::MasterResigned { instance, .. } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.master = None;
                }
            }
            Self::AddressAdded { instance, address, .. } => {
                if let Some(i) = w.instances.get_mut(instance)
                    && !i.addresses.contains(address)
                {
                    i.addresses.push(address.clone());
                }
            }
            Self::AddressRemoved { instance, address } => {
                if let Some(i) = w.instances.get_mut(instance) {
                    i.addresses.retain(|a| a != address);
                }
            }
            // These happened and leave no state behind.
            Self::LowerPriorityReceived { .. }
            | Self::AdvertRejected { .. }
            | Self::AddressFailed { .. }
            | Self::AddressesAnnounced { .. }
            | Self::AdvertSendFailed { .. }
            | Self::SourceAddressChanged { .. }
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
