//! Signatures (`auth_hmac`): packets that keepalived 2.4.3 put on a real network, byte for byte, both ways; what is
//! refused and as what it is counted; clocks that are wrong; and what routers of all modes make of each other on a
//! simulated LAN.
#![allow(clippy::expect_used, reason = "a test may stop at what can't be")]

mod lan;
#[path = "signed/reloads.rs"]
mod reloads;

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::Fact;
use keepwatch_bus::fact::{AdvertError, VrrpFact};
use keepwatch_bus::subject::Family;
use keepwatch_model::{AntiReplay, AuthHmac, HmacKey, HmacMode, Priority, Secret, UnicastPeer};
use keepwatch_vrrp::spec::{Authentication, Transport, Version};
use keepwatch_vrrp::wire::{AdvertBuffer, AdvertFields, Message, SigningKey, Stamp, TRAILER_LEN};
use keepwatch_vrrp::{Datagram, Definitions, LinkId, RouterSpec};
use lan::{Did, Lan, definition, spec};

const VI: &str = "VI_1";
const ASCII: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";
const SIX: u16 = 0x86dd;

/// Frames that keepalived 2.4.3 sent, by the number of their key: version 2, 3 and 3 over IPv6 to the group; version 3 over
/// IPv6 and 2 to a peer; a resignation; one from a VMAC.
const CAPTURED: [(u8, &str); 7] = [
    (
        1,
        "01005e000012020000000001080045c0004400010000ff70d06c0a090001e0000012213364010001705d0a0900640000000000000000010100006b0a5cb9f6a00000a039eeba8e6c9b2172e97cdb81908087",
    ),
    (
        200,
        "01005e000012020000000001080045c0004000010000ff70d0700a090001e00000123134640200646aeb0a0900650a09006601c800006b0a5cb9f72100001b8d9bdeb844b26ced0d86b48441fc29",
    ),
    (
        3,
        "33330000001202000000000186dd6c0aa9ba004470fffe80000000000000000000fffe000001ff020000000000000000000000000012313564020064496bfe800000000000000000000000000100fd090000000000000000000000000100010300006b0a5cb9f6ef000044a69629dc7edf75885c3dccb7e65198",
    ),
    (
        200,
        "02000000000202000000000186dd6c0ecac800347040fd090000000000000000000000000001fd09000000000000000000000000000231376401006481f3fd09000000000000000000000000010301c800006b0a5cb9f70d0000c0beb9a7f61a61923c0f06f3429cd75b",
    ),
    (
        1,
        "020000000002020000000001080045c0004400010000ff70a6740a0900010a09000221366401000170570a0900670000000000000000010100006b0a5cb9f6fb000065ba1d32cccc3758c5934eeb8f952406",
    ),
    (
        1,
        "01005e000012020000000001080045c0004400050000ff70d0680a090001e0000012213300010001d45d0a0900640000000000000000010100006b0a5cbdf06600006d587ac433da9666734967d2025bd1cd",
    ),
    (
        1,
        "01005e00001200005e000138080045c0004400010000ff70d06c0a090001e000001221386401000170530a0900690000000000000000010100006b0a5cb9f71500001af2f07517e2c7f7495a6d8bfe05afa5",
    ),
];

