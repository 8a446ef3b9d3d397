//! Who is master, and when: priorities, addresses, owners, preemption, intervals.

use keepwatch_bus::Fact;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState::{Backup, Init, Master};
use keepwatch_vrrp::spec::{Authentication, Preemption, Version};

use crate::lan::{Did, Lan, spec};
use crate::{RIGHT, VI, changed_to, ms, one, pair};

#[test]
fn a_lone_router_is_master_after_three_intervals_and_its_skew() {
    let mut lan = Lan::new(1, 1);
    let host = lan.host(one(spec(VI, 0, 100)), RIGHT);
    lan.start(host);
    // RFC 3768 §6.1: 3 × 1 s + (256 − 100) / 256 s = 3.609375 s.
    lan.run_for(ms(3_609));
    assert_eq!(lan.state(host, VI), Backup);
    lan.run_for(ms(1));
    assert_eq!(lan.state(host, VI), Master);
    assert_eq!(lan.history(host, VI), [Backup, Master]);
    let event = lan.last(host, changed_to(Master)).unwrap();
    assert_eq!(lan.chain(host, event), ["state_changed", "advert_timed_out"]);
}

#[test]
fn version_3_skews_by_256ths_of_the_interval() {
    let mut lan = Lan::new(1, 1);
    let mut spec = spec(VI, 0, 100);
    spec.version = Version::V3 { checksum_as_v2: false };
    spec.advert_interval = ms(100);
    let host = lan.host(one(spec), RIGHT);
    lan.start(host);
    // RFC 9568 §6.1: 300 ms + 156 × 100 ms / 256 = 360.9 ms.
    lan.run_for(ms(360));
    assert_eq!(lan.state(host, VI), Backup);
    lan.run_for(ms(1));
    assert_eq!(lan.state(host, VI), Master);
}

#[test]
fn the_higher_priority_is_master_and_the_other_stays_backup() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(20_000));
    assert_eq!(lan.history(0, VI), [Backup, Master]);
    assert_eq!(lan.history(1, VI), [Backup]);
}

#[test]
fn an_owner_that_says_master_is_master_at_once_and_others_are_not() {
    for (priority, initial_master, at_once) in [(255, true, true), (255, false, false), (254, true, false)] {
        let mut lan = Lan::new(1, 1);
        let mut spec = spec(VI, 0, priority);
        spec.initial_master = initial_master;
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
        lan.run_for(ms(1));
        let expected = if at_once { Master } else { Backup };
        assert_eq!(lan.history(host, VI), [expected], "priority {priority}, master {initial_master}");
    }
}

#[test]
fn backup_takes_over_when_adverts_stop() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.crash(0);
    lan.run_for(ms(3_700));
    assert_eq!(lan.state(1, VI), Master);
    let event = lan.last(1, changed_to(Master)).unwrap();
    assert_eq!(lan.chain(1, event), ["state_changed", "advert_timed_out"]);
}

#[test]
fn backup_takes_over_within_its_skew_when_the_master_resigns() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.stop(0);
    assert!(lan.held(0).is_empty(), "a clean stop takes the addresses off");
    lan.run_for(ms(612));
    assert_eq!(lan.state(1, VI), Master);
    let event = lan.last(1, changed_to(Master)).unwrap();
    assert_eq!(lan.chain(1, event), ["state_changed", "master_resigned"]);
}

#[test]
fn a_returning_router_of_higher_priority_preempts() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.stop(0);
    lan.run_for(ms(5_000));
    lan.start(0);
    lan.run_for(ms(3_500));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Backup));
    let event = lan.last(0, changed_to(Master)).unwrap();
    assert_eq!(lan.chain(0, event), ["state_changed", "lower_priority_received"]);
    let event = lan.last(1, changed_to(Backup)).unwrap();
    assert_eq!(lan.chain(1, event), ["state_changed", "higher_priority_received"]);
}

/// The better one of a pair was away, and has just come back.
fn back_again(preemption: Preemption) -> Lan {
    let mut lan = pair(|spec| spec.preemption = preemption);
    lan.run_for(ms(10_000));
    lan.stop(0);
    lan.run_for(ms(2_000));
    lan.start(0);
    lan
}

