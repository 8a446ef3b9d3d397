//! What reloads change of signatures, at one side first as an operator does it.

use super::*;

fn reload(lan: &mut Lan, host: usize, hmac: Option<Box<AuthHmac>>) {
    lan.hosts[host].definitions.routers[0].spec.hmac = hmac;
    let now = lan.tick(host);
    let h = &mut lan.hosts[host];
    h.node.apply(now, h.definitions.clone(), None, &mut h.out);
    lan.carry_out(host);
}

#[test]
fn keys_are_changed_by_reloads_without_a_lost_advert() {
    let mut lan = lan_of(vec![(150, with(HmacMode::Enforce)), (100, with(HmacMode::Enforce))]);
    run(&mut lan, 10);
    for host in [0, 1] {
        reload(&mut lan, host, hmac(200, time(5), HmacMode::Enforce));
        run(&mut lan, 10);
        assert_eq!(lan.masters(VI), [0]);
    }
    let packet = lan.last_packet(0);
    assert_eq!(packet[packet.len() - TRAILER_LEN + 1], 200);
    assert!(ERRORS.iter().all(|error| count(&lan, 1, *error) == 0));
}

/// Whoever is not believed is not heard: the backup takes over in its time, and gives way to the first advertisement that it
/// believes.
#[test]
fn what_the_other_side_does_not_believe_makes_a_second_master_until_it_does() {
    type Signing = fn() -> Option<Box<AuthHmac>>;
    let usual: Signing = || with(HmacMode::Enforce);
    let unknown: Signing = || {
        let keys = vec![HmacKey { id: 3, secret: Secret::new(secret(3).into()) }];
        Some(Box::new(AuthHmac { keys, active_key: 3, anti_replay: time(5), mode: HmacMode::Enforce }))
    };
    let cases: [(&str, Signing, Signing, AdvertError); 3] = [
        ("the master's is removed", usual, || None, AdvertError::AuthExtMissing),
        ("the master's is added", || None, usual, AdvertError::PacketLength),
        ("its key is unknown", usual, unknown, AdvertError::AuthExtUnknownKey),
    ];
    for (what, before, after, error) in cases {
        let mut lan = lan_of(vec![(150, before()), (100, before())]);
        run(&mut lan, 10);
        assert_eq!(lan.masters(VI), [0], "{what}");
        reload(&mut lan, 0, after());
        run(&mut lan, 3);
        assert_eq!(lan.masters(VI), [0], "{what}: sooner than its time");
        run(&mut lan, 2);
        assert_eq!(lan.masters(VI), [0, 1], "{what}");
        assert!(count(&lan, 1, error) > 0, "{what}");
        // The other side is told, too; or the first takes it back.
        if what == "its key is unknown" {
            reload(&mut lan, 0, before());
        } else {
            reload(&mut lan, 1, after());
        }
        run(&mut lan, 2);
        assert_eq!(lan.masters(VI), [0], "{what}: one advertisement is enough");
    }
}
