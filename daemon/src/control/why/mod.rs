//! "Why is it as it is?": the state of a subject, and the chain of events that led there. Pure: in come the world,
//! the history and a name as people write it, out come the subjects of that name, each with its chain; without a name,
//! what is wrong now.
//!
//! | module | what |
//! |---|---|
//! | `subjects` | everything that has a state, with the names by which people call it |
//! | `notes` | why a thing stands as it does, where no event says so |
//! | `spelling` | a name as people write it: its forms, and what they may have meant |
//! | `stories` | events of one subject, gathered by their root |
//! | `now` | what is wrong now, and what happened lately |

mod notes;
mod now;
mod spelling;
mod stories;
mod subjects;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::world::{Change, Influence, Instance};
use keepwatch_bus::{Event, History, World};
use serde::{Deserialize, Serialize};

pub use now::{Finding, Now, now};
pub use stories::Story;

use spelling::Wanted;
use subjects::Found;

/// Followers of the last change that are worth telling; the rest is counted.
const FOLLOWERS: usize = 200;
/// So many subjects are explained when a prefix has more in it.
const SUBJECTS: usize = 20;

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
    /// Why it is so, where that is no event but something that lasts: `nopreempt`, a script that has not run yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Since when; none if it has not changed since the worker began.
    pub since: Option<Timestamp>,
    /// From the root cause to the change itself, oldest first; of a thing that has not changed, how it came to be there.
    /// Empty if those events are no longer held.
    pub chain: Vec<Arc<Event>>,
    /// What followed from the change, oldest first.
    pub followed: Vec<Arc<Event>>,
    /// How much more followed than is told.
    #[serde(default)]
    pub more: usize,
    /// What else happened to it, the last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lately: Vec<Story>,
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
    /// Another router.
    Peer,
    /// Somebody who gets mail.
    Recipient,
    /// A FIFO.
    Fifo,
    /// The SNMP master agent.
    MasterAgent,
    /// The configuration that is in force, or was refused.
    Configuration,
    /// An event, by its number.
    Event,
    /// A name that only events have in them.
    Mentioned,
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
            Self::Peer => "router",
            Self::Recipient => "recipient",
            Self::Fifo => "FIFO",
            Self::MasterAgent => "SNMP",
            Self::Configuration => "configuration",
            Self::Event => "event",
            Self::Mentioned => "name",
        }
    }
}

/// Everything that `wanted` can mean, with its chain.
///
/// # Errors
/// When nothing has that name: a message that names what was likely meant, or what there is.
pub fn why(world: &World, history: &History, wanted: &str) -> Result<Vec<Why>, String> {
    let wanted = Wanted::of(wanted);
    let all = subjects::all(world, history);
    let exact: Vec<Found<'_>> = all.into_iter().filter(|found| wanted.is_one_of(&found.names)).collect();
    let found = match exact.is_empty() {
        false => exact,
        true => otherwise(world, history, &wanted),
    };
    if found.is_empty() {
        return Err(spelling::nothing_named(&wanted, &subjects::all(world, history), history));
    }
    Ok(found.into_iter().take(SUBJECTS).map(|found| explain(world, history, found)).collect())
}

/// What a name means that is no thing's own: a number, a prefix, something that only events name.
fn otherwise<'a>(world: &'a World, history: &History, wanted: &Wanted) -> Vec<Found<'a>> {
    if let Some(event) = wanted.event().and_then(|id| history.get(id)) {
        return vec![subjects::event(event)];
    }
    let inside: Vec<Found<'_>> = subjects::all(world, history)
        .into_iter()
        .filter(|found| found.names.iter().any(|name| wanted.contains(name)))
        .collect();
    if !inside.is_empty() {
        return inside;
    }
    stories::last_of(history, wanted).map(|event| subjects::mentioned(wanted, event)).into_iter().collect()
}

/// The names by which the events of a subject are found; those of `wanted` itself if nothing is called so.
pub fn names_of(world: &World, history: &History, wanted: &str) -> Vec<String> {
    let wanted = Wanted::of(wanted);
    let all = subjects::all(world, history).into_iter();
    let mut names: Vec<String> =
        all.filter(|found| wanted.is_one_of(&found.names)).flat_map(Found::names_in_events).collect();
    if names.is_empty() {
        names = wanted.forms().to_vec();
    }
    names
}

fn explain(world: &World, history: &History, found: Found<'_>) -> Why {
    let mut chain = Vec::new();
    let mut followed = Vec::new();
    let mut more = 0;
    let began = found.changed.or(found.began);
    if let Some(change) = began {
        chain = history.chain(change.event);
    }
    if let Some(change) = found.changed {
        followed = history.consequences(change.event);
        more = followed.len().saturating_sub(FOLLOWERS);
        followed.truncate(FOLLOWERS);
    }
    let lately = match found.kind {
        Kind::Event => Vec::new(),
        _ => stories::since(history, &found, &chain, &followed),
    };
    let since = found.changed.map(|change| change.at);
    let (priority, notes) = (found.thing.priority(world), found.thing.notes(world));
    let Found { kind, name, state, .. } = found;
    Why { kind, name, state, priority, notes, since, chain, followed, more, lately }
}

/// The change that an event is.
fn change_of(event: &Event) -> Change {
    Change { at: event.at, event: event.id }
}
