//! A LAN thrown by dice, troubles thrown by dice, and the verdict: [`run`] gives the same for the same seed, on every
//! machine, so a seed that breaks a rule is all that one needs to see it again.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::Configured;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::{Family, Name};
use keepwatch_model::{
    AntiReplay, AuthHmac, HmacKey, HmacMode, InterfaceAddress, Secret, SyncGroup, UnicastPeer,
    VirtualRouterId,
};
use keepwatch_vrrp::spec::{Preemption, Transport, Version};
use keepwatch_vrrp::wire::{GROUP_V4, GROUP_V6};
use keepwatch_vrrp::{
    Definitions, Follow, GroupDefinition, GroupSpec, Level, RouterDefinition, RouterSpec, TrackedKind,
};

use crate::dice::Dice;
use crate::history::{Happening, History};
use crate::host::{HostPlan, LinkPlan};
use crate::lan::{Lan, Weather};
use crate::watch::{Broken, Rules, Watch};

/// The script that the routers of some LANs follow.
const SCRIPT: &str = "chk";
/// Troubles of one run.
const TROUBLES: usize = 12;

/// What became of one seed.
#[derive(Debug)]
pub struct Verdict {
    /// The LAN in words.
    pub shape: String,
    /// What happened.
    pub history: History,
    /// When it ended, in microseconds.
    pub end: u64,
    /// The rule that was broken, if one was.
    pub broken: Option<Broken>,
}

/// What a LAN is made of.
#[derive(Debug)]
struct Shape {
    segments: usize,
    family: Family,
    version3: bool,
    /// Of each host: the timers of version 3 may differ.
    intervals: Vec<u64>,
    priorities: Vec<u8>,
    preempt: bool,
    unicast: bool,
    signed: bool,
    /// Weight of the script that they follow.
    weight: Option<i32>,
    down_adverts: u8,
    drift: bool,
}

impl Shape {
    fn throw(dice: &mut Dice) -> Self {
        let hosts = 2 + dice.below(3) as usize;
        let version3 = dice.chance(60);
        let interval =
            if version3 { *dice.pick(&[10, 50, 100, 330, 1_000]) } else { *dice.pick(&[1_000, 2_000]) };
        let mixed = version3 && dice.chance(25);
        Self {
            segments: 1 + dice.below(2) as usize,
            family: if version3 && dice.chance(40) { Family::Inet6 } else { Family::Inet },
            version3,
            intervals: (0..hosts)
                .map(|_| interval * if mixed { *dice.pick(&[1, 1, 2, 3]) } else { 1 })
                .collect(),
            priorities: (0..hosts).map(|_| *dice.pick(&[1, 50, 100, 100, 150, 200, 254])).collect(),
            preempt: dice.chance(75),
            unicast: dice.chance(25),
            signed: dice.chance(25),
            weight: dice.chance(40).then(|| *dice.pick(&[0, -60, 40])),
            down_adverts: if dice.chance(20) { *dice.pick(&[2, 5]) } else { 3 },
            drift: dice.chance(50),
        }
    }

    fn hosts(&self) -> usize {
        self.priorities.len()
    }

