//! A reload of a master or a backup that changes one thing, each as keepalived 2.4.3 has it: what is sent, what is taken
//! off, and who is master afterwards.

use std::net::IpAddr;

use keepwatch_bus::subject::VrrpState::{Backup, Fault, Master};
use keepwatch_model::InterfaceAddress;
use keepwatch_vrrp::{Definitions, Follow, RouterSpec, TrackedKind};

use crate::lan::{Did, Lan, spec};
use crate::{RIGHT, VI, ms, one, pair};

/// Where an advertisement has its priority, behind an IPv4 header.
const ID: usize = 21;
const PRIORITY: usize = 22;

/// What a host did since `from`, as far as others notice.
#[derive(Debug, Default, PartialEq, Eq)]
struct Noticed {
    /// Virtual router id and priority of each advertisement.
    adverts: Vec<(u8, u8)>,
    added: Vec<IpAddr>,
    removed: Vec<IpAddr>,
    /// Addresses in each burst of announcements.
    bursts: Vec<usize>,
}

impl Noticed {
    fn of(lan: &Lan, host: usize, from: usize) -> Self {
        let mut noticed = Self::default();
        for did in &lan.hosts[host].out.did[from..] {
            match did {
                Did::Sent { packet, .. } => noticed.adverts.push((packet[ID], packet[PRIORITY])),
                Did::Added(addresses) => noticed.added.extend(addresses),
                Did::Removed(addresses) => noticed.removed.extend(addresses),
                Did::Announced { addresses, .. } => noticed.bursts.push(*addresses),
                _ => {}
            }
        }
        noticed
    }
}

/// Gives a host other definitions, and says what it did about that at once.
fn reload(lan: &mut Lan, host: usize, change: impl FnOnce(&mut Definitions)) -> Noticed {
    let from = lan.hosts[host].out.did.len();
    let now = lan.clock(host);
    let h = &mut lan.hosts[host];
    change(&mut h.definitions);
    h.node.apply(now, h.definitions.clone(), None, &mut h.out);
    lan.carry_out(host);
    Noticed::of(lan, host, from)
}

fn only(definitions: &mut Definitions) -> &mut RouterSpec {
    &mut definitions.routers[0].spec
}

fn address(last: u8) -> InterfaceAddress {
    InterfaceAddress::host([10, 0, 0, last].into())
}

/// Host 0 has been master for a while, and its second burst is over.
fn settled() -> Lan {
    let mut lan = pair(|_| {});
    lan.run_for(ms(12_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Backup));
    lan
}

#[test]
fn a_priority_below_the_peer_s_is_handed_over_by_the_peer_and_not_given_up() {
    let mut lan = settled();
    let noticed = reload(&mut lan, 0, |all| only(all).priority.0 = 90);
    assert!(noticed.adverts.iter().all(|(_, priority)| *priority != 0), "{noticed:?}");
    assert_eq!((noticed.removed, lan.state(0, VI)), (vec![], Master));
    let before = lan.hosts[0].out.did.len();
    // 3.609 s from the last advertisement that the peer still believed, which was 0.59 s ago.
    lan.run_for(ms(3_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Backup), "its patience is not over");
    assert!(Noticed::of(&lan, 0, before).adverts.iter().all(|advert| *advert == (51, 90)));
    lan.run_for(ms(1_500));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Backup, Master));
    assert_eq!(lan.history(0, VI), [Backup, Master, Backup]);
}

#[test]
fn a_priority_above_the_master_s_takes_over_in_its_time() {
    let mut lan = settled();
    let noticed = reload(&mut lan, 1, |all| only(all).priority.0 = 200);
    assert_eq!((noticed, lan.state(1, VI)), (Noticed::default(), Backup));
    // Three intervals and (256 - 200) / 256 of one, from the last advertisement that it still believed.
    lan.run_for(ms(2_200));
    assert_eq!(lan.state(1, VI), Backup);
    lan.run_for(ms(1_100));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Backup, Master));
}

#[test]
fn an_address_more_is_put_there_and_announced_and_one_less_only_taken_off() {
    let mut lan = settled();
    let both = [address(100), address(101)];
    let noticed = reload(&mut lan, 0, |all| {
        let spec = only(all);
        (spec.addresses, spec.advertised) = (both.clone().into(), 2);
    });
    assert_eq!((noticed.added, noticed.removed), (vec![[10, 0, 0, 101].into()], vec![]));
    assert!(!noticed.bursts.is_empty() && noticed.adverts.iter().all(|advert| *advert == (51, 150)));
    lan.run_for(ms(12_000));
    let noticed = reload(&mut lan, 0, |all| {
        let spec = only(all);
        (spec.addresses, spec.advertised) = ([address(101)].into(), 1);
    });
    assert_eq!((noticed.added, noticed.removed), (vec![], vec![IpAddr::from([10, 0, 0, 100])]));
    assert!(noticed.bursts.is_empty(), "nothing is new");
    lan.run_for(ms(10_000));
    assert_eq!((lan.history(0, VI), lan.history(1, VI)), (vec![Backup, Master], vec![Backup]));
}

