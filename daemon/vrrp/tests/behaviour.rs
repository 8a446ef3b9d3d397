//! How routers behave towards each other, told as small stories on a simulated LAN: RFC 3768 and RFC 9568 §6.4, and
//! what keepalived adds.

mod lan;

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::Fact;
use keepwatch_bus::subject::VrrpState::{self, Backup, Fault, Init, Master};
use keepwatch_config::model::{TrackedInterface, UnicastPeer};
use keepwatch_vrrp::spec::{Authentication, Preemption, Transport, Version};
use keepwatch_vrrp::{Datagram, Definitions, GroupDefinition, RouterSpec, Tracking};
use lan::{Did, Lan, definition, group, spec};

const RIGHT: u64 = 1_000_000;
const VI: &str = "VI_1";

fn one(spec: RouterSpec) -> Definitions {
    Definitions { routers: vec![definition(spec)], ..Definitions::default() }
}

/// Two hosts, one router: priorities 150 and 100, both running.
fn pair(change: impl Fn(&mut RouterSpec)) -> Lan {
    let mut lan = Lan::new(1, 1);
    for priority in [150, 100] {
        let mut spec = spec(VI, 0, priority);
        change(&mut spec);
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
    }
    lan
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn changed_to(state: VrrpState) -> impl Fn(&Fact) -> bool {
    move |fact| matches!(fact, Fact::StateChanged { to, .. } if *to == state)
}

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
        assert_eq!(lan.state(host, VI), expected, "priority {priority}, master {initial_master}");
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

#[test]
fn nopreempt_leaves_a_lower_master_alone_until_it_dies() {
    let mut lan = pair(|spec| spec.preemption = Preemption::Never);
    lan.run_for(ms(10_000));
    lan.stop(0);
    lan.run_for(ms(2_000));
    lan.start(0);
    lan.run_for(ms(30_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Backup, Master));
    lan.crash(1);
    lan.run_for(ms(3_700));
    assert_eq!(lan.state(0, VI), Master);
}

#[test]
fn preempt_delay_puts_preemption_off() {
    let mut lan = pair(|spec| spec.preemption = Preemption::After(ms(20_000)));
    lan.run_for(ms(10_000));
    lan.stop(0);
    lan.run_for(ms(2_000));
    lan.start(0);
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

#[expect(clippy::expect_used, reason = "a test may stop at what can't be")]
/// What host 0, master, does about an advertisement of host 1, which thinks that it is master too.
fn answer_to_a_lower_master(change: impl Fn(&mut RouterSpec)) -> (usize, usize, Lan) {
    let mut lan = pair(change);
    lan.run_for(ms(10_000));
    lan.side[1] = 1;
    lan.run_for(ms(10_300));
    assert_eq!(lan.masters(VI), [0, 1]);
    let packet = lan.last_packet(1);
    let before = lan.hosts[0].out.did.len();
    let (now, link) = (lan.clock(0), lan.hosts[0].links[0]);
    let host = &mut lan.hosts[0];
    for _ in 0..1_000 {
        let datagram = Datagram::from_ipv4(link, &packet).expect("our own packet");
        host.node.receive(now, datagram, &mut host.out);
    }
    let did = &host.out.did[before..];
    let sent = did.iter().filter(|did| matches!(did, Did::Sent { .. })).count();
    let bursts = did.iter().filter(|did| matches!(did, Did::Announced { .. })).count();
    (sent, bursts, lan)
}

#[test]
fn a_lower_master_is_answered_once_by_an_advertisement_and_a_burst_however_much_it_sends() {
    let (sent, bursts, _) = answer_to_a_lower_master(|_| {});
    assert_eq!((sent, bursts), (1, 1));
    let (sent, bursts, _) = answer_to_a_lower_master(|spec| spec.lower_prio_no_advert = true);
    assert_eq!((sent, bursts), (0, 1));
    let (sent, bursts, _) = answer_to_a_lower_master(|spec| spec.garp.lower_prio_repeat = 0);
    assert_eq!((sent, bursts), (1, 0));
}

#[test]
fn the_burst_for_a_lower_master_is_repeated_after_its_delay() {
    let (_, _, mut lan) = answer_to_a_lower_master(|_| {});
    let bursts =
        |lan: &Lan| lan.hosts[0].out.did.iter().filter(|d| matches!(d, Did::Announced { .. })).count();
    let before = bursts(&lan);
    lan.run_for(ms(4_900));
    assert_eq!(bursts(&lan), before);
    lan.run_for(ms(200));
    assert_eq!(bursts(&lan), before + 1);
}

#[test]
fn a_link_that_goes_down_is_a_fault_and_coming_back_is_not_yet_mastership() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.set_link(0, 0, false);
    assert_eq!(lan.state(0, VI), Fault);
    assert!(lan.held(0).is_empty());
    lan.run_for(ms(3_700));
    assert_eq!(lan.state(1, VI), Master);
    lan.set_link(0, 0, true);
    assert_eq!(lan.state(0, VI), Backup);
    lan.run_for(ms(3_500));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Backup));
}

