//! Who is to be told what: the one machine behind scripts and FIFOs. Pure: events in, [`Occasion`]s out.
//!
//! The rules are keepalived's, since people's scripts go by them:
//!
//! - A state is told once until another one is. Init is told only as the end of a clean stop (`STOP`).
//! - An instance that a reload takes away, or begins anew because its interface or virtual router id is another, is told
//!   `FAULT`, if it is not in that state already, but `notify_fault` is not run; with `notify_deleted` it is told
//!   `DELETED`.
//! - A real server is told when it really changes. One that begins up is told so only with `rs_init_notifies`; one that
//!   begins down (`alpha`) is told down when its first check has failed.
//! - A virtual server with quorum is told up at the start; one without, only if it has a sorry server.
//! - What goes at a reload while it is up is told down; at a clean stop, only with `omega`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use keepwatch_bus::subject::{Name, RealKey, ServiceKey, VrrpState};
use keepwatch_bus::{Event, EventId, Fact};
use keepwatch_model::{Config, Instance, group_label};

use self::services::Services;
use crate::news::News;

mod services;

/// What those are to be told who make occasions of it, and act on the daemon's beginning, reloads and end.
pub fn concern(fact: &Fact) -> bool {
    match fact {
        Fact::Daemon(_) => true,
        // By far the most, and nothing follows from it.
        _ => !matches!(News::of(fact), None | Some(News::Checked { up: true, .. })),
    }
}

/// Something that somebody may want to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// What.
    pub about: About,
    /// The event that it follows from.
    pub event: EventId,
}

/// What an occasion is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A virtual router entered a state.
    Instance {
        /// Its name.
        name: Name,
        /// The state.
        state: Told,
        /// Its effective priority.
        priority: u8,
    },
    /// A sync group entered a state.
    Group {
        /// Its name.
        name: Name,
        /// The state.
        state: Told,
    },
    /// A master heard an advertisement of lower priority than its own.
    LowerPriority {
        /// The virtual router.
        instance: Name,
        /// Its effective priority.
        priority: u8,
    },
    /// The effective priority of a virtual router with `notify_priority_changes` changed.
    Priority {
        /// The virtual router.
        instance: Name,
        /// Whether it is master.
        master: bool,
        /// Its effective priority from now on.
        priority: u8,
    },
    /// A real server went up or down.
    Real {
        /// The virtual server and the real server.
        real: RealKey,
        /// The virtual server group that the virtual server stands for.
        group: Option<Name>,
        /// Whether it is up.
        up: bool,
    },
    /// A virtual server gained or lost its quorum.
    Service {
        /// The virtual server.
        service: ServiceKey,
        /// The virtual server group that it stands for.
        group: Option<Name>,
        /// Whether it has it.
        up: bool,
    },
}

/// A state as scripts and FIFOs are told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// `MASTER`.
    Master,
    /// `BACKUP`.
    Backup,
    /// `FAULT`.
    Fault,
    /// `STOP`: a clean stop.
    Stop,
    /// `DELETED`: a reload took it away, and it has `notify_deleted`.
    Deleted,
    /// `FAULT` as well: a reload took it away, and it has no `notify_deleted`. `notify_fault` is not run for it.
    Gone,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault | Self::Gone => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
        })
    }
}

impl From<VrrpState> for Told {
    fn from(state: VrrpState) -> Self {
        match state {
            VrrpState::Master => Self::Master,
            VrrpState::Backup => Self::Backup,
            VrrpState::Fault => Self::Fault,
            VrrpState::Init => Self::Stop,
        }
    }
}

/// In words for people: `INSTANCE VI_1 MASTER`.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance { name, state, .. } => write!(f, "INSTANCE {name} {state}"),
            Self::Group { name, state } => write!(f, "GROUP {name} {state}"),
            Self::LowerPriority { instance, .. } => write!(f, "INSTANCE {instance} MASTER_RX_LOWER_PRI"),
            Self::Priority { instance, master, priority } => {
                write!(f, "INSTANCE {instance} {} {priority}", priority_word(*master))
            }
            Self::Real { real, group, up } => {
                let service = service_label(&real.service, group.as_ref());
                write!(f, "RS {} {service} {}", real.label(), up_or_down(*up))
            }
            Self::Service { service, group, up } => {
                write!(f, "VS {} {}", service_label(service, group.as_ref()), up_or_down(*up))
            }
        }
    }
}

