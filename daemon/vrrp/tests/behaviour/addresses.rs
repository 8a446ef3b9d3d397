//! Virtual addresses that are not where they should be, or not the router's alone: left by a crash, taken off a master,
//! the host's own, another router's too.

use std::net::IpAddr;

use keepwatch_bus::Fact;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState::{Backup, Fault, Master};
use keepwatch_model::{LinkTarget, Priority};
use keepwatch_vrrp::spec::Preemption;
use keepwatch_vrrp::{Definitions, LinkAddress, LinkState, Origin, Release, RouterSpec};

use crate::lan::{Did, Lan, definition, spec};
use crate::{RIGHT, VI, ms, one, pair};

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
    host.node.address_removed(now, link, vip.into(), &mut host.out);
    lan.carry_out(0);
    assert_eq!(lan.state(0, VI), Master);
    assert_eq!(lan.held(0).len(), 1);
}

/// One host on two segments, running this; its addresses 10.0.0.1 and 10.1.0.1 are its own.
fn alone(definitions: Definitions) -> Lan {
    let mut lan = Lan::new(1, 2);
    let host = lan.host(definitions, RIGHT);
    lan.start(host);
    lan
}

fn apply(lan: &mut Lan, definitions: Definitions) {
    let now = lan.clock(0);
    let host = &mut lan.hosts[0];
    host.node.apply(now, definitions, None, &mut host.out);
    lan.carry_out(0);
}

/// A router whose only address is the host's own on its interface, or on another.
fn over_its_own(priority: u8, elsewhere: bool, excluded: bool) -> RouterSpec {
    let mut spec = spec(VI, 0, priority);
    let mut address = spec.addresses[0].clone();
    address.address = IpAddr::from([10, u8::from(elsewhere), 0, 1]);
    if elsewhere {
        address.link = LinkTarget::Named("eth1".into());
    }
    spec.addresses = [address].into();
    spec.advertised = usize::from(!excluded);
    spec
}

/// Every address that the host was ever asked to add or remove.
fn touched(lan: &Lan) -> Vec<IpAddr> {
    let did = lan.hosts[0].out.did.iter();
    did.flat_map(|did| match did {
        Did::Added(addresses) | Did::Removed(addresses) => addresses.clone(),
        _ => Vec::new(),
    })
    .collect()
}

fn count(lan: &Lan, matches: impl Fn(&VrrpFact) -> bool) -> usize {
    let did = lan.hosts[0].out.did.iter();
    did.filter(|did| matches!(did, Did::Published { fact: Fact::Vrrp(fact), .. } if matches(fact))).count()
}

#[test]
fn the_host_s_own_address_is_never_touched_and_told_of_once() {
    for (priority, elsewhere, excluded) in [
        (100, false, false),
        (100, false, true),
        (100, true, false),
        (255, false, false),
        (255, false, true),
        (255, true, true),
    ] {
        let case = format!("{priority} {elsewhere} {excluded}");
        let mut lan = alone(one(over_its_own(priority, elsewhere, excluded)));
        lan.run_for(ms(6_000));
        assert_eq!(lan.state(0, VI), Master, "{case}: its own address is a source");
        lan.set_link(0, 0, false);
        assert_eq!(lan.state(0, VI), Fault, "{case}");
        lan.set_link(0, 0, true);
        lan.run_for(ms(6_000));
        // It leaves the definition, and comes back.
        apply(&mut lan, one(spec(VI, 0, priority)));
        apply(&mut lan, one(over_its_own(priority, elsewhere, excluded)));
        lan.stop(0);
        let own = IpAddr::from([10, u8::from(elsewhere), 0, 1]);
        assert!(!touched(&lan).contains(&own), "{case}");
        let told = count(
            &lan,
            |fact| matches!(fact, VrrpFact::OwnAddress { owner, present: true, .. } if *owner == (priority == 255)),
        );
        assert_eq!(told, 2, "{case}: once for each definition that has it");
    }
}

