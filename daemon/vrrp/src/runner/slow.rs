//! Interfaces whose state does not count as soon as the kernel tells it: those that must have been down or up for a while
//! (`interface_up_down_delays`), and those that are asked for their link (`linkbeat_*`).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use keepwatch_bus::mailbox::WeakSender;
use keepwatch_bus::subject::Name;

use crate::{Definitions, LinkState};

use super::Command;
use super::linkbeat::{Asked, Poller};

/// The delays, what waits for them, and what was answered.
pub(super) struct Slow {
    own: WeakSender<Command>,
    poller: Option<Poller>,
    /// How long until it counts that it is down, and up.
    delays: HashMap<Name, (Duration, Duration)>,
    /// Since when an interface is otherwise than it was told, and when that will count.
    waiting: HashMap<Name, Instant>,
    /// Those that are asked for their link.
    asked: HashSet<Name>,
    /// What they answered.
    links: HashMap<Name, bool>,
}

impl Slow {
    pub(super) fn new(own: WeakSender<Command>) -> Self {
        let (delays, waiting) = (HashMap::new(), HashMap::new());
        Self { own, poller: None, delays, waiting, asked: HashSet::new(), links: HashMap::new() }
    }

    /// What the definitions say of these interfaces.
    pub(super) fn apply(&mut self, definitions: &Definitions, named: &HashSet<Name>) {
        let delays = definitions.interface_delays.iter();
        self.delays = delays.map(|delay| (delay.interface.clone(), (delay.down, delay.up))).collect();
        let now = Instant::now();
        for (name, at) in &mut self.waiting {
            if !self.delays.contains_key(name) {
                *at = now;
            }
        }
        let listed = definitions.linkbeat.iter().map(|line| (line.interface.clone(), line.method));
        let listed: Asked = listed.filter(|(name, _)| named.contains(name)).collect();
        let asked: Asked = if definitions.linkbeat_everywhere {
            named.iter().map(|name| (name.clone(), listed.get(name).copied().flatten())).collect()
        } else {
            listed
        };
        self.asked = asked.keys().cloned().collect();
        self.links.retain(|name, _| asked.contains_key(name));
        if self.poller.is_none() && !asked.is_empty() {
            // Without it what the kernel tells by itself counts.
            self.poller = Poller::start(self.own.clone()).ok();
        }
        if let Some(poller) = &self.poller {
            poller.ask(asked);
        }
    }

    /// What an interface answered last, if it is asked.
    pub(super) fn link(&self, name: &Name) -> Option<bool> {
        self.links.get(name).copied()
    }

    /// An interface answered. One that is not asked any more may have been on its way to say so: that counts no longer,
    /// since nothing would ever take it back.
    pub(super) fn beat(&mut self, name: Name, link: bool) {
        if self.asked.contains(&name) {
            self.links.insert(name, link);
        }
    }

    /// Whether this interface has just gone down, and there is a delay until it counts: how long it may be down is to be
    /// found out once, and then stands.
    pub(super) fn begins_to_wait(&self, name: &Name, told: Option<LinkState>, state: LinkState) -> bool {
        state == LinkState::Down
            && told == Some(LinkState::Up)
            && self.delays.contains_key(name)
            && !self.waiting.contains_key(name)
    }

    /// Whether an interface that was told in one state must be in the other for a while yet. One that is as it was told
    /// waits no longer. `patience` is what it may be down at the most without counting so.
    pub(super) fn is_too_early(
        &mut self,
        name: &Name,
        told: Option<LinkState>,
        state: LinkState,
        patience: Option<Duration>,
        now: Instant,
    ) -> bool {
        let delay = self.delays.get(name).map_or(Duration::ZERO, |(down, up)| match state {
            LinkState::Down => patience.map_or(*down, |most| most.min(*down)),
            LinkState::Up => *up,
        });
        if told.is_none_or(|told| told == state) || delay.is_zero() {
            self.waiting.remove(name);
            return false;
        }
        let at = *self.waiting.entry(name.clone()).or_insert(now + delay);
        if at <= now {
            self.waiting.remove(name);
        }
        at > now
    }

    /// Nobody waits for an interface that is not there.
    pub(super) fn forget(&mut self, name: &Name) {
        self.waiting.remove(name);
        self.links.remove(name);
    }

    /// Those whose wait is over.
    pub(super) fn due(&self, now: Instant) -> Vec<Name> {
        self.waiting.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.values().copied().min()
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_model::InterfaceDelays;

    use super::*;

    #[test]
    fn a_short_loss_does_not_count_and_a_long_one_does_in_the_end() {
        let (sender, _inbox) = keepwatch_bus::mailbox::mailbox().unwrap();
        let mut slow = Slow::new(sender.downgrade());
        let name: Name = "eth0".into();
        let seconds = Duration::from_secs;
        let delay = InterfaceDelays { interface: name.clone(), down: seconds(2), up: seconds(5) };
        let definitions = Definitions { interface_delays: vec![delay], ..Definitions::default() };
        slow.apply(&definitions, &HashSet::new());
        let now = Instant::now();
        let up = Some(LinkState::Up);
        assert!(slow.is_too_early(&name, up, LinkState::Down, None, now));
        assert!(
            slow.is_too_early(&name, up, LinkState::Down, None, now + seconds(1)),
            "it goes on from the first time"
        );
        assert_eq!(slow.next(), Some(now + seconds(2)));
        assert!(!slow.is_too_early(&name, up, LinkState::Up, None, now + seconds(1)), "it is back");
        assert_eq!(slow.next(), None);
        assert!(slow.is_too_early(&name, up, LinkState::Down, None, now + seconds(3)));
        assert_eq!(slow.due(now + seconds(5)), vec![name.clone()]);
        assert!(!slow.is_too_early(&name, up, LinkState::Down, None, now + seconds(5)));
        assert!(slow.is_too_early(&name, Some(LinkState::Down), LinkState::Up, None, now + seconds(6)));
        assert!(!slow.is_too_early(&name, up, LinkState::Up, None, now + seconds(19)), "as it was told");
        // A backup would be master by then.
        let patience = Some(seconds(1));
        assert!(slow.is_too_early(&name, up, LinkState::Down, patience, now + seconds(20)));
        assert_eq!(slow.due(now + seconds(21)), vec![name.clone()]);
        assert!(!slow.is_too_early(&name, up, LinkState::Down, patience, now + seconds(21)));
        assert!(!slow.is_too_early(&"eth1".into(), up, LinkState::Down, None, now));
    }

    #[test]
    fn an_answer_counts_while_the_interface_is_asked_and_no_longer() {
        let (sender, _inbox) = keepwatch_bus::mailbox::mailbox().unwrap();
        let mut slow = Slow::new(sender.downgrade());
        let name: Name = "eth0".into();
        let named = HashSet::from([name.clone()]);
        let asked = Definitions { linkbeat_everywhere: true, ..Definitions::default() };
        slow.apply(&asked, &named);
        assert_eq!(slow.link(&name), None);
        slow.beat(name.clone(), false);
        assert_eq!(slow.link(&name), Some(false), "whatever the kernel says of it");
        slow.apply(&Definitions::default(), &named);
        assert_eq!(slow.link(&name), None);
        slow.beat(name.clone(), false);
        assert_eq!(slow.link(&name), None, "it came too late");
    }
}
