//! A simulated LAN: hosts on segments, packets on their way, and what goes wrong. Times are microseconds since its
//! beginning.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_vrrp::{Definitions, Level, TrackedKind};

use crate::dice::Dice;
use crate::history::History;
use crate::host::{Arrived, Host, HostPlan};

/// Seconds since 1970 at the beginning of every LAN: it is always the same, as everything here.
const WALL: Duration = Duration::from_secs(1_795_841_209);

/// What the network does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Percent of packets lost.
    pub loss: u64,
    /// Percent of packets that come twice.
    pub duplicated: u64,
    /// Least time that a packet takes, microseconds.
    pub delay: u64,
    /// What may be added to that: packets of one sender may overtake each other.
    pub jitter: u64,
}

impl Default for Weather {
    /// A switch: 100 to 200 µs, nothing lost.
    fn default() -> Self {
        Self { loss: 0, duplicated: 0, delay: 100, jitter: 100 }
    }
}

/// A packet on its way; those that come first are the greatest.
#[derive(Debug)]
struct Flying {
    at: Reverse<(u64, u64)>,
    to: usize,
    arrived: Arrived,
}

impl PartialEq for Flying {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Flying {}
impl PartialOrd for Flying {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Flying {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// The LAN.
#[derive(Debug)]
pub struct Lan {
    /// Now.
    pub now: u64,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// Chance.
    pub dice: Dice,
    /// What the network does to packets.
    pub weather: Weather,
    /// Who was what when.
    pub history: History,
    /// Who does not hear whom: sender, receiver.
    cut: HashSet<(usize, usize)>,
    flying: BinaryHeap<Flying>,
    numbers: u64,
    epoch: Instant,
}

impl Lan {
    /// A LAN of these hosts; nobody runs yet.
    pub fn new(seed: u64, plans: Vec<HostPlan>) -> Self {
        let history = History::of(&plans);
        Self {
            now: 0,
            hosts: plans.into_iter().map(Host::new).collect(),
            dice: Dice(seed),
            weather: Weather::default(),
            history,
            cut: HashSet::new(),
            flying: BinaryHeap::new(),
            numbers: 0,
            epoch: Instant::now(),
        }
    }

    /// What the clock of a host says.
    fn clock(&self, host: usize) -> Instant {
        let nanos = u128::from(self.now) * u128::from(self.hosts[host].plan.pace) / 1_000;
        self.epoch + Duration::from_nanos(nanos as u64)
    }

    /// The same, and the host learns what its wall clock says.
    fn tick(&mut self, host: usize) -> Instant {
        let now = self.clock(host);
        self.hosts[host].node.wall_clock(now, WALL + (now - self.epoch));
        now
    }

    fn wakes(&self, host: usize) -> Option<u64> {
        let deadline = self.hosts[host].next_deadline()?;
        let nanos = deadline.saturating_duration_since(self.epoch).as_nanos();
        Some((nanos * 1_000).div_ceil(u128::from(self.hosts[host].plan.pace)) as u64)
    }

    /// The host of this name.
    pub fn host_named(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.plan.name == name)
    }

    /// Starts the process on a host, after a crash too; nothing if it runs.
    pub fn start(&mut self, host: usize) {
        if !self.hosts[host].alive {
            let now = self.clock(host);
            self.hosts[host].start(now, WALL + (now - self.epoch));
            self.history.note(self.now, host, "starts".to_owned());
            self.carry_out(host);
            self.see_answers(host);
        }
    }

    /// The process dies; its addresses stay.
    pub fn crash(&mut self, host: usize) {
        if self.hosts[host].alive {
            self.hosts[host].alive = false;
            self.history.note(self.now, host, "crashes: its process is gone, its addresses stay".to_owned());
            self.see_states(host);
        }
    }

    /// The host loses its power: its process and its interfaces are gone.
    pub fn power_off(&mut self, host: usize) {
        self.history.note(self.now, host, "goes down".to_owned());
        self.hosts[host].alive = false;
        self.hosts[host].link_up.fill(false);
        self.hosts[host].forget_addresses();
        self.see_states(host);
    }

    /// The host comes up again, with its process.
    pub fn power_on(&mut self, host: usize) {
        self.hosts[host].link_up.fill(true);
        self.start(host);
    }

    /// The process stops in good order.
    pub fn stop(&mut self, host: usize) {
        if self.hosts[host].alive && !self.hosts[host].frozen {
            let now = self.tick(host);
            self.history.note(self.now, host, "stops".to_owned());
            self.hosts[host].stop(now);
            self.carry_out(host);
            self.hosts[host].alive = false;
            self.see_states(host);
        }
    }

    /// The host stands still.
    pub fn freeze(&mut self, host: usize) {
        if self.hosts[host].alive && !self.hosts[host].frozen {
            self.hosts[host].frozen = true;
            self.history.note(self.now, host, "stands still".to_owned());
            self.see_answers(host);
        }
    }

    /// The host goes on, and finds that time has passed.
    pub fn thaw(&mut self, host: usize) {
        if self.hosts[host].alive && self.hosts[host].frozen {
            let now = self.tick(host);
            self.history.note(self.now, host, "goes on".to_owned());
            self.hosts[host].thaw(now);
            self.carry_out(host);
            self.see_answers(host);
        }
    }

