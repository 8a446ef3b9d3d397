//! What takes a router out of the election, and how it comes back: links, source addresses, and what it tracks.

use std::net::IpAddr;

use keepwatch_bus::Fact;
use keepwatch_bus::fact::{HoldReason, LinkDownReason, LinkFact, VrrpFact};
use keepwatch_bus::subject::VrrpState::{Backup, Fault, Init, Master};
use keepwatch_vrrp::{Follow, Level, Outbox, TrackedKind};

use crate::lan::{Did, Lan, spec};
use crate::{RIGHT, VI, changed_to, ms, one, pair};

fn follow(kind: TrackedKind, name: &str, weight: i32) -> Follow {
    Follow { kind, name: name.into(), weight, reverse: false }
}

/// Whoever watches something says how it stands.
fn report(lan: &mut Lan, kind: TrackedKind, name: &str, level: Level) {
    let (now, host) = (lan.clock(0), &mut lan.hosts[0]);
    let id = host.node.tracked_id(kind, &name.into());
    host.node.tracked(now, id, level, None, &mut host.out);
    lan.carry_out(0);
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
fn a_configured_source_address_must_be_somewhere_on_the_host() {
    let source = IpAddr::from([10, 9, 9, 9]);
    let mut spec = spec(VI, 0, 100);
    spec.source = Some(source);
    let mut lan = Lan::new(1, 1);
    let host = lan.host(one(spec), RIGHT);
    lan.start(host);
    let event = lan.last(host, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(host, event), ["state_changed", "source_address_changed", "instance_configured"]);
    for (present, state) in [(true, Master), (false, Fault)] {
        let (now, there) = (lan.clock(host), &mut lan.hosts[host]);
        there.node.source_present(now, source, present, &mut there.out);
        lan.run_for(ms(3_700));
        assert_eq!(lan.state(host, VI), state);
    }
    assert!(lan.held(host).is_empty());
}

#[test]
fn a_link_local_source_may_be_on_the_ipvlan_that_adverts_leave_by() {
    let source = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0x52]);
    let mut spec = spec(VI, 0, 100);
    spec.source = Some(source);
    spec.transmit_on = Some("ipv51".into());
    let mut lan = Lan::new(1, 1);
    let host = lan.host(one(spec), RIGHT);
    lan.start(host);
    for (on, state) in [("eth9", Fault), ("ipv51", Backup)] {
        let (now, there) = (lan.clock(host), &mut lan.hosts[host]);
        let link = there.node.link(&on.into());
        there.node.address_added(now, link, source.into(), &mut there.out);
        there.node.source_present(now, source, true, &mut there.out);
        assert_eq!(lan.state(host, VI), state, "{on}");
        let (now, there) = (lan.clock(host), &mut lan.hosts[host]);
        there.node.address_removed(now, link, source.into(), &mut there.out);
        there.node.source_present(now, source, false, &mut there.out);
        assert_eq!(lan.state(host, VI), Fault, "{on}: it is gone");
    }
}

#[test]
fn losing_the_last_source_address_is_a_fault_and_virtual_addresses_are_no_sources() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    let own = IpAddr::from([10, 0, 0, 1]);
    let (now, link) = (lan.clock(0), lan.hosts[0].links[0]);
    let host = &mut lan.hosts[0];
    host.node.address_removed(now, link, own.into(), &mut host.out);
    lan.carry_out(0);
    assert_eq!(lan.state(0, VI), Fault, "10.0.0.100 is on the interface, but it is virtual");
    let event = lan.last(0, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(0, event), ["state_changed", "source_address_changed"]);
    lan.run_for(ms(700));
    assert_eq!(lan.state(1, VI), Master, "the master resigned with the address that it had");
    let (now, host) = (lan.clock(0), &mut lan.hosts[0]);
    host.node.address_added(now, link, own.into(), &mut host.out);
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
fn weights_change_the_priority_and_with_it_the_master() {
    let mut lan = pair(|spec| {
        spec.follows =
            [follow(TrackedKind::Script, "light", -60), follow(TrackedKind::Process, "grave", 0)].into();
    });
    lan.run_for(ms(10_000));
    report(&mut lan, TrackedKind::Script, "light", Level::Down);
    lan.run_for(ms(5_000));
    assert_eq!(lan.masters(VI), [1]);
    report(&mut lan, TrackedKind::Process, "grave", Level::Down);
    assert_eq!(lan.state(0, VI), Fault);
    report(&mut lan, TrackedKind::Process, "grave", Level::Up);
    report(&mut lan, TrackedKind::Script, "light", Level::Up);
    lan.run_for(ms(5_000));
    assert_eq!(lan.masters(VI), [0]);
}

