//! What begins and ends, as alerts for Prometheus' Alertmanager (API version 2, `POST /api/v2/alerts`). Pure.
//!
//! An alert lasts from the event that began it to the one that ends it, and is said again while it lasts.

use std::collections::BTreeMap;

use keepwatch_bus::fact::{ConsumerFact, DaemonFact, IpvsFact, LinkFact, ServiceFact, VrrpFact};
use keepwatch_bus::line::Level;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Event, Fact};
use serde_json::{Value, json};

use super::settings::Sender;

/// Who or what an alert is about: its name, and its labels besides.
type Key = (&'static str, Vec<(&'static str, String)>);

/// What an event means to an alert.
enum Turn {
    Begins(Key),
    Ends(Key),
}

/// Alerts that last.
#[derive(Debug, Default)]
pub struct Alerts(BTreeMap<Key, Value>);

impl Alerts {
    /// Takes an event in; the alerts that begin or end with it. Those that `matters` says nothing of begin none.
    pub fn note(&mut self, event: &Event, matters: impl Fn(&Event) -> bool, sender: &Sender) -> Vec<Value> {
        if let Fact::Daemon(DaemonFact::DaemonStopping { .. }) = event.fact {
            // What this one watches nobody knows any more: others will say what is wrong.
            return std::mem::take(&mut self.0).into_values().map(|alert| ended(alert, event)).collect();
        }
        let mut told = Vec::new();
        for turn in turns(&event.fact) {
            match turn {
                Turn::Begins(key) if !self.0.contains_key(&key) && matters(event) => {
                    let alert = begun(&key, event, sender);
                    told.push(alert.clone());
                    self.0.insert(key, alert);
                }
                Turn::Begins(_) => {}
                Turn::Ends(key) => told.extend(self.0.remove(&key).map(|alert| ended(alert, event))),
            }
        }
        told
    }

    /// Those that last.
    pub fn lasting(&self) -> Vec<Value> {
        self.0.values().cloned().collect()
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

fn ended(mut alert: Value, event: &Event) -> Value {
    alert["endsAt"] = event.at.to_string().into();
    alert
}

/// What a fact begins and ends. Of most nothing does, so that not every one is named here.
fn turns(fact: &Fact) -> Vec<Turn> {
    let about = |name, label, value: &dyn ToString| -> Key { (name, vec![(label, value.to_string())]) };
    let one = |begins: bool, key| vec![if begins { Turn::Begins(key) } else { Turn::Ends(key) }];
    match fact {
        Fact::Vrrp(VrrpFact::StateChanged { instance, to, .. }) => {
            one(*to == VrrpState::Fault, about("KeepwatchInstanceFault", "instance", instance))
        }
        Fact::Vrrp(VrrpFact::InstanceUnconfigured { instance }) => {
            one(false, about("KeepwatchInstanceFault", "instance", instance))
        }
        Fact::Vrrp(VrrpFact::AddressFailed { address, adding: true, .. }) => {
            one(true, about("KeepwatchAddressMissing", "address", address))
        }
        Fact::Vrrp(VrrpFact::AddressAdded { address, .. } | VrrpFact::AddressRemoved { address, .. }) => {
            one(false, about("KeepwatchAddressMissing", "address", address))
        }
        Fact::Link(LinkFact::LinkDown { interface, .. }) => {
            one(true, about("KeepwatchLinkDown", "interface", interface))
        }
        Fact::Link(LinkFact::LinkUp { interface, .. } | LinkFact::LinkForgotten { interface }) => {
            one(false, about("KeepwatchLinkDown", "interface", interface))
        }
        Fact::Service(
            ServiceFact::RealServerDown { real }
            | ServiceFact::RealServerUp { real }
            | ServiceFact::RealServerUnconfigured { real },
        ) => {
            let labels =
                vec![("virtual_server", real.service.to_string()), ("real_server", real.label().to_string())];
            let down = matches!(fact, Fact::Service(ServiceFact::RealServerDown { .. }));
            one(down, ("KeepwatchRealServerDown", labels))
        }
        Fact::Service(ServiceFact::QuorumLost { service, .. }) => {
            one(true, about("KeepwatchQuorumLost", "virtual_server", service))
        }
        Fact::Service(
            ServiceFact::QuorumGained { service, .. } | ServiceFact::VirtualServerUnconfigured { service },
        ) => one(false, about("KeepwatchQuorumLost", "virtual_server", service)),
        Fact::Ipvs(IpvsFact::IpvsFailed { .. } | IpvsFact::IpvsRefused { .. }) => {
            one(true, ("KeepwatchIpvsFails", Vec::new()))
        }
        Fact::Ipvs(IpvsFact::IpvsRecovered {}) => one(false, ("KeepwatchIpvsFails", Vec::new())),
        Fact::Daemon(DaemonFact::ConfigRejected { .. }) => one(true, ("KeepwatchReloadRefused", Vec::new())),
        Fact::Daemon(DaemonFact::ConfigLoaded { .. }) => one(false, ("KeepwatchReloadRefused", Vec::new())),
        Fact::Daemon(DaemonFact::HistoryFailed { .. }) => one(true, ("KeepwatchHistoryFails", Vec::new())),
        Fact::Daemon(DaemonFact::HistoryRecovered { .. }) => {
            one(false, ("KeepwatchHistoryFails", Vec::new()))
        }
        Fact::Daemon(DaemonFact::PartHung { part, .. }) => {
            one(true, about("KeepwatchPartHangs", "part", part))
        }
        Fact::Daemon(DaemonFact::PartMoves { part, .. }) => {
            one(false, about("KeepwatchPartHangs", "part", part))
        }
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
            one(true, about("KeepwatchDeliveryFails", "consumer", consumer))
        }
        Fact::Consumer(
            ConsumerFact::DeliveryResumed { consumer, .. } | ConsumerFact::DeliveryEnded { consumer, .. },
        ) => one(false, about("KeepwatchDeliveryFails", "consumer", consumer)),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::sample;

    use super::*;

    #[test]
    fn an_alert_begins_once_lasts_and_ends() {
        let mut alerts = Alerts::default();
        let sender = Sender { host: "director".into(), router_id: "r1".into() };
        let real = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 80));
        let note =
            |alerts: &mut Alerts, id, fact| alerts.note(&sample::event(id, None, fact), |_| true, &sender);
        let begun = note(&mut alerts, 1, ServiceFact::RealServerDown { real });
        let [alert] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!(alert["labels"]["alertname"], "KeepwatchRealServerDown");
        assert_eq!(alert["labels"]["virtual_server"], "[10.0.0.1]:tcp:80");
        assert_eq!(alert["labels"]["router_id"], "r1");
        assert!(alert["endsAt"].is_null() && alert["annotations"]["event"] == "1");
        assert!(note(&mut alerts, 2, ServiceFact::RealServerDown { real }).is_empty());
        assert_eq!(alerts.lasting(), begun);
        let ended = note(&mut alerts, 3, ServiceFact::RealServerUp { real });
        assert_eq!((&ended[0]["labels"], &ended[0]["startsAt"]), (&alert["labels"], &alert["startsAt"]));
        assert!(ended[0]["endsAt"].is_string() && alerts.lasting().is_empty());
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
        assert!(alerts.note(&down(1), |_| false, &sender).is_empty());
        assert_eq!(alerts.note(&down(2), |_| true, &sender).len(), 1);
        let stopping = sample::event(3, None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
        assert_eq!(alerts.note(&stopping, |_| true, &sender).len(), 1);
        assert!(alerts.lasting().is_empty());
    }
}
