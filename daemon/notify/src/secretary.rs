//! Which events are worth a letter, and what it says. Pure: events in, letters out.
//!
//! Subjects and the first line of each body are keepalived's, because people filter their mail by them. As there, a
//! state is mailed once until another one is, a real server only when it really changes between up and down, and
//! only what has `smtp_alert`.

use std::collections::HashMap;
use std::net::SocketAddr;

use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::subject::{CheckerKey, Name, RealKey, ServiceKey, VirtualAddress, VrrpState};
use keepwatch_bus::{Event, EventId, Fact, FlatMap, History};

use crate::Letter;
use crate::entries::Entries;
use crate::news::News;
use crate::occasions::service_label;

/// Keeps what the configuration facts said about mail, and what was mailed last.
#[derive(Debug, Default)]
pub struct Secretary {
    instances: HashMap<Name, Router>,
    groups: HashMap<Name, Router>,
    /// Those that are told of: of a group, the entry that it is known by.
    services: HashMap<ServiceKey, Service>,
    entries: Entries,
    /// By their virtual server: there may be tens of thousands.
    reals: HashMap<ServiceKey, FlatMap<SocketAddr, Real>>,
    wishes: Wishes,
}

/// What is not to be mailed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `no_email_faults`: no FAULT states.
    pub no_faults: bool,
    /// `no_checker_emails`: no checker that changes while its server stays as it is.
    pub no_checkers: bool,
}

/// A virtual router or a sync group.
#[derive(Debug)]
struct Router {
    alert: bool,
    mailed: VrrpState,
    /// Addresses whose want was mailed since the last change of state.
    missing: Vec<VirtualAddress>,
}

#[derive(Debug)]
struct Service {
    /// The virtual server group that it stands for.
    group: Option<Name>,
    alert: bool,
    alpha: bool,
    /// What is said next of its quorum is how it starts.
    starts: bool,
}

#[derive(Debug)]
struct Real {
    alert: bool,
    up: bool,
    /// How many checkers it has, and what is thought of one that has said nothing yet.
    checkers: u32,
    begins_up: bool,
    /// The places of its checkers that have said last what is not thought of one that has said nothing.
    otherwise: Box<[u16]>,
}

impl Real {
    /// Takes in what a checker says. Returns whether that is another than before, but leaves the server as it is.
    fn checked(&mut self, index: u16, up: bool) -> bool {
        let known = self.otherwise.contains(&index);
        if known == (up != self.begins_up) {
            return false;
        }
        let others = self.otherwise.iter().copied().filter(|known| *known != index);
        self.otherwise = others.chain((!known).then_some(index)).collect();
        let all_up = match self.begins_up {
            true => self.otherwise.is_empty(),
            false => self.otherwise.len() >= self.checkers as usize,
        };
        self.up == all_up
    }
}

/// Subject and first line of a letter.
struct Words(String, String);

impl Secretary {
    /// What is not to be mailed from now on.
    pub fn heed(&mut self, wishes: Wishes) {
        self.wishes = wishes;
    }

    /// Takes an event in and returns the letters that it gives: mostly none. `history` must hold the event already;
    /// it is asked why it happened.
    pub fn note(&mut self, event: &Event, history: &History) -> Vec<Letter> {
        let Some(news) = News::of(&event.fact) else { return Vec::new() };
        let words = self.words(news, event.cause, history);
        words.into_iter().map(|words| letter(words, event, history)).collect()
    }