#[test]
fn the_weights_of_everything_that_is_followed_add_up_between_1_and_254() {
    for (file, bfd, expected) in [
        (Level::Number(20), Level::Up, 200),
        (Level::Number(20), Level::Down, 170),
        (Level::Number(-100), Level::Up, 80),
        (Level::Number(-250), Level::Down, 1),
        (Level::Number(250), Level::Up, 254),
    ] {
        let mut spec = spec(VI, 0, 150);
        spec.follows = [follow(TrackedKind::File, "f", 1), follow(TrackedKind::Bfd, "b", 30)].into();
        let mut lan = Lan::new(1, 1);
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
        report(&mut lan, TrackedKind::File, "f", file);
        report(&mut lan, TrackedKind::Bfd, "b", bfd);
        let router = lan.hosts[host].node.router_named(VI).unwrap();
        assert_eq!((router.state(), router.priority()), (Backup, expected), "{file:?} {bfd:?}");
    }
}

#[test]
fn a_number_that_is_a_fault_does_not_move_the_priority_and_neither_does_its_end() {
    let mut lan = Lan::new(1, 1);
    let mut spec = spec(VI, 0, 150);
    spec.follows = [follow(TrackedKind::File, "f", 1), follow(TrackedKind::Script, "s", -20)].into();
    let host = lan.host(one(spec), RIGHT);
    lan.start(host);
    let look = |lan: &Lan| {
        let is_change = |did: &&Did| {
            matches!(did, Did::Published { fact: Fact::Vrrp(VrrpFact::PriorityChanged { .. }), .. })
        };
        let changes = lan.hosts[host].out.did.iter().filter(is_change).count();
        (lan.state(host, VI), lan.hosts[host].node.router_named(VI).unwrap().priority(), changes)
    };
    report(&mut lan, TrackedKind::File, "f", Level::Number(-40));
    assert_eq!(look(&lan), (Backup, 110, 1));
    for number in [-254, -300, -254] {
        report(&mut lan, TrackedKind::File, "f", Level::Number(number));
        assert_eq!(look(&lan), (Fault, 110, 1), "keepalived: only FAULT 110");
    }
    report(&mut lan, TrackedKind::File, "f", Level::Number(-10));
    assert_eq!(look(&lan), (Backup, 140, 1), "keepalived: only BACKUP 140");
    report(&mut lan, TrackedKind::File, "f", Level::Number(5));
    assert_eq!(look(&lan), (Backup, 155, 2));
}

#[test]
fn a_number_that_is_a_weight_again_counts_while_something_else_is_a_fault() {
    let mut lan = Lan::new(1, 1);
    let mut spec = spec(VI, 0, 150);
    spec.follows = [follow(TrackedKind::File, "f", 1), follow(TrackedKind::Script, "s", 0)].into();
    let host = lan.host(one(spec), RIGHT);
    lan.start(host);
    let look = |lan: &Lan| (lan.state(host, VI), lan.hosts[host].node.router_named(VI).unwrap().priority());
    report(&mut lan, TrackedKind::File, "f", Level::Number(-40));
    report(&mut lan, TrackedKind::Script, "s", Level::Down);
    report(&mut lan, TrackedKind::File, "f", Level::Number(-254));
    assert_eq!(look(&lan), (Fault, 110));
    report(&mut lan, TrackedKind::File, "f", Level::Number(-10));
    assert_eq!(look(&lan), (Fault, 140), "keepalived: BACKUP_PRIORITY 140");
    report(&mut lan, TrackedKind::Script, "s", Level::Up);
    assert_eq!(look(&lan), (Backup, 140));
}

