//! The codec under random packets (round trip) and random bytes (refusal without a panic).

use bytes::Bytes;
use proptest::prelude::*;
use rasn::types::ObjectIdentifier;

use crate::framer::Framer;
use crate::pdu::{CloseReason, IndexChoice};
use crate::value;
use crate::wire::{ByteOrder, oid};
use crate::{Body, ErrorStatus, Header, Packet, SearchRange, Subtree, VarBind, VarBindValue};

fn any_oid() -> impl Strategy<Value = ObjectIdentifier> {
    let tail = prop::collection::vec(any::<u32>(), 0..20);
    let internet = (0_u32..300, tail.clone())
        .prop_map(|(prefix, tail)| oid(&[[1, 3, 6, 1, prefix].as_slice(), tail.as_slice()].concat()));
    prop_oneof![tail.prop_map(|arcs| oid(&arcs)), internet]
}

fn any_bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn any_value() -> impl Strategy<Value = VarBindValue> {
    prop_oneof![
        any::<i32>().prop_map(value::integer),
        any_bytes().prop_map(|raw| value::octets(&raw)),
        any_oid().prop_map(value::object),
        any::<[u8; 4]>().prop_map(|raw| value::address(raw.into())),
        any::<u32>().prop_map(|raw| value::counter32(raw.into())),
        any::<u32>().prop_map(value::unsigned),
        any::<u32>().prop_map(value::ticks),
        any::<u64>().prop_map(value::counter64),
        Just(VarBindValue::Unspecified),
        Just(VarBindValue::NoSuchObject),
        Just(VarBindValue::NoSuchInstance),
        Just(VarBindValue::EndOfMibView),
    ]
}

fn any_binds() -> impl Strategy<Value = Vec<VarBind>> {
    prop::collection::vec((any_oid(), any_value()).prop_map(|(name, value)| VarBind { name, value }), 0..6)
}

fn any_ranges() -> impl Strategy<Value = Vec<SearchRange>> {
    let range = (any_oid(), any::<bool>(), any_oid());
    let range = range.prop_map(|(start, include, end)| SearchRange { start, include, end });
    prop::collection::vec(range, 0..6)
}

fn any_subtree() -> impl Strategy<Value = Subtree> {
    let range = prop::option::of((1..=u8::MAX, any::<u32>()));
    (any::<u8>(), any_oid(), range).prop_map(|(priority, root, range)| Subtree { priority, root, range })
}

fn any_body() -> impl Strategy<Value = Body> {
    use CloseReason::*;
    let reason = prop::sample::select(vec![Other, ParseError, ProtocolError, Timeouts, Shutdown, ByManager]);
    let choice = prop::sample::select(vec![IndexChoice::Given, IndexChoice::New, IndexChoice::Any]);
    prop_oneof![
        (any::<u8>(), any_oid(), any_bytes()).prop_map(|(timeout, id, description)| Body::Open {
            timeout,
            id,
            description
        }),
        reason.prop_map(Body::Close),
        (any::<u8>(), any::<bool>(), any_subtree())
            .prop_map(|(timeout, instance, subtree)| { Body::Register { timeout, instance, subtree } }),
        any_subtree().prop_map(Body::Unregister),
        any_ranges().prop_map(Body::Get),
        any_ranges().prop_map(Body::GetNext),
        (any::<u16>(), any::<u16>(), any_ranges()).prop_map(|(non_repeaters, max_repetitions, ranges)| {
            Body::GetBulk { non_repeaters, max_repetitions, ranges }
        }),
        any_binds().prop_map(Body::TestSet),
        prop::sample::select(vec![Body::CommitSet, Body::UndoSet, Body::CleanupSet, Body::Ping]),
        any_binds().prop_map(Body::Notify),
        (choice, any_binds()).prop_map(|(choice, binds)| Body::IndexAllocate(choice, binds)),
        any_binds().prop_map(Body::IndexDeallocate),
        (any_oid(), any_bytes()).prop_map(|(id, description)| Body::AddAgentCaps(id, description)),
        any_oid().prop_map(Body::RemoveAgentCaps),
        (any::<u32>(), any::<u16>(), any::<u16>(), any_binds()).prop_map(|(uptime, error, index, binds)| {
            Body::Response { uptime, error: ErrorStatus(error), index, binds }
        }),
    ]
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let order = prop::sample::select(vec![ByteOrder::Little, ByteOrder::Network]);
    let header = (any::<u32>(), any::<u32>(), any::<u32>(), order)
        .prop_map(|(session, transaction, packet, order)| Header { session, transaction, packet, order });
    (header, prop::option::of(any_bytes()), any_body()).prop_map(|(header, context, body)| Packet {
        header,
        context: context.filter(|_| body.takes_context()),
        body,
    })
}

