//! The session machine, driven by hand against a master that the tests play.

use super::*;
use crate::mib::Mib;
use crate::pdu::{IndexChoice, SearchRange, Subtree};
use crate::syntax::{DISPLAY_STRING, INTEGER32};
use crate::table::{Column, Rows, Source, Table};
use crate::value::{integer, text};
use crate::wire::oid;
use rasn_snmp::v2::VarBindValue;

const ROOT: [u32; 4] = [1, 3, 6, 9];

/// Five rows that never change.
struct Five;

impl Source for Five {
    type State<'s> = ();
    type Change = ();
}

impl Rows for Five {
    type Source = Five;
    type Index = [u32; 1];
    type Row<'s> = u32;
}

const FIVE: Table<Five> = Table {
    name: "fiveEntry",
    entry: &[],
    index: &["fiveNumber"],
    rows: |_, start| {
        let number = start.numbers::<1>()?[0].max(1);
        (number <= 5).then_some(([number], number))
    },
    columns: &[
        Column::new(1, "fiveNumber", INTEGER32, |row| Some(integer(*row as i32))),
        Column::new(2, "fiveName", DISPLAY_STRING, |_| Some(text("name"))),
    ],
};

/// A session, the clock, and the packets that it sent and the test has not looked at yet.
struct Bench {
    session: Session,
    now: Instant,
    mib: Mib<Five>,
    sent: VecDeque<Packet>,
    others: Vec<Output>,
}

impl Bench {
    fn new() -> Self {
        let subtree = |last| Subtree { priority: 127, root: oid(&[1, 3, 6, 9, last]), range: None };
        let settings = Settings::new("test", vec![subtree(1), subtree(2)]);
        let now = Instant::now();
        Self {
            session: Session::new(settings, now),
            now,
            mib: Mib::new(&ROOT, &[&FIVE]),
            sent: VecDeque::new(),
            others: Vec::new(),
        }
    }

    fn feed(&mut self, input: Input) {
        let mut out = Vec::new();
        self.session.handle(self.now, input, &mut out);
        self.look(out);
    }

    fn receive(&mut self, raw: &[u8]) {
        let mut out = Vec::new();
        self.session.receive(self.now, raw, &self.mib.over(()), &mut out);
        self.look(out);
    }

    fn look(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send(raw) => self.sent.push_back(Packet::decode(&raw).unwrap()),
                other => self.others.push(other),
            }
        }
    }

    fn say(&mut self, header: Header, body: Body) {
        let raw = Packet { header, context: None, body }.encode().unwrap();
        self.receive(&raw);
    }

    fn sent(&mut self) -> Packet {
        self.sent.pop_front().expect("the session sent nothing")
    }

    fn others(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.others)
    }

    /// Answers the packet that the session sent last.
    fn reply(&mut self, to: &Packet, session: u32, error: ErrorStatus) {
        let body = Body::Response { uptime: 0, error, index: 0, binds: Vec::new() };
        self.say(Header { session, ..to.header }, body);
    }

    /// From nothing to serving as session 7.
    fn open(&mut self) {
        self.feed(Input::Start);
        self.open_connection();
    }

    fn open_connection(&mut self) {
        self.feed(Input::Connected);
        let open = self.sent();
        assert!(matches!(open.body, Body::Open { .. }));
        self.reply(&open, 7, ErrorStatus::NO_ERROR);
        for root in [1, 2] {
            let register = self.sent();
            match &register.body {
                Body::Register { subtree, .. } => assert_eq!(subtree.root, oid(&[1, 3, 6, 9, root])),
                other => panic!("{other:?}"),
            }
            self.reply(&register, 7, ErrorStatus::NO_ERROR);
        }
        assert!(self.session.is_serving());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.feed(Input::Timer);
    }

    /// Asks as the master would, and gives the answer's bindings.
    fn ask(&mut self, body: Body) -> (ErrorStatus, u16, Vec<VarBind>) {
        self.say(Header { session: 7, transaction: 3, packet: 99, order: ByteOrder::Little }, body);
        let answer = self.sent();
        assert_eq!((answer.header.transaction, answer.header.packet), (3, 99));
        match answer.body {
            Body::Response { error, index, binds, .. } => (error, index, binds),
            other => panic!("{other:?}"),
        }
    }
}

fn range(start: &[u32], include: bool, end: &[u32]) -> SearchRange {
    SearchRange { start: oid(start), include, end: oid(end) }
}

