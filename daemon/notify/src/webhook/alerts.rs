//! What begins and ends, as alerts for Prometheus' Alertmanager (API version 2, `POST /api/v2/alerts`). Pure.
//!
//! An alert lasts from the event that began it to the one that ends it, and is said again while it lasts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keepwatch_bus::fact::{ConsumerFact, DaemonFact, IpvsFact, LinkFact, ServiceFact, VrrpFact};
use keepwatch_bus::line::Level;
use keepwatch_bus::subject::{Name, VirtualAddress, VrrpState};
use keepwatch_bus::world::World;
use keepwatch_bus::{Event, Fact};
use serde_json::{Value, json};

use super::gone;
use super::settings::Sender;

/// Who or what an alert is about: its name, and its labels besides.
pub type Key = (&'static str, Vec<(&'static str, String)>);

/// What an event means to an alert.
enum Turn {
    Begins(Key),
    Ends(Key),
    /// All of this name that have this label.
    EndsAll(&'static str, (&'static str, String)),
}

/// Alerts that last.
#[derive(Debug, Default)]
pub struct Alerts(BTreeMap<Key, Lasting>);

#[derive(Debug)]
struct Lasting {
    alert: Value,
    /// What it began with.
    event: Event,
    /// The virtual server group that it is about.
    group: Option<Name>,
}

impl Alerts {
    /// Takes an event in; the alerts that begin or end with it. Those that `matters` says nothing of begin none.
    /// `group` is the virtual server group that the event is about.
    pub fn note(
        &mut self,
        event: &Event,
        matters: impl Fn(&Event) -> bool,
        group: Option<&Name>,
        sender: &Sender,
    ) -> Vec<Value> {
        if let Fact::Daemon(DaemonFact::DaemonStopping { .. }) = event.fact {
            // What this one watches nobody knows any more: others will say what is wrong.
            return self.end_where(event.at, |_, _| true);
        }
        let mut told = Vec::new();
        for turn in turns(&event.fact) {
            match turn {
                Turn::Begins(key) if !self.0.contains_key(&key) && matters(event) => {
                    let mut alert = begun(&key, event, sender);
                    if let Some(group) = group {
                        alert["labels"]["virtual_server_group"] = (**group).into();
                    }
                    told.push(alert.clone());
                    self.0.insert(key, Lasting { alert, event: event.clone(), group: group.cloned() });
                }
                Turn::Begins(_) => {}
                Turn::Ends(key) => {
                    told.extend(self.0.remove(&key).map(|lasting| ended(lasting.alert, event.at)));
                }
                Turn::EndsAll(name, label) => {
                    told.extend(self.end_where(event.at, |key, _| key.0 == name && key.1.contains(&label)));
                }
            }
        }
        told
    }

    /// Ends those whose trouble the world does not have any more, however it went.
    pub fn end_gone(&mut self, world: &World, at: Timestamp) -> Vec<Value> {
        self.end_where(at, |key, _| gone::is_gone(key, world))
    }

    /// Ends those that began with what `matters` says nothing of.
    pub fn end_others(
        &mut self,
        matters: impl Fn(&Event, Option<&Name>) -> bool,
        at: Timestamp,
    ) -> Vec<Value> {
        self.end_where(at, |_, lasting| !matters(&lasting.event, lasting.group.as_ref()))
    }

    fn end_where(&mut self, at: Timestamp, over: impl Fn(&Key, &Lasting) -> bool) -> Vec<Value> {
        let (gone, left): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.0).into_iter().partition(|(key, lasting)| over(key, lasting));
        self.0 = left;
        gone.into_values().map(|lasting| ended(lasting.alert, at)).collect()
    }

    /// Of whom or what those are that last.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.keys()
    }

    /// One that lasts.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.0.get(key).map(|lasting| &lasting.alert)
    }
}

fn begun((name, about): &Key, event: &Event, sender: &Sender) -> Value {
    let line = event.line();
    let severity = match line.as_ref().map(|line| line.level) {
        Some(Level::Error) => "critical",
        _ => "warning",
    };
    let mut labels = json!({
        "alertname": name,
        "severity": severity,
        "host": sender.host,
        "router_id": sender.router_id,
    });
    for (label, value) in about {
        labels[*label] = value.clone().into();
    }
    json!({
        "labels": labels,
        "annotations": {
            "summary": line.map(|line| line.text).unwrap_or_default(),
            "event": event.id.0.to_string(),
            "description": format!("keepwatch why {}", event.id.0),
        },
        "startsAt": event.at.to_string(),
    })
}

fn ended(mut alert: Value, at: Timestamp) -> Value {
    alert["endsAt"] = at.to_string().into();
    alert
}