    /// Puts an interface up or down.
    pub fn set_link(&mut self, host: usize, link: usize, up: bool) {
        if self.hosts[host].link_up[link] == up {
            return;
        }
        self.hosts[host].link_up[link] = up;
        let how = if up { "up" } else { "down" };
        let name = self.hosts[host].plan.links[link].name.clone();
        self.history.note(self.now, host, format!("{name} {how}"));
        if self.hosts[host].alive {
            let now = self.tick(host);
            self.hosts[host].tell_link(now, link);
            self.carry_out(host);
        }
        self.see_answers(host);
    }

    /// What is sent by the one is heard by the other no longer, or again.
    pub fn set_cut(&mut self, from: usize, to: usize, cut: bool) {
        let changed = if cut { self.cut.insert((from, to)) } else { self.cut.remove(&(from, to)) };
        if changed {
            let other = &self.hosts[to].plan.name;
            let what = if cut { "is not heard any more by" } else { "is heard again by" };
            self.history.note(self.now, from, format!("{what} {other}"));
        }
    }

    /// Whether the one is not heard by the other.
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.contains(&(from, to))
    }

    /// Whether everybody hears everybody, and nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.cut.is_empty() && self.weather.loss == 0
    }

    /// Sets the weather.
    pub fn set_weather(&mut self, weather: Weather) {
        if self.weather != weather {
            self.weather = weather;
            self.history.note_all(
                self.now,
                format!(
                    "the network loses {} %, doubles {} %, takes {} to {} ms",
                    weather.loss,
                    weather.duplicated,
                    weather.delay as f64 / 1e3,
                    (weather.delay + weather.jitter) as f64 / 1e3,
                ),
            );
        }
    }

    /// Something that routers follow stands so now.
    pub fn track(&mut self, host: usize, kind: TrackedKind, name: &Name, level: Level) {
        let now = self.tick(host);
        self.history.note(self.now, host, format!("{name} is {level}"));
        self.hosts[host].track(now, kind, name, level);
        self.carry_out(host);
    }

    /// A reload.
    pub fn reload(&mut self, host: usize, definitions: Definitions) {
        if self.hosts[host].alive && !self.hosts[host].frozen {
            let now = self.tick(host);
            self.history.note(self.now, host, "reloads".to_owned());
            self.hosts[host].reload(now, definitions);
            self.carry_out(host);
        } else {
            self.hosts[host].plan.definitions = definitions;
        }
    }

    /// The hosts on which this virtual router is master.
    pub fn masters(&self, router: &str) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.hosts[*host].state(router) == VrrpState::Master).collect()
    }

    /// Lets time pass until `until`, calling `look` after everything that happens.
    pub fn run_until(&mut self, until: u64, look: &mut dyn FnMut(&Self)) {
        loop {
            let wake = (0..self.hosts.len()).filter_map(|h| Some((self.wakes(h)?, h))).min();
            let arrival = self.flying.peek().map(|flying| flying.at.0.0);
            let next = wake.map(|(at, _)| at).into_iter().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if arrival == Some(next)
                && let Some(flying) = self.flying.pop()
            {
                let now = self.tick(flying.to);
                self.hosts[flying.to].arrive(now, flying.arrived);
                self.carry_out(flying.to);
            } else if let Some((_, host)) = wake {
                let now = self.tick(host);
                self.hosts[host].timeouts(now);
                self.carry_out(host);
            }
            look(self);
        }
        self.now = self.now.max(until);
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, time: Duration, look: &mut dyn FnMut(&Self)) {
        self.run_until(self.now + time.as_micros() as u64, look);
    }

    /// Does what a host wants done.
    fn carry_out(&mut self, host: usize) {
        let now = self.clock(host);
        let (sent, deeds) = self.hosts[host].carry_out(now);
        for packet in sent {
            self.fly(host, packet);
        }
        let something = !deeds.is_empty();
        self.history.deeds(self.now, host, deeds);
        if something {
            self.see_answers(host);
        }
    }

    fn see_states(&mut self, host: usize) {
        self.history.gone(self.now, host);
        self.see_answers(host);
    }

    /// Which virtual routers' addresses it answers for now.
    fn see_answers(&mut self, host: usize) {
        let there = &self.hosts[host];
        for router in &there.plan.definitions.routers {
            let answers = there.answers(&router.spec);
            self.history.answers(self.now, host, &router.spec.name, answers);
        }
    }

    fn fly(&mut self, from: usize, sent: crate::host::Sent) {
        for to in 0..self.hosts.len() {
            if to == from || self.cut.contains(&(from, to)) {
                continue;
            }
            let heard = |link: &crate::host::LinkPlan| {
                link.segment == sent.segment
                    && (is_multicast(sent.destination) || link.addresses.contains(&sent.destination))
            };
            let Some(link) = self.hosts[to].plan.links.iter().position(heard) else { continue };
            let copies = 1 + u64::from(self.dice.chance(self.weather.duplicated));
            for _ in 0..copies {
                if self.dice.chance(self.weather.loss) {
                    continue;
                }
                let at = self.now + self.weather.delay + self.dice.below(self.weather.jitter + 1);
                self.numbers += 1;
                let arrived = Arrived {
                    link,
                    source: sent.source,
                    destination: sent.destination,
                    packet: Arc::clone(&sent.packet),
                };
                self.flying.push(Flying { at: Reverse((at, self.numbers)), to, arrived });
            }
        }
    }
}

fn is_multicast(address: IpAddr) -> bool {
    address.is_multicast()
}
