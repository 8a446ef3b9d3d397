//! What does not work: the one list that whoever shows trouble goes by. In: the world. Out: each thing that is wrong now,
//! with what it weighs, since when it is so and by which event, so that `keepwatch why` finds its root.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use keepwatch_model::{Family, Followed, Level, LinkTarget, Priority, TrackedKind, Tracking};
use serde::{Deserialize, Serialize};

use super::{Change, Instance, Interface, Tracker, World};
use crate::event::EventId;
use crate::routing::RoutingState;
use crate::subject::{TrackedKey, VrrpState};
use crate::vrrp::HoldReason;

mod servers;

/// So many names stand in one line; the rest is counted.
const NAMED: usize = 4;
/// How long a worker that had to be started again is trouble.
const RESTARTED_LATELY: SignedDuration = SignedDuration::from_hours(24);

/// How much a thing that is wrong weighs, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Two routers act as master for the same addresses.
    Split,
    /// Clients are served by nobody, or by two: a fault, an address that is not there, a service without quorum.
    Outage,
    /// It still serves, with less behind it: a server or an interface is down, a script fails.
    Degraded,
    /// The configuration is not what its author thinks.
    Configuration,
    /// Who watches or tells does not: SNMP, mail, a FIFO, the history file.
    Telling,
}

/// Something that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// How much it weighs.
    pub weight: Weight,
    /// What: `SNMP`, `the last reload was refused`, `interface eth0 is down`.
    pub what: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// How it shows, or why it is so.
    pub error: String,
    /// The event that told of it, where there is one.
    pub event: Option<EventId>,
}

impl Trouble {
    fn new(weight: Weight, what: impl Into<String>, error: impl Into<String>) -> Self {
        Self { weight, what: what.into(), since: None, error: error.into(), event: None }
    }

    fn by(self, change: Option<Change>) -> Self {
        Self { since: change.map(|change| change.at), event: change.map(|change| change.event), ..self }
    }

    /// The same for people, of whom a list of hundreds that all have one cause would hide the rest: where more than a few
    /// show in the same way, the first stands for all of them, and says how many there are besides.
    pub fn together(all: Vec<Self>) -> Vec<Self> {
        let mut counts: HashMap<(Weight, String), usize> = HashMap::new();
        for trouble in &all {
            *counts.entry((trouble.weight, trouble.error.clone())).or_default() += 1;
        }
        let mut told = HashSet::new();
        let one_for_all = |mut trouble: Self| {
            let alike = (trouble.weight, trouble.error.clone());
            let count = counts.get(&alike).copied().unwrap_or(1);
            if count > NAMED && !trouble.error.is_empty() {
                if !told.insert(alike) {
                    return None;
                }
                trouble.what = format!("{} and {} more likewise", trouble.what, count - 1);
            }
            Some(trouble)
        };
        all.into_iter().filter_map(one_for_all).collect()
    }
}

impl World {
    /// All that does not work, what weighs most first.
    pub fn trouble(&self) -> Vec<Trouble> {
        let mut all = Vec::new();
        self.hung_parts(&mut all);
        self.instances.values().for_each(|instance| self.trouble_of(instance, &mut all));
        self.unrouted(|_| true, &mut all);
        self.no_ipvs(&mut all);
        servers::trouble(self, &mut all);
        self.followed(&mut all);
        self.left_out(&mut all);
        self.configuration(&mut all);
        self.telling(&mut all);
        // Stable: within one weight the order above stays.
        all.sort_by_key(|trouble| trouble.weight);
        all
    }

    /// What does not work of one virtual router, what weighs most first.
    pub fn trouble_with(&self, instance: &Instance) -> Vec<Trouble> {
        let mut all = Vec::new();
        self.trouble_of(instance, &mut all);
        self.unrouted(|state| state.instance.as_ref() == Some(&instance.name), &mut all);
        all.sort_by_key(|trouble| trouble.weight);
        all
    }