#[test]
fn an_owner_of_the_host_s_own_address_is_master_at_once_whatever_its_state_line_says() {
    let mut lan = alone(one(over_its_own(255, false, false)));
    lan.run_for(ms(1));
    assert_eq!(lan.state(0, VI), Master);
    let mut lan = alone(one(spec(VI, 0, 255)));
    lan.run_for(ms(1));
    assert_eq!(lan.state(0, VI), Backup, "without its address it waits as keepalived does");
}

#[test]
fn an_owner_whose_address_the_host_loses_resigns_and_does_not_put_it_there_itself() {
    let mut lan = alone(one(over_its_own(255, true, false)));
    lan.run_for(ms(1));
    let own = IpAddr::from([10, 1, 0, 1]);
    let (now, link) = (lan.clock(0), lan.hosts[0].links[1]);
    let host = &mut lan.hosts[0];
    host.node.address_removed(now, link, own.into(), &mut host.out);
    lan.carry_out(0);
    assert_eq!(lan.state(0, VI), Fault);
    let event = lan.last(0, crate::changed_to(Fault)).unwrap();
    assert_eq!(lan.chain(0, event), ["state_changed", "own_address"]);
    let (now, host) = (lan.clock(0), &mut lan.hosts[0]);
    host.node.address_added(now, link, own.into(), &mut host.out);
    lan.run_for(ms(3_500));
    assert_eq!(lan.state(0, VI), Master);
    assert!(touched(&lan).is_empty());
}

#[test]
fn where_the_kernel_keeps_no_marks_the_last_address_to_speak_from_is_the_host_s() {
    let (own, left) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 100]));
    // What is on the interface, oldest first; the virtual addresses; those that go when another master is heard.
    let cases: [(&[IpAddr], &[IpAddr], &[IpAddr]); 3] =
        [(&[own], &[own], &[]), (&[own, left], &[left], &[left]), (&[own, left], &[own, left], &[left])];
    for (present, virtuals, goes) in cases {
        let mut router = spec(VI, 0, 100);
        let address = |address: &IpAddr| keepwatch_model::InterfaceAddress::host(*address);
        router.addresses = virtuals.iter().map(address).collect();
        router.advertised = virtuals.len();
        let mut node = keepwatch_vrrp::Node::new(Default::default());
        let mut out = crate::lan::Recorder::default();
        let now = std::time::Instant::now();
        let link = node.link(&"eth0".into());
        node.link_changed(now, link, LinkState::Up, None, &mut out);
        for address in present {
            node.address_added(now, link, LinkAddress::new(*address, Origin::Unmarked), &mut out);
        }
        node.apply(now, one(router), None, &mut out);
        node.stop(now, Release::Everything, None, &mut out);
        let removed: Vec<IpAddr> = out
            .did
            .iter()
            .flat_map(|did| if let Did::Removed(addresses) = did { addresses.clone() } else { Vec::new() })
            .collect();
        assert_eq!(removed, goes, "{present:?} {virtuals:?}");
    }
}

/// Two routers with the same address on one interface.
fn two(first: u8, second: u8) -> Definitions {
    let mut other = spec("VI_2", 0, second);
    other.vrid.0 = 52;
    Definitions { routers: vec![definition(spec(VI, 0, first)), definition(other)], ..Definitions::default() }
}

