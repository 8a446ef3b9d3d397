//! "Why is it as it is?": the state of a subject, and the chain of events that led there. Pure: in come the world,
//! the history and a name as people write it, out come the subjects of that name, each with its chain.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::subject::{Name, RealKey, ServiceKey};
use keepwatch_bus::world::{Change, Influence, Instance, Refusal};
use keepwatch_bus::{Event, Fact, History, World};
use serde::{Deserialize, Serialize};

/// Followers of the last change that are worth telling; the rest is counted.
const FOLLOWERS: usize = 200;

/// What is known about one subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Why {
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// Its configured priority, and what makes it another one now or keeps it in fault: what weighs most first. None
    /// where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Reckoning>,
    /// Since when; none if it has not changed since the worker began.
    pub since: Option<Timestamp>,
    /// From the root cause to the change itself, oldest first; empty if those events are no longer held.
    pub chain: Vec<Arc<Event>>,
    /// What followed from the change, oldest first.
    pub followed: Vec<Arc<Event>>,
    /// How much more followed than is told.
    #[serde(default)]
    pub more: usize,
}

/// How a priority comes about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reckoning {
    /// As it is now.
    pub priority: u8,
    /// As it is configured.
    pub base: u8,
    /// What is added to it.
    pub parts: Vec<Part>,
}

/// Something that counts for a priority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What: `script chk_haproxy`.
    pub what: String,
    /// What it adds; none if it is a fault, or keeps the virtual router from beginning.
    pub weight: Option<i32>,
    /// The virtual router does not begin before this is decided.
    pub undecided: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What that was seen by: `exit 1: its last line of output`.
    pub evidence: String,
}

impl Reckoning {
    fn of(world: &World, instance: &Instance) -> Option<Self> {
        let parts: Vec<Part> = world.influences(instance).into_iter().map(Part::of).collect();
        let base = instance.settings.priority.0;
        (!parts.is_empty()).then_some(Self { priority: instance.priority, base, parts })
    }
}

impl Part {
    fn of(influence: Influence) -> Self {
        let Influence { tracker, meaning, changed, evidence } = influence;
        Self {
            what: tracker.to_string(),
            weight: (!meaning.fault && !meaning.undecided).then_some(meaning.weight),
            undecided: meaning.undecided,
            since: changed.map(|change| change.at),
            evidence,
        }
    }
}

/// Kinds of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A virtual router.
    Instance,
    /// A sync group.
    Group,
    /// A network interface.
    Interface,
    /// A script, file or process that virtual routers follow.
    Tracker,
    /// A virtual server.
    VirtualServer,
    /// A real server.
    RealServer,
    /// A virtual address.
    Address,
    /// The configuration that is in force, or was refused.
    Configuration,
}

impl Kind {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Group => "sync group",
            Self::Interface => "interface",
            Self::Tracker => "tracked",
            Self::VirtualServer => "virtual server",
            Self::RealServer => "real server",
            Self::Address => "address",
            Self::Configuration => "configuration",
        }
    }
}

struct Found {
    kind: Kind,
    name: String,
    state: String,
    priority: Option<Reckoning>,
    changed: Option<Change>,
}

/// Everything that `wanted` can mean, with its chain.
///
/// # Errors
/// When nothing has that name: a message that names what there is.
pub fn why(world: &World, history: &History, wanted: &str) -> Result<Vec<Why>, String> {
    let wanted = wanted.trim();
    let found: Vec<Found> = all(world, history)
        .filter(|(names, _)| names.iter().any(|n| n == wanted))
        .map(|(_, found)| found)
        .collect();
    if found.is_empty() {
        return Err(nothing_named(world, wanted));
    }
    Ok(found.into_iter().map(|found| explain(history, found)).collect())
}

fn explain(history: &History, found: Found) -> Why {
    let mut chain = Vec::new();
    let mut followed = Vec::new();
    let mut more = 0;
    if let Some(change) = found.changed {
        chain = history.chain(change.event);
        followed = history.consequences(change.event);
        more = followed.len().saturating_sub(FOLLOWERS);
        followed.truncate(FOLLOWERS);
    }
    let since = found.changed.map(|change| change.at);
    let Found { kind, name, state, priority, .. } = found;
    Why { kind, name, state, priority, since, chain, followed, more }
}

/// Every subject, with the names by which people call it.
fn all<'a>(world: &'a World, history: &History) -> impl Iterator<Item = (Vec<String>, Found)> + 'a {
    named(world).chain([configuration(world, history)])
}

