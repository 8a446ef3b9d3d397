//! Which scripts follow from an event. Pure: events in, orders out.
//!
//! As in keepalived: `notify_master` and its like are run as they are configured, `notify` gets four further arguments
//! (`INSTANCE|GROUP`, name, state, priority; a group's priority is 0); an instance that is in its group's state already
//! is not told twice; a real server's scripts are run when it really changes.

use std::collections::HashMap;
use std::sync::Arc;

use keepwatch_bus::subject::{Name, RealKey, ServiceKey, VrrpState};
use keepwatch_bus::{Event, EventId};
use keepwatch_model::{Script, ScriptUser};

use super::settings::{RouterScripts, ScriptSettings};
use crate::news::News;

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
    /// Scripts of instances that a reload took away, until that is told.
    leaving: HashMap<Name, RouterScripts>,
    told: HashMap<(Kind, Name), VrrpState>,
    priorities: HashMap<Name, u8>,
    reals: HashMap<RealKey, bool>,
    quorums: HashMap<ServiceKey, bool>,
    stopping: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Instance,
    Group,
}

impl Kind {
    fn subject(self, name: &Name) -> Subject {
        match self {
            Self::Instance => Subject::Instance(name.clone()),
            Self::Group => Subject::Group(name.clone()),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Instance => "INSTANCE",
            Self::Group => "GROUP",
        }
    }
}

/// What is to be run, before the event is known.
struct Call {
    script: Script,
    /// What the occasion adds to its arguments.
    further: Vec<String>,
    about: String,
    subject: Subject,
}

impl Roster {
    /// A roster of these scripts that has told nothing yet.
    pub fn new(settings: Arc<ScriptSettings>) -> Self {
        Self {
            settings,
            leaving: HashMap::new(),
            told: HashMap::new(),
            priorities: HashMap::new(),
            reals: HashMap::new(),
            quorums: HashMap::new(),
            stopping: false,
        }
    }

    /// The scripts.
    pub fn settings(&self) -> &ScriptSettings {
        &self.settings
    }

    /// Goes by other scripts from now on (a reload).
    pub fn change(&mut self, settings: Arc<ScriptSettings>) {
        for (name, scripts) in &self.settings.instances {
            if !settings.instances.contains_key(name) {
                self.leaving.insert(name.clone(), scripts.clone());
            }
        }
        self.leaving.retain(|name, _| !settings.instances.contains_key(name));
        self.settings = settings;
    }

    /// Takes an event in and returns what is to be run, in order.
    pub fn note(&mut self, event: &Event) -> Vec<Order> {
        let Some(news) = News::of(&event.fact) else { return Vec::new() };
        let calls = self.calls(news);
        calls.into_iter().map(|call| order(call, event.id)).collect()
    }

    fn calls(&mut self, news: News<'_>) -> Vec<Call> {
        match news {
            News::Started => {
                *self = Self::new(Arc::clone(&self.settings));
                Vec::new()
            }
            News::Stopping => {
                self.stopping = true;
                self.omega()
            }
            News::AddressMissing { .. }
            | News::InstanceConfigured { .. }
            | News::GroupConfigured { .. }
            | News::ServiceConfigured { .. }
            | News::RealConfigured { .. } => Vec::new(),
            News::InstanceRemoved { instance } => self.removed(instance),
            News::InstanceRenamed { instance, from } => {
                self.renamed(instance, from);
                Vec::new()
            }
            News::InstanceState { instance, to, priority } => {
                self.priorities.insert(instance.clone(), priority);
                self.changed(Kind::Instance, instance, to, priority)
            }
            News::LowerPriorityHeard { instance } => {
                let script = self.settings.instances.get(instance);
                let script = script.and_then(|scripts| scripts.master_rx_lower_priority.clone());
                let about = format!("INSTANCE {instance} MASTER_RX_LOWER_PRI");
                let subject = Subject::Instance(instance.clone());
                script
                    .map(|script| Call { script, further: Vec::new(), about, subject })
                    .into_iter()
                    .collect()
            }
            News::GroupRemoved { group } => {
                self.told.remove(&(Kind::Group, group.clone()));
                Vec::new()
            }
            News::GroupState { group, to } => self.changed(Kind::Group, group, to, 0),
            News::ServiceRemoved { service } => {
                self.quorums.remove(&service);
                Vec::new()
            }
            News::RealRemoved { real } => {
                self.reals.remove(&real);
                Vec::new()
            }
            News::RealState { real, up } => self.real(real, up),
            News::Quorum { service, up, .. } => self.quorum(service, up),
        }
    }

    fn changed(&mut self, kind: Kind, name: &Name, to: VrrpState, priority: u8) -> Vec<Call> {
        // Init is told only as the end of a clean stop.
        if (to == VrrpState::Init && !self.stopping) || self.told.insert((kind, name.clone()), to) == Some(to)
        {
            return Vec::new();
        }
        let known = match kind {
            Kind::Instance => self.settings.instances.get(name),
            Kind::Group => self.settings.groups.get(name),
        };
        let Some(scripts) = known else { return Vec::new() };
        let (script, word) = match to {
            VrrpState::Master => (&scripts.master, "MASTER"),
            VrrpState::Backup => (&scripts.backup, "BACKUP"),
            VrrpState::Fault => (&scripts.fault, "FAULT"),
            VrrpState::Init => (&scripts.stop, "STOP"),
        };
        both(script.as_ref(), scripts.any.as_ref(), kind, name, word, priority)
    }