    fn hung_parts(&self, all: &mut Vec<Trouble>) {
        all.extend(self.hung.iter().map(|(part, hung)| {
            let trouble = Trouble::new(Weight::Outage, format!("{part} hangs"), &hung.doing);
            Trouble { since: Some(hung.since), event: hung.event, ..trouble }
        }));
        // What has run on since for so long is nothing to call somebody for any more; counters and history go on telling of it.
        let lately = Timestamp::now() - RESTARTED_LATELY;
        all.extend(self.restarts.iter().filter(|restarts| restarts.changed.at > lately).map(|restarts| {
            let times = if restarts.count == 1 { "once".into() } else { format!("{} times", restarts.count) };
            let what = format!("the worker had to be started again ({times})");
            Trouble::new(Weight::Degraded, what, &restarts.reason).by(Some(restarts.changed))
        }));
    }

    fn trouble_of(&self, instance: &Instance, all: &mut Vec<Trouble>) {
        let name = &instance.name;
        if instance.state == VrrpState::Fault {
            let what = format!("{name} is in FAULT");
            all.push(Trouble::new(Weight::Outage, what, self.fault_in_words(instance)).by(instance.changed));
        }
        all.extend(instance.rivals.iter().map(|rival| {
            let what = format!("{name}: split brain with {} (priority {})", rival.address, rival.priority);
            Trouble::new(Weight::Split, what, rival.sign.to_string()).by(Some(rival.changed))
        }));
        all.extend(instance.missing.iter().map(|missing| {
            let what = format!("{name}: VIP {} is not on {}", missing.address, missing.address.interface);
            Trouble::new(Weight::Outage, what, &missing.error).by(Some(missing.changed))
        }));
        all.extend(instance.drop_error.iter().map(|error| {
            let what = format!("{name}: packets to its addresses are not dropped");
            Trouble::new(Weight::Degraded, what, error).by(instance.drop_failed)
        }));
        if instance.settings.priority != Priority::OWNER {
            all.extend(instance.own_addresses.iter().map(|address| {
                let what =
                    format!("{name}: VIP {address} is this host's own address on {}", address.interface);
                let (own, on) = (format!("{}/{}", address.address, address.prefix), &address.interface);
                let mend = format!(
                    "it stays there; left by a killed program, it goes by: ip addr del {own} dev {on}"
                );
                Trouble::new(Weight::Degraded, what, mend)
            }));
        }
    }

    /// Why a virtual router is in FAULT.
    pub fn fault_in_words(&self, instance: &Instance) -> String {
        let settings = &instance.settings;
        let mut why: Vec<String> = Vec::new();
        why.extend(settings.config_fault.map(|fault| HoldReason::from(fault).to_string()));
        let is_down = |link: &Interface| {
            let reason = link.down_reason.map_or_else(String::new, |reason| format!(" ({reason})"));
            format!("interface {} is down{reason}", link.name)
        };
        let primary = settings.interface.as_ref().and_then(|name| self.interfaces.get(name));
        let down = primary.filter(|link| !link.up && !settings.dont_track_primary);
        why.extend(down.map(is_down));
        // With the one below those that were made above it are down too.
        let made = self.made.iter().filter(|(_, owner)| **owner == instance.name && down.is_none());
        let made = made.filter_map(|(interface, _)| self.interfaces.get(interface));
        why.extend(made.filter(|link| !link.up).map(is_down));
        let no_source = instance.no_source.filter(|_| down.is_none());
        why.extend(no_source.map(|source| {
            let duplicate = primary.filter(|_| settings.family == Family::Inet6);
            let duplicate = duplicate.and_then(|link| link.duplicate).map(|address| {
                format!(": another host on the link has {address} (duplicate address detection)")
            });
            format!("{source}{}", duplicate.unwrap_or_default())
        }));
        why.extend(self.influences(instance).into_iter().filter(|i| i.meaning.fault).map(|influence| {
            let colon = if influence.evidence.is_empty() { "" } else { ": " };
            format!("{}{colon}{}", influence.tracker, influence.evidence)
        }));
        let of_groups = self.settings.static_links.iter().filter(|(router, _)| *router == instance.name);
        let of_groups = of_groups.filter_map(|(_, name)| self.interfaces.get(name));
        let of_groups = of_groups.filter(|link| !link.up && settings.interface.as_ref() != Some(&link.name));
        why.extend(of_groups.map(|link| format!("{}, which its track_group needs", is_down(link))));
        if why.is_empty() {
            why.extend(self.undecided(instance));
        }
        if why.is_empty()
            && let Some(group) = instance.settings.group.as_ref().and_then(|name| self.groups.get(name))
        {
            why.push(format!("its sync group {} is", group.name));
        }
        if why.is_empty() { "see its story".into() } else { why.join("; ") }
    }

