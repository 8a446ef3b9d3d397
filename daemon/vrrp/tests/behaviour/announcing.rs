//! What a master says and when: its advertisement first, then its addresses, then gratuitous ARP; and the bursts
//! that follow later, or answer somebody.

use keepwatch_model::UnicastPeer;
use keepwatch_vrrp::spec::Transport;
use keepwatch_vrrp::{Datagram, RouterSpec};

use crate::lan::{Did, Lan, spec};
use crate::{RIGHT, VI, ms, one, pair};

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

/// Whoever resigns and is master again within the delay announces at once, and once more after the delay that began then:
/// nothing is left of the first mastership that would have it announce as a backup.
#[test]
fn a_second_mastership_within_the_delay_announces_as_the_first_did() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(3_500));
    let bursts = |lan: &Lan| {
        let did = lan.hosts[0].out.did.iter();
        did.filter(|did| matches!(did, Did::Announced { .. })).count()
    };
    assert_eq!((lan.masters(VI), bursts(&lan)), (vec![0], 1));
    lan.set_link(0, 0, false);
    lan.run_for(ms(500));
    lan.set_link(0, 0, true);
    lan.run_for(ms(4_500));
    let again = bursts(&lan);
    assert!(lan.masters(VI) == [0] && again >= 2, "{:?} {again}", lan.masters(VI));
    lan.run_for(ms(6_000));
    assert_eq!(bursts(&lan), again + 1);
    lan.run_for(ms(20_000));
    assert_eq!(bursts(&lan), again + 1);
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