/// What a virtual server is called: by its key, or by the group that it stands for.
pub(crate) fn service_label(service: &ServiceKey, group: Option<&Name>) -> String {
    group.map_or_else(|| service.to_string(), |name| group_label(name))
}

/// The state of a virtual router whose priority changed, as FIFOs are told it.
pub(crate) fn priority_word(master: bool) -> &'static str {
    if master { "MASTER_PRIORITY" } else { "BACKUP_PRIORITY" }
}

/// How scripts and FIFOs are told of servers.
pub(crate) fn up_or_down(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

/// What of a configuration decides who is told, besides what the facts say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Sync groups, in the order of the file.
    pub groups: Vec<Name>,
    /// Virtual routers, in the order of the file.
    pub instances: Vec<Name>,
    /// The key by which each virtual server is told of: of a group of addresses, the first.
    pub services: HashSet<ServiceKey>,
    /// `rs_init_notifies`: a real server that begins up is told so.
    pub reals_at_start: bool,
}

impl Watched {
    /// Of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            groups: config.sync_groups.iter().map(|group| group.name.clone()).collect(),
            instances: config.instances.iter().map(|instance| instance.name.clone()).collect(),
            services: config.services().filter_map(|(_, keys)| keys.first().copied()).collect(),
            reals_at_start: config.global.rs_init_notifies,
        }
    }
}

/// Knows how everything stands, and what was told last.
#[derive(Debug)]
pub struct Teller {
    watched: Arc<Watched>,
    instances: HashMap<Name, Router>,
    groups: HashMap<Name, VrrpState>,
    services: Services,
    stopping: bool,
}

/// A virtual router.
#[derive(Debug, Default)]
struct Router {
    /// The state that it is in; none before its first.
    state: Option<VrrpState>,
    /// The state that was told last.
    told: Option<VrrpState>,
    priority: u8,
    /// `notify_priority_changes`.
    tells_priority: bool,
    /// `notify_deleted`.
    tells_deleted: bool,
}

impl Router {
    fn configured(&mut self, settings: &Instance) {
        self.tells_priority = settings.notify_priority_changes;
        self.tells_deleted = settings.notify.tell_deleted || settings.notify.deleted.is_some();
        if self.state.is_none() {
            self.priority = settings.priority.0;
        }
    }

    /// It is no more. Without `notify_deleted` that counts as a fault, as it always did.
    fn gone(&self, name: &Name) -> Option<About> {
        let state = match self.tells_deleted {
            true => Told::Deleted,
            false if self.told == Some(VrrpState::Fault) => return None,
            false => Told::Gone,
        };
        Some(About::Instance { name: name.clone(), state, priority: self.priority })
    }
}

impl Teller {
    /// One that has told nothing yet.
    pub fn new(watched: Arc<Watched>) -> Self {
        Self {
            watched,
            instances: HashMap::new(),
            groups: HashMap::new(),
            services: Services::default(),
            stopping: false,
        }
    }

    /// Goes by another configuration from now on (a reload); to be called before the facts of the reload come.
    pub fn change(&mut self, watched: Arc<Watched>) {
        self.watched = watched;
    }

    /// Takes an event in and returns what is to be told, in order.
    pub fn note(&mut self, event: &Event) -> Vec<Occasion> {
        let Some(news) = News::of(&event.fact) else { return Vec::new() };
        let about = self.about(news);
        about.into_iter().map(|about| Occasion { about, event: event.id }).collect()
    }

    /// The states of all that stays with the present configuration, as they were told last: groups first, then
    /// instances, in the order of the file.
    pub fn states(&self) -> Vec<About> {
        let groups = self.watched.groups.iter().filter_map(|name| {
            let state = self.groups.get(name).copied().filter(|state| *state != VrrpState::Init)?;
            Some(About::Group { name: name.clone(), state: state.into() })
        });
        let instances = self.watched.instances.iter().filter_map(|name| {
            let router = self.instances.get(name)?;
            let state = router.told.filter(|state| *state != VrrpState::Init)?;
            Some(About::Instance { name: name.clone(), state: state.into(), priority: router.priority })
        });
        groups.chain(instances).collect()
    }

