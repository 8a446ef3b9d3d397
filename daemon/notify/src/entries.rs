//! Virtual server groups: what happens to all entries of one is told once. In: facts, in the order of the bus. Out: of
//! what happens to a virtual server, which group it is of, and whether it is told of another entry as well. Pure.

use std::collections::{HashMap, HashSet};

use keepwatch_bus::Fact;
use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::subject::{Name, ServiceKey};
use keepwatch_model::{VirtualServer, VirtualServerKey};

/// What is known of groups.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    groups: HashMap<ServiceKey, (Name, VirtualServerKey)>,
    /// The entry that each group is told by.
    firsts: HashMap<VirtualServerKey, ServiceKey>,
    others: HashSet<ServiceKey>,
}

/// Where an event about a virtual server belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place<'a> {
    /// The group that its virtual server stands for.
    pub(crate) group: Option<&'a Name>,
    /// It says of another entry of the group what is told of the first one.
    pub(crate) repeats: bool,
}

impl Entries {
    /// Takes in which entries there are.
    pub(crate) fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Service(ServiceFact::VirtualServerConfigured { service, settings }) => {
                self.configured(service, settings);
            }
            Fact::Service(ServiceFact::VirtualServerRenamed { service, from }) => self.renamed(service, from),
            Fact::Service(ServiceFact::VirtualServerUnconfigured { service }) => self.removed(service),
            _ => {}
        }
    }

    /// A virtual server is there, or is another one now.
    pub(crate) fn configured(&mut self, service: &ServiceKey, settings: &VirtualServer) {
        let key = settings.key.lasting();
        // It may have stood for another group than it is of now, or for none.
        if self.groups.get(service).is_some_and(|(_, before)| *before != key) {
            self.step_down(service);
        }
        self.forget(service);
        let Some(group) = settings.group() else { return };
        self.groups.insert(*service, (group.clone(), key.clone()));
        if self.firsts.entry(key).or_insert(*service) != service {
            self.others.insert(*service);
        }
    }

    /// A group is told by another entry from now on.
    pub(crate) fn renamed(&mut self, service: &ServiceKey, from: &ServiceKey) {
        let Some((group, key)) = self.groups.get(from).cloned() else { return };
        // The one before may stay in the group.
        if self.firsts.insert(key.clone(), *service).is_some_and(|before| before == *from) {
            self.others.insert(*from);
        }
        self.groups.insert(*service, (group, key));
        self.others.remove(service);
    }

    /// A virtual server is there no longer.
    pub(crate) fn removed(&mut self, service: &ServiceKey) {
        self.step_down(service);
        self.forget(service);
    }

    /// Whether another entry of its group tells what happens to this one.
    pub(crate) fn is_told_by_another(&self, service: &ServiceKey) -> bool {
        self.others.contains(service)
    }

    /// It does not speak for its group any more, if it did.
    fn step_down(&mut self, service: &ServiceKey) {
        let Some((_, key)) = self.groups.get(service) else { return };
        if self.firsts.get(key) == Some(service) {
            self.firsts.remove(key);
        }
    }

    fn forget(&mut self, service: &ServiceKey) {
        self.groups.remove(service);
        self.others.remove(service);
    }

    /// Where what happened belongs.
    pub(crate) fn place(&self, fact: &Fact) -> Place<'_> {
        let Some(service) = of_all_entries(fact) else { return Place::default() };
        Place {
            group: self.groups.get(service).map(|(name, _)| name),
            repeats: self.is_told_by_another(service),
        }
    }
}

/// The entry that a fact is about, if it is of those that are told of each entry of a group.
fn of_all_entries(fact: &Fact) -> Option<&ServiceKey> {
    let Fact::Service(fact) = fact else { return None };
    Some(match fact {
        ServiceFact::QuorumGained { service, .. }
        | ServiceFact::QuorumLost { service, .. }
        | ServiceFact::QuorumAwaited { service, .. }
        | ServiceFact::ChecksSuspended { service }
        | ServiceFact::ChecksResumed { service, .. }
        | ServiceFact::SorryServerAdded { service, .. }
        | ServiceFact::SorryServerRemoved { service, .. }
        | ServiceFact::VirtualServerAdded { service, .. }
        | ServiceFact::VirtualServerRemoved { service } => service,
        ServiceFact::RealServerUp { real }
        | ServiceFact::RealServerDown { real }
        | ServiceFact::RealServerAdded { real, .. }
        | ServiceFact::RealServerRemoved { real }
        | ServiceFact::RealServerWeightChanged { real, .. }
        | ServiceFact::RealServerUnconfigured { real } => &real.service,
        ServiceFact::CheckSucceeded { checker, .. }
        | ServiceFact::CheckFailed { checker, .. }
        | ServiceFact::CheckNotRun { checker, .. }
        | ServiceFact::PageDigestSeen { checker, .. }
        | ServiceFact::CertificateSeen { checker, .. } => &checker.real.service,
        // That an entry comes or goes is about that one.
        ServiceFact::VirtualServerConfigured { .. }
        | ServiceFact::VirtualServerRenamed { .. }
        | ServiceFact::VirtualServerUnconfigured { .. }
        | ServiceFact::RealServerConfigured { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::{Configured, sample};
    use keepwatch_model::Protocol;

    use super::*;

    fn entry(n: u8) -> ServiceKey {
        sample::service_key(([10, 9, 0, n], 80))
    }

    fn configured(n: u8, group: Option<&str>) -> Fact {
        let key = match group {
            Some(name) => {
                VirtualServerKey::Group { name: name.into(), protocol: Protocol::Tcp, family: None }
            }
            None => entry(n).into(),
        };
        let settings = Configured::new(1, VirtualServer { key, ..sample::service() });
        ServiceFact::VirtualServerConfigured { service: entry(n), settings }.into()
    }

    fn lost(n: u8) -> Fact {
        ServiceFact::QuorumLost { service: entry(n), quorum: 1, hysteresis: 0, weight: 0 }.into()
    }

    #[test]
    fn one_entry_speaks_for_its_group() {
        let mut entries = Entries::default();
        for n in 1..=3 {
            entries.note(&configured(n, Some("G")));
        }
        entries.note(&configured(4, None));
        let told = |entries: &Entries| -> Vec<(bool, Option<Name>)> {
            let places =
                (1..=4).map(|n| (entries.place(&lost(n)).repeats, entries.place(&lost(n)).group.cloned()));
            places.collect()
        };
        let of = Some(Name::from("G"));
        let first = (false, of.clone());
        let other = (true, of);
        assert_eq!(told(&entries), [first.clone(), other.clone(), other.clone(), (false, None)]);
        // A reload takes the first one away.
        let renamed = ServiceFact::VirtualServerRenamed { service: entry(2), from: entry(1) };
        entries.note(&renamed.into());
        entries.note(&ServiceFact::VirtualServerUnconfigured { service: entry(1) }.into());
        entries.note(&configured(2, Some("G")));
        entries.note(&configured(3, Some("G")));
        assert_eq!(told(&entries), [(false, None), first, other, (false, None)]);
        // Another one puts an entry before all others, and those stay.
        entries.note(&ServiceFact::VirtualServerRenamed { service: entry(1), from: entry(2) }.into());
        entries.note(&configured(1, Some("G")));
        assert_eq!(
            told(&entries)[..3],
            [(false, Some("G".into())), (true, Some("G".into())), (true, Some("G".into()))]
        );
        // And one stands for itself from now on.
        entries.note(&configured(3, None));
        assert!(!entries.place(&lost(3)).repeats);
    }
}