#[test]
fn an_address_of_two_masters_stays_until_the_last_of_them_gives_it_up() {
    let mut lan = alone(two(100, 100));
    lan.run_for(ms(6_000));
    assert_eq!((lan.state(0, VI), lan.state(0, "VI_2")), (Master, Master));
    // A better master for the first of them only.
    let better = lan.host(one(spec(VI, 0, 200)), RIGHT);
    lan.start(better);
    lan.run_for(ms(6_000));
    assert_eq!((lan.state(0, VI), lan.state(0, "VI_2")), (Backup, Master));
    assert_eq!(lan.held(0).len(), 1, "VI_2 is master with it");
    assert_eq!(
        count(&lan, |fact| matches!(fact, VrrpFact::AddressStays { other, .. } if &**other == "VI_2")),
        1
    );
    // The first is removed, and added again.
    let mut alone = two(100, 100);
    alone.routers.remove(0);
    apply(&mut lan, alone);
    assert_eq!(lan.held(0).len(), 1);
    apply(&mut lan, two(100, 100));
    lan.run_for(ms(6_000));
    assert_eq!((lan.state(0, VI), lan.held(0).len()), (Backup, 1), "nothing is left over that is in use");
    lan.stop(0);
    assert!(lan.held(0).is_empty());
}

#[test]
fn an_address_that_another_master_takes_over_on_reload_is_not_taken_off_in_between() {
    let second = |with: bool| {
        let mut other = spec("VI_2", 0, 100);
        other.vrid.0 = 52;
        other.addresses = other.addresses.iter().filter(|_| with).cloned().collect();
        other.advertised = other.addresses.len();
        other
    };
    let both = |first: Option<RouterSpec>, with| Definitions {
        routers: first.into_iter().chain([second(with)]).map(definition).collect(),
        ..Definitions::default()
    };
    let mut bare = spec(VI, 0, 100);
    (bare.addresses, bare.advertised) = ([].into(), 0);
    // From one that goes, and from one that stays.
    for left in [None, Some(bare)] {
        let mut lan = alone(both(Some(spec(VI, 0, 100)), false));
        lan.run_for(ms(6_000));
        apply(&mut lan, both(left, true));
        let removed = lan.hosts[0].out.did.iter().any(|did| matches!(did, Did::Removed(_)));
        assert!(!removed);
        assert_eq!((lan.state(0, "VI_2"), lan.held(0).len()), (Master, 1));
    }
}

#[test]
fn a_router_with_another_name_is_the_same_router() {
    let mut lan = alone(one(spec(VI, 0, 150)));
    lan.run_for(ms(6_000));
    let before = lan.hosts[0].out.did.len();
    let mut renamed = spec("VI_new", 0, 140);
    renamed.priority = Priority(140);
    apply(&mut lan, one(renamed));
    assert_eq!((lan.state(0, "VI_new"), lan.hosts[0].node.router_named(VI).is_none()), (Master, true));
    let did = &lan.hosts[0].out.did[before..];
    let kinds: Vec<&str> = did
        .iter()
        .filter_map(|did| if let Did::Published { fact, .. } = did { Some(fact.kind()) } else { None })
        .collect();
    assert_eq!(kinds, ["instance_renamed", "instance_configured", "priority_changed"]);
    assert!(!did.iter().any(|did| matches!(did, Did::Removed(_) | Did::Added(_) | Did::Sent { .. })));
    // Another id is another router.
    let mut other = spec("VI_other", 0, 140);
    other.vrid.0 = 99;
    apply(&mut lan, one(other));
    assert_eq!(lan.state(0, "VI_other"), Backup);
    assert!(lan.held(0).is_empty());
}

#[test]
fn of_routes_and_drops_of_a_router_with_another_name_is_told_by_that_name() {
    let called = |name: &str| {
        let mut spec = spec(name, 0, 150);
        spec.accepts = false;
        one(spec)
    };
    let mut lan = alone(called(VI));
    lan.run_for(ms(6_000));
    let before = lan.hosts[0].out.did.len();
    apply(&mut lan, called("VI_new"));
    assert_eq!(lan.state(0, "VI_new"), Master);
    let did = &lan.hosts[0].out.did[before..];
    assert!(did.iter().any(|did| matches!(did, Did::Routed { wanted: true })), "{did:?}");
}

