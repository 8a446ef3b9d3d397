//! The runner against masters that misbehave, over a real Unix socket. The tests play the master.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use rasn::types::ObjectIdentifier;
use snmp_agentx::framer::Framer;
use snmp_agentx::{
    Address, Body, Change, ErrorStatus, Handle, Header, Packet, Reason, SearchRange, Settings, Subagent,
    Subtree, Tree, VarBind, VarBindValue, oid, value,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const ROOT: [u32; 8] = [1, 3, 6, 1, 4, 1, 8072, 9999];
const SOON: Duration = Duration::from_secs(20);

/// Two hundred texts of two hundred octets.
struct Pages;

impl Tree for Pages {
    fn get(&self, _: Option<&bytes::Bytes>, _: &[u32]) -> VarBindValue {
        VarBindValue::NoSuchInstance
    }

    fn next(
        &self,
        _: Option<&bytes::Bytes>,
        start: &[u32],
        _: bool,
    ) -> Option<(ObjectIdentifier, VarBindValue)> {
        let page = start.get(ROOT.len()).map_or(1, |page| page + 1);
        let name = oid(&[ROOT.as_slice(), &[page]].concat());
        (page <= 200).then(|| (name, value::text(&"x".repeat(200))))
    }
}

/// Both ways to wait.
const WAYS: [Way; 2] = [Way::Task, Way::Thread];

#[derive(Clone, Copy)]
enum Way {
    Task,
    Thread,
}

/// A subagent with little patience, and a master's listener for it.
struct Scene {
    listener: UnixListener,
    changes: UnboundedReceiver<Change>,
    handle: Handle,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new(way: Way) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master");
        let listener = UnixListener::bind(&path).unwrap();
        let settings = Settings {
            answer_within: Duration::from_millis(300),
            ping_every: Duration::from_secs(60),
            retry_first: Duration::from_millis(20),
            ..Settings::new("test", vec![Subtree { priority: 127, root: oid(&ROOT), range: None }])
        };
        let (handle, subagent) =
            Subagent::new(Address::Unix(path.clone()), settings, |answer| answer(&Pages));
        let (sender, changes) = unbounded_channel();
        let report = move |change| sender.send(change).unwrap_or_default();
        match way {
            Way::Task => drop(tokio::spawn(subagent.run(report))),
            Way::Thread => drop(std::thread::spawn(|| subagent.run_blocking(report).unwrap())),
        }
        Self { listener, changes, handle, path, _directory: directory }
    }

    async fn accept(&self) -> Master {
        let (stream, _) = timeout(SOON, self.listener.accept()).await.unwrap().unwrap();
        Master { stream, framer: Framer::default() }
    }

    /// A session that serves, as number 5.
    async fn open(&mut self) -> Master {
        let mut master = self.accept().await;
        for _ in ["Open", "Register"] {
            let asked = master.receive().await;
            master.answer(&asked).await;
        }
        assert_eq!(self.change().await, Change::Serving { session: 5 });
        master
    }

    async fn change(&mut self) -> Change {
        timeout(SOON, self.changes.recv()).await.unwrap().unwrap()
    }
}

struct Master {
    stream: UnixStream,
    framer: Framer,
}

impl Master {
    async fn receive(&mut self) -> Packet {
        loop {
            if let Some(raw) = self.framer.next_packet().unwrap() {
                return Packet::decode(&raw).unwrap();
            }
            let mut raw = [0; 4096];
            let count = timeout(SOON, self.stream.read(&mut raw)).await.unwrap().unwrap();
            assert!(count > 0, "the subagent hung up");
            self.framer.push(&raw[..count]);
        }
    }

    async fn send(&mut self, header: Header, body: Body) {
        let raw = Packet { header, context: None, body }.encode().unwrap();
        self.stream.write_all(&raw).await.unwrap();
    }

