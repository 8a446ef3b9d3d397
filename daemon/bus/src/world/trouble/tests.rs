use std::net::IpAddr;

use super::*;
use crate::fact::{DaemonFact, Fact, LinkDownReason, LinkFact, VrrpFact};
use crate::subject::Name;
use crate::{Configured, Process, sample};

/// What is said of `VI_1` in FAULT, after these facts.
fn fault(settings: keepwatch_model::Instance, process: Process, facts: Vec<Fact>) -> String {
    let instance = Name::from("VI_1");
    let settings = Configured::new(1, settings);
    let to_fault = VrrpFact::StateChanged {
        instance: instance.clone(),
        from: VrrpState::Backup,
        to: VrrpState::Fault,
        priority: 100,
    };
    let begun: [Fact; 2] = [
        DaemonFact::DaemonStarted { settings: Box::new(process) }.into(),
        VrrpFact::InstanceConfigured { instance: instance.clone(), settings }.into(),
    ];
    let mut world = World::default();
    for (id, fact) in (1..).zip(begun.into_iter().chain(facts).chain([to_fault.into()])) {
        world.apply(&sample::event(id, None, fact));
    }
    let trouble = world.trouble();
    let said: Vec<_> = trouble.iter().filter(|trouble| trouble.what == "VI_1 is in FAULT").collect();
    assert_eq!(said.len(), 1, "{trouble:?}");
    said[0].error.clone()
}

#[test]
fn a_worker_that_was_started_again_is_trouble_for_a_day() {
    let mut world = World::default();
    for (hours, troubles) in [(23, 1), (25, 0)] {
        let fact = DaemonFact::WorkerRestarted { reason: "signal 11".into(), count: 1 };
        let mut event = sample::event(1, None, fact);
        event.at = Timestamp::now() - SignedDuration::from_hours(hours);
        world.apply(&event);
        assert_eq!(world.trouble().len(), troubles, "{hours} h ago: {:?}", world.trouble());
    }
}

#[test]
fn a_fault_names_what_it_is_for() {
    let instance = || Name::from("VI_1");
    let source = |address, wanted| -> Fact {
        VrrpFact::SourceAddressChanged { instance: instance(), address, wanted }.into()
    };
    let wanted = Some(IpAddr::from([10, 0, 0, 7]));
    let up: Fact = LinkFact::LinkUp { interface: "eth0".into(), index: 2 }.into();
    let down = |interface: &str| -> Fact {
        LinkFact::LinkDown { interface: interface.into(), reason: LinkDownReason::AdminDown }.into()
    };
    let of = |facts| fault(sample::instance(), Process::default(), facts);
    assert_eq!(of(vec![source(None, wanted)]), "the source address 10.0.0.7 is not on this host");
    let bare = "the interface has no address to send adverts from";
    assert_eq!(of(vec![up.clone(), source(None, None)]), bare);
    let duplicate: Fact =
        LinkFact::LinkAddressDuplicate { interface: "eth0".into(), address: std::net::Ipv6Addr::LOCALHOST }
            .into();
    assert_eq!(of(vec![up.clone(), duplicate.clone(), source(None, None)]), bare, "it is of IPv4");
    let of_ipv6 = keepwatch_model::Instance { family: Family::Inet6, ..sample::instance() };
    assert_eq!(
        fault(of_ipv6, Process::default(), vec![up.clone(), duplicate, source(None, None)]),
        format!("{bare}: another host on the link has ::1 (duplicate address detection)")
    );
    assert_eq!(of(vec![source(None, None), source(wanted, None)]), "see its story", "it is back");
    let made = |instance: &str| -> Fact {
        let (instance, interface, below) = (instance.into(), "vrrp.51".into(), "eth0".into());
        LinkFact::LinkMade { instance, interface, below, adopted: false }.into()
    };
    let own = "interface vrrp.51 is down (switched off)";
    assert_eq!(of(vec![up.clone(), made("VI_1"), down("vrrp.51")]), own);
    assert_eq!(of(vec![up.clone(), made("VI_2"), down("vrrp.51")]), "see its story");
    assert_eq!(
        of(vec![down("eth0"), made("VI_1"), down("vrrp.51")]),
        "interface eth0 is down (switched off)"
    );
    // Without the interface, nobody asks for its address.
    assert_eq!(of(vec![source(None, None), down("eth0")]), "interface eth0 is down (switched off)");

    let held = keepwatch_model::Instance {
        config_fault: Some(keepwatch_model::ConfigFault::UnicastWithoutPeers),
        ..sample::instance()
    };
    assert_eq!(fault(held, Process::default(), Vec::new()), "it is unicast and has no peers");

    let of_group = || Process {
        static_links: [(instance(), "eth1".into()), ("VI_2".into(), "eth2".into())].into(),
        ..Process::default()
    };
    let all_down = vec![down("eth1"), down("eth2")];
    assert_eq!(
        fault(sample::instance(), of_group(), all_down),
        "interface eth1 is down (switched off), which its track_group needs"
    );
}

#[test]
fn many_that_show_alike_are_one_line_and_few_are_named() {
    let fault = |n: usize, why: &str| Trouble::new(Weight::Outage, format!("VI_{n} is in FAULT"), why);
    let mut all: Vec<Trouble> = (1..=250).map(|n| fault(n, "interface eth2 is down")).collect();
    all.extend((251..=253).map(|n| fault(n, "interface eth3 is down")));
    all.extend((0..9).map(|n| Trouble::new(Weight::Degraded, format!("odd {n}"), "")));
    let told = Trouble::together(all);
    assert_eq!(told.len(), 1 + 3 + 9);
    assert_eq!(told[0].what, "VI_1 is in FAULT and 249 more likewise");
    assert_eq!((&*told[0].error, &*told[1].what), ("interface eth2 is down", "VI_251 is in FAULT"));
}
