//! Two masters: told with both addresses when it lasts longer than an election, with how it shows itself, and when it is
//! over; and never told when there is only one.

use keepwatch_bus::Fact;
use keepwatch_bus::fact::{AdvertError, Silence, SplitSign, VrrpFact};
use keepwatch_bus::subject::VrrpState::{Backup, Master};
use keepwatch_model::VirtualRouterId;
use keepwatch_vrrp::Datagram;
use keepwatch_vrrp::spec::{Authentication, Version};

use crate::lan::{Dice, Did, Lan, spec};
use crate::{RIGHT, VI, changed_to, ms, one, pair};

/// The split brains that a host told of: address, priority, sign.
fn told(lan: &Lan, host: usize) -> Vec<(String, u8, SplitSign)> {
    let facts = lan.hosts[host].out.did.iter().filter_map(|did| match did {
        Did::Published { fact: Fact::Vrrp(fact), .. } => Some(fact),
        _ => None,
    });
    facts
        .filter_map(|fact| match fact {
            VrrpFact::SplitBrainBegan { address, priority, sign, .. } => {
                Some((address.to_string(), *priority, *sign))
            }
            _ => None,
        })
        .collect()
}

fn is(kind: &'static str) -> impl Fn(&Fact) -> bool {
    move |fact| fact.kind() == kind
}

/// Two hosts, each with a specification of its own.
fn two(
    first: impl Fn(&mut keepwatch_vrrp::RouterSpec),
    second: impl Fn(&mut keepwatch_vrrp::RouterSpec),
) -> Lan {
    let mut lan = Lan::new(1, 1);
    for (priority, change) in [(150, &first as &dyn Fn(&mut _)), (100, &second)] {
        let mut spec = spec(VI, 0, priority);
        change(&mut spec);
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
    }
    lan
}

fn password(text: [u8; 8]) -> Version {
    Version::V2 { authentication: Authentication::Password(text) }
}

#[test]
fn a_lower_master_that_does_not_hear_us_is_told_of_once_and_its_end_too() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.deaf.insert(1);
    lan.run_for(ms(20_000));
    assert_eq!((lan.state(0, VI), lan.state(1, VI)), (Master, Master));
    assert_eq!(told(&lan, 0), [("10.0.0.2".into(), 100, SplitSign::Heard)]);
    let event = lan.last(0, is("split_brain_began")).unwrap();
    assert_eq!(lan.chain(0, event), ["split_brain_began", "lower_priority_received"]);

    lan.deaf.clear();
    lan.run_for(ms(6_000));
    assert_eq!(lan.state(1, VI), Backup);
    let ended = lan.last(0, is("split_brain_ended")).unwrap();
    assert_eq!(lan.chain(0, ended)[..2], ["split_brain_ended", "split_brain_began"]);
    assert_eq!(told(&lan, 0).len(), 1);
}

#[test]
fn masters_with_different_passwords_tell_of_each_other_and_refused_adverts_are_the_root() {
    let mut lan =
        two(|a| a.version = password(*b"one\0\0\0\0\0"), |b| b.version = password(*b"two\0\0\0\0\0"));
    lan.run_for(ms(20_000));
    let sign = SplitSign::Refused(AdvertError::AuthFailure);
    assert_eq!(told(&lan, 0), [("10.0.0.2".into(), 100, sign)]);
    assert_eq!(told(&lan, 1), [("10.0.0.1".into(), 150, sign)]);
    let event = lan.last(1, changed_to(Master)).unwrap();
    assert_eq!(lan.chain(1, event), ["state_changed", "advert_timed_out", "advert_rejected"]);
    let silence = silence(&lan, 1);
    assert!(silence.last.is_none(), "{silence:?}");
    assert_eq!(silence.refused.len(), 1);
    assert_eq!((silence.refused[0].error, silence.adverts), (AdvertError::AuthFailure, 3));

    // We give up: that ends it for us.
    lan.set_link(1, 0, false);
    let ended = lan.last(1, is("split_brain_ended")).unwrap();
    assert_eq!(lan.chain(1, ended)[..2], ["split_brain_ended", "state_changed"]);
}