    /// What a virtual router follows and what has no result yet, for which it waits in FAULT.
    fn undecided(&self, instance: &Instance) -> Vec<String> {
        let waits = self.influences(instance).into_iter().filter(|influence| influence.meaning.undecided);
        waits.map(|influence| format!("{} has no result yet", influence.tracker)).collect()
    }

    fn unrouted(&self, wanted: impl Fn(&RoutingState) -> bool, all: &mut Vec<Trouble>) {
        all.extend(self.routing.values().filter(|state| wanted(state)).filter_map(|state| {
            let owner = state.instance.as_deref().unwrap_or("static");
            let what = format!("{owner}: {} is not there", state.entry);
            let error = state.error.as_ref()?;
            Some(Trouble::new(Weight::Degraded, what, error).by(Some(state.changed)))
        }));
    }

    fn no_ipvs(&self, all: &mut Vec<Trouble>) {
        // Without anything to ask of IPVS, nobody misses it.
        let wanted = !self.services.is_empty() || self.settings.global.lvs_sync_daemon.is_some();
        all.extend(
            self.ipvs_error
                .iter()
                .filter(|_| wanted)
                .map(|error| Trouble::new(Weight::Outage, "IPVS", error).by(self.ipvs_failed)),
        );
    }

    /// What virtual routers follow, and is not as it should be.
    fn followed(&self, all: &mut Vec<Trouble>) {
        let down = |interface: &&Interface| {
            let key = || TrackedKey { kind: TrackedKind::Link, name: interface.name.clone() };
            !interface.up && !self.is_meant_to_fail(&key())
        };
        all.extend(self.interfaces.values().filter(down).map(|interface| {
            let reason = interface.down_reason.map_or_else(String::new, |reason| reason.to_string());
            let what = format!("interface {} is down", interface.name);
            Trouble::new(Weight::Degraded, what, reason).by(Some(interface.changed))
        }));
        let down =
            |tracker: &&Tracker| tracker.level == Level::Down && !self.is_meant_to_fail(&tracker.key());
        all.extend(self.trackers.all().filter(down).map(|tracker| {
            let evidence = tracker.evidence.as_ref().map_or_else(String::new, ToString::to_string);
            Trouble::new(Weight::Degraded, format!("{} is down", tracker.key()), evidence).by(tracker.changed)
        }));
    }

    /// Whether all who follow it do so the other way round (`reverse`): down is then as it should be. Who follows a weight
    /// of 0 and who follows another count alike.
    pub fn is_meant_to_fail(&self, followed: &TrackedKey) -> bool {
        let is_link = followed.kind == TrackedKind::Link;
        let instances = self.instances.values().map(|instance| &*instance.settings.tracking);
        let groups = self.groups.values().map(|group| &group.settings.tracking);
        let lines = instances.chain(groups).flat_map(Tracking::lines);
        let lines = lines
            .filter(|(kind, line)| (*kind, &line.name) == (followed.kind, &followed.name))
            .map(|(_, line)| line.reverse);
        // What a virtual router sends by, or puts an address on, it needs.
        let stands_on = |instance: &&Instance| {
            let settings = &instance.settings;
            (settings.interface.as_ref() == Some(&followed.name) && !settings.dont_track_primary)
                || settings.all_addresses().any(|address| {
                    !address.no_track
                        && matches!(&address.link, LinkTarget::Named(name) if *name == followed.name)
                })
        };
        let standing = self.instances.values().filter(|_| is_link).filter(stands_on).map(|_| false);
        let of_groups = self.settings.static_links.iter();
        let of_groups = of_groups.filter(|(_, name)| is_link && *name == followed.name).map(|_| false);
        let reals = self.services.values().filter(|_| !is_link).flat_map(|service| service.reals.values());
        let reals = reals.flat_map(|real| real.settings.followed());
        let reals = reals.filter(|(_, check)| check.tracked() == *followed).map(|(_, check)| match check {
            Followed::File(check) => check.reverse,
            Followed::Session(_) => false,
        });
        let mut reversed = lines.chain(standing).chain(of_groups).chain(reals).peekable();
        reversed.peek().is_some() && reversed.all(|reverse| reverse)
    }

