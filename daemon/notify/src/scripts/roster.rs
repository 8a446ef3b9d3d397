//! Which scripts follow from an event. Pure: events in, orders out.
//!
//! Who is told what is [`occasions`](crate::occasions)' affair; here is what is run for it. As in keepalived:
//! `notify_master` and its like are run as they are configured, `notify` gets four further arguments
//! (`INSTANCE|GROUP`, name, state, priority; a group's priority is 0); a change of priority runs nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use keepwatch_bus::fact::{ServiceFact, VrrpFact};
use keepwatch_bus::subject::{Name, RealKey, ServiceKey};
use keepwatch_bus::{Event, EventId, Fact};
use keepwatch_model::{Rare, Script, ScriptUser};

use super::settings::{RealScripts, RouterScripts, ScriptSettings, ServiceScripts};
use crate::occasions::{About, Occasion, Teller, Told};

/// A script to be run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Program, its arguments, and what the occasion adds to them.
    pub argv: Vec<String>,
    /// As whom, unless as the one who runs scripts where nobody is named.
    pub user: Option<ScriptUser>,
    /// The occasion: `INSTANCE VI_1 MASTER`.
    pub about: String,
    /// What it is about.
    pub subject: Subject,
    /// The event that it follows from.
    pub event: EventId,
}

impl Order {
    /// What is run.
    pub fn script(&self) -> Script {
        Script { argv: self.argv.iter().map(|word| word.as_str().into()).collect(), user: self.user.clone() }
    }
}

/// What a script is about. Those about the same are run one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A virtual router.
    Instance(Name),
    /// A sync group.
    Group(Name),
    /// A virtual server.
    Service(ServiceKey),
    /// A real server of a virtual server.
    Real(RealKey),
}

/// Knows the scripts, and what they were told last.
#[derive(Debug)]
pub struct Roster {
    settings: Arc<ScriptSettings>,
    /// Scripts of what a reload took away, until that is told.
    leaving: Leaving,
    teller: Teller,
}

#[derive(Debug, Default)]
struct Leaving {
    instances: BTreeMap<Name, Rare<RouterScripts>>,
    services: BTreeMap<ServiceKey, ServiceScripts>,
}

impl Leaving {
    /// What is in `old` and not in `new`; what comes back leaves no longer.
    fn note(&mut self, old: &ScriptSettings, new: &ScriptSettings) {
        let gone = old.instances.iter().filter(|(name, _)| !new.instances.contains_key(*name));
        self.instances.extend(gone.map(|(name, scripts)| (name.clone(), scripts.clone())));
        self.instances.retain(|name, _| !new.instances.contains_key(name));
        for (service, scripts) in &old.services {
            let stays = new.services.get(service);
            let is_gone = |real: &SocketAddr| stays.is_none_or(|stays| !stays.reals.contains_key(real));
            let reals = scripts.reals.iter().filter(|(real, _)| is_gone(real));
            let reals: BTreeMap<_, _> = reals.map(|(real, scripts)| (*real, scripts.clone())).collect();
            if stays.is_none() || !reals.is_empty() {
                let known = self.services.entry(*service).or_insert_with(|| scripts.clone());
                known.reals.extend(reals);
            }
        }
    }
}

impl Leaving {
    /// It has been told that something is gone.
    fn forget(&mut self, fact: &Fact) {
        match fact {
            Fact::Vrrp(VrrpFact::InstanceUnconfigured { instance }) => {
                self.instances.remove(instance);
            }
            Fact::Service(ServiceFact::VirtualServerRenamed { service, from }) => {
                if let Some(scripts) = self.services.remove(from) {
                    let known = self.services.entry(*service).or_insert_with(|| scripts.clone());
                    known.reals.extend(scripts.reals);
                }
            }
            Fact::Service(ServiceFact::VirtualServerUnconfigured { service }) => {
                self.services.remove(service);
            }
            Fact::Service(ServiceFact::RealServerUnconfigured { real }) => {
                if let Some(scripts) = self.services.get_mut(&real.service) {
                    scripts.reals.remove(&real.real);
                }
            }
            _ => {}
        }
    }
}

impl Roster {
    /// A roster of these scripts that has told nothing yet.
    pub fn new(settings: Arc<ScriptSettings>) -> Self {
        let teller = Teller::new(Arc::clone(&settings.watched));
        Self { settings, leaving: Leaving::default(), teller }
    }

