//! What each fact does to the world.

use std::net::SocketAddr;

use super::order::settle;
use super::{Change, Checker, Group, Hung, Instance, Interface, RealServer, Refusal, Service, World};
use crate::event::Event;
use crate::fact::{ConsumerFact, DaemonFact, Fact, IpvsFact, LinkFact, ServiceFact, VrrpFact};
use crate::settings::InstanceSettings;
use crate::subject::{CheckerKey, ServiceKey, VrrpState};

pub(super) fn fold(w: &mut World, event: &Event) {
    let change = Change { at: event.at, event: event.id };
    match &event.fact {
        Fact::Daemon(fact) => daemon(w, fact, change),
        Fact::Link(fact) => link(w, fact, change),
        Fact::Vrrp(fact) => vrrp(w, fact, change),
        Fact::Service(fact) => service(w, fact, change),
        Fact::Ipvs(fact) => ipvs(w, fact, change),
        Fact::Consumer(fact) => consumer(w, fact),
    }
}

/// Facts of the daemon, its configuration and its history file.
fn daemon(w: &mut World, fact: &DaemonFact, change: Change) {
    match fact {
        // The world begins anew: `World::apply` does that.
        DaemonFact::DaemonStarted { .. } => {}
        DaemonFact::DaemonStopping { .. } => w.stopping = true,
        DaemonFact::ConfigLoaded { settings, .. } => {
            w.settings = (**settings).clone();
            w.config.generation += 1;
            w.config.loaded_at = Some(change.at);
            w.config.rejected = None;
        }
        DaemonFact::ConfigRejected { first, .. } => w.config.rejected = Some(first.clone()),
        DaemonFact::HistoryFailed { error, .. } => w.history_error = Some(error.clone()),
        DaemonFact::HistoryRecovered { .. } => w.history_error = None,
        DaemonFact::PartHung { part, doing, since } => {
            w.hung.insert(part.clone(), Hung { doing: doing.clone(), since: *since });
        }
        DaemonFact::PartMoves { part, .. } => {
            w.hung.shift_remove(part);
        }
        DaemonFact::WorkerRestarted { .. } | DaemonFact::ConfigDiagnosed { .. } => {}
    }
}

/// Facts of interfaces.
fn link(w: &mut World, fact: &LinkFact, change: Change) {
    match fact {
        LinkFact::LinkUp { interface, index } => {
            let (name, index) = (interface.clone(), *index);
            let new = Interface { name, up: true, down_reason: None, index, changed: change };
            w.interfaces.insert(interface.clone(), new);
        }
        LinkFact::LinkDown { interface, reason } => {
            let index = w.interfaces.get(interface).map_or(0, |i| i.index);
            let (name, down_reason) = (interface.clone(), Some(*reason));
            let new = Interface { name, up: false, down_reason, index, changed: change };
            w.interfaces.insert(interface.clone(), new);
        }
    }
}

