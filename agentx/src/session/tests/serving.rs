//! What the master asks for.

use super::*;
use crate::pdu::SearchRange;
use rasn_snmp::v2::VarBindValue;

fn range(start: &[u32], include: bool, end: &[u32]) -> SearchRange {
    SearchRange { start: oid(start), include, end: oid(end) }
}

#[test]
fn gets_are_answered_from_the_tree_in_the_askers_byte_order() {
    let mut bench = Bench::new();
    bench.open();
    let ranges = vec![range(&[1, 3, 6, 9, 1, 2], false, &[]), range(&[1, 3, 6, 9, 1, 77], false, &[])];
    let (error, _, binds) = bench.ask(Body::Get(ranges));
    assert_eq!(error, ErrorStatus::NO_ERROR);
    let values: Vec<_> = binds.into_iter().map(|bind| bind.value).collect();
    assert_eq!(values, [integer(2), VarBindValue::NoSuchInstance]);
}

#[test]
fn next_stays_inside_its_range() {
    let mut bench = Bench::new();
    bench.open();
    let ranges = vec![
        range(&[1, 3, 6, 9, 1, 5], false, &[1, 3, 6, 9, 2]),
        range(&[1, 3, 6, 9, 1, 5], true, &[1, 3, 6, 9, 2]),
        range(&[1, 3, 6, 9, 1, 5], false, &[]),
    ];
    let (_, _, binds) = bench.ask(Body::GetNext(ranges));
    assert_eq!(binds[0].value, VarBindValue::EndOfMibView);
    assert_eq!(binds[0].name, oid(&[1, 3, 6, 9, 1, 5]));
    assert_eq!(binds[1].value, integer(5));
    assert_eq!(binds[2].name, oid(&[1, 3, 6, 9, 2, 1]));
}

#[test]
fn bulk_goes_round_until_every_range_has_ended() {
    let mut bench = Bench::new();
    bench.open();
    let body = Body::GetBulk {
        non_repeaters: 1,
        max_repetitions: 50,
        ranges: vec![
            range(&ROOT, false, &[]),
            range(&[1, 3, 6, 9, 1, 3], false, &[1, 3, 6, 9, 2]),
            range(&[1, 3, 6, 9, 2, 4], false, &[1, 3, 6, 9, 3]),
        ],
    };
    let (_, _, binds) = bench.ask(body);
    let rows: Vec<_> =
        binds.iter().map(|bind| (bind.name.to_string(), bind.value == VarBindValue::EndOfMibView)).collect();
    let want = [
        ("1.3.6.9.1.1", false),
        ("1.3.6.9.1.4", false),
        ("1.3.6.9.2.5", false),
        ("1.3.6.9.1.5", false),
        ("1.3.6.9.2.5", true),
        ("1.3.6.9.1.5", true),
        ("1.3.6.9.2.5", true),
    ];
    assert_eq!(rows, want.map(|(name, end)| (name.to_owned(), end)));
}

#[test]
fn a_bulk_that_asks_for_the_world_gets_a_bounded_answer() {
    let mut bench = Bench::new();
    bench.open();
    let ranges = vec![range(&ROOT, false, &[]); 1000];
    let (error, _, binds) = bench.ask(Body::GetBulk { non_repeaters: 0, max_repetitions: 65535, ranges });
    assert_eq!(error, ErrorStatus::NO_ERROR);
    assert_eq!(binds.len(), 2000);
}

#[test]
fn requests_that_come_all_at_once_are_answered_bit_by_bit() {
    let mut bench = Bench::new();
    bench.open();
    let ranges = vec![range(&ROOT, false, &[]); 1000];
    let body = Body::GetBulk { non_repeaters: 0, max_repetitions: 2, ranges };
    let header = Header { session: 7, ..Header::default() };
    let raw = Packet { header, context: None, body }.encode().unwrap();
    bench.receive(&raw.repeat(10));
    let mut rounds = 1;
    assert!(bench.sent.len() < 10 && bench.session.has_backlog());
    while bench.session.has_backlog() {
        bench.receive(&[]);
        rounds += 1;
    }
    assert_eq!(bench.sent.len(), 10);
    assert!(rounds > 2);
}

#[test]
fn requests_for_another_session_are_told_so() {
    let mut bench = Bench::new();
    bench.open();
    bench.say(Header { session: 8, ..Header::default() }, Body::Ping);
    let error = match bench.sent().body {
        Body::Response { error, .. } => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error, ErrorStatus::NOT_OPEN);
}

#[test]
fn what_cannot_be_parsed_is_answered_so_and_the_session_goes_on() {
    let mut bench = Bench::new();
    bench.open();
    let header = Header { session: 7, ..Header::default() };
    let mut raw = Packet { header, context: None, body: Body::Ping }.encode().unwrap();
    raw[1] = 77;
    bench.receive(&raw);
    assert!(matches!(bench.sent().body, Body::Response { error: ErrorStatus::PARSE_ERROR, .. }));
    assert!(bench.session.is_serving());
}