#[test]
fn nopreempt_leaves_a_lower_master_alone_until_it_dies() {
    let mut lan = back_again(Preemption::Never);
    lan.run_for(ms(30_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Backup, Master));
    lan.crash(1);
    lan.run_for(ms(3_700));
    assert_eq!(lan.state(0, VI), Master);
}

/// A master that stops says so: who would not have taken over from it takes over within its skew, 0.41 s at 150.
#[test]
fn with_nopreempt_a_lower_master_that_resigns_is_followed_within_the_skew() {
    let mut lan = back_again(Preemption::Never);
    lan.run_for(ms(30_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Backup, Master));
    lan.stop(1);
    lan.run_for(ms(400));
    assert_eq!(lan.state(0, VI), Backup);
    lan.run_for(ms(50));
    assert_eq!(lan.state(0, VI), Master);
}

#[test]
fn preempt_delay_puts_preemption_off() {
    let mut lan = back_again(Preemption::After(ms(20_000)));
    lan.run_for(ms(20_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Backup, Master));
    // The delay counts from the first advertisement heard; then the Master_Down_Interval of 3.414 s.
    lan.run_for(ms(6_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Backup));
}

#[test]
fn equal_priorities_are_decided_by_the_address() {
    let mut lan = Lan::new(1, 1);
    for _ in 0..3 {
        let host = lan.host(one(spec(VI, 0, 100)), RIGHT);
        lan.start(host);
    }
    lan.run_for(ms(10_000));
    assert_eq!(lan.masters(VI), [2], "10.0.0.3 is the highest address");
}

#[test]
fn two_masters_after_a_partition_become_one_and_addresses_are_announced_again() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.side[1] = 1;
    lan.run_for(ms(10_000));
    assert_eq!(lan.masters(VI), [0, 1]);
    lan.side[1] = 0;
    lan.run_for(ms(1_100));
    assert_eq!(lan.masters(VI), [0]);
    let chain = lan.chain(1, lan.last(1, changed_to(Backup)).unwrap());
    assert_eq!(chain, ["state_changed", "higher_priority_received"]);
    assert!(lan.held(1).is_empty());
}

#[test]
fn authentication_that_differs_makes_two_masters_and_counts() {
    let mut lan = Lan::new(1, 1);
    for (priority, password) in [(150, *b"1111\0\0\0\0"), (100, *b"2222\0\0\0\0")] {
        let mut spec = spec(VI, 0, priority);
        spec.version = Version::V2 { authentication: Authentication::Password(password) };
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
    }
    lan.run_for(ms(30_000));
    assert_eq!(lan.masters(VI), [0, 1]);
    let rejected = |host: usize| {
        let told = lan.hosts[host].out.did.iter();
        told.filter(|did| {
            matches!(did, Did::Published { fact: Fact::Vrrp(VrrpFact::AdvertRejected { .. }), .. })
        })
        .count()
    };
    assert!((2..=4).contains(&rejected(0)), "one in ten seconds: {}", rejected(0));
    let counters = lan.hosts[0].node.router_named(VI).unwrap().counters().clone();
    assert!(counters.auth_failures.get() > 20);
}

#[test]
fn of_two_owners_one_gives_way_even_if_the_other_does_not_listen() {
    for deaf in [false, true] {
        let mut lan = Lan::new(1, 1);
        for host in 0..2 {
            let mut spec = spec(VI, 0, 255);
            spec.initial_master = true;
            spec.owner_ignore_adverts = deaf && host == 0;
            let host = lan.host(one(spec), RIGHT);
            lan.start(host);
        }
        lan.run_for(ms(10_000));
        let expected = if deaf { [0] } else { [1] };
        assert_eq!(lan.masters(VI), expected, "10.0.0.2 ranks higher, unless 10.0.0.1 is deaf");
        let other = usize::from(deaf);
        lan.crash(expected[0]);
        lan.run_for(ms(5_000));
        assert_eq!(lan.masters(VI), [other]);
        assert_eq!(lan.hosts[other].node.router_named(VI).map(|router| router.priority()), Some(255));
        for host in [0, 1] {
            let told = lan.hosts[host].out.did.iter().filter(|did| {
                matches!(did, Did::Published { fact: Fact::Vrrp(VrrpFact::OtherOwner { .. }), .. })
            });
            let told = told.count();
            assert!(told <= 2, "{told} times");
            assert_eq!(told > 0, host == other, "who hears of another owner says so: the one that gives way");
        }
    }
}