    async fn answer(&mut self, to: &Packet) {
        let body = Body::Response { uptime: 0, error: ErrorStatus::NO_ERROR, index: 0, binds: vec![] };
        self.send(Header { session: 5, ..to.header }, body).await;
    }
}

fn everything() -> Body {
    let range = SearchRange { start: oid(&ROOT), include: false, end: oid(&[]) };
    Body::GetBulk { non_repeaters: 0, max_repetitions: 200, ranges: vec![range] }
}

#[tokio::test]
async fn a_bulk_request_is_answered_over_the_socket() {
    for way in WAYS {
        let mut scene = Scene::new(way);
        let mut master = scene.open().await;
        master.send(Header { session: 5, packet: 9, ..Header::default() }, everything()).await;
        match master.receive().await.body {
            Body::Response { error, binds, .. } => {
                assert_eq!((error, binds.len()), (ErrorStatus::NO_ERROR, 200))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_master_that_asks_and_never_reads_is_given_up_and_costs_no_memory() {
    for way in WAYS {
        let mut scene = Scene::new(way);
        let mut master = scene.open().await;
        // Asks for some 40 KiB each time. Once answers are not taken, the subagent must stop reading the questions.
        let question =
            Packet { header: Header { session: 5, ..Header::default() }, context: None, body: everything() };
        let raw = question.encode().unwrap();
        let asked = timeout(SOON, async {
            let mut asked = 0_u64;
            while master.stream.write_all(&raw).await.is_ok() {
                asked += 1;
            }
            asked
        });
        let asked = asked.await.expect("the subagent hangs up on its own");
        assert!(asked < 100_000, "{asked} questions were taken in");
        let lost = Change::Lost(Reason::Connection("the master takes no answers".into()));
        assert_eq!(scene.change().await, lost);
        scene.open().await;
    }
}

#[tokio::test]
async fn a_master_that_accepts_and_says_nothing_is_left_and_tried_again() {
    for way in WAYS {
        let mut scene = Scene::new(way);
        let silent = scene.accept().await;
        assert_eq!(scene.change().await, Change::Unreachable(Reason::Timeout("an Open")));
        drop(silent);
        scene.open().await;
    }
}

#[tokio::test]
async fn a_master_that_talks_nonsense_is_left_and_tried_again() {
    for way in WAYS {
        let mut scene = Scene::new(way);
        let mut master = scene.open().await;
        master.stream.write_all(&[0xff; 4096]).await.unwrap();
        assert!(matches!(scene.change().await, Change::Lost(Reason::Protocol(_))));
        scene.open().await;
    }
}

#[tokio::test]
async fn a_socket_that_goes_away_and_comes_back_is_found() {
    for way in WAYS {
        let mut scene = Scene::new(way);
        let master = scene.open().await;
        std::fs::remove_file(&scene.path).unwrap();
        drop(master);
        assert!(matches!(scene.change().await, Change::Lost(Reason::Connection(_))));
        assert!(matches!(scene.change().await, Change::Unreachable(Reason::Connection(_))));
        scene.listener = UnixListener::bind(&scene.path).unwrap();
        loop {
            let mut master = scene.accept().await;
            let asked = master.receive().await;
            if matches!(asked.body, Body::Open { .. }) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn notifications_and_the_end_go_through_the_handle() {
    for way in WAYS {
        let mut scene = Scene::new(way);
        let mut master = scene.open().await;
        let binds = vec![VarBind { name: oid(&ROOT), value: value::integer(1) }];
        assert!(scene.handle.notify(binds.clone()));
        let notify = master.receive().await;
        assert_eq!(notify.body, Body::Notify(binds));
        master.answer(&notify).await;
        assert_eq!(scene.change().await, Change::Notified);
        assert!(scene.handle.stop());
        let close = master.receive().await;
        assert!(matches!(close.body, Body::Close(_)));
        master.answer(&close).await;
        assert_eq!(scene.change().await, Change::Stopped);
    }
}