/// While an address is added to one after the other, their lists differ: keepalived 2.2.7 makes two masters of that.
#[test]
fn addresses_that_differ_for_a_while_make_no_second_master() {
    for order in [[0, 1], [1, 0]] {
        let mut lan = settled();
        for host in order {
            reload(&mut lan, host, |all| {
                let spec = only(all);
                (spec.addresses, spec.advertised) = ([address(100), address(101)].into(), 2);
            });
            lan.run_for(ms(12_000));
            let histories = (lan.history(0, VI), lan.history(1, VI));
            assert_eq!(histories, (vec![Backup, Master], vec![Backup]), "{order:?}, {host}");
        }
        let has = |host: usize| lan.hosts[host].addresses[0].contains(&IpAddr::from([10, 0, 0, 101]));
        assert_eq!((has(0), has(1)), (true, false));
    }
}

#[test]
fn a_router_that_is_removed_resigns_and_one_that_is_new_waits_for_its_election() {
    let mut lan = settled();
    let mut other = spec("VI_2", 0, 150);
    (other.vrid.0, other.addresses) = (52, [address(102)].into());
    let other = one(other);
    let noticed = reload(&mut lan, 0, |all| all.routers.extend(other.routers));
    assert_eq!(noticed, Noticed::default());
    assert_eq!((lan.state(0, VI), lan.state(0, "VI_2")), (Master, Backup));
    lan.run_for(ms(3_300));
    assert_eq!(lan.state(0, "VI_2"), Backup);
    lan.run_for(ms(200));
    assert_eq!(lan.state(0, "VI_2"), Master);
    let noticed = reload(&mut lan, 0, |all| drop(all.routers.remove(0)));
    assert_eq!(noticed.adverts, [(51, 0)]);
    assert_eq!((noticed.removed, lan.state(0, "VI_2")), (vec![IpAddr::from([10, 0, 0, 100])], Master));
    lan.run_for(ms(700));
    assert_eq!(lan.state(1, VI), Master, "within its skew");
}

#[test]
fn under_another_id_a_router_resigns_with_the_old_one_and_is_elected_with_the_new() {
    let mut lan = settled();
    let noticed = reload(&mut lan, 0, |all| only(all).vrid.0 = 77);
    assert_eq!(noticed.adverts, [(51, 0)]);
    assert_eq!((noticed.removed, lan.state(0, VI)), (vec![IpAddr::from([10, 0, 0, 100])], Backup));
    let before = lan.hosts[0].out.did.len();
    lan.run_for(ms(4_000));
    assert_eq!(lan.state(0, VI), Master);
    assert!(Noticed::of(&lan, 0, before).adverts.iter().all(|advert| *advert == (77, 150)));
}

#[test]
fn an_interface_that_is_tracked_no_longer_is_no_fault_any_more() {
    let mut lan = Lan::new(1, 2);
    for priority in [150, 100] {
        let host = lan.host(one(spec(VI, 0, priority)), RIGHT);
        lan.start(host);
    }
    lan.set_link(0, 1, false);
    lan.run_for(ms(12_000));
    let eth1 = || Follow { kind: TrackedKind::Link, name: "eth1".into(), weight: 0, reverse: false };
    let noticed = reload(&mut lan, 0, |all| only(all).follows = [eth1()].into());
    assert_eq!((noticed.adverts, lan.state(0, VI)), (vec![(51, 0)], Fault));
    lan.run_for(ms(5_000));
    assert_eq!(lan.state(1, VI), Master);
    let noticed = reload(&mut lan, 0, |all| only(all).follows = [].into());
    assert_eq!((noticed, lan.state(0, VI)), (Noticed::default(), Backup));
    lan.run_for(ms(3_700));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Backup));
    // One that is up changes nothing.
    lan.set_link(0, 1, true);
    lan.run_for(ms(12_000));
    let noticed = reload(&mut lan, 0, |all| only(all).follows = [eth1()].into());
    assert_eq!((noticed.removed, lan.state(0, VI)), (vec![], Master));
    assert!(noticed.adverts.iter().all(|advert| *advert == (51, 150)), "{:?}", noticed.adverts);
}