/// Facts of virtual routers and groups.
fn vrrp(w: &mut World, fact: &VrrpFact, change: Change) {
    match fact {
        VrrpFact::InstanceConfigured { instance, settings } => {
            match w.instances.get_mut(instance) {
                Some(known) => {
                    known.settings = (**settings).clone();
                    // They are told again.
                    known.own_addresses.clear();
                    let mine = settings.addresses.iter().chain(&settings.excluded_addresses);
                    let mine: Vec<_> = mine.collect();
                    known.missing.retain(|(address, _)| mine.contains(&address));
                }
                None => {
                    let new = Instance {
                        name: instance.clone(),
                        state: VrrpState::Init,
                        wanted: first_wish(settings),
                        priority: settings.priority,
                        settings: (**settings).clone(),
                        master: None,
                        addresses: Vec::new(),
                        missing: Vec::new(),
                        own_addresses: Vec::new(),
                        changed: None,
                        transitions: 0,
                    };
                    w.instances.insert(instance.clone(), new);
                }
            }
            settle(&mut w.instances, instance);
        }
        VrrpFact::InstanceUnconfigured { instance } => {
            w.instances.shift_remove(instance);
        }
        VrrpFact::InstanceRenamed { instance, from } => {
            if let Some(mut known) = w.instances.shift_remove(from) {
                known.name = instance.clone();
                w.instances.insert(instance.clone(), known);
                settle(&mut w.instances, instance);
            }
        }
        VrrpFact::GroupConfigured { group, settings } => {
            let settings = (**settings).clone();
            match w.groups.get_mut(group) {
                Some(known) => known.settings = settings,
                None => {
                    let new = Group { name: group.clone(), settings, state: VrrpState::Init, changed: None };
                    w.groups.insert(group.clone(), new);
                }
            }
            settle(&mut w.groups, group);
        }
        VrrpFact::GroupUnconfigured { group } => {
            w.groups.shift_remove(group);
        }
        VrrpFact::GroupStateChanged { group, to, .. } => {
            if let Some(g) = w.groups.get_mut(group) {
                g.state = *to;
                g.changed = Some(change);
            }
        }
        VrrpFact::AdvertTimedOut { instance, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.wanted = VrrpState::Master;
            }
        }
        VrrpFact::StateChanged { instance, from, to, priority } => {
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
                if *to != VrrpState::Master {
                    i.missing.clear();
                }
            }
        }
        VrrpFact::PriorityChanged { instance, to, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.priority = *to;
            }
        }
        VrrpFact::MasterHeard { instance, address, priority }
        | VrrpFact::HigherPriorityReceived { instance, address, priority, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.master = Some((*address, *priority));
                if i.state == VrrpState::Backup {
                    i.wanted = VrrpState::Backup;
                }
            }
        }
        VrrpFact::MasterResigned { instance, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.master = None;
            }
        }
        VrrpFact::AddressAdded { instance, address, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.missing.retain(|(missing, _)| missing != address);
                if !i.addresses.contains(address) {
                    i.addresses.push(address.clone());
                }
            }
        }
        VrrpFact::AddressFailed { instance, address, adding: true, error } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.addresses.retain(|a| a != address);
                i.missing.retain(|(missing, _)| missing != address);
                i.missing.push((address.clone(), error.clone()));
            }
        }
        VrrpFact::AddressRemoved { instance, address } | VrrpFact::AddressStays { instance, address, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.addresses.retain(|a| a != address);
            }
        }
        VrrpFact::OwnAddress { instance, address, present, .. } => {
            if let Some(i) = w.instances.get_mut(instance) {
                i.own_addresses.retain(|a| a != address);
                if *present {
                    i.own_addresses.push(address.clone());
                }
            }
        }
        // These happened and leave no state behind.
        VrrpFact::LowerPriorityReceived { .. }
        | VrrpFact::OtherOwner { .. }
        | VrrpFact::AdvertRejected { .. }
        | VrrpFact::AddressFailed { adding: false, .. }
        | VrrpFact::AddressesAnnounced { .. }
        | VrrpFact::AdvertSendFailed { .. }
        | VrrpFact::AdvertDetoured { .. }
        | VrrpFact::SourceAddressChanged { .. }
        | VrrpFact::HeldInFault { .. }
        | VrrpFact::AdvertDelayed { .. } => {}
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
fn service(w: &mut World, fact: &ServiceFact, change: Change) {
    match fact {
        ServiceFact::VirtualServerConfigured { service, settings } => {
            let settings = (**settings).clone();
            match w.services.get_mut(service) {
                Some(known) => known.settings = settings,
                None => {
                    let new = Service {
                        key: *service,
                        settings,
                        present: false,
                        refused: None,
                        quorum: true,
                        sorry: false,
                        changed: None,
                        reals: Default::default(),
                    };
                    w.services.insert(*service, new);
                }
            }
            settle(&mut w.services, service);
        }
        ServiceFact::VirtualServerUnconfigured { service } => {
            w.services.shift_remove(service);
        }
        ServiceFact::RealServerConfigured { real, starts_up, checked, settings } => {
            let Some(s) = w.services.get_mut(&real.service) else { return };
            let settings = (**settings).clone();
            match s.reals.get_mut(&real.real) {
                Some(known) => {
                    known.settings = settings;
                    known.checked = *checked;
                }
                None => {
                    let new = RealServer {
                        address: real.real,
                        settings,
                        up: *starts_up,
                        checked: *checked,
                        weight: None,
                        refused: None,
                        changed: None,
                        checkers: Vec::new(),
                    };
                    s.reals.insert(real.real, new);
                }
            }
            settle(&mut s.reals, &real.real);
        }
        ServiceFact::RealServerUnconfigured { real } => {
            if let Some(s) = w.services.get_mut(&real.service) {
                s.reals.shift_remove(&real.real);
            }
        }
        ServiceFact::CheckSucceeded { checker, .. } => report(w, checker, None, change),
        // A try that is followed by another says nothing yet.
        ServiceFact::CheckFailed { attempt, attempts, .. } if attempt < attempts => {}
        ServiceFact::CheckFailed { checker, error, .. } => report(w, checker, Some(error.clone()), change),
        ServiceFact::RealServerUp { real } | ServiceFact::RealServerDown { real } => {
            if let Some(r) = w.real_mut(real) {
                r.up = matches!(fact, ServiceFact::RealServerUp { .. });
                r.changed = Some(change);
            }
        }
        ServiceFact::VirtualServerAdded { service, .. } => {
            if let Some(s) = w.services.get_mut(service) {
                s.present = true;
            }
        }
        // Its real servers go with it.
        ServiceFact::VirtualServerRemoved { service } => {
            if let Some(s) = w.services.get_mut(service) {
                s.present = false;
                s.sorry = false;
                s.reals.values_mut().for_each(|r| r.weight = None);
            }
        }
        ServiceFact::RealServerAdded { real, weight, .. } => set_weight(w, real, Some(*weight)),
        ServiceFact::RealServerWeightChanged { real, to, .. } => set_weight(w, real, Some(*to)),
        ServiceFact::RealServerRemoved { real } => set_weight(w, real, None),
        ServiceFact::QuorumGained { service, .. } | ServiceFact::QuorumLost { service, .. } => {
            if let Some(s) = w.services.get_mut(service) {
                s.quorum = matches!(fact, ServiceFact::QuorumGained { .. });
                s.changed = Some(change);
            }
        }
        ServiceFact::SorryServerAdded { service, .. } | ServiceFact::SorryServerRemoved { service, .. } => {
            if let Some(s) = w.services.get_mut(service) {
                s.sorry = matches!(fact, ServiceFact::SorryServerAdded { .. });
            }
        }
        ServiceFact::CheckNotRun { .. } => {}
    }
}