    fn own(&self, host: usize, segment: usize) -> IpAddr {
        match self.family {
            Family::Inet => [10, segment as u8, 0, host as u8 + 1].into(),
            Family::Inet6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, segment as u16, host as u16 + 1).into(),
        }
    }

    fn virtual_address(&self, segment: usize) -> IpAddr {
        match self.family {
            Family::Inet => [10, segment as u8, 0, 100].into(),
            Family::Inet6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, segment as u16, 0x100).into(),
        }
    }

    fn names(&self) -> Vec<Name> {
        (0..self.segments).map(|segment| Name::from(format!("VI_{segment}"))).collect()
    }

    fn spec(&self, host: usize, segment: usize, priority: u8) -> RouterSpec {
        let name = Name::from(format!("VI_{segment}"));
        let vip = InterfaceAddress::host(self.virtual_address(segment));
        let interface = Name::from(format!("eth{segment}"));
        let mut spec = RouterSpec::new(name, interface, VirtualRouterId(51), Arc::from([vip]));
        spec.family = self.family;
        spec.priority.0 = priority;
        spec.advert_interval = Duration::from_millis(self.intervals[host]);
        spec.down_adverts = self.down_adverts;
        spec.preemption = if self.preempt { Preemption::Always } else { Preemption::Never };
        if self.version3 {
            spec.version = Version::V3 { checksum_as_v2: false };
        }
        spec.transport = if self.unicast {
            let others = (0..self.hosts()).filter(|other| *other != host);
            let peer =
                |other| UnicastPeer { address: self.own(other, segment), min_ttl: None, max_ttl: None };
            Transport::Unicast { peers: others.map(peer).collect(), ttl: 255, check_source: true }
        } else {
            let group = if self.family == Family::Inet { GROUP_V4.into() } else { GROUP_V6.into() };
            Transport::Multicast { group }
        };
        spec.hmac = self.signed.then(|| {
            let secret = Secret::new(b"0123456789abcdef0123456789abcdef".as_slice().into());
            Box::new(AuthHmac {
                keys: vec![HmacKey { id: 1, secret }],
                active_key: 1,
                anti_replay: AntiReplay::Time(Duration::from_secs(30)),
                mode: HmacMode::Enforce,
            })
        });
        let follow =
            |weight| Follow { kind: TrackedKind::Script, name: SCRIPT.into(), weight, reverse: false };
        spec.follows = self.weight.map(follow).into_iter().collect();
        spec
    }

    fn definitions(&self, host: usize, priority: u8) -> Definitions {
        let routers =
            (0..self.segments).map(|segment| RouterDefinition::detached(self.spec(host, segment, priority)));
        let group = (self.segments > 1).then(|| {
            let settings = Configured::new(1, SyncGroup::new("VG".into(), self.names()));
            GroupDefinition { spec: GroupSpec { name: "VG".into(), members: self.names() }, settings }
        });
        Definitions {
            routers: routers.collect(),
            groups: group.into_iter().collect(),
            ..Definitions::default()
        }
    }

    fn plan(&self, host: usize, dice: &mut Dice) -> HostPlan {
        let link = |segment| LinkPlan {
            name: format!("eth{segment}").into(),
            segment,
            addresses: vec![self.own(host, segment)],
        };
        HostPlan {
            name: char::from(b'A' + host as u8).to_string(),
            definitions: self.definitions(host, self.priorities[host]),
            links: (0..self.segments).map(link).collect(),
            pace: if self.drift { 995_000 + dice.below(10_001) } else { 1_000_000 },
        }
    }

    /// The least interval, in microseconds.
    fn shortest(&self) -> u64 {
        self.intervals.iter().min().copied().unwrap_or(1) * 1_000
    }

    fn rules(&self) -> Rules {
        let interval = self.intervals.iter().max().copied().unwrap_or(1) * 1_000;
        let skew = if self.version3 { interval } else { 1_000_000 };
        let slow = |time: u64| time * 102 / 100;
        let names = self.names().into_iter().enumerate();
        Rules {
            routers: names.map(|(segment, name)| (name, vec![self.virtual_address(segment)])).collect(),
            groups: if self.segments > 1 { vec![self.names()] } else { Vec::new() },
            interval: slow(interval),
            down: slow(interval * u64::from(self.down_adverts) + skew),
            delay: self.shortest() / 10,
        }
    }

    fn in_words(&self) -> String {
        let intervals: Vec<String> = self.intervals.iter().map(|ms| format!("{ms} ms")).collect();
        let flag = |set: bool, name: &'static str| if set { name } else { "" };
        format!(
            "{} hosts, version {} over {}, priorities {:?}, intervals {}{}{}{}{}{}, {} adverts to be missed{}",
            self.hosts(),
            if self.version3 { 3 } else { 2 },
            if self.family == Family::Inet { "IPv4" } else { "IPv6" },
            self.priorities,
            intervals.join(", "),
            flag(self.segments > 1, ", a sync group of two"),
            flag(!self.preempt, ", nopreempt"),
            flag(self.unicast, ", unicast"),
            flag(self.signed, ", signed"),
            flag(self.drift, ", clocks that drift"),
            self.down_adverts,
            self.weight.map_or(String::new(), |weight| format!(", a script of weight {weight}")),
        )
    }
}