    /// The scripts.
    pub fn settings(&self) -> &ScriptSettings {
        &self.settings
    }

    /// Goes by other scripts from now on (a reload).
    pub fn change(&mut self, settings: Arc<ScriptSettings>) {
        self.leaving.note(&self.settings, &settings);
        self.teller.change(Arc::clone(&settings.watched));
        self.settings = settings;
    }

    /// Takes an event in and returns what is to be run, in order.
    pub fn note(&mut self, event: &Event) -> Vec<Order> {
        let occasions = self.teller.note(event);
        let orders = occasions.iter().flat_map(|occasion| self.orders(occasion)).collect();
        self.leaving.forget(&event.fact);
        orders
    }

    fn orders(&self, Occasion { about, event }: &Occasion) -> Vec<Order> {
        let order = |script: &Script, subject: Subject, further: Vec<String>| Order {
            argv: script.argv.iter().map(ToString::to_string).chain(further).collect(),
            user: script.user.clone(),
            about: about.to_string(),
            subject,
            event: *event,
        };
        match about {
            About::Instance { name, state, priority } => {
                let known = self.settings.instances.get(name);
                let Some(scripts) = known.or_else(|| self.leaving.instances.get(name)) else {
                    return Vec::new();
                };
                let further = further("INSTANCE", name, *state, *priority);
                both(scripts, *state, further)
                    .map(|(script, further)| order(script, Subject::Instance(name.clone()), further))
                    .collect()
            }
            About::Group { name, state } => {
                let Some(scripts) = self.settings.groups.get(name) else { return Vec::new() };
                let further = further("GROUP", name, *state, 0);
                both(scripts, *state, further)
                    .map(|(script, further)| order(script, Subject::Group(name.clone()), further))
                    .collect()
            }
            About::LowerPriority { instance, .. } => {
                let scripts = self.settings.instances.get(instance);
                let script = scripts.and_then(|scripts| scripts.master_rx_lower_priority.as_ref());
                let subject = Subject::Instance(instance.clone());
                script.map(|script| order(script, subject, Vec::new())).into_iter().collect()
            }
            About::Priority { .. } => Vec::new(),
            About::Real { real, group: _, up } => {
                let script = self
                    .real(real)
                    .and_then(|scripts| if *up { &scripts.up } else { &scripts.down }.as_deref());
                script.map(|script| order(script, Subject::Real(*real), Vec::new())).into_iter().collect()
            }
            About::Service { service, group: _, up } => {
                let script = self
                    .service(service)
                    .and_then(|scripts| if *up { &scripts.up } else { &scripts.down }.as_ref());
                script
                    .map(|script| order(script, Subject::Service(*service), Vec::new()))
                    .into_iter()
                    .collect()
            }
        }
    }

    fn service(&self, service: &ServiceKey) -> Option<&ServiceScripts> {
        self.settings.services.get(service).or_else(|| self.leaving.services.get(service))
    }

    fn real(&self, real: &RealKey) -> Option<&Rare<RealScripts>> {
        let present =
            self.settings.services.get(&real.service).and_then(|service| service.reals.get(&real.real));
        present.or_else(|| self.leaving.services.get(&real.service)?.reals.get(&real.real))
    }
}

/// What `notify` gets besides its own arguments.
fn further(kind: &str, name: &Name, state: Told, priority: u8) -> Vec<String> {
    vec![kind.to_owned(), name.to_string(), state.to_string(), priority.to_string()]
}

/// The script of all states with its four arguments, then the one of this state. keepalived begins both at once, so that
/// nobody can go by their order.
fn both(
    scripts: &RouterScripts,
    state: Told,
    further: Vec<String>,
) -> impl Iterator<Item = (&Script, Vec<String>)> {
    let one = match state {
        Told::Master => &scripts.master,
        Told::Backup => &scripts.backup,
        Told::Fault => &scripts.fault,
        Told::Stop => &scripts.stop,
        Told::Deleted => &scripts.deleted,
        Told::Gone => &None,
    };
    let any = scripts.any.as_ref().map(|script| (script, further));
    any.into_iter().chain(one.as_ref().map(|script| (script, Vec::new())))
}

#[cfg(test)]
mod tests;
