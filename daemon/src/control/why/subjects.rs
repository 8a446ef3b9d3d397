//! Everything that has a state, with the names by which people call it. In: the world and the history. Out: for each
//! thing its kind, its names, its state, when that last changed, and how it came to be there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use keepwatch_bus::fact::{ConsumerFact, DaemonFact};
use keepwatch_bus::subject::{Name, RealKey, ServiceKey};
use keepwatch_bus::world::{Change, ConfigState, Group, Instance, Interface, Refusal, Tracker};
use keepwatch_bus::{Event, Fact, History, World};
use keepwatch_config::model::group_label;

use super::spelling::Wanted;
use super::{Kind, Reckoning, change_of, notes};

/// A thing, and what is known of it without its events.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) kind: Kind,
    /// How it is called in the answer.
    pub(super) name: String,
    /// Every name that people call it by.
    pub(super) names: Vec<String>,
    pub(super) state: String,
    /// What else is known of it is looked up only if it is what was asked for.
    pub(super) thing: Thing<'a>,
    /// Its last change.
    pub(super) changed: Option<Change>,
    /// How it came to be there, for one that has not changed.
    pub(super) began: Option<Change>,
    /// Of what an event about it names, one of each of these; any of its names, if there are none.
    about: Vec<Vec<String>>,
}

/// The thing itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Thing<'a> {
    Instance(&'a Instance),
    /// An address of this virtual router.
    AddressOf(&'a Instance),
    Group(&'a Group),
    Interface(&'a Interface),
    Tracker(&'a Tracker),
    Configuration(&'a ConfigState),
    /// Of which there is nothing more to say.
    Plain,
}

impl Thing<'_> {
    /// Why it stands as it does.
    pub(super) fn notes(self, world: &World) -> Vec<String> {
        match self {
            Self::Instance(instance) => notes::instance(world, instance),
            Self::AddressOf(instance) => notes::split_brain(instance),
            Self::Group(group) => notes::group(world, group),
            Self::Interface(interface) => notes::interface(world, &interface.name),
            Self::Tracker(tracker) => notes::tracker(world, tracker),
            Self::Configuration(config) => config.diagnosed.iter().map(ToString::to_string).collect(),
            Self::Plain => Vec::new(),
        }
    }

    /// How its priority comes about.
    pub(super) fn priority(self, world: &World) -> Option<Reckoning> {
        match self {
            Self::Instance(instance) => Reckoning::of(world, instance),
            Self::AddressOf(_)
            | Self::Group(_)
            | Self::Interface(_)
            | Self::Tracker(_)
            | Self::Configuration(_)
            | Self::Plain => None,
        }
    }
}

impl<'a> Found<'a> {
    fn new(kind: Kind, names: Vec<String>, state: impl Into<String>, changed: Option<Change>) -> Self {
        let name = names.first().cloned().unwrap_or_default();
        Self {
            kind,
            name,
            names,
            state: state.into(),
            thing: Thing::Plain,
            changed,
            began: None,
            about: Vec::new(),
        }
    }

    /// Whether an event that names these is about it.
    pub(super) fn is_named_by(&self, mentions: &BTreeSet<String>) -> bool {
        let any = |names: &Vec<String>| names.iter().any(|name| mentions.contains(name));
        match self.about.as_slice() {
            [] => any(&self.names),
            all => all.iter().all(any),
        }
    }

    /// The names by which its events are found.
    pub(super) fn names_in_events(self) -> Vec<String> {
        self.about.into_iter().next().unwrap_or(self.names)
    }

    fn is(self, thing: Thing<'a>) -> Self {
        Self { thing, ..self }
    }

    /// Whether it stands in the configuration by a name of its own.
    pub(super) fn is_configured(&self) -> bool {
        !matches!(self.kind, Kind::Configuration | Kind::Event | Kind::Mentioned | Kind::MasterAgent)
    }
}

/// Everything.
pub(super) fn all<'a>(world: &'a World, history: &History) -> Vec<Found<'a>> {
    let mut all = Vec::new();
    for instance in world.instances.values() {
        all.push(self::instance(world, instance));
    }
    all.extend(world.instances.values().flat_map(addresses));
    all.extend(world.groups.values().map(|group| {
        let found =
            Found::new(Kind::Group, vec![group.name.to_string()], group.state.to_string(), group.changed);
        found.is(Thing::Group(group))
    }));
    all.extend(world.interfaces.values().map(|interface| {
        let reason = interface.down_reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        let state = if interface.up { "up".to_owned() } else { format!("down{reason}") };
        let (names, changed) = (vec![interface.name.to_string()], Some(interface.changed));
        Found::new(Kind::Interface, names, state, changed).is(Thing::Interface(interface))
    }));
    trackers(world, &mut all);
    services(world, &mut all);
    peers(world, history, &mut all);
    tellers(world, history, &mut all);
    all.push(configuration(world, history));
    begin(history, &mut all);
    all
}

/// How things that have not changed came to be there.
fn begin(history: &History, all: &mut [Found<'_>]) {
    let configured = history.iter().filter(|event| event.fact.kind().ends_with("_configured"));
    let configured: Vec<_> = configured.map(|event| (change_of(event), event.mentions())).collect();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, (_, mentions)) in configured.iter().enumerate() {
        mentions.iter().for_each(|name| by_name.entry(name).or_default().push(at));
    }
    for found in all.iter_mut().filter(|found| found.changed.is_none()) {
        // Others may have a name in common with it, as real servers at one address have.
        let names = found.about.first().unwrap_or(&found.names);
        let naming = names.iter().filter_map(|name| by_name.get(name.as_str())).flatten().copied();
        let its =
            naming.filter_map(|at| configured.get(at)).filter(|(_, mentions)| found.is_named_by(mentions));
        found.began = its.map(|(change, _)| *change).max_by_key(|change| change.event);
    }
}

fn instance<'a>(world: &World, i: &'a Instance) -> Found<'a> {
    let missing = i.missing.iter().map(|missing| format!("{} ({})", missing.address, missing.error));
    let mine = |instance: &Option<Name>| instance.as_ref() == Some(&i.name);
    let unrouted = world
        .routing
        .values()
        .filter(|state| mine(&state.instance))
        .filter_map(|state| state.error.as_ref().map(|error| format!("{} ({error})", state.entry)));
    let missing: Vec<String> = missing.chain(unrouted).collect();
    let without =
        if missing.is_empty() { String::new() } else { format!(", without {}", missing.join(", ")) };
    let shadow = if world.is_shadow() { " in shadow" } else { "" };
    let state = format!("{}{shadow} (priority {}){without}", i.state, i.priority);
    let names = vec![i.name.to_string(), format!("VRID {}", i.settings.vrid)];
    Found::new(Kind::Instance, names, state, i.changed).is(Thing::Instance(i))
}