/// What became of the last (re)load.
fn configuration(world: &World, history: &History) -> (Vec<String>, Found) {
    let last = history.iter().rev().find(|event| {
        matches!(
            &event.fact,
            Fact::Daemon(DaemonFact::ConfigLoaded { .. } | DaemonFact::ConfigRejected { .. })
        )
    });
    let changed = last.map(|event| Change { at: event.at, event: event.id });
    let state = match &world.config.rejected {
        Some(why) => format!("the last reload was refused: {why}"),
        None => "in force".into(),
    };
    let name = world.settings.config_file.clone();
    let names = vec![name.clone(), "configuration".into(), "config".into(), "reload".into()];
    (names, Found { kind: Kind::Configuration, name, state, priority: None, changed })
}

/// What has a name of its own, likewise.
fn named(world: &World) -> impl Iterator<Item = (Vec<String>, Found)> + '_ {
    let instances = world.instances.values().map(|i| {
        let missing: Vec<String> =
            i.missing.iter().map(|(address, why)| format!("{address} ({why})")).collect();
        let mine = |instance: &Option<Name>| instance.as_ref() == Some(&i.name);
        let unrouted = world
            .routing
            .values()
            .filter(|state| mine(&state.instance))
            .filter_map(|state| state.error.as_ref().map(|error| format!("{} ({error})", state.entry)));
        let missing: Vec<String> = missing.into_iter().chain(unrouted).collect();
        let without =
            if missing.is_empty() { String::new() } else { format!(", without {}", missing.join(", ")) };
        let state = format!("{} (priority {}){without}", i.state, i.priority);
        let (names, found) = found(Kind::Instance, vec![i.name.to_string()], state, i.changed);
        (names, Found { priority: Reckoning::of(world, i), ..found })
    });
    let addresses = world.instances.values().flat_map(|i| {
        i.settings.all_addresses().map(move |address| {
            let placed = i.settings.virtual_address(address);
            let there = i.addresses.iter().find(|there| there.address == address.address);
            let place = there.map_or_else(|| "not here".into(), |there| format!("on {}", there.interface));
            let dropped = i.dropped.iter().find(|(dropped, _)| *dropped == address.address);
            let dropped = dropped.map_or_else(String::new, |(_, table)| {
                format!("; packets to it are dropped (no_accept, table {table} of nftables), but for ARP and neighbour discovery")
            });
            let state = format!("{place}: virtual address of {}, which is {}{dropped}", i.name, i.state);
            let names = vec![placed.to_string(), address.address.to_string()];
            found(Kind::Address, names, state, i.changed)
        })
    });
    let groups = world
        .groups
        .values()
        .map(|g| found(Kind::Group, vec![g.name.to_string()], g.state.to_string(), g.changed));
    let interfaces = world.interfaces.values().map(|i| {
        let state = if i.up { "up" } else { "down" };
        found(Kind::Interface, vec![i.name.to_string()], state.into(), Some(i.changed))
    });
    let services = world.services.values().map(|s| {
        let quorum = if s.quorum { "has its quorum" } else { "lost its quorum" };
        let sorry = if s.sorry { ", the sorry server serves" } else { "" };
        let refused = in_words(s.refused.as_ref());
        let state = format!("{quorum} ({}){sorry}{refused}", s.reals_in_words());
        found(Kind::VirtualServer, service_names(&s.key), state, latest(s.changed, s.refused.as_ref()))
    });
    let reals = world.services.values().flat_map(|s| {
        s.reals.values().map(|r| {
            let key = RealKey { service: s.key, real: r.address };
            let weight = r.weight.map_or("not in the table".into(), |w| format!("weight {w}"));
            let refused = r.refused.as_ref().or(s.refused.as_ref().filter(|_| !s.present));
            let state = format!("{} ({weight}){}", r.state(), in_words(refused));
            let name = format!("{} of VS {}", key.label(), s.key);
            let mut names = address_names(r.address.ip(), r.address.port());
            names.extend([key.label(), name.clone()]);
            let (kind, changed) = (Kind::RealServer, latest(r.changed, refused));
            (names, Found { kind, name, state, priority: None, changed })
        })
    });
    let trackers = world.trackers.all().map(|tracker| {
        let key = tracker.key();
        let evidence =
            tracker.evidence.as_ref().map_or_else(String::new, |evidence| format!(" ({evidence})"));
        let names = vec![key.to_string(), key.name.to_string()];
        found(Kind::Tracker, names, format!("{}{evidence}", tracker.level), tracker.changed)
    });
    instances.chain(addresses).chain(groups).chain(interfaces).chain(trackers).chain(services).chain(reals)
}

fn in_words(refusal: Option<&Refusal>) -> String {
    refusal.map(|refusal| format!("; {refusal}")).unwrap_or_default()
}

/// What is asked about where something is refused: the refusal, unless something has changed since.
fn latest(changed: Option<Change>, refusal: Option<&Refusal>) -> Option<Change> {
    changed.into_iter().chain(refusal.map(|refusal| refusal.changed)).max_by_key(|change| change.event)
}

fn found(kind: Kind, names: Vec<String>, state: String, changed: Option<Change>) -> (Vec<String>, Found) {
    let name = names.first().cloned().unwrap_or_default();
    (names, Found { kind, name, state, priority: None, changed })
}