fn refuse(
    w: &mut World,
    service: &ServiceKey,
    real: Option<SocketAddr>,
    refusal: impl FnOnce(Option<SocketAddr>) -> Refusal,
) {
    let Some(s) = w.services.get_mut(service) else { return };
    match real.map(|real| (real, s.reals.get_mut(&real))) {
        Some((_, Some(known))) => known.refused = Some(refusal(None)),
        Some((sorry, None)) => s.refused = Some(refusal(Some(sorry))),
        None => s.refused = Some(refusal(None)),
    }
}

fn accept(w: &mut World, service: &ServiceKey, real: Option<SocketAddr>) {
    let Some(s) = w.services.get_mut(service) else { return };
    match real.map(|real| s.reals.get_mut(&real)) {
        Some(Some(known)) => known.refused = None,
        Some(None) | None => s.refused = None,
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

/// Facts of the kernel's table.
fn ipvs(w: &mut World, fact: &IpvsFact, changed: Change) {
    match fact {
        IpvsFact::IpvsRefused { service, real, change, error } => {
            let entry = real.map_or_else(|| service.to_string(), |real| format!("{real} of {service}"));
            w.ipvs_error = Some(format!("refused to {change} {entry}: {error}"));
            let refusal = |sorry| Refusal { change: *change, sorry, error: error.clone(), changed };
            refuse(w, service, *real, refusal);
        }
        IpvsFact::IpvsAccepted { service, real } => accept(w, service, *real),
        IpvsFact::IpvsRecovered {} => w.ipvs_error = None,
        IpvsFact::IpvsFailed { operation, error } => w.ipvs_error = Some(format!("{operation}: {error}")),
        IpvsFact::IpvsWithheld { .. } | IpvsFact::DriftRepaired { .. } => {}
    }
}

/// Facts of consumers.
fn consumer(w: &mut World, fact: &ConsumerFact) {
    match fact {
        ConsumerFact::ConsumerFailed { consumer, error } => {
            w.failed_consumers.insert(consumer.clone(), error.clone());
        }
        ConsumerFact::MailSent { .. } => {
            w.mail.sent += 1;
            w.mail.error = None;
        }
        ConsumerFact::MailDelayed { error, .. } => w.mail.error = Some(error.clone()),
        ConsumerFact::MailFailed { error, .. } => {
            w.mail.failed += 1;
            w.mail.error = Some(error.clone());
        }
        ConsumerFact::MasterAgentConnected { socket } => {
            w.snmp.connected = true;
            w.snmp.sessions += 1;
            w.snmp.socket = Some(socket.clone());
            w.snmp.error = None;
        }
        ConsumerFact::MasterAgentLost { socket, error } => {
            w.snmp.connected = false;
            w.snmp.socket = Some(socket.clone());
            w.snmp.error = Some(error.clone());
        }
        ConsumerFact::ScriptExited { .. } | ConsumerFact::ScriptNotRun { .. } => {}
    }
}
