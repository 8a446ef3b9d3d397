//! What each fact does to the world.

use super::{Change, Checker, Group, Instance, Interface, RealServer, Service, World};
use crate::event::Event;
use crate::fact::Fact;
use crate::settings::InstanceSettings;
use crate::subject::{CheckerKey, VrrpState};

pub(super) fn fold(w: &mut World, event: &Event) {
    let change = Change { at: event.at, event: event.id };
    match &event.fact {
        Fact::DaemonStarted { .. } => {}
        Fact::DaemonStopping { .. } => w.stopping = true,
        Fact::ConfigLoaded { settings, .. } => {
            w.settings = (**settings).clone();
            w.config.generation += 1;
            w.config.loaded_at = Some(event.at);
            w.config.rejected = None;
        }
        Fact::ConfigRejected { first, .. } => w.config.rejected = Some(first.clone()),
        Fact::HistoryFailed { error, .. } => w.history_error = Some(error.clone()),
        Fact::HistoryRecovered { .. } => w.history_error = None,
        Fact::ConsumerFailed { consumer, error } => {
            w.failed_consumers.insert(consumer.clone(), error.clone());
        }
        Fact::LinkUp { interface, index } => {
            let (name, index) = (interface.clone(), *index);
            let new = Interface { name, up: true, down_reason: None, index, changed: change };
            w.interfaces.insert(interface.clone(), new);
        }
        Fact::LinkDown { interface, reason } => {
            let index = w.interfaces.get(interface).map_or(0, |i| i.index);
            let (name, down_reason) = (interface.clone(), Some(*reason));
            let new = Interface { name, up: false, down_reason, index, changed: change };
            w.interfaces.insert(interface.clone(), new);
        }
        Fact::MailSent { .. } => {
            w.mail.sent += 1;
            w.mail.error = None;
        }
        Fact::MailDelayed { error, .. } => w.mail.error = Some(error.clone()),
        Fact::MailFailed { error, .. } => {
            w.mail.failed += 1;
            w.mail.error = Some(error.clone());
        }
        Fact::MasterAgentConnected { socket } => {
            w.snmp.connected = true;
            w.snmp.sessions += 1;
            w.snmp.socket = Some(socket.clone());
            w.snmp.error = None;
        }
        Fact::MasterAgentLost { socket, error } => {
            w.snmp.connected = false;
            w.snmp.socket = Some(socket.clone());
            w.snmp.error = Some(error.clone());
        }
        Fact::IpvsRecovered {} => w.ipvs_error = None,
        Fact::IpvsFailed { operation, error } => w.ipvs_error = Some(format!("{operation}: {error}")),
        Fact::WorkerRestarted { .. } | Fact::ConfigDiagnosed { .. } => {}
        Fact::InstanceConfigured { .. }
        | Fact::InstanceUnconfigured { .. }
        | Fact::GroupConfigured { .. }
        | Fact::GroupUnconfigured { .. }
        | Fact::GroupStateChanged { .. }
        | Fact::StateChanged { .. }
        | Fact::AdvertTimedOut { .. }
        | Fact::PriorityChanged { .. }
        | Fact::MasterHeard { .. }
        | Fact::HigherPriorityReceived { .. }
        | Fact::MasterResigned { .. }
        | Fact::AddressAdded { .. }
        | Fact::AddressRemoved { .. } => vrrp(w, &event.fact, change),
        Fact::VirtualServerConfigured { .. }
        | Fact::VirtualServerUnconfigured { .. }
        | Fact::RealServerConfigured { .. }
        | Fact::RealServerUnconfigured { .. }
        | Fact::CheckSucceeded { .. }
        | Fact::CheckFailed { .. }
        | Fact::RealServerUp { .. }
        | Fact::RealServerDown { .. }
        | Fact::VirtualServerAdded { .. }
        | Fact::VirtualServerRemoved { .. }
        | Fact::RealServerAdded { .. }
        | Fact::RealServerWeightChanged { .. }
        | Fact::RealServerRemoved { .. }
        | Fact::QuorumGained { .. }
        | Fact::QuorumLost { .. }
        | Fact::SorryServerAdded { .. }
        | Fact::SorryServerRemoved { .. } => service(w, &event.fact, change),
        // These happened and leave no state behind.
        Fact::CheckNotRun { .. } | Fact::IpvsWithheld { .. } | Fact::DriftRepaired { .. } => {}
        Fact::LowerPriorityReceived { .. }
        | Fact::AdvertRejected { .. }
        | Fact::AddressFailed { .. }
        | Fact::AddressesAnnounced { .. }
        | Fact::AdvertSendFailed { .. }
        | Fact::SourceAddressChanged { .. }
        | Fact::AdvertDelayed { .. }
        | Fact::ScriptExited { .. }
        | Fact::ScriptNotRun { .. } => {}
    }
}

