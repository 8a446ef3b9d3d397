//! Properties of the protocol over thousands of simulated LANs, each with its own seed: what must hold whatever the
//! network, the clocks and the operators do. A failure names its seed; the same seed gives the same run. What goes wrong
//! by chance, all of it at once, is `keepwatch-simulate`'s.

mod lan;

use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::subject::VrrpState::Master;
use keepwatch_vrrp::spec::{Preemption, Version};
use keepwatch_vrrp::{Definitions, RouterSpec};
use lan::{Dice, Lan, definition, group, spec};

/// Seeds for each property.
const SEEDS: u64 = 2_000;

/// What a LAN is made of, thrown by dice.
struct Shape {
    segments: usize,
    hosts: usize,
    version3: bool,
    interval: Duration,
    preempt: bool,
    priorities: Vec<u8>,
    drift: bool,
}

impl Shape {
    fn throw(dice: &mut Dice) -> Self {
        let hosts = 2 + dice.below(3) as usize;
        let version3 = dice.chance(50);
        let interval =
            if version3 { *dice.pick(&[10, 50, 100, 330, 1_000]) } else { *dice.pick(&[1_000, 2_000]) };
        Self {
            segments: 1 + dice.below(2) as usize,
            hosts,
            version3,
            interval: Duration::from_millis(interval),
            preempt: dice.chance(75),
            priorities: (0..hosts).map(|_| *dice.pick(&[1, 50, 100, 100, 150, 200, 254])).collect(),
            drift: dice.chance(50),
        }
    }

    fn spec(&self, name: &str, segment: u8, priority: u8) -> RouterSpec {
        let mut spec = spec(name, segment, priority);
        spec.advert_interval = self.interval;
        spec.version = match self.version3 {
            true => Version::V3 { checksum_as_v2: false },
            false => spec.version,
        };
        spec.preemption = if self.preempt { Preemption::Always } else { Preemption::Never };
        spec
    }

    /// The LAN, nobody running yet. Several segments make a sync group.
    fn build(&self, seed: u64) -> Lan {
        let mut lan = Lan::new(seed, self.segments);
        lan.delay = self.interval.as_micros() as u64 / 50;
        for priority in &self.priorities {
            let names = self.names();
            let routers = names.iter().enumerate();
            let routers = routers.map(|(s, name)| definition(self.spec(name, s as u8, *priority))).collect();
            let groups = match self.segments {
                1 => Vec::new(),
                _ => vec![group("VG", &names.iter().map(String::as_str).collect::<Vec<_>>())],
            };
            let pace = if self.drift { 995_000 + lan.dice.below(10_001) } else { 1_000_000 };
            lan.host(Definitions { routers, groups, ..Definitions::default() }, pace);
        }
        lan
    }

    fn names(&self) -> Vec<String> {
        (0..self.segments).map(|segment| format!("VI_{segment}")).collect()
    }

    /// More than any Master_Down_Interval of this LAN, clocks included.
    fn down(&self) -> Duration {
        let skew = if self.version3 { self.interval } else { Duration::from_secs(1) };
        (self.interval * 3 + skew) * 102 / 100 + self.interval / 20
    }
}

#[test]
fn on_a_healthy_lan_two_masters_last_no_longer_than_a_packet_needs() {
    for seed in 0..SEEDS {
        let mut dice = Dice(seed ^ 0x5eed);
        let shape = Shape::throw(&mut dice);
        let mut lan = shape.build(seed);
        let longest = lan.delay * 2 + 10;
        let names = shape.names();
        let mut since: Vec<Option<u64>> = vec![None; names.len()];
        let mut look = |lan: &Lan| {
            for (segment, name) in names.iter().enumerate() {
                match lan.masters(name).len() {
                    0 | 1 => since[segment] = None,
                    _ => {
                        let began = *since[segment].get_or_insert(lan.now);
                        let lasted = lan.now - began;
                        assert!(lasted <= longest, "seed {seed}: two masters of {name} for {lasted} µs");
                    }
                }
            }
        };
        let mut running = 0;
        for _ in 0..10 {
            let until = lan.now + lan.dice.below(shape.down().as_micros() as u64 * 2);
            lan.run_until(until, &mut look);
            let host = lan.dice.below(shape.hosts as u64) as usize;
            match (lan.hosts[host].alive, lan.dice.chance(50)) {
                (false, _) => lan.start(host),
                (true, true) => lan.stop(host),
                (true, false) => lan.crash(host),
            }
            running = lan.hosts.iter().filter(|host| host.alive).count();
        }
        let until = lan.now + shape.down().as_micros() as u64 * 3;
        lan.run_until(until, &mut look);
        for name in shape.names() {
            assert_eq!(lan.masters(&name).len(), running.min(1), "seed {seed}: {name}");
        }
    }
}

