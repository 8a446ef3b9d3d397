//! The session machine, driven by hand against a master that the tests play.

mod serving;
mod setting;

use super::*;
use crate::mib::Mib;
use crate::pdu::{ErrorStatus, IndexChoice, Subtree};
use crate::syntax::{DISPLAY_STRING, INTEGER32};
use crate::table::{Column, Rows, Source, Table};
use crate::value::{integer, text};
use crate::wire::oid;

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

    /// One whose session the master has opened.
    fn opened() -> Self {
        let mut bench = Self::new();
        bench.feed(Input::Start);
        bench.open_session();
        bench
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

    fn open_session(&mut self) {
        self.feed(Input::Connected);
        let open = self.sent();
        assert!(matches!(open.body, Body::Open { .. }));
        self.reply(&open, 7, ErrorStatus::NO_ERROR);
    }

    fn open_connection(&mut self) {
        self.open_session();
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

#[test]
fn it_opens_registers_and_then_serves() {
    let mut bench = Bench::new();
    bench.open();
    assert_eq!(bench.others(), [Output::Connect, Output::Changed(Change::Serving { session: 7 })]);
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
    let mut bench = Bench::opened();
    let register = bench.sent();
    bench.others();
    bench.reply(&register, 7, ErrorStatus::REQUEST_DENIED);
    let reason = Reason::Refused("a registration", ErrorStatus::REQUEST_DENIED);
    assert_eq!(bench.others(), [Output::Disconnect, Output::Changed(Change::Unreachable(reason))]);
    assert!(bench.session.deadline().is_some());
}

#[test]
fn behind_a_subagent_that_has_the_subtree_already_it_is_registered_with_the_next_priority_that_is_free() {
    let mut bench = Bench::opened();
    bench.others();
    let asked = |packet: &Packet| match &packet.body {
        Body::Register { subtree, .. } => (subtree.priority, subtree.root.clone()),
        other => panic!("no registration: {other:?}"),
    };
    let mut register = bench.sent();
    let (first, root) = asked(&register);
    for behind in 1..=3 {
        bench.reply(&register, 7, ErrorStatus::DUPLICATE_REGISTRATION);
        register = bench.sent();
        assert_eq!(asked(&register), (first + behind, root.clone()));
    }
    bench.reply(&register, 7, ErrorStatus::NO_ERROR);
    assert_eq!(bench.others().first(), Some(&Output::Changed(Change::Behind(root))));

    // All that there are is too many.
    let mut bench = Bench::opened();
    bench.others();
    for _ in first..u8::MAX {
        let register = bench.sent();
        bench.reply(&register, 7, ErrorStatus::DUPLICATE_REGISTRATION);
    }
    let register = bench.sent();
    assert_eq!(asked(&register).0, u8::MAX);
    bench.reply(&register, 7, ErrorStatus::DUPLICATE_REGISTRATION);
    let reason = Reason::Refused("a registration", ErrorStatus::DUPLICATE_REGISTRATION);
    assert_eq!(bench.others(), [Output::Disconnect, Output::Changed(Change::Unreachable(reason))]);
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
    assert_eq!(bench.sent.len(), WINDOW - 1);
    let lost = |output: &&Output| **output == Output::Changed(Change::NotificationsLost(1));
    assert_eq!(bench.others().iter().filter(lost).count(), 3);
    bench.reply(&first, 7, ErrorStatus::PROCESSING_ERROR);
    assert_eq!(bench.others(), [Output::Changed(Change::Refused(ErrorStatus::PROCESSING_ERROR))]);
    let second = bench.sent();
    bench.reply(&second, 7, ErrorStatus::NO_ERROR);
    assert_eq!(bench.others(), [Output::Changed(Change::Notified)]);
    assert!(bench.session.is_serving());

    // Of those that were given to the master nobody will know; the others wait for the next one.
    bench.feed(Input::ConnectionLost("gone".into()));
    assert_eq!(bench.others()[0], Output::Changed(Change::NotificationsLost(WINDOW as u64)));
    bench.sent.clear();
    bench.pass(Duration::from_secs(60));
    bench.open_connection();
    let next = WINDOW as i32 + 5;
    assert_eq!(bench.sent().body, Body::Notify(vec![VarBind { name: oid(&ROOT), value: integer(next) }]));
}

#[test]
fn a_master_that_takes_no_notification_any_more_is_given_up_and_one_that_is_slow_is_not() {
    let mut bench = Bench::new();
    bench.open();
    for number in 0..3 {
        bench.feed(Input::Notify(vec![VarBind { name: oid(&ROOT), value: integer(number) }]));
    }
    let told: Vec<_> = bench.sent.drain(..).collect();
    let within = PATIENCE * bench.session.settings.answer_within;
    let wait = |bench: &mut Bench, mut time: Duration| {
        while !time.is_zero() && bench.session.is_serving() {
            let step = time.min(Duration::from_millis(500));
            bench.pass(step);
            time -= step;
            for ping in bench.sent.drain(..).collect::<Vec<_>>() {
                bench.reply(&ping, 7, ErrorStatus::NO_ERROR);
            }
        }
    };
    for taken in &told[..2] {
        wait(&mut bench, within - Duration::from_secs(1));
        bench.reply(taken, 7, ErrorStatus::NO_ERROR);
    }
    wait(&mut bench, within - Duration::from_secs(1));
    assert!(bench.session.is_serving());
    wait(&mut bench, Duration::from_secs(2));
    let lost = Output::Changed(Change::Lost(Reason::Timeout("a notification")));
    assert!(bench.others().contains(&lost));
}

#[test]
fn the_master_is_given_a_notification_more_for_each_that_it_takes_and_the_rest_at_the_end() {
    let mut bench = Bench::new();
    bench.open();
    for number in 0..WINDOW as i32 + 10 {
        assert_eq!(bench.session.has_room(), number < WINDOW as i32);
        bench.feed(Input::Notify(vec![VarBind { name: oid(&ROOT), value: integer(number) }]));
    }
    assert_eq!(bench.sent.len(), WINDOW);
    let first: Vec<_> = bench.sent.drain(..5).collect();
    for taken in &first {
        bench.reply(taken, 7, ErrorStatus::NO_ERROR);
    }
    assert_eq!(bench.sent.len(), WINDOW);
    bench.feed(Input::Stop);
    let last = bench.sent.pop_back().map(|packet| packet.body);
    assert_eq!(last, Some(Body::Close(CloseReason::Shutdown)));
    assert_eq!(bench.sent.len(), WINDOW + 5);
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