    /// What one that has another name now was told stays known.
    fn renamed(&mut self, instance: &Name, from: &Name) {
        self.leaving.remove(from);
        if let Some(told) = self.told.remove(&(Kind::Instance, from.clone())) {
            self.told.insert((Kind::Instance, instance.clone()), told);
        }
        if let Some(priority) = self.priorities.remove(from) {
            self.priorities.insert(instance.clone(), priority);
        }
    }

    /// A reload took an instance away. Without `notify_deleted` that counts as a fault, as it always did.
    fn removed(&mut self, instance: &Name) -> Vec<Call> {
        let key = (Kind::Instance, instance.clone());
        let last = self.told.remove(&key);
        let priority = self.priorities.remove(instance).unwrap_or(0);
        let known = self.leaving.remove(instance).or_else(|| self.settings.instances.get(instance).cloned());
        let Some(scripts) = known else { return Vec::new() };
        match &scripts.deleted {
            Some(deleted) => {
                both(Some(deleted), scripts.any.as_ref(), Kind::Instance, instance, "DELETED", priority)
            }
            None if last == Some(VrrpState::Fault) => Vec::new(),
            None => {
                let (fault, any) = (scripts.fault.as_ref(), scripts.any.as_ref());
                both(fault, any, Kind::Instance, instance, "FAULT", priority)
            }
        }
    }

    fn real(&mut self, real: RealKey, up: bool) -> Vec<Call> {
        let known = self.settings.services.get(&real.service);
        let Some(scripts) = known.and_then(|service| service.reals.get(&real.real)) else {
            return Vec::new();
        };
        if self.reals.insert(real, up).unwrap_or(!scripts.alpha) == up {
            return Vec::new();
        }
        let script = if up { &scripts.up } else { &scripts.down };
        real_call(script.as_ref(), &real, up).into_iter().collect()
    }

    fn quorum(&mut self, service: ServiceKey, up: bool) -> Vec<Call> {
        let Some(scripts) = self.settings.services.get(&service) else { return Vec::new() };
        if self.quorums.insert(service, up).unwrap_or(!scripts.alpha) == up {
            return Vec::new();
        }
        let script = if up { &scripts.up } else { &scripts.down };
        quorum_call(script.as_ref(), &service, up).into_iter().collect()
    }

    /// A clean stop: what is up and has `omega` is told that it goes down.
    fn omega(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        for (service, scripts) in self.settings.services.iter().filter(|(_, scripts)| scripts.omega) {
            for (address, own) in &scripts.reals {
                let real = RealKey { service: *service, real: *address };
                if self.reals.get(&real).copied().unwrap_or(!own.alpha) {
                    calls.extend(real_call(own.down.as_ref(), &real, false));
                }
            }
            if self.quorums.get(service).copied().unwrap_or(!scripts.alpha) {
                calls.extend(quorum_call(scripts.down.as_ref(), service, false));
            }
        }
        calls.sort_by(|a, b| a.about.cmp(&b.about));
        calls
    }
}

/// The script of all states with its four arguments, then the one of this state. keepalived begins both at once, so that
/// nobody can go by their order.
fn both(
    script: Option<&Script>,
    any: Option<&Script>,
    kind: Kind,
    name: &Name,
    state: &str,
    priority: u8,
) -> Vec<Call> {
    let (word, subject) = (kind.word(), kind.subject(name));
    let about = format!("{word} {name} {state}");
    let arguments = [word.to_owned(), name.to_string(), state.to_owned(), priority.to_string()];
    let call = |script: &Script, further| {
        let (script, about, subject) = (script.clone(), about.clone(), subject.clone());
        Call { script, further, about, subject }
    };
    let one = script.map(|script| call(script, Vec::new()));
    let all = any.map(|script| call(script, arguments.into()));
    all.into_iter().chain(one).collect()
}

fn real_call(script: Option<&Script>, real: &RealKey, up: bool) -> Option<Call> {
    let about = format!("RS {} {} {}", real.label(), real.service, up_or_down(up));
    Some(Call { script: script?.clone(), further: Vec::new(), about, subject: Subject::Real(*real) })
}

fn quorum_call(script: Option<&Script>, service: &ServiceKey, up: bool) -> Option<Call> {
    let about = format!("VS {service} {}", up_or_down(up));
    Some(Call { script: script?.clone(), further: Vec::new(), about, subject: Subject::Service(*service) })
}

fn up_or_down(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

fn order(call: Call, event: EventId) -> Order {
    let Call { script, further, about, subject } = call;
    let argv = script.argv.iter().map(ToString::to_string).chain(further).collect();
    Order { argv, user: script.user, about, subject, event }
}

#[cfg(test)]
mod tests;
