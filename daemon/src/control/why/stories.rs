//! Events of one subject, gathered by their root: a story is the chain from a root to the last event of the subject that
//! came of it.

use std::collections::HashSet;
use std::sync::Arc;

use keepwatch_bus::{Event, EventId, History};
use serde::{Deserialize, Serialize};

use super::spelling::Wanted;
use super::subjects::Found;

/// So many stories are told.
const STORIES: usize = 5;

/// What happened once, or again and again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Story {
    /// From the root to the event, oldest first; the last time, if it happened more than once.
    pub chain: Vec<Arc<Event>>,
    /// How often it happened.
    pub times: usize,
}

impl Story {
    /// Whether it is the same thing that happened: its root and its end are of the same kind and say the same.
    fn is_like(&self, chain: &[Arc<Event>]) -> bool {
        let ends = |chain: &[Arc<Event>]| {
            let [Some(first), Some(last)] = [chain.first(), chain.last()] else { return None };
            Some((first.fact.kind(), last.fact.kind()))
        };
        ends(&self.chain) == ends(chain)
    }
}

/// The stories that end with one of these events, the last first.
pub(super) fn gather<'e>(
    history: &History,
    newest_first: impl Iterator<Item = &'e Arc<Event>>,
    most: usize,
) -> Vec<Story> {
    let (mut stories, mut roots): (Vec<Story>, HashSet<EventId>) = Default::default();
    for event in newest_first {
        let chain = history.chain(event.id);
        let Some(root) = chain.first() else { continue };
        if !roots.insert(root.id) {
            continue;
        }
        if let Some(story) = stories.iter_mut().find(|story| story.is_like(&chain)) {
            story.times += 1;
        } else if stories.len() < most {
            stories.push(Story { chain, times: 1 });
        }
    }
    stories
}

/// What else happened to a thing since its last change: what neither led to that nor followed from it.
pub(super) fn since(
    history: &History,
    found: &Found<'_>,
    chain: &[Arc<Event>],
    followed: &[Arc<Event>],
) -> Vec<Story> {
    let told: HashSet<EventId> = chain.iter().chain(followed).map(|event| event.id).collect();
    let begin = found.changed.map_or(EventId(0), |change| change.event);
    let newest_first = history.iter().rev().take_while(|event| event.id > begin);
    let mine = newest_first.filter(|event| {
        !told.contains(&event.id)
            && !event.fact.kind().ends_with("configured")
            && found.is_named_by(&event.mentions())
    });
    gather(history, mine, STORIES)
}

/// The last event that names what is wanted.
pub(super) fn last_of<'e>(history: &'e History, wanted: &Wanted) -> Option<&'e Arc<Event>> {
    let names = |event: &&Arc<Event>| {
        let mentions = event.mentions();
        wanted.forms().iter().any(|form| mentions.contains(form))
    };
    history.iter().rev().find(names)
}