#[test]
fn who_starts_with_such_a_number_has_its_own_priority() {
    let mut lan = Lan::new(1, 1);
    let mut spec = spec(VI, 0, 150);
    spec.follows = [follow(TrackedKind::File, "f", 1)].into();
    let host = lan.host(Default::default(), RIGHT);
    lan.start(host);
    report(&mut lan, TrackedKind::File, "f", Level::Number(-400));
    let (now, h) = (lan.clock(host), &mut lan.hosts[host]);
    h.node.apply(now, one(spec), None, &mut h.out);
    assert_eq!(lan.history(host, VI), [Fault]);
    assert_eq!(lan.hosts[host].node.router_named(VI).unwrap().priority(), 150);
}

#[test]
fn a_fault_of_what_is_followed_is_told_with_its_cause_and_is_the_group_s() {
    let member = |name: &str, id: u8, follows: &[Follow]| {
        let mut spec = spec(name, 0, 150);
        (spec.vrid.0, spec.follows) = (id, follows.into());
        crate::lan::definition(spec)
    };
    let definitions = keepwatch_vrrp::Definitions {
        routers: vec![member("VI_1", 1, &[follow(TrackedKind::Script, "s", 0)]), member("VI_2", 2, &[])],
        groups: vec![crate::lan::group("G", &["VI_1", "VI_2"])],
        ..Default::default()
    };
    let mut lan = Lan::new(1, 1);
    let host = lan.host(definitions, RIGHT);
    lan.start(host);
    lan.run_for(ms(6_000));
    assert_eq!((lan.state(host, "VI_1"), lan.state(host, "VI_2")), (Master, Master));
    let (now, h) = (lan.clock(host), &mut lan.hosts[host]);
    let down = LinkFact::LinkDown { interface: "as a script would".into(), reason: LinkDownReason::Missing };
    let told = h.out.publish(None, down.into());
    let id = h.node.tracked_id(TrackedKind::Script, &"s".into());
    h.node.tracked(now, id, Level::Down, Some(told), &mut h.out);
    lan.carry_out(host);
    assert_eq!((lan.state(host, "VI_1"), lan.state(host, "VI_2")), (Fault, Fault));
    let event = lan.last(host, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(host, event).last(), Some(&"link_down"), "the cause of all is the script's event");
}

#[test]
fn a_router_does_not_start_while_a_fault_is_undecided() {
    for (result, then) in [(Level::Up, Backup), (Level::Down, Fault)] {
        let mut lan = Lan::new(1, 1);
        let mut spec = spec(VI, 0, 150);
        spec.follows = [follow(TrackedKind::Script, "s", 0)].into();
        let host = lan.host(Default::default(), RIGHT);
        lan.start(host);
        report(&mut lan, TrackedKind::Script, "s", Level::Undecided);
        let (now, h) = (lan.clock(host), &mut lan.hosts[host]);
        h.node.apply(now, one(spec), None, &mut h.out);
        lan.run_for(ms(20_000));
        assert!(lan.history(host, VI).is_empty(), "no line, no advert");
        report(&mut lan, TrackedKind::Script, "s", result);
        assert_eq!(lan.state(host, VI), then);
        // What runs goes on while a thing is watched anew.
        report(&mut lan, TrackedKind::Script, "s", Level::Up);
        lan.run_for(ms(6_000));
        report(&mut lan, TrackedKind::Script, "s", Level::Undecided);
        assert_eq!(lan.state(host, VI), Master);
        lan.stop(host);
        report(&mut lan, TrackedKind::Script, "s", Level::Up);
        assert_eq!(lan.history(host, VI).last(), Some(&Init), "what was stopped stays so");
    }
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
        spec.follows = [Follow { reverse, ..follow(TrackedKind::Link, "eth1", weight) }].into();
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
fn a_router_that_its_configuration_holds_stays_in_fault_and_says_why() {
    let mut lan = Lan::new(1, 1);
    let mut held = spec(VI, 0, 100);
    held.held = Some(HoldReason::HmacWithoutKey);
    let host = lan.host(one(held), RIGHT);
    lan.start(host);
    lan.run_for(ms(20_000));
    assert_eq!(lan.history(host, VI), [Fault]);
    let event = lan.last(host, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(host, event)[..2], ["state_changed", "held_in_fault"]);
}
