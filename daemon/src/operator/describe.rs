//! One event for people: its line in the log, or, for facts that have none there, one made here.

use keepwatch_bus::fact::{ServiceFact, VrrpFact};
use keepwatch_bus::subject::RealKey;
use keepwatch_bus::{Event, Fact};

/// The text of an event, never empty.
pub(super) fn text(event: &Event) -> String {
    event.line().map_or_else(|| unlogged(&event.fact), |line| line.text)
}

/// Its number, by which everybody who tells of it names it, as wide as those of long-lived daemons are.
pub(super) fn number(event: &Event) -> String {
    format!("{:>6}", event.id.to_string())
}

fn unlogged(fact: &Fact) -> String {
    match fact {
        Fact::Vrrp(VrrpFact::InstanceConfigured { instance, .. }) => format!("({instance}) configured"),
        Fact::Vrrp(VrrpFact::GroupConfigured { group, .. }) => format!("VRRP_Group({group}) configured"),
        Fact::Service(ServiceFact::VirtualServerConfigured { service, .. }) => {
            format!("Virtual Server {service} configured")
        }
        Fact::Service(ServiceFact::RealServerConfigured { real, .. }) => format!("{} configured", of(real)),
        Fact::Service(ServiceFact::RealServerUp { real }) => format!("{} is up", of(real)),
        Fact::Service(ServiceFact::RealServerDown { real }) => format!("{} is down", of(real)),
        Fact::Service(ServiceFact::CheckSucceeded { checker, .. }) => {
            format!("{} of {} succeeded", checker.kind, of(&checker.real))
        }
        other => other.kind().replace('_', " "),
    }
}

fn of(real: &RealKey) -> String {
    format!("service {} of VS {}", real.label(), real.service)
}

/// What an event rests on, where it says more than its line: one piece of evidence a line.
pub(super) fn evidence(event: &Event) -> Vec<String> {
    match &event.fact {
        Fact::Vrrp(VrrpFact::AdvertTimedOut { evidence: Some(silence), .. }) => silence.in_words(),
        _ => Vec::new(),
    }
}