/// Facts of virtual routers and groups.
fn vrrp(w: &mut World, fact: &Fact, change: Change) {
    match fact {
        Fact::InstanceConfigured { instance, settings } => match w.instances.get_mut(instance) {
            Some(known) => known.settings = (**settings).clone(),
            None => {
                let new = Instance {
                    name: instance.clone(),
                    state: VrrpState::Init,
                    wanted: first_wish(settings),
                    priority: settings.priority,
                    settings: (**settings).clone(),
                    master: None,
                    addresses: Vec::new(),
                    changed: None,
                    transitions: 0,
                };
                w.instances.insert(instance.clone(), new);
            }
        },
        Fact::InstanceUnconfigured { instance } => {
            w.instances.shift_remove(instance);
        }
        Fact::GroupConfigured { group, settings } => {
            let settings = (**settings).clone();
            match w.groups.get_mut(group) {
                Some(known) => known.settings = settings,
                None => {
                    let new = Group { name: group.clone(), settings, state: VrrpState::Init, changed: None };
                    w.groups.insert(group.clone(), new);
                }
            }
        }
        Fact::GroupUnconfigured { group } => {
            w.groups.shift_remove(group);
        }
        Fact::GroupStateChanged { group, to, .. } => {
            if let Some(g) = w.groups.get_mut(group) {
                g.state = *to;
                g.changed = Some(change);
            }
        }
        Fact::AdvertTimedOut { instance, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.wanted = VrrpState::Master;
            }
        }
        Fact::StateChanged { instance, from, to, priority } => {
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
        Fact::PriorityChanged { instance, to, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.priority = *to;
            }
        }
        Fact::MasterHeard { instance, address, priority }
        | Fact::HigherPriorityReceived { instance, address, priority, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.master = Some((*address, *priority));
                if i.state == VrrpState::Backup {
                    i.wanted = VrrpState::Backup;
                }
            }
        }
        Fact::MasterResigned { instance, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.master = None;
            }
        }
        Fact::AddressAdded { instance, address, .. } => {
            if let Some(i) = w.instances.get_mut(instance)
                && !i.addresses.contains(address)
            {
                i.addresses.push(address.clone());
            }
        }
        Fact::AddressRemoved { instance, address } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.addresses.retain(|a| a != address);
            }
        }
        // `fold` sends only the above here.
        _ => {}
    }
}

/// What a virtual router wants at its start. In a sync group only an address owner may want to be master at once.
fn first_wish(settings: &InstanceSettings) -> VrrpState {
    const OWNER: u8 = 255;
    if settings.group.is_some() && settings.priority != OWNER {
        VrrpState::Backup
    } else {
        settings.initial_state
    }
}

/// Facts of virtual servers, real servers and checkers.
fn service(w: &mut World, fact: &Fact, change: Change) {
    match fact {
        Fact::VirtualServerConfigured { service, settings } => {
            let settings = (**settings).clone();
            match w.services.get_mut(service) {
                Some(known) => known.settings = settings,
                None => {
                    let new = Service {
                        key: *service,
                        settings,
                        present: false,
                        quorum: true,
                        sorry: false,
                        changed: None,
                        reals: Default::default(),
                    };
                    w.services.insert(*service, new);
                }
            }
        }
        Fact::VirtualServerUnconfigured { service } => {
            w.services.shift_remove(service);
        }
        Fact::RealServerConfigured { real, settings } => {
            let Some(s) = w.services.get_mut(&real.service) else { return };
            let settings = (**settings).clone();
            let up = !s.settings.alpha || settings.checkers.is_empty();
            match s.reals.get_mut(&real.real) {
                Some(known) => known.settings = settings,
                None => {
                    let (address, checkers) = (real.real, Vec::new());
                    let new = RealServer { address, settings, up, weight: None, changed: None, checkers };
                    s.reals.insert(real.real, new);
                }
            }
        }
        Fact::RealServerUnconfigured { real } => {
            if let Some(s) = w.services.get_mut(&real.service) {
                s.reals.shift_remove(&real.real);
            }
        }
        Fact::CheckSucceeded { checker, .. } => report(w, checker, None, change),
        // A try that is followed by another says nothing yet.
        Fact::CheckFailed { attempt, attempts, .. } if attempt < attempts => {}
        Fact::CheckFailed { checker, error, .. } => report(w, checker, Some(error.clone()), change),
        Fact::RealServerUp { real } | Fact::RealServerDown { real } => {
            if let Some(r) = w.real_mut(real) {
                r.up = matches!(fact, Fact::RealServerUp { .. });
                r.changed = Some(change);
            }
        }
        Fact::VirtualServerAdded { service, .. } => {
            if let Some(s) = w.services.get_mut(service) {
                s.present = true;
            }
        }
        // Its real servers go with it.
        Fact::VirtualServerRemoved { service } => {
            if let Some(s) = w.services.get_mut(service) {
                s.present = false;
                s.sorry = false;
                s.reals.values_mut().for_each(|r| r.weight = None);
            }
        }
        Fact::RealServerAdded { real, weight, .. } => set_weight(w, real, Some(*weight)),
        Fact::RealServerWeightChanged { real, to, .. } => set_weight(w, real, Some(*to)),
        Fact::RealServerRemoved { real } => set_weight(w, real, None),
        Fact::QuorumGained { service, .. } | Fact::QuorumLost { service, .. } => {
            if let Some(s) = w.services.get_mut(service) {
                s.quorum = matches!(fact, Fact::QuorumGained { .. });
                s.changed = Some(change);
            }
        }
        Fact::SorryServerAdded { service, .. } | Fact::SorryServerRemoved { service, .. } => {
            if let Some(s) = w.services.get_mut(service) {
                s.sorry = matches!(fact, Fact::SorryServerAdded { .. });
            }
        }
        // `fold` sends only the above here.
        _ => {}
    }
}

fn set_weight(w: &mut World, real: &crate::subject::RealKey, weight: Option<i32>) {
    if let Some(r) = w.real_mut(real) {
        r.weight = weight;
    }
}

fn report(w: &mut World, key: &CheckerKey, error: Option<String>, changed: Change) {
    let Some(real) = w.real_mut(&key.real) else { return };
    let new = Checker { key: key.clone(), ok: error.is_none(), error, changed };
    match real.checkers.iter_mut().find(|c| c.key == *key) {
        Some(known) => *known = new,
        None => real.checkers.push(new),
    }
}