    fn configuration(&self, all: &mut Vec<Trouble>) {
        all.extend(self.config.rejected.iter().map(|error| {
            Trouble::new(Weight::Configuration, "the last reload was refused", error)
                .by(self.config.rejected_since)
        }));
        if let Some(first) = self.config.diagnosed.first() {
            let count = self.config.diagnosed.len();
            let what = match count {
                1 => "the configuration has a mistake or something without effect".to_owned(),
                _ => format!("the configuration has {count} mistakes or lines without effect"),
            };
            let said = self.config.diagnosed.iter().map(ToString::to_string);
            all.push(Trouble::new(Weight::Configuration, what, some(said, count)).by(Some(first.changed)));
        }
    }

    /// Scripts that somebody follows and that are not watched.
    fn left_out(&self, all: &mut Vec<Trouble>) {
        all.extend(self.trackers.left_out.iter().map(|(name, left_out)| {
            let what = format!("script {name} is not watched");
            Trouble::new(Weight::Configuration, what, left_out.to_string()).by(Some(left_out.changed))
        }));
    }

    fn telling(&self, all: &mut Vec<Trouble>) {
        let reported = |what: &str, error: &Option<String>, since: Option<Change>| {
            error.as_ref().map(|error| Trouble::new(Weight::Telling, what, error).by(since))
        };
        all.extend(reported("history file", &self.history_error, self.history_failed));
        let agent = self.snmp.socket.as_ref().map_or_else(|| "SNMP".into(), |at| format!("SNMP ({at})"));
        all.extend(reported(&agent, &self.snmp.error, self.snmp.failing));
        all.extend(reported("mail", &self.mail.error, self.mail.failing));
        all.extend(reported("D-Bus", &self.dbus.error, None));
        let interrupted = self.interrupted.iter();
        all.extend(interrupted.map(|(name, broken)| {
            Trouble::new(Weight::Telling, &**name, &broken.error).by(Some(broken.changed))
        }));
        all.extend(self.scripts.overdue.iter().map(|overdue| {
            let (what, error) =
                (format!("script for {}", overdue.about), format!("{} still runs", overdue.script));
            Trouble::new(Weight::Telling, what, error).by(Some(overdue.changed))
        }));
        all.extend(self.fifos.iter().filter_map(|(path, fifo)| {
            let error = fifo.error.as_ref().or(fifo.losing.as_ref())?;
            let what = if fifo.error.is_some() { "FIFO" } else { "lines are lost for FIFO" };
            Some(Trouble::new(Weight::Telling, format!("{what} {path}"), error).by(fifo.failing))
        }));
        all.extend(self.fifos.iter().filter_map(|(path, fifo)| {
            let reader = fifo.reader.as_ref()?;
            let what = format!("the script that reads FIFO {path} fails");
            Some(Trouble::new(Weight::Telling, what, &reader.error).by(Some(reader.changed)))
        }));
        all.extend(self.failed_consumers.iter().map(|(name, broken)| {
            Trouble::new(Weight::Telling, &**name, &broken.error).by(Some(broken.changed))
        }));
    }
}

/// The first of some things, and how many more there are.
fn some(things: impl Iterator<Item = String>, count: usize) -> String {
    let named: Vec<String> = things.take(NAMED).collect();
    match count.saturating_sub(named.len()) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

#[cfg(test)]
mod tests;
