//! Virtual addresses that are not where they should be: left by a crash, or taken off a master.

use std::net::IpAddr;

use keepwatch_bus::subject::VrrpState::{Backup, Master};
use keepwatch_vrrp::spec::Preemption;

use crate::{VI, ms, pair};

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