/// One run.
struct Run {
    shape: Shape,
    lan: Lan,
    watch: Watch,
    priorities: Vec<u8>,
}

impl Run {
    fn rest(&mut self, time: u64) {
        let watch = &mut self.watch;
        let until = self.lan.now + time;
        self.lan.run_until(until, &mut |lan| watch.look(lan));
    }

    /// Something goes wrong, or right.
    fn trouble(&mut self) {
        let hosts = self.shape.hosts() as u64;
        let host = self.lan.dice.below(hosts) as usize;
        let other = self.lan.dice.below(hosts) as usize;
        let segment = self.lan.dice.below(self.shape.segments as u64) as usize;
        match self.lan.dice.below(16) {
            0 => self.lan.crash(host),
            1 => self.lan.stop(host),
            2 | 3 => self.lan.start(host),
            4 => self.lan.set_link(host, segment, false),
            5 => self.lan.set_link(host, segment, true),
            6 => {
                let sides: Vec<u64> = (0..hosts).map(|_| self.lan.dice.below(2)).collect();
                for from in 0..sides.len() {
                    for to in 0..sides.len() {
                        self.lan.set_cut(from, to, sides[from] != sides[to]);
                    }
                }
            }
            7 if host != other => self.lan.set_cut(host, other, true),
            8 => self.mend_cuts(),
            9 => self.lan.freeze(host),
            10 => self.lan.thaw(host),
            11 | 12 if self.shape.weight.is_some() => {
                let level = if self.lan.dice.chance(50) { Level::Up } else { Level::Down };
                self.lan.track(host, TrackedKind::Script, &SCRIPT.into(), level);
            }
            13 => self.reload(host),
            _ => {
                let loss = *self.lan.dice.pick(&[0, 0, 5, 30, 70]);
                let duplicated = *self.lan.dice.pick(&[0, 0, 10, 50]);
                let most = self.shape.shortest() / 20;
                let (delay, jitter) = (self.lan.dice.below(most), self.lan.dice.below(most));
                self.lan.set_weather(Weather { loss, duplicated, delay: delay + 1, jitter });
            }
        }
        self.watch.look(&self.lan);
    }

    fn reload(&mut self, host: usize) {
        let priority = *self.lan.dice.pick(&[1, 70, 100, 120, 210, 254]);
        let mut definitions = self.shape.definitions(host, priority);
        for router in &mut definitions.routers {
            router.spec.garp.repeat = self.lan.dice.below(4) as u32;
        }
        self.priorities[host] = priority;
        self.lan.reload(host, definitions);
    }

    fn mend_cuts(&mut self) {
        for from in 0..self.shape.hosts() {
            for to in 0..self.shape.hosts() {
                self.lan.set_cut(from, to, false);
            }
        }
    }

    fn heal(&mut self) {
        self.mend_cuts();
        let weather = self.lan.weather;
        self.lan.set_weather(Weather { loss: 0, ..weather });
        for host in 0..self.shape.hosts() {
            self.lan.thaw(host);
            for segment in 0..self.shape.segments {
                self.lan.set_link(host, segment, true);
            }
            if self.shape.weight.is_some() {
                self.lan.track(host, TrackedKind::Script, &SCRIPT.into(), Level::Up);
            }
            self.lan.start(host);
            // It may have been reloaded while its process stood still.
            let definitions = self.lan.hosts[host].plan.definitions.clone();
            self.lan.reload(host, definitions);
        }
        self.watch.look(&self.lan);
    }