/// Host 0 hears a packet each half second, for ten seconds.
fn hears(lan: &mut Lan, packet: &[u8], change: &dyn Fn(&mut Datagram<'_>)) {
    (0..20).for_each(|_| hears_once(lan, packet, change));
}

/// Host 0 hears a packet in half a second.
fn hears_once(lan: &mut Lan, packet: &[u8], change: &dyn Fn(&mut Datagram<'_>)) {
    lan.run_for(ms(500));
    let now = lan.tick(0);
    let host = &mut lan.hosts[0];
    match Datagram::from_ipv4(host.links[0], packet) {
        Ok(mut datagram) => {
            change(&mut datagram);
            host.node.receive(now, datagram, &mut host.out);
        }
        Err(error) => panic!("no packet: {error}"),
    }
    lan.carry_out(0);
}

#[test]
fn packets_from_off_the_link_or_to_elsewhere_or_damaged_are_no_evidence_of_a_master() {
    let mut lan =
        two(|a| a.version = password(*b"one\0\0\0\0\0"), |b| b.version = password(*b"two\0\0\0\0\0"));
    lan.side[1] = 1;
    lan.run_for(ms(10_000));
    let refused = lan.last_packet(1);
    for change in [&|d: &mut Datagram<'_>| d.ttl = Some(64), &|d: &mut Datagram<'_>| {
        d.destination = [10, 0, 0, 255].into();
    }] as [&dyn Fn(&mut Datagram<'_>); 2]
    {
        hears(&mut lan, &refused, change);
        assert_eq!(told(&lan, 0), []);
    }
    lan.crash(0);
    lan.start(0);
    hears(&mut lan, &refused, &|datagram| datagram.ttl = Some(64));
    let event = lan.last(0, changed_to(Master)).unwrap();
    assert_eq!(lan.chain(0, event), ["state_changed", "advert_timed_out"]);
    hears(&mut lan, &refused, &|_| {});
    assert_eq!(told(&lan, 0), [("10.0.0.2".into(), 100, SplitSign::Refused(AdvertError::AuthFailure))]);

    let mut lan = pair(|_| {});
    lan.side[1] = 1;
    lan.run_for(ms(10_000));
    let mut damaged = lan.last_packet(1);
    damaged[26] ^= 0x10;
    hears(&mut lan, &damaged, &|_| {});
    assert_eq!(told(&lan, 0), []);
}

#[test]
fn one_refused_advert_is_enough_if_it_came_as_it_was_sent_for_a_keepalived_may_send_no_other() {
    for (damage, told_of) in [(0, [1, 1]), (1, [0, 1])] {
        let mut lan =
            two(|a| a.version = password(*b"one\0\0\0\0\0"), |b| b.version = password(*b"two\0\0\0\0\0"));
        lan.side[1] = 1;
        lan.run_for(ms(10_000));
        let mut refused = lan.last_packet(1);
        let last = refused.len() - 1;
        refused[last] ^= damage;
        for times in told_of {
            hears_once(&mut lan, &refused, &|_| {});
            assert_eq!(told(&lan, 0).len(), times, "damage {damage}");
        }
    }
}

#[test]
fn a_checksum_made_another_way_is_no_damage() {
    let mut lan = two(
        |a| a.version = Version::V3 { checksum_as_v2: false },
        |b| {
            b.version = Version::V3 { checksum_as_v2: true };
            b.priority.0 = 200;
        },
    );
    lan.run_for(ms(20_000));
    assert_eq!(told(&lan, 0), [("10.0.0.2".into(), 200, SplitSign::Refused(AdvertError::Checksum))]);
}

#[test]
fn who_was_master_of_two_names_the_other_when_that_falls_silent() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(3_000));
    lan.side[1] = 1;
    lan.run_for(ms(10_000));
    assert_eq!(lan.masters(VI), [0, 1]);
    // They meet, and the one that yields hears nobody any more.
    lan.side[1] = 0;
    let until = lan.now + 5_000_000;
    while lan.state(1, VI) == Master && lan.now < until {
        lan.run_for(ms(1));
    }
    lan.crash(0);
    lan.run_for(ms(5_000));
    let last = silence(&lan, 1).last.unwrap();
    assert_eq!((last.address.to_string(), last.priority), ("10.0.0.1".into(), 150));
    assert!(last.ago < ms(4_000), "{last:?}");
}

/// What the last time-out of a host rested on.
fn silence(lan: &Lan, host: usize) -> Silence {
    let found = lan.hosts[host].out.did.iter().rev().find_map(|did| match did {
        Did::Published { fact: Fact::Vrrp(VrrpFact::AdvertTimedOut { evidence, .. }), .. } => {
            evidence.clone()
        }
        _ => None,
    });
    match found {
        Some(silence) => *silence,
        None => panic!("host {host} did not wait in vain"),
    }
}

#[test]
fn our_addresses_under_another_id_are_a_split_brain_too() {
    let mut lan = two(|_| {}, |b| b.vrid = VirtualRouterId(77));
    lan.run_for(ms(20_000));
    assert_eq!(told(&lan, 0), [("10.0.0.2".into(), 100, SplitSign::OtherVrid(77))]);
    assert_eq!(told(&lan, 1), [("10.0.0.1".into(), 150, SplitSign::OtherVrid(51))]);
    let silence = silence(&lan, 1);
    assert_eq!(silence.strangers.iter().map(|stranger| stranger.vrid).collect::<Vec<_>>(), [51]);
}

#[test]
fn a_time_out_says_who_was_heard_last_and_the_parts_of_the_limit() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    lan.crash(0);
    lan.run_for(ms(4_000));
    let silence = silence(&lan, 1);
    let last = silence.last.unwrap();
    assert_eq!((last.address.to_string(), last.priority, last.interval), ("10.0.0.1".into(), 150, ms(1000)));
    assert_eq!(silence.limit, silence.interval * u32::from(silence.adverts) + silence.skew);
    assert!(last.ago >= silence.limit, "{silence:?}");
}

#[test]
fn a_split_brain_is_never_told_while_there_is_one_master() {
    let mut splits = 0;
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut lan = pair(|_| {});
        let (mut seen, mut doubled) = ([0; 2], None);
        lan.loss = *dice.pick(&[0, 5, 20]);
        for _ in 0..20 {
            match dice.below(5) {
                0 => lan.stop(0),
                1 => {
                    lan.crash(0);
                    lan.start(0);
                }
                2 => lan.side[1] = 1 - lan.side[1],
                3 if !lan.hosts[0].alive => lan.start(0),
                3 => {}
                _ => drop(if lan.deaf.remove(&1) { None } else { Some(lan.deaf.insert(1)) }),
            }
            let until = lan.now + 1_000 * (500 + dice.below(8_000));
            lan.run_until(until, &mut |lan| {
                if lan.masters(VI).len() == 2 {
                    doubled = Some(lan.now);
                }
                for (host, seen) in lan.hosts.iter().zip(&mut seen) {
                    let did = &host.out.did;
                    let new = did.iter().skip(std::mem::replace(seen, did.len()));
                    let mut facts = new.filter_map(|did| match did {
                        Did::Published { fact, .. } => Some(fact.kind()),
                        _ => None,
                    });
                    // What tells of it may have been on its way.
                    let two = doubled.is_some_and(|at| lan.now - at <= lan.delay);
                    assert!(two || !facts.any(|kind| kind == "split_brain_began"), "seed {seed}");
                }
            });
        }
        splits += told(&lan, 0).len();
    }
    assert!(splits > 10, "{splits} were there to be told of");
}