fn secret(id: u8) -> Vec<u8> {
    match id {
        3 => (0..64).collect(),
        200 => (0..32).map(|at: u8| (at % 16) * 0x11).collect(),
        _ => ASCII.to_vec(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// A captured frame taken apart as the sockets do it: source, destination, identification, message with its trailer.
fn taken_apart(frame: &[u8]) -> (IpAddr, IpAddr, u16, Vec<u8>) {
    let packet = &frame[14..];
    if u16::from_be_bytes([frame[12], frame[13]]) == SIX {
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&packet[at..at + 16]);
            IpAddr::from(octets)
        };
        return (address(8), address(24), 0, packet[40..].to_vec());
    }
    let datagram = Datagram::from_ipv4(LinkId(0), packet).expect("a packet");
    let identification = u16::from_be_bytes([packet[4], packet[5]]);
    (datagram.source, datagram.destination, identification, datagram.message.to_vec())
}

#[test]
fn packets_are_built_as_keepalived_builds_them() {
    for (id, frame) in CAPTURED {
        let frame = bytes(frame);
        let (source, destination, identification, signed) = taken_apart(&frame);
        let message = Message::new_signed(Family::of(source), &signed).expect("a signed message");
        let stamp = message.trailer().expect("a trailer").stamp();
        let addresses: Vec<IpAddr> = message.addresses().collect();
        let mut buffer = AdvertBuffer::default();
        buffer.build(&AdvertFields {
            version: message.version(),
            vrid: message.vrid(),
            timing: [signed[4], signed[5]],
            addresses: &addresses,
            auth_data: [0; 8],
            pseudo_header: message.version() == 3,
            source,
            ttl: 255,
            ah: false,
            trailer: true,
        });
        for _ in 0..identification.max(1) {
            buffer.advertise(message.priority());
        }
        buffer.sign(id, &SigningKey::new(&secret(id)), stamp, source);
        let expected = if source.is_ipv4() { &frame[14..] } else { &frame[54..] };
        assert_eq!(buffer.packet(destination), expected, "key {id}");
        assert_eq!(stamp.0 >> 32 & !7, 1_795_841_209 & !7);
        if message.version() == 3 {
            assert!(message.checksum_fits_between(source, destination));
        } else {
            assert!(message.checksum_fits());
        }
    }
}

#[test]
fn every_bit_counts_but_the_checksum() {
    for (id, frame) in CAPTURED {
        let (source, _, _, signed) = taken_apart(&bytes(frame));
        let key = SigningKey::new(&secret(id));
        let fits = |signed: &[u8], source: IpAddr| {
            let message = Message::new_signed(Family::of(source), signed).ok();
            message.and_then(|m| m.trailer()).is_some_and(|trailer| key.fits(&trailer, source))
        };
        assert!(fits(&signed, source));
        let other = if source.is_ipv4() { IpAddr::from([10, 9, 0, 3]) } else { IpAddr::from([9; 16]) };
        assert!(!fits(&signed, other), "the sender counts");
        for bit in 0..signed.len() * 8 {
            let mut changed = signed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(fits(&changed, source), matches!(bit / 8, 6 | 7), "key {id}, bit {bit}");
        }
        for len in 0..signed.len() {
            assert!(!fits(&signed[..len], source), "{len} bytes");
        }
    }
}

/// A block of two keys.
fn hmac(active_key: u8, anti_replay: AntiReplay, mode: HmacMode) -> Option<Box<AuthHmac>> {
    let key = |id| HmacKey { id, secret: Secret::new(secret(id).into()) };
    Some(Box::new(AuthHmac { keys: vec![key(1), key(200)], active_key, anti_replay, mode }))
}

fn time(window: u64) -> AntiReplay {
    AntiReplay::Time(Duration::from_secs(window))
}

fn with(mode: HmacMode) -> Option<Box<AuthHmac>> {
    hmac(1, time(5), mode)
}

/// Hosts of these priorities and blocks, one router on each; all run.
fn lan_of(routers: Vec<(u8, Option<Box<AuthHmac>>)>) -> Lan {
    let mut lan = Lan::new(1, 1);
    for (priority, hmac) in routers {
        let spec = RouterSpec { hmac, ..spec(VI, 0, priority) };
        let host =
            lan.host(Definitions { routers: vec![definition(spec)], ..Definitions::default() }, 1_000_000);
        lan.start(host);
    }
    lan
}

fn run(lan: &mut Lan, seconds: u64) {
    lan.run_for(Duration::from_secs(seconds));
}

fn count(lan: &Lan, host: usize, error: AdvertError) -> u64 {
    lan.hosts[host].node.router_named(VI).expect("it is defined").counters().error(error).get()
}

#[test]
fn who_takes_whose_adverts_is_as_in_keepalived() {
    use HmacMode::{Enforce, Permissive, ReceiveOnly};
    let modes = [None, Some(ReceiveOnly), Some(Permissive), Some(Enforce)];
    // The rows send, the columns hear.
    let taken = [
        [true, true, true, false],
        [true, true, true, false],
        [false, true, true, true],
        [false, true, true, true],
    ];
    for (sender, row) in modes.iter().zip(taken) {
        for (receiver, taken) in modes.iter().zip(row) {
            let mut lan = lan_of(vec![(150, sender.and_then(with)), (100, receiver.and_then(with))]);
            run(&mut lan, 20);
            let masters = if taken { vec![0] } else { vec![0, 1] };
            assert_eq!(lan.masters(VI), masters, "{sender:?} to {receiver:?}");
            let error = match receiver {
                None => AdvertError::PacketLength,
                Some(_) => AdvertError::AuthExtMissing,
            };
            assert_eq!(count(&lan, 1, error) > 0, !taken, "{sender:?} to {receiver:?}");
        }
    }
}

/// What a backup counts for the master's last advertisement, changed so, and signed again with key 1.
fn verdict(spec: RouterSpec, age: i32, change: &dyn Fn(&mut Vec<u8>)) -> (Vec<AdvertError>, bool) {
    let mut lan = Lan::new(1, 1);
    for priority in [150, 100] {
        let mut spec = RouterSpec { priority: Priority(priority), ..spec.clone() };
        if priority == 150 {
            spec.hmac = with(HmacMode::Enforce);
        }
        lan.host(Definitions { routers: vec![definition(spec)], ..Definitions::default() }, 1_000_000);
    }
    lan.start(0);
    lan.run_until(4_000_000, &mut |_| {});
    let mut packet = lan.last_packet(0);
    lan.start(1);
    // Its time, moved.
    let at = packet.len() - TRAILER_LEN;
    let now: u32 = 1_795_841_209 + 4;
    packet[at + 4..at + 8].copy_from_slice(&now.wrapping_add_signed(-age).to_be_bytes());
    sign_again(&mut packet);
    change(&mut packet);
    let total = packet.len() as u16;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    let now = lan.tick(1);
    let host = &mut lan.hosts[1];
    let datagram = Datagram::from_ipv4(host.links[0], &packet).expect("a packet");
    host.node.receive(now, datagram, &mut host.out);
    let counters = host.node.router_named(VI).expect("it is defined").counters();
    let errors = ERRORS.into_iter().filter(|kind| counters.error(*kind).get() > 0).collect();
    (errors, counters.adverts_received.get() == 1)
}

fn sign_again(packet: &mut [u8]) {
    let message = packet[20..].to_vec();
    let stamp =
        Message::new_signed(Family::Inet, &message).expect("signed").trailer().expect("signed").stamp();
    let fields = AdvertFields {
        version: message[0] >> 4,
        vrid: message[1],
        timing: [message[4], message[5]],
        addresses: &[IpAddr::from([10, 0, 0, 100])],
        auth_data: [0; 8],
        pseudo_header: false,
        source: [10, 0, 0, 1].into(),
        ttl: 255,
        ah: false,
        trailer: true,
    };
    let mut buffer = AdvertBuffer::default();
    buffer.build(&fields);
    buffer.advertise(message[2]);
    buffer.sign(1, &SigningKey::new(ASCII), stamp, fields.source);
    packet.copy_from_slice(buffer.packet([224, 0, 0, 18].into()));
}

const ERRORS: [AdvertError; 9] = [
    AdvertError::PacketLength,
    AdvertError::Ttl,
    AdvertError::AddressList,
    AdvertError::AuthExtMissing,
    AdvertError::AuthExtMalformed,
    AdvertError::AuthExtStale,
    AdvertError::AuthExtUnknownKey,
    AdvertError::AuthExtInvalidHmac,
    AdvertError::AuthExtReplay,
];

#[test]
fn each_fault_has_its_counter_and_of_two_the_first_in_keepalived_s_order_counts() {
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let spec = RouterSpec { hmac: with(HmacMode::Enforce), ..spec(VI, 0, 100) };
    let field = |packet: &mut Vec<u8>, at: usize, value: u8| {
        let start = packet.len() - TRAILER_LEN;
        packet[start + at] = value;
    };
    let order: [(AdvertError, i32, Change<'_>); 5] = [
        (AdvertError::PacketLength, 9, &|p| p.push(0)),
        (AdvertError::AuthExtMalformed, 9, &|p| field(p, 2, 1)),
        (AdvertError::AuthExtStale, 9, &|_| {}),
        (AdvertError::AuthExtUnknownKey, 0, &|p| field(p, 1, 9)),
        (AdvertError::AuthExtInvalidHmac, 0, &|p| field(p, 20, 0xaa)),
    ];
    assert_eq!(verdict(spec.clone(), 0, &|_| {}), (vec![], true), "as it came");
    for first in 0..order.len() {
        let change = |packet: &mut Vec<u8>| order[first..].iter().rev().for_each(|(_, _, c)| c(packet));
        assert_eq!(verdict(spec.clone(), order[first].1, &change), (vec![order[first].0], false));
    }
    let cut: Change<'_> = &|p| p.truncate(p.len() - TRAILER_LEN);
    assert_eq!(verdict(spec.clone(), 0, cut), (vec![AdvertError::AuthExtMissing], false));
    let short: Change<'_> = &|p| p.truncate(p.len() - 1);
    assert_eq!(verdict(spec, 0, short), (vec![AdvertError::PacketLength], false));
    for mode in [HmacMode::Permissive, HmacMode::ReceiveOnly] {
        // A signature that is there and wrong is refused in every mode.
        let receiver = RouterSpec { hmac: with(mode), ..lan::spec(VI, 0, 100) };
        let wrong: Change<'_> = &|p| field(p, 20, 0xaa);
        assert_eq!(verdict(receiver, 0, wrong), (vec![AdvertError::AuthExtInvalidHmac], false), "{mode:?}");
    }
}

#[test]
fn the_window_is_that_of_keepalived_on_both_sides() {
    let verdict = |anti_replay, age| {
        let hmac = hmac(1, anti_replay, HmacMode::Enforce);
        verdict(RouterSpec { hmac, ..spec(VI, 0, 100) }, age, &|_| {}).1
    };
    for (anti_replay, taken, refused) in [(time(5), 5, 6), (time(30), 30, 31)] {
        for sign in [-1, 1] {
            assert!(verdict(anti_replay, sign * taken), "{}", sign * taken);
            assert!(!verdict(anti_replay, sign * refused), "{}", sign * refused);
        }
    }
    assert!(verdict(AntiReplay::Monotonic, 100_000) && verdict(AntiReplay::Monotonic, -100_000));
}

#[test]
fn what_was_sent_once_is_refused_the_second_time() {
    let mut lan = lan_of(vec![(150, with(HmacMode::Enforce)), (100, with(HmacMode::Enforce))]);
    run(&mut lan, 10);
    let packet = lan.last_packet(0);
    let (now, received) = (lan.tick(1), |lan: &Lan| {
        lan.hosts[1].node.router_named(VI).expect("it is defined").counters().adverts_received.get()
    });
    let before = received(&lan);
    let host = &mut lan.hosts[1];
    let datagram = Datagram::from_ipv4(host.links[0], &packet).expect("a packet");
    host.node.receive(now, datagram, &mut host.out);
    assert_eq!((count(&lan, 1, AdvertError::AuthExtReplay), received(&lan)), (1, before));
}

/// The stamps that a host sent.
fn stamps(lan: &Lan, host: usize) -> Vec<Stamp> {
    let sent = lan.hosts[host].out.did.iter().filter_map(|did| match did {
        Did::Sent { packet, .. } => Message::new_signed(Family::Inet, &packet[20..]).ok()?.trailer(),
        _ => None,
    });
    sent.map(|trailer| trailer.stamp()).collect()
}

#[test]
fn a_clock_that_was_set_back_a_little_costs_nothing() {
    let mut lan = lan_of(vec![(150, with(HmacMode::Enforce)), (100, with(HmacMode::Enforce))]);
    run(&mut lan, 10);
    lan.hosts[0].wall_off = -3;
    let before = stamps(&lan, 0).len();
    run(&mut lan, 10);
    assert_eq!(lan.masters(VI), [0]);
    assert_eq!(
        (count(&lan, 1, AdvertError::AuthExtReplay), count(&lan, 1, AdvertError::AuthExtStale)),
        (0, 0)
    );
    let sent = stamps(&lan, 0);
    let counters: Vec<u64> = sent[before..before + 5].iter().map(|stamp| stamp.0 & 0xffff).collect();
    assert_eq!(counters, [1, 2, 3, 0, 0], "counted until the clock has caught up");
    assert!(sent.windows(2).all(|pair| pair[1].is_after(pair[0])));
}

#[test]
fn a_clock_that_was_set_back_far_is_followed_in_time_mode_and_counted_over_in_monotonic() {
    for (anti_replay, masters) in [(time(5), vec![0, 1]), (AntiReplay::Monotonic, vec![0])] {
        let block = || hmac(1, anti_replay, HmacMode::Enforce);
        let mut lan = lan_of(vec![(150, block()), (100, block())]);
        run(&mut lan, 10);
        lan.hosts[0].wall_off = -30;
        run(&mut lan, 10);
        assert_eq!(lan.masters(VI), masters, "{anti_replay:?}");
        lan.hosts[0].wall_off = 0;
        run(&mut lan, 2);
        assert_eq!(lan.masters(VI), [0], "mended: {anti_replay:?}");
        lan.hosts[0].wall_off = 40;
        run(&mut lan, 10);
        assert_eq!(lan.masters(VI), masters, "ahead: {anti_replay:?}");
        lan.hosts[0].wall_off = 0;
        run(&mut lan, 2);
        assert_eq!(lan.masters(VI), [0], "mended again: {anti_replay:?}");
    }
}

#[test]
fn a_router_that_was_killed_is_believed_at_once() {
    let mut lan = lan_of(vec![(150, with(HmacMode::Enforce)), (100, with(HmacMode::Enforce))]);
    run(&mut lan, 10);
    lan.crash(0);
    run(&mut lan, 1);
    lan.start(0);
    run(&mut lan, 10);
    assert_eq!(lan.masters(VI), [0]);
    assert_eq!(count(&lan, 1, AdvertError::AuthExtReplay), 0);
}

#[test]
fn a_clock_that_drifts_is_told_of_before_it_matters() {
    let mut lan = lan_of(vec![(150, with(HmacMode::Enforce)), (100, with(HmacMode::Enforce))]);
    lan.hosts[0].wall_off = 4;
    run(&mut lan, 20);
    assert_eq!(lan.masters(VI), [0]);
    let told = lan.hosts[1].out.did.iter().filter_map(|did| match did {
        Did::Published { fact: Fact::Vrrp(VrrpFact::ClockSkewed { skew, window, .. }), .. } => {
            Some((*skew, *window))
        }
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(-4, 5)], "once");
}

#[test]
fn five_multicast_senders_push_out_the_mark_of_the_one_not_heard_longest() {
    let mut lan = lan_of(vec![(100, hmac(1, AntiReplay::Monotonic, HmacMode::Enforce))]);
    let key = SigningKey::new(ASCII);
    let hear = |lan: &mut Lan, sender: u8, stamp: u64| {
        let source = IpAddr::from([10, 0, 0, sender]);
        let mut buffer = AdvertBuffer::default();
        buffer.build(&AdvertFields {
            version: 2,
            vrid: 51,
            timing: [0, 1],
            addresses: &[IpAddr::from([10, 0, 0, 100])],
            auth_data: [0; 8],
            pseudo_header: false,
            source,
            ttl: 255,
            ah: false,
            trailer: true,
        });
        buffer.advertise(200);
        buffer.sign(1, &key, Stamp(stamp), source);
        let packet = buffer.packet([224, 0, 0, 18].into()).to_vec();
        let now = lan.tick(0);
        let host = &mut lan.hosts[0];
        let datagram = Datagram::from_ipv4(host.links[0], &packet).expect("a packet");
        host.node.receive(now, datagram, &mut host.out);
        count(lan, 0, AdvertError::AuthExtReplay)
    };
    for sender in 11..=14 {
        assert_eq!(hear(&mut lan, sender, 50 << 32), 0);
    }
    assert_eq!(hear(&mut lan, 11, 50 << 32), 1, "it is remembered");
    assert_eq!(hear(&mut lan, 11, 51 << 32), 1, "and was just heard");
    assert_eq!(hear(&mut lan, 15, 50 << 32), 1, "a fifth takes the place of 12");
    assert_eq!(hear(&mut lan, 12, 50 << 32), 1, "which is new again, and takes that of 13");
    assert_eq!(hear(&mut lan, 11, 51 << 32), 2, "11 is remembered still");
}

#[test]
fn a_stranger_s_signature_is_no_peer_s() {
    let mut spec = RouterSpec { hmac: with(HmacMode::Enforce), ..spec(VI, 0, 100) };
    let peer = UnicastPeer { address: [10, 0, 0, 9].into(), min_ttl: None, max_ttl: None };
    spec.transport = Transport::Unicast { peers: [peer].into(), ttl: 255, check_source: false };
    assert_eq!(verdict(spec, 0, &|_| {}), (vec![AdvertError::AddressList], false));
}

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