#[test]
fn after_a_fault_a_unicast_router_tells_its_peers_where_it_is() {
    let mut lan = Lan::new(1, 1);
    let mut spec = spec(VI, 0, 100);
    let peer = UnicastPeer { address: [10, 0, 0, 9].into(), min_ttl: None, max_ttl: None };
    spec.transport = Transport::Unicast { peers: [peer].into(), ttl: 255, check_source: false };
    let host = lan.host(one(spec), RIGHT);
    lan.start(host);
    lan.set_link(host, 0, false);
    lan.set_link(host, 0, true);
    let told = lan.hosts[host].out.did.iter();
    let told = told.filter(|did| matches!(did, Did::Announced { addresses: 1, repeat: 1 })).count();
    assert_eq!(told, 1);
}

#[test]
fn a_router_that_starts_on_a_dead_link_starts_in_fault() {
    let mut lan = Lan::new(1, 1);
    let host = lan.host(one(spec(VI, 0, 100)), RIGHT);
    lan.set_link(host, 0, false);
    lan.start(host);
    assert_eq!(lan.history(host, VI), [Fault]);
    let event = lan.last(host, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(host, event), ["state_changed", "link_down"]);
    lan.set_link(host, 0, true);
    lan.run_for(ms(3_700));
    assert_eq!(lan.history(host, VI), [Fault, Backup, Master]);
}

#[test]
fn losing_the_last_source_address_is_a_fault_and_virtual_addresses_are_no_sources() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    let own = IpAddr::from([10, 0, 0, 1]);
    let (now, link) = (lan.clock(0), lan.hosts[0].links[0]);
    let host = &mut lan.hosts[0];
    host.node.address_removed(now, link, own, &mut host.out);
    lan.carry_out(0);
    assert_eq!(lan.state(0, VI), Fault, "10.0.0.100 is on the interface, but it is virtual");
    let event = lan.last(0, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(0, event), ["state_changed", "source_address_changed"]);
    lan.run_for(ms(700));
    assert_eq!(lan.state(1, VI), Master, "the master resigned with the address that it had");
    let (now, host) = (lan.clock(0), &mut lan.hosts[0]);
    host.node.address_added(now, link, own, &mut host.out);
    lan.run_for(ms(3_500));
    assert_eq!(lan.state(0, VI), Master);
}

#[test]
fn without_any_source_address_it_starts_in_fault_and_says_why() {
    let mut lan = Lan::new(1, 1);
    let host = lan.host(one(spec(VI, 0, 100)), RIGHT);
    lan.hosts[host].addresses[0].clear();
    lan.start(host);
    let event = lan.last(host, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(host, event), ["state_changed", "source_address_changed", "instance_configured"]);
}

#[test]
fn a_crashed_run_leaves_its_addresses_and_the_next_one_is_master_after_one_interval() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.crash(0);
    assert_eq!(lan.held(0).len(), 1);
    lan.run_for(ms(200));
    lan.start(0);
    assert_eq!((lan.state(0, VI), lan.held(0).len()), (Backup, 1), "nothing is taken away");
    // One interval and the skew of 106/256 s.
    lan.run_for(ms(1_420));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Backup));
    assert_eq!(lan.history(1, VI), [Backup], "the other never noticed");
}

#[test]
fn addresses_of_a_crashed_run_go_as_soon_as_another_master_is_heard() {
    let mut lan = pair(|spec| spec.preemption = Preemption::Never);
    lan.run_for(ms(10_000));
    lan.crash(0);
    lan.run_for(ms(5_000));
    assert_eq!(lan.state(1, VI), Master);
    lan.start(0);
    lan.run_for(ms(1_100));
    assert_eq!(lan.state(0, VI), Backup);
    assert!(lan.held(0).is_empty());
}

#[test]
fn an_address_taken_off_a_master_is_put_back() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    let vip = IpAddr::from([10, 0, 0, 100]);
    let (now, link) = (lan.clock(0), lan.hosts[0].links[0]);
    let host = &mut lan.hosts[0];
    host.addresses[0].retain(|address| *address != vip);
    host.node.address_removed(now, link, vip, &mut host.out);
    lan.carry_out(0);
    assert_eq!(lan.state(0, VI), Master);
    assert_eq!(lan.held(0).len(), 1);
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
        told.filter(|did| matches!(did, Did::Published { fact: Fact::AdvertRejected { .. }, .. })).count()
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

/// Two hosts with a group of two routers on two segments.
fn group_pair() -> Lan {
    let mut lan = Lan::new(1, 2);
    for priority in [150, 100] {
        let host = lan.host(grouped(priority), RIGHT);
        lan.start(host);
    }
    lan
}

fn grouped(priority: u8) -> Definitions {
    let routers = vec![definition(spec("VI_1", 0, priority)), definition(spec("VI_2", 1, priority))];
    let groups: Vec<GroupDefinition> = vec![group("VG", &["VI_1", "VI_2"])];
    Definitions { routers, groups, ..Definitions::default() }
}