#[test]
fn it_opens_registers_and_then_serves() {
    let mut bench = Bench::new();
    bench.open();
    assert_eq!(bench.others(), [Output::Connect, Output::Changed(Change::Serving { session: 7 })]);
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
fn nothing_can_be_set() {
    let mut bench = Bench::new();
    bench.open();
    let bind = VarBind { name: oid(&[1, 3, 6, 9, 1, 1]), value: integer(5) };
    assert_eq!(bench.ask(Body::TestSet(vec![bind])), (ErrorStatus::NOT_WRITABLE, 1, vec![]));
    assert_eq!(bench.ask(Body::CommitSet).0, ErrorStatus::COMMIT_FAILED);
    assert_eq!(bench.ask(Body::UndoSet).0, ErrorStatus::UNDO_FAILED);
    bench.say(Header { session: 7, ..Header::default() }, Body::CleanupSet);
    assert!(bench.sent.is_empty());
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

#[test]
fn a_stream_that_is_not_agentx_ends_the_session() {
    let mut bench = Bench::new();
    bench.open();
    bench.others();
    bench.receive(b"HTTP/1.1 200 OK\r\nServer: surprise\r\n");
    let others = bench.others();
    assert_eq!(others[0], Output::Disconnect);
    assert!(matches!(others[1], Output::Changed(Change::Lost(Reason::Protocol(_)))));
}

#[test]
fn a_silent_master_is_pinged_and_then_given_up_and_tried_again() {
    let mut bench = Bench::new();
    bench.open();
    bench.others();
    bench.pass(Duration::from_secs(15));
    let ping = bench.sent();
    assert_eq!(ping.body, Body::Ping);
    bench.reply(&ping, 7, ErrorStatus::NO_ERROR);
    assert!(bench.others().is_empty());

    bench.pass(Duration::from_secs(15));
    assert_eq!(bench.sent().body, Body::Ping);
    bench.pass(Duration::from_secs(5));
    let lost = Output::Changed(Change::Lost(Reason::Timeout("a Ping")));
    assert_eq!(bench.others(), [Output::Disconnect, lost]);
    bench.pass(Duration::from_millis(625));
    assert_eq!(bench.others(), [Output::Connect]);
    bench.open_connection();
}

#[test]
fn attempts_back_off_up_to_the_limit_and_start_anew_after_success() {
    let mut bench = Bench::new();
    bench.feed(Input::Start);
    let mut waits = Vec::new();
    for _ in 0..7 {
        bench.feed(Input::ConnectionLost("refused".into()));
        let wait = bench.session.deadline().unwrap() - bench.now;
        waits.push(wait.as_millis());
        bench.pass(wait);
    }
    // Each a quarter longer or shorter, and not all alike.
    let nominal = [500, 1000, 2000, 4000, 8000, 10000, 10000];
    assert!(waits.iter().zip(nominal).all(|(w, n)| (n * 3 / 4..=n * 5 / 4).contains(w)), "{waits:?}");
    assert!(waits.iter().zip(nominal).any(|(w, n)| *w != n), "{waits:?}");
    bench.open_connection();
    bench.feed(Input::ConnectionLost("reset".into()));
    let wait = bench.session.deadline().unwrap() - bench.now;
    assert!((Duration::from_millis(375)..=Duration::from_millis(625)).contains(&wait), "{wait:?}");
}

#[test]
fn a_master_that_accepts_and_says_nothing_is_given_up() {
    let mut bench = Bench::new();
    bench.feed(Input::Start);
    bench.feed(Input::Connected);
    bench.sent();
    bench.others();
    bench.pass(Duration::from_secs(5));
    let change = Change::Unreachable(Reason::Timeout("an Open"));
    assert_eq!(bench.others(), [Output::Disconnect, Output::Changed(change)]);
}

#[test]
fn late_and_unasked_responses_change_nothing() {
    let mut bench = Bench::new();
    bench.feed(Input::Start);
    bench.feed(Input::Connected);
    let open = bench.sent();
    let mut stranger = open.clone();
    stranger.header.packet += 40;
    bench.reply(&stranger, 9, ErrorStatus::NO_ERROR);
    assert!(bench.sent.is_empty());
    bench.reply(&open, 7, ErrorStatus::NO_ERROR);
    bench.sent();
    bench.reply(&open, 7, ErrorStatus::NO_ERROR);
    assert!(bench.sent.is_empty(), "an Open answered twice is opened once");
}

#[test]
fn a_refused_registration_is_tried_again_later() {
    let mut bench = Bench::new();
    bench.feed(Input::Start);
    bench.feed(Input::Connected);
    let open = bench.sent();
    bench.reply(&open, 7, ErrorStatus::NO_ERROR);
    let register = bench.sent();
    bench.others();
    bench.reply(&register, 7, ErrorStatus::DUPLICATE_REGISTRATION);
    let reason = Reason::Refused("a registration", ErrorStatus::DUPLICATE_REGISTRATION);
    assert_eq!(bench.others(), [Output::Disconnect, Output::Changed(Change::Unreachable(reason))]);
    assert!(bench.session.deadline().is_some());
}

#[test]
fn the_master_may_close_the_session() {
    let mut bench = Bench::new();
    bench.open();
    bench.others();
    bench.say(Header { session: 7, ..Header::default() }, Body::Close(CloseReason::Shutdown));
    let reason = Reason::Closed(CloseReason::Shutdown);
    assert_eq!(bench.others(), [Output::Disconnect, Output::Changed(Change::Lost(reason))]);
}

#[test]
fn stopping_closes_the_session_and_does_not_wait_for_ever() {
    let mut bench = Bench::new();
    bench.open();
    bench.others();
    bench.feed(Input::Stop);
    assert_eq!(bench.sent().body, Body::Close(CloseReason::Shutdown));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.others(), [Output::Disconnect, Output::Changed(Change::Stopped)]);
    assert!(bench.session.is_stopped());
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn notifications_wait_for_a_session_and_the_oldest_go_when_too_many_wait() {
    let mut bench = Bench::new();
    bench.feed(Input::Start);
    for number in 0..MAX_WAITING_NOTIFICATIONS as i32 + 3 {
        bench.feed(Input::Notify(vec![VarBind { name: oid(&ROOT), value: integer(number) }]));
    }
    bench.open_connection();
    let first = bench.sent();
    assert_eq!(first.body, Body::Notify(vec![VarBind { name: oid(&ROOT), value: integer(3) }]));
    assert_eq!(bench.sent.len(), MAX_WAITING_NOTIFICATIONS - 1);
    assert_eq!(bench.session.dropped_notifications(), 3);
    bench.others();
    bench.reply(&first, 7, ErrorStatus::PROCESSING_ERROR);
    assert_eq!(bench.others(), [Output::Changed(Change::Refused(ErrorStatus::PROCESSING_ERROR))]);
    assert!(bench.session.is_serving());
}

#[test]
fn whatever_the_master_sends_the_session_lives_or_is_opened_anew() {
    use crate::proptests::{Dice, mutated, seeds};
    let (seeds, mut dice) = (seeds(), Dice(0x2545_f491_4f6c_dd1d));
    let mut bench = Bench::new();
    bench.open();
    let mut losses = 0;
    for _ in 0..30_000 {
        // Packets for our session, so that they are not all refused as another's.
        let mut raw = mutated(&seeds, &mut dice);
        if let Some(session) = raw.get_mut(4..8) {
            let network = dice.below(2) == 0;
            session.copy_from_slice(&if network { 7_u32.to_be_bytes() } else { 7_u32.to_le_bytes() });
        }
        bench.receive(&raw);
        while bench.session.has_backlog() {
            bench.receive(&[]);
        }
        bench.sent.clear();
        if !bench.session.is_serving() {
            losses += 1;
            let wait = bench.session.deadline().unwrap() - bench.now;
            bench.pass(wait);
            bench.open_connection();
        }
        bench.others();
    }
    assert!(losses > 100, "{losses} losses: the damage was not seen");
}

#[test]
fn a_connection_that_comes_after_it_was_given_up_is_closed() {
    let mut bench = Bench::new();
    bench.feed(Input::Start);
    bench.pass(Duration::from_secs(5));
    bench.others();
    bench.feed(Input::Connected);
    assert_eq!(bench.others(), [Output::Disconnect]);
}

#[test]
fn what_is_asked_of_the_master_is_answered_by_token() {
    let mut bench = Bench::new();
    bench.feed(Input::Ask(1, Ask::RemoveCapability(oid(&[1, 3]))));
    assert_eq!(bench.others(), [Output::Answered(1, Err(AskError::NotOpen))], "there is no session yet");
    bench.open();
    bench.others();
    let index = |number| vec![VarBind { name: oid(&[1, 3, 6, 9, 5]), value: integer(number) }];
    bench.feed(Input::Ask(2, Ask::AllocateIndexes(IndexChoice::Any, index(0))));
    bench.feed(Input::Ask(3, Ask::DeallocateIndexes(index(9))));
    let (allocate, deallocate) = (bench.sent(), bench.sent());
    assert_eq!(allocate.body, Body::IndexAllocate(IndexChoice::Any, index(0)));
    // The answers may come in any order.
    bench.reply(&deallocate, 7, ErrorStatus::INDEX_NOT_ALLOCATED);
    let body = Body::Response { uptime: 0, error: ErrorStatus::NO_ERROR, index: 0, binds: index(4) };
    bench.say(Header { session: 7, ..allocate.header }, body);
    let refused = Err(AskError::Refused(ErrorStatus::INDEX_NOT_ALLOCATED, 0));
    assert_eq!(bench.others(), [Output::Answered(3, refused), Output::Answered(2, Ok(index(4)))]);

    // One that is never answered costs itself, and one under way ends with the session.
    let subtree = Subtree { priority: 5, root: oid(&[1, 3, 6, 9, 8]), range: Some((5, 12)) };
    bench.feed(Input::Ask(4, Ask::Register(subtree.clone(), true)));
    assert_eq!(bench.sent().body, Body::Register { timeout: 0, instance: true, subtree });
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.others(), [Output::Answered(4, Err(AskError::NoAnswer))]);
    assert!(bench.session.is_serving());
    bench.feed(Input::Ask(5, Ask::RemoveCapability(oid(&[1, 3]))));
    bench.feed(Input::ConnectionLost("gone".into()));
    assert_eq!(bench.others()[0], Output::Answered(5, Err(AskError::NotOpen)));
}

/// Tables that can be set, and what was.
struct Lamp(std::cell::RefCell<[i32; 2]>);

impl Tree for Lamp {
    fn get(&self, _: Option<&bytes::Bytes>, name: &[u32]) -> VarBindValue {
        integer(self.0.borrow()[*name.last().unwrap() as usize])
    }

    fn next(
        &self,
        _: Option<&bytes::Bytes>,
        _: &[u32],
        _: bool,
    ) -> Option<(rasn::types::ObjectIdentifier, VarBindValue)> {
        None
    }

    fn test(&self, _: Option<&bytes::Bytes>, _: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        match crate::value::as_integer(value) {
            Some(0..=9) => Ok(()),
            Some(_) => Err(ErrorStatus::WRONG_VALUE),
            None => Err(ErrorStatus::WRONG_TYPE),
        }
    }

    fn set(&self, _: Option<&bytes::Bytes>, name: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        // One that fails although it was tested.
        let number = crate::value::as_integer(value).filter(|number| *number != 8);
        self.0.borrow_mut()[*name.last().unwrap() as usize] = number.ok_or(ErrorStatus::GEN_ERR)?;
        Ok(())
    }
}

#[test]
fn a_set_is_tested_whole_done_and_taken_back() {
    let (mut bench, lamp) = (Bench::new(), Lamp([1, 2].into()));
    bench.open();
    let bind = |at, number| VarBind { name: oid(&[1, 3, 6, 9, 1, at]), value: integer(number) };
    let ask = |bench: &mut Bench, transaction, body| {
        let header = Header { session: 7, transaction, packet: 5, order: ByteOrder::Network };
        let raw = Packet { header, context: None, body }.encode().unwrap();
        let mut out = Vec::new();
        bench.session.receive(bench.now, &raw, &lamp, &mut out);
        out.into_iter().next().map(|output| match output {
            Output::Send(raw) => match Packet::decode(&raw).unwrap().body {
                Body::Response { error, index, .. } => (error, index),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
    };
    let good = (ErrorStatus::NO_ERROR, 0);
    assert_eq!(
        ask(&mut bench, 1, Body::TestSet(vec![bind(0, 5), bind(1, 77)])),
        Some((ErrorStatus::WRONG_VALUE, 2))
    );
    assert_eq!(
        ask(&mut bench, 1, Body::CommitSet),
        Some((ErrorStatus::COMMIT_FAILED, 0)),
        "it was not possible"
    );
    assert_eq!(*lamp.0.borrow(), [1, 2]);

    assert_eq!(ask(&mut bench, 2, Body::TestSet(vec![bind(0, 5), bind(1, 6)])), Some(good));
    assert_eq!(*lamp.0.borrow(), [1, 2], "a test changes nothing");
    assert_eq!(
        ask(&mut bench, 3, Body::CommitSet).unwrap().0,
        ErrorStatus::COMMIT_FAILED,
        "another transaction"
    );
    assert_eq!(ask(&mut bench, 2, Body::CommitSet), Some(good));
    assert_eq!(*lamp.0.borrow(), [5, 6]);
    assert_eq!(ask(&mut bench, 2, Body::CleanupSet), None, "has no answer");
    assert_eq!(ask(&mut bench, 2, Body::UndoSet).unwrap().0, ErrorStatus::UNDO_FAILED, "it is over");

    // The second fails when it is done, and the first is taken back.
    assert_eq!(ask(&mut bench, 4, Body::TestSet(vec![bind(0, 7), bind(1, 8)])), Some(good));
    assert_eq!(ask(&mut bench, 4, Body::CommitSet), Some((ErrorStatus::COMMIT_FAILED, 2)));
    assert_eq!(ask(&mut bench, 4, Body::UndoSet), Some(good));
    assert_eq!(*lamp.0.borrow(), [5, 6]);
}