#[test]
fn a_startup_delay_keeps_everything_quiet() {
    let mut lan = Lan::new(1, 1);
    let mut definitions = one(spec(VI, 0, 100));
    definitions.startup_delay = ms(5_000);
    let host = lan.host(definitions, RIGHT);
    lan.start(host);
    lan.run_for(ms(8_609));
    assert_eq!(lan.state(host, VI), Backup);
    lan.run_for(ms(1));
    assert_eq!(lan.state(host, VI), Master);
}

#[test]
fn another_startup_delay_counts_for_those_that_still_wait_and_from_the_first_start() {
    for (second, master_at) in [(5_000, 8_609), (2_000, 5_609), (9_000, 12_609), (0, 4_609)] {
        let mut lan = Lan::new(1, 1);
        let mut definitions = one(spec(VI, 0, 100));
        definitions.startup_delay = ms(5_000);
        let host = lan.host(definitions.clone(), RIGHT);
        lan.start(host);
        let reload = |lan: &mut Lan, delay| {
            definitions.startup_delay = ms(delay);
            let now = lan.clock(host);
            let h = &mut lan.hosts[host];
            h.node.apply(now, definitions.clone(), None, &mut h.out);
        };
        let mut reload = reload;
        lan.run_for(ms(1_000));
        reload(&mut lan, second);
        lan.run_for(ms(master_at - 1_000));
        assert_eq!(lan.state(host, VI), Backup, "{second}");
        lan.run_for(ms(1));
        assert_eq!(lan.state(host, VI), Master, "{second}");
        reload(&mut lan, 60_000);
        assert_eq!(lan.state(host, VI), Master, "once it is over, the delay is for the next start");
    }
}

#[test]
fn forged_resignations_do_not_make_a_backup_master_beside_the_true_one() {
    let mut lan = pair(|spec| {
        spec.version = Version::V3 { checksum_as_v2: false };
        spec.advert_interval = ms(100);
    });
    lan.run_for(ms(2_000));
    lan.stop(0);
    let resignation = lan.last_packet(0);
    lan.run_for(ms(2_000));
    lan.start(0);
    lan.run_for(ms(2_000));
    let (before, said) = (lan.history(1, VI).len(), lan.hosts[1].out.did.len());
    for _ in 0..500 {
        for host in [0, 1] {
            let now = lan.clock(host);
            let h = &mut lan.hosts[host];
            let forged = keepwatch_vrrp::Datagram::from_ipv4(h.links[0], &resignation).unwrap();
            h.node.receive(now, forged, &mut h.out);
            lan.carry_out(host);
        }
        lan.run_for(ms(10));
    }
    assert_eq!(lan.history(1, VI).len(), before, "it stays backup");
    let said = lan.hosts[1].out.did[said..].iter().filter(|did| matches!(did, Did::Published { .. })).count();
    assert!(said <= 40, "{said} facts in five seconds");
    // When it is over, a true one counts.
    lan.run_for(ms(1_000));
    lan.stop(0);
    lan.run_for(ms(70));
    assert_eq!(lan.state(1, VI), Master);
}

