//! Sync groups: what happens to one member happens to all.

use keepwatch_bus::Fact;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState::{Backup, Fault, Init, Master};
use keepwatch_vrrp::{Definitions, Follow, GroupDefinition, Level, TrackedKind};

use crate::lan::{Lan, definition, group, spec};
use crate::{RIGHT, ms};

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
        |fact| matches!(fact, Fact::Vrrp(VrrpFact::StateChanged { instance, to: Fault, .. }) if &**instance == "VI_1"),
    );
    assert_eq!(lan.chain(0, follower.unwrap()), ["state_changed", "state_changed"], "VI_1 because of VI_2");
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
fn a_group_begins_when_all_that_is_undecided_of_its_members_is_decided() {
    let script =
        |name: &str| Follow { kind: TrackedKind::Script, name: name.into(), weight: 0, reverse: false };
    for (level, state) in [(Level::Up, Backup), (Level::Down, Fault)] {
        let mut definitions = grouped(150);
        definitions.routers[0].spec.follows = [script("s"), script("t")].into();
        definitions.routers[1].spec.follows = [script("t")].into();
        let mut lan = Lan::new(1, 2);
        let host = lan.host(Default::default(), RIGHT);
        lan.start(host);
        let report = |lan: &mut Lan, name: &str, level| {
            let (now, there) = (lan.clock(host), &mut lan.hosts[host]);
            let id = there.node.tracked_id(TrackedKind::Script, &name.into());
            there.node.tracked(now, id, level, None, &mut there.out);
            lan.carry_out(host);
        };
        report(&mut lan, "s", Level::Undecided);
        report(&mut lan, "t", Level::Undecided);
        let (now, there) = (lan.clock(host), &mut lan.hosts[host]);
        there.node.apply(now, definitions, None, &mut there.out);
        report(&mut lan, "t", Level::Up);
        assert_eq!((lan.state(host, "VI_1"), lan.state(host, "VI_2")), (Init, Init), "both wait for s");
        assert_eq!(lan.hosts[host].node.group_state("VG"), Some(Init), "and their group says nothing");
        report(&mut lan, "s", level);
        assert_eq!((lan.state(host, "VI_1"), lan.state(host, "VI_2")), (state, state));
        assert_eq!(lan.hosts[host].node.group_state("VG"), Some(state), "after its members");
    }
}