#[test]
fn packets_are_dropped_until_the_addresses_are_off() {
    let mut definition = spec(VI, 0, 150);
    definition.accepts = false;
    let mut lan = alone(one(definition));
    lan.run_for(ms(6_000));
    assert_eq!(lan.state(0, VI), Master);
    let before = lan.hosts[0].out.did.len();
    apply(&mut lan, Definitions::default());
    let did = &lan.hosts[0].out.did[before..];
    let removed = did.iter().position(|did| matches!(did, Did::Removed(_)));
    let stopped = did.iter().position(|did| matches!(did, Did::StoppedDropping));
    assert!(removed.is_some() && removed < stopped, "{did:?}");
}

/// Everything that a host did since then, in words.
fn since(lan: &Lan, before: usize) -> Vec<String> {
    let did = lan.hosts[0].out.did[before..].iter();
    did.filter_map(|did| match did {
        Did::Added(addresses) => Some(format!("add {}", addresses.len())),
        Did::Removed(addresses) => Some(format!("remove {}", addresses.len())),
        Did::Announced { addresses, .. } => Some(format!("announce {addresses}")),
        Did::Published { fact, .. } => Some(fact.kind().to_owned()),
        Did::Sent { .. } | Did::Routed { .. } | Did::StoppedDropping | Did::Noticed(_) => None,
    })
    .collect()
}

#[test]
fn an_address_that_the_kernel_refuses_is_not_announced_and_asked_for_with_growing_patience() {
    let mut lan = alone(one(spec(VI, 0, 100)));
    lan.kernel_refuses = true;
    lan.run_for(ms(4_000));
    assert_eq!(lan.state(0, VI), Master);
    // One second, two, four, eight after the refusal at 3.6 s; none of the bursts announces it by itself.
    let before = lan.hosts[0].out.did.len();
    lan.run_for(ms(15_000));
    let did = since(&lan, before);
    assert_eq!(did, ["add 1", "announce 1"].repeat(4), "each time with an announcement, should it be taken");
    // Something changes on the interface, and now it is taken.
    lan.kernel_refuses = false;
    let before = lan.hosts[0].out.did.len();
    let (now, link) = (lan.clock(0), lan.hosts[0].links[1]);
    let host = &mut lan.hosts[0];
    host.node.address_added(now, link, [10, 1, 0, 77].into(), &mut host.out);
    lan.run_for(ms(10));
    assert_eq!(since(&lan, before), ["add 1", "announce 1"]);
    assert_eq!(lan.held(0).len(), 1);
    lan.run_for(ms(120_000));
    assert_eq!(since(&lan, before).len(), 2, "and all is well");
}

#[test]
fn an_address_that_another_host_has_is_told_once_and_announced_when_it_is_usable() {
    let mut six = spec(VI, 0, 100);
    let mut address = six.addresses[0].clone();
    (address.address, address.prefix_len) = ("fd00::9".parse().unwrap(), 128);
    address.detect_duplicates = true;
    (six.addresses, six.advertised) = ([address.clone()].into(), 0);
    let mut lan = alone(one(six));
    lan.kernel_refuses = true;
    lan.run_for(ms(4_000));
    assert_eq!(lan.state(0, VI), Master);
    let announced = |lan: &Lan| since(lan, 0).iter().filter(|did| did.starts_with("announce")).count();
    assert_eq!(announced(&lan), 0, "the kernel is still looking");
    let link = lan.hosts[0].links[0];
    for _ in 0..3 {
        let (now, host) = (lan.clock(0), &mut lan.hosts[0]);
        host.node.address_duplicate(now, link, address.address, &mut host.out);
        lan.run_for(ms(10_000));
    }
    assert_eq!(count(&lan, |fact| matches!(fact, VrrpFact::AddressFailed { adding: true, .. })), 1);
    assert_eq!(announced(&lan), 0);
    let (before, now) = (lan.hosts[0].out.did.len(), lan.clock(0));
    let host = &mut lan.hosts[0];
    host.node.address_added(now, link, LinkAddress::new(address.address, Origin::Vrrp), &mut host.out);
    assert_eq!(since(&lan, before), ["address_added", "announce 1"]);
}