#[test]
fn a_flood_of_resignations_makes_no_master_flood() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.stop(1);
    lan.start(1);
    let mut resignation = lan.last_packet(0);
    // The same advertisement with priority 0: the sum of the message changes with it.
    let (priority, sum) = (22, 26);
    let new = u16::from_be_bytes([resignation[sum], resignation[sum + 1]])
        .wrapping_add(u16::from(resignation[priority]) << 8);
    let carried = new < u16::from_be_bytes([resignation[sum], resignation[sum + 1]]);
    resignation[sum..sum + 2].copy_from_slice(&(new + u16::from(carried)).to_be_bytes());
    resignation[priority] = 0;
    let counters = lan.hosts[0].node.router_named(VI).unwrap().counters().clone();
    let (sent, heard) = (counters.adverts_sent.get(), counters.priority_zero_received.get());
    let forged = |lan: &mut Lan| {
        let now = lan.clock(0);
        let h = &mut lan.hosts[0];
        let forged = keepwatch_vrrp::Datagram::from_ipv4(h.links[0], &resignation).unwrap();
        h.node.receive(now, forged, &mut h.out);
        lan.carry_out(0);
    };
    for _ in 0..2_000 {
        forged(&mut lan);
        lan.run_for(ms(1));
    }
    assert_eq!(counters.priority_zero_received.get() - heard, 2_000, "all were believed");
    let answers = counters.adverts_sent.get() - sent;
    assert!((190..=210).contains(&answers), "{answers}");
    // The last of two at once is answered as well: who believed it must hear of us before its skew ends.
    lan.run_for(ms(100));
    forged(&mut lan);
    forged(&mut lan);
    let sent = counters.adverts_sent.get();
    lan.run_for(ms(11));
    assert_eq!(counters.adverts_sent.get() - sent, 1);
}

#[test]
fn version_3_backups_learn_the_interval_of_the_master() {
    let mut lan = Lan::new(1, 1);
    for (priority, interval) in [(150, 1_000), (100, 100)] {
        let mut spec = spec(VI, 0, priority);
        spec.version = Version::V3 { checksum_as_v2: false };
        spec.advert_interval = ms(interval);
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
    }
    lan.run_for(ms(30_000));
    assert_eq!(lan.masters(VI), [0]);
    assert_eq!(lan.history(1, VI).last(), Some(&Backup));
    let before = lan.history(1, VI).len();
    lan.run_for(ms(60_000));
    assert_eq!(lan.history(1, VI).len(), before, "it waits three of the master's seconds, not of its own");
}

#[test]
fn a_backup_knows_how_long_its_interface_may_be_down_before_it_would_take_over() {
    let mut lan = Lan::new(1, 1);
    for (priority, interval) in [(150, 100), (100, 1_000)] {
        let mut spec = spec(VI, 0, priority);
        spec.version = Version::V3 { checksum_as_v2: false };
        spec.advert_interval = ms(interval);
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
    }
    let patience = |lan: &mut Lan, host: usize| {
        let node = &mut lan.hosts[host].node;
        let interface = node.router_named(VI).unwrap().spec().interface.clone().unwrap();
        let link = node.link(&interface);
        node.patience(link)
    };
    assert_eq!(patience(&mut lan, 1), Some(ms(2_000) - ms(1_000) / 256));
    lan.run_for(ms(30_000));
    assert_eq!(lan.masters(VI), [0]);
    assert_eq!(patience(&mut lan, 1), Some(ms(200) - ms(100) / 256), "by the interval of its master");
    assert_eq!(patience(&mut lan, 0), None, "others wait for a master by what it sends");
}

#[test]
fn a_reload_with_another_interval_makes_no_backup_master() {
    for version3 in [true, false] {
        let mut lan = pair(|spec| {
            if version3 {
                spec.version = Version::V3 { checksum_as_v2: false };
            }
            spec.advert_interval = ms(3_000);
        });
        lan.run_for(ms(20_500));
        for host in [1, 0] {
            let now = lan.clock(host);
            let host = &mut lan.hosts[host];
            host.definitions.routers[0].spec.advert_interval = ms(1_000);
            host.node.apply(now, host.definitions.clone(), None, &mut host.out);
            lan.run_for(ms(1));
        }
        lan.run_for(ms(20_000));
        assert_eq!(lan.history(1, VI), [Backup], "version 3: {version3}");
        assert_eq!(lan.history(0, VI), [Backup, Master]);
    }
}

#[test]
fn a_stopped_router_is_in_init_and_silent() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(5_000));
    lan.stop(0);
    assert_eq!(lan.history(0, VI).last(), Some(&Init));
    assert_eq!(lan.hosts[0].node.next_deadline().filter(|_| lan.hosts[0].alive), None);
}
