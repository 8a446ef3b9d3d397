//! What takes a router out of the election, and how it comes back: links, source addresses, and what it tracks.

use std::net::IpAddr;

use keepwatch_bus::fact::HoldReason;
use keepwatch_bus::subject::VrrpState::{Backup, Fault, Master};
use keepwatch_config::model::Tracked;
use keepwatch_vrrp::Tracking;

use crate::lan::{Lan, spec};
use crate::{RIGHT, VI, changed_to, ms, one, pair};

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
        spec.tracked_interfaces = vec![Tracked { name: "eth1".into(), weight, reverse }].into();
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
    held.held = Some(HoldReason::HmacNotBuilt);
    let host = lan.host(one(held), RIGHT);
    lan.start(host);
    lan.run_for(ms(20_000));
    assert_eq!(lan.history(host, VI), [Fault]);
    let event = lan.last(host, changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(host, event)[..2], ["state_changed", "held_in_fault"]);
}