fn service_names(key: &ServiceKey) -> Vec<String> {
    let mut names = vec![key.to_string()];
    match key {
        ServiceKey::Address { address, port, .. } => names.extend(address_names(*address, *port)),
        ServiceKey::Fwmark { fwmark, .. } => names.push(format!("fwmark {fwmark}")),
    }
    names
}

/// `10.0.0.1`, `10.0.0.1:80` (`[fd00::1]:80`), `10.0.0.1 80` as the configuration writes it.
fn address_names(address: IpAddr, port: u16) -> Vec<String> {
    vec![address.to_string(), SocketAddr::new(address, port).to_string(), format!("{address} {port}")]
}

fn nothing_named(world: &World, wanted: &str) -> String {
    let all: Vec<String> = named(world).map(|(_, found)| found.name).take(20).collect();
    if all.is_empty() {
        return format!(
            "nothing is called {wanted:?}: the configuration has neither instances nor virtual servers"
        );
    }
    format!("nothing is called {wanted:?}; there are, for example: {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keepwatch_bus::fact::{ConsumerFact, LinkDownReason, LinkFact, VrrpFact};
    use keepwatch_bus::subject::VrrpState;
    use keepwatch_bus::{Counters, EventId, Fact};
    use keepwatch_config::{Options, load_text};
    use keepwatch_vrrp::Definitions;

    use super::*;

    /// What happened, folded and kept.
    struct Story {
        world: World,
        history: History,
        next: u64,
    }

    impl Story {
        fn new() -> Self {
            let text = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n 10.0.0.9\n }\n}\n";
            let config = load_text(Path::new("t.conf"), text.into(), &Options::default()).config.unwrap();
            let routers = Definitions::from_config(&config, &Counters::default()).routers;
            let mut story = Self { world: World::default(), history: History::new(100), next: 1 };
            for router in routers {
                let instance = router.spec.name.clone();
                story.tell(None, VrrpFact::InstanceConfigured { instance, settings: router.settings });
            }
            story
        }

        fn tell(&mut self, cause: Option<EventId>, fact: impl Into<Fact>) -> EventId {
            let id = EventId(self.next);
            self.next += 1;
            let event = Event { id, at: Timestamp::now(), mono: id.0, cause, fact: fact.into() };
            self.world.apply(&event);
            self.history.push(Arc::new(event));
            id
        }

        fn changed(&mut self, cause: EventId, from: VrrpState, to: VrrpState) -> EventId {
            self.tell(
                Some(cause),
                VrrpFact::StateChanged { instance: "VI_1".into(), from, to, priority: 100 },
            )
        }

        fn ask(&self, wanted: &str) -> Result<Vec<Why>, String> {
            why(&self.world, &self.history, wanted)
        }
    }

    fn ids(events: &[Arc<Event>]) -> Vec<u64> {
        events.iter().map(|event| event.id.0).collect()
    }

    #[test]
    fn the_chain_begins_at_its_root_and_ends_with_the_change() {
        let mut story = Story::new();
        let down = LinkFact::LinkDown { interface: "eth0".into(), reason: LinkDownReason::NoCarrier };
        let root = story.tell(None, down);
        let change = story.changed(root, VrrpState::Backup, VrrpState::Fault);
        let later =
            story.tell(Some(change), ConsumerFact::MailFailed { subject: "s".into(), error: "e".into() });
        story.tell(None, ConsumerFact::MailFailed { subject: "another".into(), error: "e".into() });

        let found = story.ask(" VI_1 ").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].state.as_str()), (Kind::Instance, "FAULT (priority 100)"));
        assert_eq!(ids(&found[0].chain), [root.0, change.0]);
        assert_eq!(ids(&found[0].followed), [later.0]);

        let link = story.ask("eth0").unwrap();
        assert_eq!((link[0].kind, link[0].state.as_str()), (Kind::Interface, "down"));
        assert_eq!(ids(&link[0].followed), [change.0, later.0]);
    }

    #[test]
    fn what_never_changed_has_no_chain_and_what_is_not_there_names_what_is() {
        let story = Story::new();
        let found = story.ask("VI_1").unwrap();
        assert!(found[0].since.is_none() && found[0].chain.is_empty());
        let refused = story.ask("VI_2").unwrap_err();
        assert!(refused.contains("VI_1"), "{refused}");
    }

    #[test]
    fn services_are_known_by_every_name_that_people_give_them() {
        let key = |port| ServiceKey::Address {
            address: "10.0.0.1".parse().unwrap(),
            port,
            protocol: keepwatch_bus::subject::Protocol::Tcp,
        };
        let names = service_names(&key(80));
        for name in ["[10.0.0.1]:tcp:80", "10.0.0.1:80", "10.0.0.1 80", "10.0.0.1"] {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
    }
}
