//! Who was what when: the states of every virtual router on every host over time, and what went wrong meanwhile. From
//! these come masterships, outages and split brain.

use std::time::Duration;

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::{Name, VrrpState};

use crate::host::{Deed, HostPlan};

/// Two masters for less than this, in microseconds, are no split brain but a change of master.
const MOMENT: u64 = 1_000;

/// A line of the story.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When, in microseconds.
    pub at: u64,
    /// On which host; none if it concerns all.
    pub host: Option<usize>,
    /// What.
    pub what: Happening,
}

/// What a line of the story says.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// Something that was done to the host or to the network.
    Fault(String),
    /// Something that a virtual router did.
    Deed(Deed),
}

/// For how long something was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when, in microseconds.
    pub from: u64,
    /// Until when.
    pub to: u64,
}

impl Span {
    /// How long that is.
    pub fn length(self) -> Duration {
        Duration::from_micros(self.to - self.from)
    }
}

/// The states of one virtual router on one host: each with the time from which it held.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The host.
    pub host: usize,
    /// The states, in order; Init at 0 comes first.
    pub states: Vec<(u64, VrrpState)>,
    /// Whether the host answered for its addresses, in order; `false` at 0 comes first. A master does, unless its host
    /// stands still, and so does a host on which a process that is gone has left them.
    pub answers: Vec<(u64, bool)>,
}

impl Track {
    /// One that has not begun.
    fn new(host: usize) -> Self {
        Self { host, states: vec![(0, VrrpState::Init)], answers: vec![(0, false)] }
    }

    /// When it was in this state, up to `end`.
    pub fn spans(&self, state: VrrpState, end: u64) -> Vec<Span> {
        spans(self.states.iter().map(|(at, was)| (*at, *was == state)), end)
    }

    /// When its host answered for its addresses.
    pub fn answering(&self, end: u64) -> Vec<Span> {
        spans(self.answers.iter().copied(), end)
    }

    /// When it was master, and its host stood still: nobody was answered, nothing forwarded.
    pub fn standing_still(&self, end: u64) -> Vec<Span> {
        let silent = spans(self.answers.iter().map(|(at, answers)| (*at, !answers)), end);
        common(&self.spans(VrrpState::Master, end), &silent)
    }

    /// When its host answered for addresses of which nobody took care any more: the process that put them there was gone.
    pub fn left(&self, end: u64) -> Vec<Span> {
        let other = spans(self.states.iter().map(|(at, was)| (*at, *was != VrrpState::Master)), end);
        common(&self.answering(end), &joined(other))
    }
}

/// When it was so, of what was so or not from each time on.
fn spans(course: impl Iterator<Item = (u64, bool)> + Clone, end: u64) -> Vec<Span> {
    let ends = course.clone().skip(1).map(|(at, _)| at).chain([end]);
    let so = course.zip(ends).filter(|((_, so), _)| *so);
    so.map(|((from, _), to)| Span { from, to }).filter(|span| span.to > span.from).collect()
}

/// When both were so.
fn common(one: &[Span], other: &[Span]) -> Vec<Span> {
    let meet = |a: &Span, b: &Span| Span { from: a.from.max(b.from), to: a.to.min(b.to) };
    let all = one.iter().flat_map(|a| other.iter().map(move |b| meet(a, b)));
    all.filter(|span| span.to > span.from).collect()
}

/// One virtual router over all hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Its name.
    pub name: Name,
    /// One for each host that has it.
    pub tracks: Vec<Track>,
}

impl Course {
    /// When exactly `hosts` hosts, or more if it is two, answered for its addresses at once, from the first mastership to
    /// `end`.
    fn with_answering(&self, hosts: usize, end: u64) -> Vec<Span> {
        let mut edges: Vec<(u64, i32)> = Vec::new();
        for span in self.tracks.iter().flat_map(|track| track.answering(end)) {
            edges.extend([(span.from, 1), (span.to, -1)]);
        }
        // At one time ends come first.
        edges.sort_unstable();
        let (mut now, mut since, mut found) = (0, None, Vec::new());
        let fits = |count: i32| if hosts < 2 { count == hosts as i32 } else { count >= 2 };
        for (at, change) in edges.iter().copied().chain([(end, 0)]) {
            if let Some(from) = since.filter(|from| at > *from && fits(now)) {
                found.push(Span { from, to: at });
            }
            now += change;
            since = Some(at);
        }
        joined(found)
    }

    /// When nobody answered for its addresses, after somebody had.
    pub fn outages(&self, end: u64) -> Vec<Span> {
        self.with_answering(0, end)
    }

    /// When more than one did, but for moments: one master yields to another as soon as it hears it.
    pub fn split_brain(&self, end: u64) -> Vec<Span> {
        let mut spans = self.with_answering(2, end);
        spans.retain(|span| span.to - span.from >= MOMENT);
        spans
    }
}