#[test]
fn a_group_becomes_master_together() {
    let mut lan = group_pair();
    lan.run_for(ms(10_000));
    assert_eq!(lan.hosts[0].node.group_state("VG"), Some(Master));
    assert_eq!(lan.hosts[1].node.group_state("VG"), Some(Backup));
    assert_eq!((lan.masters("VI_1"), lan.masters("VI_2")), (vec![0], vec![0]));
}

#[test]
fn a_fault_of_one_member_takes_the_group_down_and_the_chain_tells_it() {
    let mut lan = group_pair();
    lan.run_for(ms(10_000));
    lan.set_link(0, 1, false);
    assert_eq!((lan.state(0, "VI_1"), lan.state(0, "VI_2")), (Fault, Fault));
    let follower = lan.last(
        0,
        |fact| matches!(fact, Fact::StateChanged { instance, to: Fault, .. } if &**instance == "VI_1"),
    );
    assert_eq!(
        lan.chain(0, follower.unwrap()),
        ["state_changed", "group_state_changed", "state_changed"],
        "VI_1 because of VG because of VI_2"
    );
    lan.run_for(ms(3_700));
    assert_eq!((lan.masters("VI_1"), lan.masters("VI_2")), (vec![1], vec![1]));
    lan.set_link(0, 1, true);
    assert_eq!((lan.state(0, "VI_1"), lan.state(0, "VI_2")), (Backup, Backup));
    lan.run_for(ms(5_000));
    assert_eq!((lan.masters("VI_1"), lan.masters("VI_2")), (vec![0], vec![0]));
}

#[test]
fn two_faults_in_a_group_must_both_be_mended() {
    let mut lan = group_pair();
    lan.run_for(ms(5_000));
    lan.set_link(0, 0, false);
    lan.set_link(0, 1, false);
    lan.set_link(0, 0, true);
    assert_eq!(lan.hosts[0].node.group_state("VG"), Some(Fault));
    assert_eq!(lan.state(0, "VI_1"), Fault);
    lan.set_link(0, 1, true);
    assert_eq!(lan.hosts[0].node.group_state("VG"), Some(Backup));
}

#[test]
fn weights_change_the_priority_and_with_it_the_master() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    let (now, id) = (lan.clock(0), lan.hosts[0].node.router_named(VI).unwrap().id());
    let host = &mut lan.hosts[0];
    host.node.track(now, id, Tracking { failed: 0, weight: -60 }, None, &mut host.out);
    lan.run_for(ms(5_000));
    assert_eq!(lan.masters(VI), [1]);
    let (now, host) = (lan.clock(0), &mut lan.hosts[0]);
    host.node.track(now, id, Tracking { failed: 1, weight: 0 }, None, &mut host.out);
    assert_eq!(lan.state(0, VI), Fault);
}

#[test]
fn a_tracked_interface_is_a_fault_or_a_weight() {
    for (weight, reverse, when_up, when_down) in [
        (0, false, (Backup, 150), (Fault, 150)),
        (0, true, (Fault, 150), (Backup, 150)),
        (20, false, (Backup, 170), (Backup, 150)),
        (-20, false, (Backup, 150), (Backup, 130)),
        (20, true, (Backup, 130), (Backup, 150)),
        (-20, true, (Backup, 150), (Backup, 170)),
    ] {
        let mut lan = Lan::new(1, 2);
        let mut spec = spec(VI, 0, 150);
        spec.tracked_interfaces = vec![TrackedInterface { interface: "eth1".into(), weight, reverse }].into();
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
        let look = |lan: &Lan| {
            let router = lan.hosts[host].node.router_named(VI).unwrap();
            (router.state(), router.priority())
        };
        assert_eq!(look(&lan), when_up, "{weight} {reverse}");
        lan.set_link(host, 1, false);
        assert_eq!(look(&lan), when_down, "{weight} {reverse}");
        lan.set_link(host, 1, true);
        assert_eq!(look(&lan), when_up, "{weight} {reverse}");
    }
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
fn the_second_burst_follows_after_its_delay() {
    let mut lan = pair(|spec| spec.garp.refresh = ms(10_000));
    lan.run_for(ms(3_500));
    let bursts = |lan: &Lan| {
        let did = lan.hosts[0].out.did.iter();
        did.filter_map(|did| match did {
            Did::Announced { repeat, .. } => Some(*repeat),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(bursts(&lan), [5]);
    lan.run_for(ms(5_000));
    assert_eq!(bursts(&lan), [5, 5]);
    lan.run_for(ms(20_000));
    assert_eq!(bursts(&lan), [5, 5, 1, 1]);
}

#[test]
fn a_master_advertises_before_it_adds_and_announces() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(3_500));
    let order: Vec<&str> = lan.hosts[0]
        .out
        .did
        .iter()
        .filter_map(|did| match did {
            Did::Sent { .. } => Some("sent"),
            Did::Added(_) => Some("added"),
            Did::Announced { .. } => Some("announced"),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["sent", "added", "announced"]);
}

#[test]
fn a_stopped_router_is_in_init_and_silent() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(5_000));
    lan.stop(0);
    assert_eq!(lan.history(0, VI).last(), Some(&Init));
    assert_eq!(lan.hosts[0].node.next_deadline().filter(|_| lan.hosts[0].alive), None);
}