    fn about(&mut self, news: News<'_>) -> Vec<About> {
        match news {
            News::Started => {
                *self = Self::new(Arc::clone(&self.watched));
                Vec::new()
            }
            News::Stopping => {
                self.stopping = true;
                self.services.stopping()
            }
            News::AddressMissing { .. } => Vec::new(),
            News::InstanceConfigured { instance, settings } => {
                self.instance_configured(instance, settings).into_iter().collect()
            }
            News::InstanceRemoved { instance } => {
                let gone = self.instances.remove(instance);
                gone.and_then(|router| router.gone(instance)).into_iter().collect()
            }
            News::InstanceRenamed { instance, from } => {
                if let Some(router) = self.instances.remove(from) {
                    self.instances.insert(instance.clone(), router);
                }
                Vec::new()
            }
            News::InstanceState { instance, to, priority } => {
                self.instance_changed(instance, to, priority).into_iter().collect()
            }
            News::PriorityChanged { instance, to } => {
                self.priority_changed(instance, to).into_iter().collect()
            }
            News::LowerPriorityHeard { instance } => {
                let router = self.instances.get(instance);
                let master = router.filter(|router| router.state == Some(VrrpState::Master));
                let about = |router: &Router| About::LowerPriority {
                    instance: instance.clone(),
                    priority: router.priority,
                };
                master.map(about).into_iter().collect()
            }
            News::GroupConfigured { .. } => Vec::new(),
            News::GroupRemoved { group } => {
                self.groups.remove(group);
                Vec::new()
            }
            News::GroupState { group, to } => self.group_changed(group, to).into_iter().collect(),
            News::ServiceConfigured { service, settings } => {
                if self.watched.services.contains(&service) {
                    self.services.configured(service, settings);
                }
                Vec::new()
            }
            News::ServiceRenamed { service, from } => {
                self.services.renamed(service, from);
                Vec::new()
            }
            News::ServiceRemoved { service } => self.services.removed(service),
            News::RealConfigured { real, starts_up, .. } => {
                let tell = self.watched.reals_at_start;
                self.services.real_configured(real, starts_up, tell).into_iter().collect()
            }
            News::RealRemoved { real } => self.services.real_removed(real).into_iter().collect(),
            News::Checked { up: true, .. } => Vec::new(),
            News::Checked { checker, up: false } => {
                self.services.check_gave_up(checker.real).into_iter().collect()
            }
            News::RealState { real, up } => self.services.real_changed(real, up).into_iter().collect(),
            News::Quorum { service, up, .. } => self.services.quorum(service, up).into_iter().collect(),
        }
    }

    /// One that had ended before, and was not taken away, begins anew: as something else on the wire.
    fn instance_configured(&mut self, instance: &Name, settings: &Instance) -> Option<About> {
        let ended = |router: &Router| router.state == Some(VrrpState::Init) && router.told.is_some();
        let old = self.instances.get(instance).filter(|router| ended(router));
        let gone = old.and_then(|router| router.gone(instance));
        if old.is_some() {
            self.instances.remove(instance);
        }
        self.instances.entry(instance.clone()).or_default().configured(settings);
        gone
    }

    fn instance_changed(&mut self, instance: &Name, to: VrrpState, priority: u8) -> Option<About> {
        let router = self.instances.entry(instance.clone()).or_default();
        router.state = Some(to);
        router.priority = priority;
        if (to == VrrpState::Init && !self.stopping) || router.told.replace(to) == Some(to) {
            return None;
        }
        Some(About::Instance { name: instance.clone(), state: to.into(), priority })
    }

    fn priority_changed(&mut self, instance: &Name, to: u8) -> Option<About> {
        let router = self.instances.get_mut(instance)?;
        router.priority = to;
        let master = router.state == Some(VrrpState::Master);
        let about = About::Priority { instance: instance.clone(), master, priority: to };
        router.tells_priority.then_some(about)
    }

    fn group_changed(&mut self, group: &Name, to: VrrpState) -> Option<About> {
        if (to == VrrpState::Init && !self.stopping) || self.groups.insert(group.clone(), to) == Some(to) {
            return None;
        }
        Some(About::Group { name: group.clone(), state: to.into() })
    }
}

#[cfg(test)]
mod tests;