fn addresses(i: &Instance) -> impl Iterator<Item = Found<'_>> {
    i.settings.all_addresses().map(move |address| {
        let placed = i.settings.virtual_address(address);
        let there = i.addresses.iter().find(|there| there.address == address.address);
        let place = there.map_or_else(|| "not here".into(), |there| format!("on {}", there.interface));
        let missing = i.missing.iter().find(|missing| missing.address.address == address.address);
        let missing = missing.map_or_else(String::new, |missing| format!(" ({})", missing.error));
        let dropped = i.dropped.iter().find(|(dropped, _)| *dropped == address.address);
        let dropped = dropped.map_or_else(String::new, |(_, table)| {
            format!("; packets to it are dropped (no_accept, table {table} of nftables), but for ARP and neighbour discovery")
        });
        let state = format!("{place}{missing}: virtual address of {}, which is {}{dropped}", i.name, i.state);
        let mut names = vec![placed.to_string(), address.address.to_string()];
        names.push(format!("{}/{}", placed.address, placed.prefix));
        Found::new(Kind::Address, names, state, i.changed).is(Thing::AddressOf(i))
    })
}

fn trackers<'a>(world: &'a World, all: &mut Vec<Found<'a>>) {
    all.extend(world.trackers.all().map(|tracker| {
        let key = tracker.key();
        let evidence =
            tracker.evidence.as_ref().map_or_else(String::new, |evidence| format!(" ({evidence})"));
        let names = vec![key.to_string(), key.name.to_string()];
        let state = format!("{}{evidence}", tracker.level);
        Found::new(Kind::Tracker, names, state, tracker.changed).is(Thing::Tracker(tracker))
    }));
    all.extend(world.trackers.left_out.iter().map(|(name, left_out)| {
        let names = vec![format!("script {name}"), name.to_string()];
        Found::new(Kind::Tracker, names, format!("not watched: {left_out}"), Some(left_out.changed))
    }));
}