proptest! {
    #[test]
    fn every_packet_reads_back_as_itself(packet in any_packet()) {
        let raw = packet.encode().unwrap();
        prop_assert_eq!(raw.len() % 4, 0);
        prop_assert_eq!(Packet::decode(&raw).unwrap(), packet);
    }

    #[test]
    fn a_packet_cut_short_is_refused(packet in any_packet(), cut in any::<prop::sample::Index>()) {
        let raw = packet.encode().unwrap();
        prop_assert!(Packet::decode(&raw[..cut.index(raw.len())]).is_err());
    }

    #[test]
    fn names_in_the_short_form_are_the_same_names(arcs in prop::collection::vec(any::<u32>(), 0..10)) {
        let name = oid(&[[1, 3, 6, 1].as_slice(), arcs.as_slice()].concat());
        let packet = Packet { header: Header::default(), context: None, body: Body::RemoveAgentCaps(name) };
        prop_assert_eq!(Packet::decode(&packet.encode().unwrap()).unwrap(), packet);
    }
}

/// A generator of numbers that is the same in every run (xorshift64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit.max(1) as u64) as usize
    }
}

/// Valid packets of every type, to mutate.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let binds = vec![
        VarBind { name: oid(&[1, 3, 6, 1, 4, 1, 9586]), value: value::text("VI_1") },
        VarBind { name: oid(&[1, 3, 6, 1, 4, 1, 9587]), value: value::counter64(1 << 40) },
        VarBind { name: oid(&[]), value: value::address([10, 0, 0, 1].into()) },
        VarBind { name: oid(&[2, 2]), value: value::object(oid(&[1, 3, 6, 1, 9, 9])) },
    ];
    let ranges = vec![
        SearchRange { start: oid(&[1, 3, 6, 1, 4]), include: true, end: oid(&[1, 3, 6, 1, 5]) },
        SearchRange { start: oid(&[]), include: false, end: oid(&[]) },
    ];
    let subtree = Subtree { priority: 127, root: oid(&[1, 3, 6, 1, 4, 1]), range: Some((5, 9)) };
    let text = Bytes::from_static(b"some words");
    let bodies = [
        Body::Open { timeout: 5, id: oid(&[1, 2]), description: text.clone() },
        Body::Close(CloseReason::Shutdown),
        Body::Register { timeout: 1, instance: true, subtree: subtree.clone() },
        Body::Unregister(subtree),
        Body::Get(ranges.clone()),
        Body::GetBulk { non_repeaters: 1, max_repetitions: 9, ranges },
        Body::TestSet(binds.clone()),
        Body::IndexAllocate(IndexChoice::Any, binds.clone()),
        Body::AddAgentCaps(oid(&[1, 3]), text.clone()),
        Body::Response { uptime: 1, error: ErrorStatus::NO_ERROR, index: 0, binds },
    ];
    let orders = [ByteOrder::Little, ByteOrder::Network];
    let packets = bodies.into_iter().flat_map(|body| {
        orders.map(|order| {
            let header = Header { session: 1, transaction: 2, packet: 3, order };
            let context = Some(text.clone()).filter(|_| body.takes_context());
            Packet { header, context, body: body.clone() }.encode().unwrap()
        })
    });
    packets.collect()
}

/// One of the seeds with up to five bytes or bits changed, dropped or added; half of them with a payload length that
/// fits, so that the damage reaches the bodies.
pub(crate) fn mutated(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut raw = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(raw.len());
        match dice.below(4) {
            0 => raw[at] = dice.roll() as u8,
            1 => raw[at] ^= 1 << dice.below(8),
            2 => raw.truncate(at.max(1)),
            _ => raw.insert(at, dice.roll() as u8),
        }
    }
    if dice.below(2) == 0 && raw.len() >= 20 {
        raw.resize(raw.len().next_multiple_of(4), 0);
        let length = (raw.len() - 20) as u32;
        let network = raw[2] & 0x10 != 0;
        raw[16..20].copy_from_slice(&if network { length.to_be_bytes() } else { length.to_le_bytes() });
    }
    raw
}

#[test]
fn mutated_packets_are_read_or_refused_but_never_fatal() {
    let (seeds, mut dice) = (seeds(), Dice(0x9e37_79b9_7f4a_7c15));
    let (mut read, mut refused) = (0_u32, 0_u32);
    for _ in 0..200_000 {
        let raw = mutated(&seeds, &mut dice);
        match Packet::decode(&raw) {
            // What was read can be written; that it reads the same again is the other tests' business.
            Ok(packet) => {
                packet.encode().unwrap();
                read += 1;
            }
            Err(_) => refused += 1,
        }
        let mut framer = Framer::default();
        framer.push(&raw);
        while let Ok(Some(_)) = framer.next_packet() {}
    }
    assert!(
        read > 10_000 && refused > 10_000,
        "{read} read, {refused} refused: the mutations reach both sides"
    );
}