    fn words(&mut self, news: News<'_>, cause: Option<EventId>, history: &History) -> Vec<Words> {
        match news {
            News::Started => {
                *self = Self { wishes: self.wishes, ..Self::default() };
                Vec::new()
            }
            News::Stopping => self.stopping(),
            News::InstanceConfigured { instance, settings } => {
                let known = self.instances.entry(instance.clone()).or_insert(Router::new());
                known.alert = settings.smtp_alert;
                Vec::new()
            }
            News::GroupConfigured { group, settings } => {
                let known = self.groups.entry(group.clone()).or_insert(Router::new());
                known.alert = settings.smtp_alert;
                Vec::new()
            }
            News::InstanceRemoved { instance } => {
                let known = self.instances.remove(instance).filter(|router| router.alert);
                let deleted = |_| instance_words(instance, "Deleted", "VRRP Deleted at reload");
                known.map(deleted).into_iter().collect()
            }
            News::InstanceRenamed { instance, from } => {
                if let Some(known) = self.instances.remove(from) {
                    self.instances.insert(instance.clone(), known);
                }
                Vec::new()
            }
            News::GroupRemoved { group } => {
                self.groups.remove(group);
                Vec::new()
            }
            News::InstanceState { instance, to, .. } => self.instance_changed(instance, to),
            News::AddressMissing { instance, address, error } => {
                self.address_missing(instance, address, error)
            }
            News::GroupState { group, to } => self.group_changed(group, to),
            News::LowerPriorityHeard { .. } | News::PriorityChanged { .. } => Vec::new(),
            News::Checked { checker, up } => self.checked(checker, up).into_iter().collect(),
            News::ServiceConfigured { service, settings } => {
                // With `alpha` it starts with nobody, and what its servers' checks say is a change.
                let starts = self.services.get(&service).map_or(!settings.alpha, |known| known.starts);
                let group = settings.group().cloned();
                self.entries.configured(&service, settings);
                if self.entries.is_told_by_another(&service) {
                    return Vec::new();
                }
                let known = Service { group, alert: settings.smtp_alert, alpha: settings.alpha, starts };
                self.services.insert(service, known);
                Vec::new()
            }
            News::ServiceRenamed { service, from } => {
                self.entries.renamed(&service, &from);
                if let Some(known) = self.services.remove(&from) {
                    self.services.insert(service, known);
                }
                if let Some(known) = self.reals.remove(&from) {
                    self.reals.insert(service, known);
                }
                Vec::new()
            }
            News::ServiceRemoved { service } => {
                self.services.remove(&service);
                self.entries.removed(&service);
                // Nobody tells of its real servers one by one; if it comes back, they begin anew.
                self.reals.remove(&service);
                Vec::new()
            }
            News::RealConfigured { real, settings, .. } => {
                if !self.services.contains_key(&real.service) {
                    return Vec::new();
                }
                // Without `alpha` a real server is thought up until a check fails, so that its first success is no news.
                let up = !self.services.get(&real.service).is_some_and(|service| service.alpha);
                let new = || Real { alert: false, up, checkers: 0, begins_up: up, otherwise: Box::default() };
                let reals = self.reals.entry(real.service).or_default();
                let known = reals.get_or_insert_with(real.real, new);
                known.alert = settings.smtp_alert;
                let checkers = settings.checkers.len() + settings.followed().count();
                known.checkers = u32::try_from(checkers).unwrap_or(u32::MAX);
                if known.otherwise.iter().any(|index| usize::from(*index) >= checkers) {
                    let left = known.otherwise.iter().copied();
                    known.otherwise = left.filter(|index| usize::from(*index) < checkers).collect();
                }
                Vec::new()
            }
            News::RealRemoved { real } => {
                let known = self.reals.get_mut(&real.service).and_then(|reals| reals.remove(&real.real));
                let known = known.filter(|known| known.alert && known.up);
                known.map(|_| self.real_words(&real, "DOWN", "Removing")).into_iter().collect()
            }
            News::RealState { real, up } => self.real_changed(&real, up, cause, history),
            News::Quorum { service, up, quorum, hysteresis, weight } => {
                let known = self.services.get_mut(&service);
                let starts = known.is_some_and(|known| std::mem::take(&mut known.starts));
                let what = match (up, starts) {
                    (true, true) => "Starting with quorum up",
                    (true, false) => "Gained quorum",
                    (false, true) => "Starting with quorum down",
                    (false, false) => "Lost quorum",
                };
                let (quorum, hysteresis) = (i64::from(quorum), i64::from(hysteresis));
                let needed = if up { quorum + hysteresis } else { quorum - hysteresis };
                // The signs are those of keepalived's mails, whatever it is about: they are filtered by.
                let line = format!("{what} {quorum}+{hysteresis}={needed} <= {weight}");
                let wanted = self.wants(&service);
                let label = || service_label(&service, self.group_of(&service));
                wanted.then(|| service_words(&label(), up_or_down(up), &line)).into_iter().collect()
            }
        }
    }

    fn real(&mut self, key: &RealKey) -> Option<&mut Real> {
        self.reals.get_mut(&key.service)?.get_mut(&key.real)
    }

    fn group_of(&self, service: &ServiceKey) -> Option<&Name> {
        self.services.get(service)?.group.as_ref()
    }

    fn real_words(&self, real: &RealKey, state: &str, line: &str) -> Words {
        let service = service_label(&real.service, self.group_of(&real.service));
        Words(format!("Realserver {} of virtual server {service} - {state}", real.label()), arrows(line))
    }

    fn wants(&self, service: &ServiceKey) -> bool {
        self.services.get(service).is_some_and(|service| service.alert)
    }

    /// A checker is of another opinion than before. When its server is too, that is mailed, and not this.
    fn checked(&mut self, checker: &CheckerKey, up: bool) -> Option<Words> {
        let known = self.real(&checker.real)?;
        let wanted = known.checked(checker.index, up) && known.alert;
        let (is_up, wanted) = (known.up, wanted && !self.wishes.no_checkers);
        // As in keepalived, a number in a file is none.
        let wanted = wanted && &*checker.kind != "FILE_CHECK";
        wanted.then(|| self.real_words(&checker.real, up_or_down(is_up), &check_line(&checker.kind, up)))
    }