fn services(world: &World, all: &mut Vec<Found<'_>>) {
    let mut groups = HashSet::new();
    for s in world.services.values() {
        let quorum = if s.quorum { "has its quorum" } else { "lost its quorum" };
        let sorry = if s.sorry { ", the sorry server serves" } else { "" };
        let refused = in_words(s.refused.as_deref());
        let state = format!("{quorum} ({}){sorry}{refused}", s.reals_in_words());
        let changed = latest(s.changed, s.refused.as_deref());
        let mut names = service_names(&s.key);
        // Others may be at the same address, by another port.
        let mut about = names.clone();
        about.retain(|name| name.parse::<IpAddr>().is_err());
        // The first entry stands for its group.
        if let Some(group) = s.settings.group().filter(|group| groups.insert((*group).clone())) {
            about.push(group_label(group));
            names.extend([group_label(group), format!("[{group}]"), group.to_string()]);
        }
        let found = Found::new(Kind::VirtualServer, names, state, changed);
        all.push(Found { about: vec![about], ..found });
    }
    for s in world.services.values() {
        all.extend(s.reals.values().map(|r| {
            let key = RealKey { service: s.key, real: r.address };
            let weight = r.weight.map_or("not in the table".into(), |w| format!("weight {w}"));
            let refused = r.refused.as_deref().or(s.refused.as_deref().filter(|_| !s.present));
            let failed = r.checkers.iter().find_map(|checker| {
                let hindered = checker.seen.hindrance.as_ref().map(|_| format!("{}: ", checker.key.kind));
                Some(format!(": {}{}", hindered.unwrap_or_default(), checker.complaint()?))
            });
            let failed = failed.unwrap_or_default();
            let state = format!("{}{failed} ({weight}){}", r.state(), in_words(refused));
            let name = format!("{} of VS {}", key.label(), s.key);
            let mut names = address_names(r.address.ip(), r.address.port());
            names.extend([key.label(), name.clone()]);
            // Others are at the same address, or serve others by the same port.
            let own = vec![r.address.to_string(), key.label(), name.clone()];
            let about = vec![own, vec![s.key.to_string(), s.settings.label(&s.key), name.clone()]];
            let hindered = r.hindrances().map(|(_, hindrance)| hindrance.changed).min_by_key(|c| c.event);
            let changed = hindered.filter(|_| r.hindered).or(latest(r.changed, refused));
            let found = Found::new(Kind::RealServer, names, state, changed);
            Found { name, about, ..found }
        }));
    }
}

/// Other routers: those that are configured as unicast peers, those that are master, and those that were heard.
fn peers(world: &World, history: &History, all: &mut Vec<Found<'_>>) {
    let mut known: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for i in world.instances.values() {
        for peer in &i.settings.unicast_peers {
            known.entry(peer.address).or_default().push(format!("unicast peer of {}", i.name));
        }
        if let Some((address, priority)) = i.master {
            known.entry(address).or_default().push(format!("master of {} (priority {priority})", i.name));
        }
    }
    if known.is_empty() {
        return;
    }
    let mut told = HashMap::new();
    for event in history.iter().filter(|event| matches!(event.fact, Fact::Vrrp(_) | Fact::Track(_))) {
        told.extend(event.mentions().into_iter().map(|name| (name, change_of(event))));
    }
    for (address, roles) in known {
        let name = address.to_string();
        let last = told.get(&name).copied();
        let nothing = "; nothing has been heard of it that was worth telling";
        let heard = if last.is_some() { "" } else { nothing };
        let state = format!("{}{heard}", roles.join(", "));
        all.push(Found::new(Kind::Peer, vec![name], state, last));
    }
}

