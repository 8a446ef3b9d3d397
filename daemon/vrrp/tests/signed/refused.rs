//! Two masters that refuse each other.

use keepwatch_bus::Fact;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_model::{AuthHmac, HmacKey, HmacMode, Secret};
use keepwatch_vrrp::spec::{Authentication, Version};
use keepwatch_vrrp::{Definitions, RouterSpec};

use super::lan::{Did, Lan, definition, spec};
use super::{VI, run, secret, time};

/// How often a host told of another master.
fn splits(lan: &Lan, host: usize) -> usize {
    let told =
        |did: &&Did| matches!(did, Did::Published { fact: Fact::Vrrp(VrrpFact::SplitBrainBegan { .. }), .. });
    lan.hosts[host].out.did.iter().filter(told).count()
}

#[test]
fn a_master_that_hears_only_refused_adverts_keeps_its_rhythm_and_both_tell_of_the_other() {
    let key = |id: u8| {
        let key = HmacKey { id: 1, secret: Secret::new(secret(id).into()) };
        Some(Box::new(AuthHmac {
            keys: vec![key],
            active_key: 1,
            anti_replay: time(5),
            mode: HmacMode::Enforce,
        }))
    };
    let plain = |priority| spec(VI, 0, priority);
    let password = |priority, password: &[u8; 8]| RouterSpec {
        version: Version::V2 { authentication: Authentication::Password(*password) },
        ..plain(priority)
    };
    for (what, pair) in [
        ("keys", [RouterSpec { hmac: key(1), ..plain(150) }, RouterSpec { hmac: key(200), ..plain(100) }]),
        ("a signature against none", [RouterSpec { hmac: key(1), ..plain(150) }, plain(100)]),
        ("passwords", [password(150, b"1111\0\0\0\0"), password(100, b"2222\0\0\0\0")]),
        ("authentication types", [password(150, b"1111\0\0\0\0"), plain(100)]),
        (
            "versions",
            [plain(150), RouterSpec { version: Version::V3 { checksum_as_v2: false }, ..plain(100) }],
        ),
    ] {
        let mut lan = Lan::new(1, 1);
        for spec in pair {
            let host = lan
                .host(Definitions { routers: vec![definition(spec)], ..Definitions::default() }, 1_000_000);
            lan.start(host);
        }
        run(&mut lan, 8);
        assert_eq!(lan.masters(VI), [0, 1], "{what}");
        let sent = |lan: &Lan, host: usize| {
            lan.hosts[host].out.did.iter().filter(|did| matches!(did, Did::Sent { .. })).count()
        };
        let before = [sent(&lan, 0), sent(&lan, 1)];
        run(&mut lan, 8);
        let now = [sent(&lan, 0) - before[0], sent(&lan, 1) - before[1]];
        assert_eq!(now, [8, 8], "{what}");
        for host in [0, 1] {
            assert_eq!(splits(&lan, host), 1, "{what}: host {host} tells that there are two");
        }
    }
}