#[test]
fn takeover_of_a_crashed_master_takes_no_longer_than_the_protocol_allows() {
    for seed in 0..SEEDS {
        let mut dice = Dice(seed ^ 0xdead);
        let mut shape = Shape::throw(&mut dice);
        shape.drift = false;
        let mut lan = shape.build(seed);
        for host in 0..shape.hosts {
            lan.start(host);
        }
        let settle = shape.down() * 4 + shape.interval * dice.below(100) as u32 / 100;
        lan.run_for(settle);
        let old = lan.masters("VI_0")[0];
        lan.crash(old);
        let crashed = lan.now;
        let best =
            (0..shape.hosts).filter(|host| *host != old).map(|h| shape.priorities[h]).max().unwrap_or(0);
        let unit = if shape.version3 { shape.interval } else { Duration::from_secs(1) };
        let allowed = shape.interval * 3 + unit * (256 - u32::from(best)) / 256;
        let mut taken = None;
        lan.run_until(crashed + (allowed * 2).as_micros() as u64, &mut |lan| {
            if taken.is_none() && !lan.masters("VI_0").is_empty() {
                taken = Some(lan.now - crashed);
            }
        });
        let taken = Duration::from_micros(taken.unwrap_or(u64::MAX));
        // The last advertisement may still have been on its way.
        let slack = Duration::from_micros(lan.delay + 10);
        assert!(taken <= allowed + slack, "seed {seed}: {taken:?}, allowed {allowed:?}");
        assert!(taken + shape.interval + slack >= allowed, "seed {seed}: {taken:?}, {allowed:?}");
    }
}

#[test]
fn a_reload_that_changes_nothing_is_not_noticed() {
    for seed in 0..SEEDS / 10 {
        let mut dice = Dice(seed);
        let shape = Shape::throw(&mut dice);
        let mut lan = shape.build(seed);
        for host in 0..shape.hosts {
            lan.start(host);
        }
        lan.run_for(shape.down() * 3);
        for host in 0..shape.hosts {
            let now = lan.clock(host);
            let h = &mut lan.hosts[host];
            let (before, deadline) = (h.out.did.len(), h.node.next_deadline());
            h.node.apply(now, h.definitions.clone(), None, &mut h.out);
            assert_eq!(h.out.did.len(), before, "seed {seed}: {:?}", &h.out.did[before..]);
            assert_eq!(h.node.next_deadline(), deadline);
        }
    }
}

#[test]
fn any_reload_leads_to_where_a_fresh_start_with_the_new_definitions_would() {
    for seed in 0..SEEDS {
        let mut dice = Dice(seed ^ 0xbeef);
        let shape = Shape { preempt: true, ..Shape::throw(&mut dice) };
        let mut lan = shape.build(seed);
        for host in 0..shape.hosts {
            lan.start(host);
        }
        lan.run_for(shape.down() * 2);
        let mut priorities = shape.priorities.clone();
        let interval = shape.interval * if dice.chance(30) { 2 } else { 1 };
        for (host, priority) in priorities.iter_mut().enumerate() {
            if interval == shape.interval && dice.chance(30) {
                continue;
            }
            *priority = *dice.pick(&[2, 70, 120, 210]);
            for router in &mut lan.hosts[host].definitions.routers {
                router.spec.advert_interval = interval;
                router.spec.priority.0 = *priority;
                router.spec.garp.repeat = dice.below(4) as u32;
                if dice.chance(20) {
                    router.spec.advertised = 0;
                }
                if dice.chance(20) {
                    router.spec.addresses = Arc::from([]);
                    router.spec.advertised = 0;
                }
            }
            let now = lan.clock(host);
            let h = &mut lan.hosts[host];
            h.node.apply(now, h.definitions.clone(), None, &mut h.out);
            lan.carry_out(host);
        }
        lan.run_for(shape.down() * 8);
        let best = priorities.iter().max();
        for name in shape.names() {
            let masters = lan.masters(&name);
            assert_eq!(masters.len(), 1, "seed {seed}: {name} {priorities:?}");
            assert_eq!(Some(&priorities[masters[0]]), best, "seed {seed}: {name} {priorities:?}");
        }
        for host in 0..shape.hosts {
            let expected: usize = match lan.state(host, "VI_0") {
                Master => lan.hosts[host].definitions.routers.iter().map(|r| r.spec.addresses.len()).sum(),
                _ => 0,
            };
            assert_eq!(lan.held(host).len(), expected, "seed {seed}: host {host}");
        }
    }
}