/// The names that more than one place needs.
pub(super) const FAULT: &str = "KeepwatchInstanceFault";
pub(super) const ADDRESS_MISSING: &str = "KeepwatchAddressMissing";
pub(super) const LINK_DOWN: &str = "KeepwatchLinkDown";
pub(super) const REAL_DOWN: &str = "KeepwatchRealServerDown";
pub(super) const QUORUM_LOST: &str = "KeepwatchQuorumLost";
pub(super) const IPVS_FAILS: &str = "KeepwatchIpvsFails";
pub(super) const RELOAD_REFUSED: &str = "KeepwatchReloadRefused";
pub(super) const HISTORY_FAILS: &str = "KeepwatchHistoryFails";
pub(super) const PART_HANGS: &str = "KeepwatchPartHangs";
pub(super) const DELIVERY_FAILS: &str = "KeepwatchDeliveryFails";

fn missing(instance: &Name, address: &VirtualAddress) -> Key {
    (ADDRESS_MISSING, vec![("address", address.to_string()), ("instance", instance.to_string())])
}

/// What a fact begins and ends. Of most nothing does, so that not every one is named here.
fn turns(fact: &Fact) -> Vec<Turn> {
    let about = |name, label, value: &dyn ToString| -> Key { (name, vec![(label, value.to_string())]) };
    let one = |begins: bool, key| vec![if begins { Turn::Begins(key) } else { Turn::Ends(key) }];
    match fact {
        Fact::Vrrp(VrrpFact::StateChanged { instance, to, .. }) => {
            let mut turns = one(*to == VrrpState::Fault, about(FAULT, "instance", instance));
            if *to != VrrpState::Master {
                // It is not to have them any more.
                turns.push(Turn::EndsAll(ADDRESS_MISSING, ("instance", instance.to_string())));
            }
            turns
        }
        Fact::Vrrp(VrrpFact::InstanceUnconfigured { instance }) => vec![
            Turn::Ends(about(FAULT, "instance", instance)),
            Turn::EndsAll(ADDRESS_MISSING, ("instance", instance.to_string())),
        ],
        Fact::Vrrp(VrrpFact::AddressFailed { instance, address, adding: true, .. }) => {
            one(true, missing(instance, address))
        }
        Fact::Vrrp(
            VrrpFact::AddressAdded { instance, address, .. }
            | VrrpFact::AddressRestored { instance, address, .. }
            | VrrpFact::AddressRemoved { instance, address },
        ) => one(false, missing(instance, address)),
        Fact::Link(LinkFact::LinkDown { interface, .. }) => {
            one(true, about(LINK_DOWN, "interface", interface))
        }
        Fact::Link(
            LinkFact::LinkUp { interface, .. }
            | LinkFact::LinkForgotten { interface }
            | LinkFact::LinkUnmade { interface },
        ) => one(false, about(LINK_DOWN, "interface", interface)),
        Fact::Service(
            ServiceFact::RealServerDown { real }
            | ServiceFact::RealServerUp { real }
            | ServiceFact::RealServerUnconfigured { real },
        ) => {
            let labels =
                vec![("virtual_server", real.service.to_string()), ("real_server", real.label().to_string())];
            let down = matches!(fact, Fact::Service(ServiceFact::RealServerDown { .. }));
            one(down, (REAL_DOWN, labels))
        }
        Fact::Service(ServiceFact::QuorumLost { service, .. }) => {
            one(true, about(QUORUM_LOST, "virtual_server", service))
        }
        Fact::Service(
            ServiceFact::QuorumGained { service, .. } | ServiceFact::VirtualServerUnconfigured { service },
        ) => one(false, about(QUORUM_LOST, "virtual_server", service)),
        Fact::Ipvs(IpvsFact::IpvsFailed { .. } | IpvsFact::IpvsRefused { .. }) => {
            one(true, (IPVS_FAILS, Vec::new()))
        }
        Fact::Ipvs(IpvsFact::IpvsRecovered {}) => one(false, (IPVS_FAILS, Vec::new())),
        Fact::Daemon(DaemonFact::ConfigRejected { .. }) => one(true, (RELOAD_REFUSED, Vec::new())),
        Fact::Daemon(DaemonFact::ConfigLoaded { .. }) => one(false, (RELOAD_REFUSED, Vec::new())),
        Fact::Daemon(DaemonFact::HistoryFailed { .. }) => one(true, (HISTORY_FAILS, Vec::new())),
        Fact::Daemon(DaemonFact::HistoryRecovered { .. }) => one(false, (HISTORY_FAILS, Vec::new())),
        Fact::Daemon(DaemonFact::PartHung { part, .. }) => one(true, about(PART_HANGS, "part", part)),
        Fact::Daemon(DaemonFact::PartMoves { part, .. }) => one(false, about(PART_HANGS, "part", part)),
        Fact::Consumer(ConsumerFact::MailDelayed { .. } | ConsumerFact::MailFailed { .. }) => {
            one(true, ("KeepwatchMailFails", Vec::new()))
        }
        Fact::Consumer(ConsumerFact::MailSent { .. }) => one(false, ("KeepwatchMailFails", Vec::new())),
        Fact::Consumer(ConsumerFact::MasterAgentLost { .. }) => {
            one(true, ("KeepwatchSnmpSessionLost", Vec::new()))
        }
        Fact::Consumer(ConsumerFact::MasterAgentConnected { .. } | ConsumerFact::MasterAgentLeft { .. }) => {
            one(false, ("KeepwatchSnmpSessionLost", Vec::new()))
        }
        Fact::Consumer(ConsumerFact::DeliveryInterrupted { consumer, .. }) => {
            one(true, about(DELIVERY_FAILS, "consumer", consumer))
        }
        Fact::Consumer(
            ConsumerFact::DeliveryResumed { consumer, .. } | ConsumerFact::DeliveryEnded { consumer, .. },
        ) => one(false, about(DELIVERY_FAILS, "consumer", consumer)),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::sample;

    use super::*;

    fn lasting(alerts: &Alerts) -> Vec<Value> {
        alerts.keys().filter_map(|key| alerts.get(key)).cloned().collect()
    }

    #[test]
    fn an_alert_begins_once_lasts_and_ends() {
        let mut alerts = Alerts::default();
        let sender = Sender { host: "director".into(), router_id: "r1".into() };
        let real = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 80));
        let note = |alerts: &mut Alerts, id, fact| {
            alerts.note(&sample::event(id, None, fact), |_| true, None, &sender)
        };
        let begun = note(&mut alerts, 1, ServiceFact::RealServerDown { real });
        let [alert] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!(alert["labels"]["alertname"], "KeepwatchRealServerDown");
        assert_eq!(alert["labels"]["virtual_server"], "[10.0.0.1]:tcp:80");
        assert_eq!(alert["labels"]["router_id"], "r1");
        assert!(alert["endsAt"].is_null() && alert["annotations"]["event"] == "1");
        assert!(note(&mut alerts, 2, ServiceFact::RealServerDown { real }).is_empty());
        assert_eq!(lasting(&alerts), begun);
        let ended = note(&mut alerts, 3, ServiceFact::RealServerUp { real });
        assert_eq!((&ended[0]["labels"], &ended[0]["startsAt"]), (&alert["labels"], &alert["startsAt"]));
        assert!(ended[0]["endsAt"].is_string() && lasting(&alerts).is_empty());
        assert!(note(&mut alerts, 4, ServiceFact::RealServerUp { real }).is_empty());
    }

    #[test]
    fn what_does_not_matter_begins_none_and_a_stop_ends_all() {
        let (mut alerts, sender) = (Alerts::default(), Sender::default());
        let down = |id| {
            sample::event(
                id,
                None,
                LinkFact::LinkDown {
                    interface: "eth0".into(),
                    reason: keepwatch_bus::fact::LinkDownReason::NoCarrier,
                },
            )
        };
        assert!(alerts.note(&down(1), |_| false, None, &sender).is_empty());
        assert_eq!(alerts.note(&down(2), |_| true, None, &sender).len(), 1);
        let stopping = sample::event(3, None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
        assert_eq!(alerts.note(&stopping, |_| true, None, &sender).len(), 1);
        assert!(lasting(&alerts).is_empty());
    }

    #[test]
    fn an_address_is_missing_until_it_is_there_or_not_wanted_any_more() {
        let sender = Sender::default();
        let address = sample::virtual_address([10, 0, 0, 9], 24, "eth0");
        let instance = || Name::from("VI_1");
        let state = |instance: Name, to| VrrpFact::StateChanged {
            instance,
            from: VrrpState::Master,
            to,
            priority: 100,
        };
        let missing = || VrrpFact::AddressFailed {
            instance: instance(),
            address: address.clone(),
            adding: true,
            error: "no".into(),
        };
        let (added, after) = (address.clone(), std::time::Duration::ZERO);
        for (end, ends) in [
            (VrrpFact::AddressAdded { instance: instance(), address: added.clone(), adopted: false }, true),
            (VrrpFact::AddressRestored { instance: instance(), address: added.clone(), after }, true),
            (VrrpFact::AddressRemoved { instance: instance(), address: added.clone() }, true),
            (VrrpFact::AddressRemoved { instance: "VI_2".into(), address: added }, false),
            (state(instance(), VrrpState::Backup), true),
            (state(instance(), VrrpState::Fault), true),
            (state(instance(), VrrpState::Master), false),
            (state("VI_2".into(), VrrpState::Backup), false),
            (VrrpFact::InstanceUnconfigured { instance: instance() }, true),
        ] {
            let mut alerts = Alerts::default();
            let begun = alerts.note(&sample::event(1, None, missing()), |_| true, None, &sender);
            assert_eq!(begun[0]["labels"]["instance"], "VI_1");
            let said = format!("{end:?}");
            alerts.note(&sample::event(2, None, end), |_| true, None, &sender);
            let lasts = alerts.keys().any(|key| key.0 == ADDRESS_MISSING);
            assert_eq!(lasts, !ends, "{said}");
        }
    }
}