/// Spans that touch are one.
fn joined(spans: Vec<Span>) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.to == span.from => last.to = span.to,
            _ => joined.push(span),
        }
    }
    joined
}

/// The history of a LAN.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The names of the hosts.
    pub hosts: Vec<String>,
    /// The virtual routers, in the order of the configurations.
    pub courses: Vec<Course>,
    /// What happened, in order.
    pub moments: Vec<Moment>,
}

impl History {
    /// Of a LAN that has not begun.
    pub(crate) fn of(plans: &[HostPlan]) -> Self {
        let mut history = Self {
            hosts: plans.iter().map(|plan| plan.name.clone()).collect(),
            courses: Vec::new(),
            moments: Vec::new(),
        };
        for (host, plan) in plans.iter().enumerate() {
            for router in &plan.definitions.routers {
                history.track(host, &router.spec.name);
            }
        }
        history
    }

    fn track(&mut self, host: usize, name: &Name) -> &mut Track {
        let course = match self.courses.iter().position(|course| course.name == *name) {
            Some(at) => &mut self.courses[at],
            None => {
                self.courses.push(Course { name: name.clone(), tracks: Vec::new() });
                let last = self.courses.len() - 1;
                &mut self.courses[last]
            }
        };
        match course.tracks.iter().position(|track| track.host == host) {
            Some(at) => &mut course.tracks[at],
            None => {
                course.tracks.push(Track::new(host));
                let last = course.tracks.len() - 1;
                &mut course.tracks[last]
            }
        }
    }

    pub(crate) fn note(&mut self, at: u64, host: usize, what: String) {
        self.moments.push(Moment { at, host: Some(host), what: Happening::Fault(what) });
    }

    pub(crate) fn note_all(&mut self, at: u64, what: String) {
        self.moments.push(Moment { at, host: None, what: Happening::Fault(what) });
    }

    pub(crate) fn deeds(&mut self, at: u64, host: usize, deeds: Vec<Deed>) {
        for deed in deeds {
            if let VrrpFact::StateChanged { instance, to, .. } = &deed.what {
                self.track(host, instance).states.push((at, *to));
            }
            self.moments.push(Moment { at, host: Some(host), what: Happening::Deed(deed) });
        }
    }

    /// Whether a host answers for the addresses of this virtual router from now on.
    pub(crate) fn answers(&mut self, at: u64, host: usize, router: &Name, answers: bool) {
        let track = self.track(host, router);
        if track.answers.last().is_none_or(|(_, last)| *last != answers) {
            track.answers.push((at, answers));
        }
    }

    /// The process of a host is gone.
    pub(crate) fn gone(&mut self, at: u64, host: usize) {
        for track in self.courses.iter_mut().flat_map(|course| &mut course.tracks).filter(|t| t.host == host)
        {
            if track.states.last().is_none_or(|(_, last)| *last != VrrpState::Init) {
                track.states.push((at, VrrpState::Init));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_and_split_brain_come_out_of_the_states() {
        use VrrpState::{Backup, Init, Master};
        let track = |host, states: &[(u64, VrrpState)]| {
            let answers = states.iter().map(|(at, state)| (*at, *state == Master)).collect();
            Track { host, states: states.to_vec(), answers }
        };
        let course = Course {
            name: "VI_1".into(),
            tracks: vec![
                track(0, &[(0, Init), (0, Backup), (3_000, Master), (10_000, Init), (20_000, Master)]),
                track(1, &[(0, Init), (0, Backup), (14_000, Master), (22_000, Backup)]),
                track(2, &[(0, Backup), (29_000, Master), (29_300, Backup)]),
            ],
        };
        assert_eq!(course.outages(30_000), [Span { from: 10_000, to: 14_000 }]);
        assert_eq!(course.split_brain(30_000), [Span { from: 20_000, to: 22_000 }]);
    }

    #[test]
    fn a_master_that_stands_still_is_an_outage_and_addresses_that_were_left_are_a_split_brain() {
        use VrrpState::{Backup, Init, Master};
        let still = Track {
            host: 0,
            states: vec![(0, Init), (1_000, Master)],
            answers: vec![(0, false), (1_000, true), (10_000, false), (25_000, true)],
        };
        let left = Track {
            host: 1,
            states: vec![(0, Backup), (14_000, Master), (20_000, Init)],
            answers: vec![(0, false), (14_000, true)],
        };
        assert_eq!(still.standing_still(30_000), [Span { from: 10_000, to: 25_000 }]);
        assert_eq!(left.left(30_000), [Span { from: 20_000, to: 30_000 }]);
        assert!(still.left(30_000).is_empty() && left.standing_still(30_000).is_empty());
        let course = Course { name: "VI_1".into(), tracks: vec![still, left] };
        assert_eq!(course.outages(30_000), [Span { from: 10_000, to: 14_000 }]);
        assert_eq!(course.split_brain(30_000), [Span { from: 25_000, to: 30_000 }]);
    }
}