    fn instance_changed(&mut self, instance: &Name, to: VrrpState) -> Vec<Words> {
        let silent_faults = self.wishes.no_faults;
        let Some(router) = self.instances.get_mut(instance) else { return Vec::new() };
        router.missing.clear();
        let Some(subject) = router.news(to, silent_faults) else { return Vec::new() };
        let line = match to {
            VrrpState::Master => "VRRP Instance is now owning VRRP VIPs",
            VrrpState::Init | VrrpState::Backup | VrrpState::Fault => {
                "VRRP Instance is no longer owning VRRP VIPs"
            }
        };
        vec![instance_words(instance, &subject, line)]
    }

    /// An address that a master does not get: once in each mastership.
    fn address_missing(&mut self, instance: &Name, address: &VirtualAddress, error: &str) -> Vec<Words> {
        let Some(router) = self.instances.get_mut(instance).filter(|router| router.alert) else {
            return Vec::new();
        };
        if router.missing.contains(address) {
            return Vec::new();
        }
        router.missing.push(address.clone());
        let line = format!("VIP {address} is not on {}: {error}", address.interface);
        vec![instance_words(instance, "VIP missing", &line)]
    }

    fn group_changed(&mut self, group: &Name, to: VrrpState) -> Vec<Words> {
        let silent_faults = self.wishes.no_faults;
        let Some(router) = self.groups.get_mut(group) else { return Vec::new() };
        let Some(subject) = router.news(to, silent_faults) else { return Vec::new() };
        vec![group_words(group, &subject, &format!("All VRRP group instances are now in {to} state"))]
    }

    fn real_changed(
        &mut self,
        real: &RealKey,
        up: bool,
        cause: Option<EventId>,
        history: &History,
    ) -> Vec<Words> {
        let Some(known) = self.real(real) else { return Vec::new() };
        if std::mem::replace(&mut known.up, up) == up || !known.alert {
            return Vec::new();
        }
        let cause = cause.and_then(|cause| history.get(cause));
        let mut kind = "";
        if let Some(Fact::Service(
            ServiceFact::CheckSucceeded { checker, .. } | ServiceFact::CheckFailed { checker, .. },
        )) = cause.map(|event| &event.fact)
        {
            kind = &checker.kind;
        }
        let line = check_line(kind, up);
        vec![self.real_words(real, up_or_down(up), &line)]
    }

    fn stopping(&mut self) -> Vec<Words> {
        let mut words: Vec<_> = self
            .instances
            .iter()
            .filter(|(_, router)| router.alert)
            .map(|(name, _)| instance_words(name, "Stopping", "VRRP Instance stopping"))
            .collect();
        let groups = self.groups.iter().filter(|(_, router)| router.alert);
        words.extend(
            groups
                .map(|(name, _)| group_words(name, "Stopping", "All VRRP group instances are now stopping")),
        );
        words.sort_by(|a, b| a.0.cmp(&b.0));
        words
    }
}

impl Router {
    fn new() -> Self {
        Self { alert: false, mailed: VrrpState::Init, missing: Vec::new() }
    }

    /// What the subject says of the new state, if it is to be mailed.
    fn news(&mut self, to: VrrpState, silent_faults: bool) -> Option<String> {
        let wanted = match to {
            VrrpState::Init => false,
            VrrpState::Backup | VrrpState::Master => true,
            VrrpState::Fault => !silent_faults,
        };
        if !self.alert || !wanted || self.mailed == to {
            return None;
        }
        self.mailed = to;
        Some(format!("Entering {to} state"))
    }
}

fn instance_words(name: &str, what: &str, line: &str) -> Words {
    Words(format!("VRRP Instance {name} - {what}"), arrows(line))
}

fn group_words(name: &str, what: &str, line: &str) -> Words {
    Words(format!("VRRP Group {name} - {what}"), arrows(line))
}

fn service_words(service: &str, state: &str, line: &str) -> Words {
    Words(format!("Virtualserver {service} - {state}"), arrows(line))
}

fn up_or_down(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

fn arrows(line: &str) -> String {
    format!("=> {line} <=")
}

/// What keepalived's checkers write of themselves; each kind has its own way.
fn check_line(kind: &str, up: bool) -> String {
    let result = if up { "succeed" } else { "failed" };
    match kind {
        "TCP_CHECK" => format!("TCP CHECK {result} on service"),
        "UDP_CHECK" => format!("UDP CHECK {result} on service"),
        "PING_CHECK" => format!("ICMP CHECK {result} on service"),
        "DNS_CHECK" => format!("DNS_CHECK: {result} on service"),
        "HTTP_GET" | "SSL_GET" if !up => "CHECK failed on service : HTTP/SSL request failed".to_owned(),
        _ => format!("CHECK {result} on service"),
    }
}

fn letter(Words(subject, line): Words, event: &Event, history: &History) -> Letter {
    let mut body = format!("{line}\n");
    let told: Vec<_> = history
        .chain(event.id)
        .iter()
        .filter_map(|event| Some(format!("  {:.3}  {}  {}\n", event.at, event.id, event.line()?.text)))
        .collect();
    if !told.is_empty() {
        body.push_str("\nWhat led to it:\n");
        body.extend(told);
    }
    Letter { subject, body, event: event.id, at: event.at.as_nanosecond() }
}

#[cfg(test)]
mod tests;