/// Those who are told, and what tells them.
fn tellers(world: &World, history: &History, all: &mut Vec<Found<'_>>) {
    let last = |is: &dyn Fn(&ConsumerFact) -> bool| {
        let event = history.iter().rev().find(|event| match &event.fact {
            Fact::Consumer(fact) => is(fact),
            _ => false,
        });
        event.map(|event| change_of(event))
    };
    let mail = last(&|fact| {
        matches!(
            fact,
            ConsumerFact::MailSent { .. }
                | ConsumerFact::MailRefused { .. }
                | ConsumerFact::MailDelayed { .. }
                | ConsumerFact::MailFailed { .. }
        )
    });
    for address in &world.settings.global.notification_email {
        let state = match &world.mail.error {
            Some(error) => format!("mail does not go out: {error}"),
            None => format!("{} mails sent, {} given up", world.mail.sent, world.mail.failed),
        };
        all.push(Found::new(Kind::Recipient, vec![address.to_string(), "mail".into()], state, mail));
    }
    for (path, fifo) in &world.fifos {
        let reader =
            fifo.reader.as_ref().map(|broken| format!("is written; its script fails: {}", broken.error));
        let state = fifo.error.as_ref().or(fifo.losing.as_ref()).or(reader.as_ref());
        let state = state.map_or("is written", String::as_str);
        let since = fifo.failing.or(fifo.reader.as_ref().map(|broken| broken.changed));
        all.push(Found::new(Kind::Fifo, vec![path.to_string()], state, since));
    }
    if let Some(socket) = &world.snmp.socket {
        let state = match &world.snmp.error {
            Some(error) => format!("no session: {error}"),
            None => "session stands".into(),
        };
        let changed = last(&|fact| {
            matches!(
                fact,
                ConsumerFact::MasterAgentConnected { .. }
                    | ConsumerFact::MasterAgentLeft { .. }
                    | ConsumerFact::MasterAgentLost { .. }
            )
        });
        let names = vec![socket.clone(), "SNMP".into(), "snmp".into(), "snmpd".into()];
        all.push(Found::new(Kind::MasterAgent, names, state, changed));
    }
}

/// What became of the last (re)load.
fn configuration<'a>(world: &'a World, history: &History) -> Found<'a> {
    let last = history.iter().rev().find(|event| {
        matches!(
            &event.fact,
            Fact::Daemon(DaemonFact::ConfigLoaded { .. } | DaemonFact::ConfigRejected { .. })
        )
    });
    let state = match &world.config.rejected {
        Some(why) => format!("the last reload was refused: {why}"),
        None => "in force".into(),
    };
    let names = [&*world.settings.config_file, "configuration", "config", "reload"];
    let names = names.map(str::to_owned).to_vec();
    let found = Found::new(Kind::Configuration, names, state, last.map(|event| change_of(event)));
    found.is(Thing::Configuration(&world.config))
}

/// One event.
pub(super) fn event(event: &Event) -> Found<'static> {
    let names = vec![event.id.to_string()];
    Found::new(Kind::Event, names, event.fact.kind().replace('_', " "), Some(change_of(event)))
}

/// A name that is no thing's, but stands in events.
pub(super) fn mentioned(wanted: &Wanted, last: &Event) -> Found<'static> {
    let names = wanted.forms().to_vec();
    let state = "nothing in the configuration is called so, but it was heard of";
    Found::new(Kind::Mentioned, names, state, Some(change_of(last)))
}

fn in_words(refusal: Option<&Refusal>) -> String {
    refusal.map(|refusal| format!("; {refusal}")).unwrap_or_default()
}

/// What is asked about where something is refused: the refusal, unless something has changed since.
fn latest(changed: Option<Change>, refusal: Option<&Refusal>) -> Option<Change> {
    changed.into_iter().chain(refusal.map(|refusal| refusal.changed)).max_by_key(|change| change.event)
}

pub(super) fn service_names(key: &ServiceKey) -> Vec<String> {
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