    /// After it has settled: who is master, and who has the address.
    fn judge(&mut self) -> Vec<usize> {
        let mut all = Vec::new();
        for (name, addresses) in self.watch_routers() {
            let masters = self.lan.masters(&name);
            let [master] = masters[..] else {
                self.watch.fail(
                    &self.lan,
                    format!("{name} has {} masters after the network was healed", masters.len()),
                );
                return Vec::new();
            };
            let priority = |host: usize| self.lan.hosts[host].priority(&name);
            let best = (0..self.shape.hosts()).map(priority).max().unwrap_or(0);
            if self.shape.preempt && priority(master) != best {
                let how = format!("the master of {name} has priority {}, another {best}", priority(master));
                self.watch.fail(&self.lan, how);
            }
            for (host, there) in self.lan.hosts.iter().enumerate() {
                if addresses.iter().any(|address| there.has(*address)) != (host == master) {
                    let how = format!("{} and the address of {name} do not belong together", there.plan.name);
                    self.watch.fail(&self.lan, how);
                    return Vec::new();
                }
            }
            all.push(master);
        }
        all
    }

    fn watch_routers(&self) -> Vec<(Name, Vec<IpAddr>)> {
        self.shape.rules().routers
    }

    fn changes(&self) -> usize {
        let is_change = |what: &Happening| matches!(what, Happening::Deed(deed) if matches!(deed.what, VrrpFact::StateChanged { .. }));
        self.lan.history.moments.iter().filter(|moment| is_change(&moment.what)).count()
    }

    /// A healthy LAN stays as it is, and nobody takes over who must not.
    fn judge_peace(&mut self, masters: &[usize], down: u64) {
        let before = self.changes();
        self.rest(down * 3);
        if self.changes() != before {
            self.watch.fail(&self.lan, "a state changed though nothing had happened".to_owned());
        }
        let Some(host) = (0..self.shape.hosts()).find(|host| !masters.contains(host)) else { return };
        self.lan.stop(host);
        self.lan.start(host);
        self.rest(down * 4);
        let after = self.judge();
        // Whoever gives up before a slower master's next advertisement is due cannot have heard of him: it does not know
        // that there is one (RFC 9568 §6.4.1: the timer begins with one's own interval).
        let intervals = &self.shape.intervals;
        let patience = intervals[host] * u64::from(self.shape.down_adverts);
        let deaf = masters.iter().any(|master| patience <= intervals[*master]);
        if !self.shape.preempt && !deaf && !masters.is_empty() && !after.is_empty() && after != masters {
            let name = &self.lan.hosts[host].plan.name;
            self.watch.fail(&self.lan, format!("{name} came back and preempted, in spite of nopreempt"));
        }
    }
}

/// Runs one seed.
pub fn run(seed: u64) -> Verdict {
    let mut dice = Dice(seed);
    let shape = Shape::throw(&mut dice);
    let plans = (0..shape.hosts()).map(|host| shape.plan(host, &mut dice)).collect();
    let (rules, words) = (shape.rules(), shape.in_words());
    let down = rules.down;
    let mut lan = Lan::new(seed ^ 0x5eed, plans);
    lan.weather =
        Weather { delay: shape.shortest() / 100, jitter: shape.shortest() / 100, ..Weather::default() };
    let watch = Watch::new(rules, shape.hosts());
    let priorities = shape.priorities.clone();
    let mut run = Run { shape, lan, watch, priorities };
    for host in 0..run.shape.hosts() {
        run.lan.start(host);
    }
    run.watch.look(&run.lan);
    for _ in 0..TROUBLES {
        let pause = run.lan.dice.below(down * 2);
        run.rest(pause);
        run.trouble();
    }
    run.heal();
    run.rest(down * 5);
    let masters = run.judge();
    if run.watch.broken.is_none() {
        run.judge_peace(&masters, down);
    }
    Verdict { shape: words, end: run.lan.now, broken: run.watch.broken, history: run.lan.history }
}
