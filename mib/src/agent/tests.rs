use std::time::Duration;

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{BusSettings, Hub, delivery, sample};
use snmp_agentx::framer::Framer;
use snmp_agentx::{Body, ErrorStatus, Header, Packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::*;

const BOTH: Parts = Parts::ALL;

#[test]
fn what_is_served_is_what_is_enabled_and_runs() {
    let mut config = Config::default();
    let of = |config: &Config, everything, running| {
        Settings::of(config, everything, None, running).unwrap().map(|settings| settings.parts)
    };
    assert_eq!(of(&config, false, BOTH), None);
    assert_eq!(of(&config, true, BOTH), Some(BOTH));
    config.global.snmp.checker = true;
    assert_eq!(of(&config, false, BOTH), Some(Parts { checker: true, ..Parts::default() }));
    assert_eq!(of(&config, false, Parts { checker: false, ..BOTH }), None);
}

#[test]
fn the_command_line_says_where_the_master_is_then_the_file_then_habit() {
    let mut config = Config::default();
    let of = |config: &Config, socket| {
        Settings::of(config, true, socket, BOTH).map(|settings| settings.unwrap().master)
    };
    assert_eq!(of(&config, None), Ok(Address::default()));
    config.global.snmp.socket = Some("tcp:localhost:705".into());
    assert_eq!(of(&config, None), Ok(Address::Tcp("localhost".into(), 705)));
    assert_eq!(of(&config, Some("/run/master")), Ok(Address::Unix("/run/master".into())));
    assert!(of(&config, Some("nonsense")).is_err());
}

/// A master that says yes to everything.
struct Master {
    stream: UnixStream,
    framer: Framer,
    listener: UnixListener,
}

impl Master {
    async fn accept(listener: UnixListener) -> Self {
        let (stream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        Self { stream, framer: Framer::default(), listener }
    }

    /// The number of notifications that it has heard, as soon as it is so many.
    async fn hear(&mut self, count: usize) {
        let all = self.answer_until(count);
        timeout(SOON, all).await.unwrap();
    }

    async fn answer_until(&mut self, count: usize) {
        let mut heard = 0;
        while heard < count {
            let Some(raw) = self.framer.next_packet().unwrap() else {
                let mut raw = [0; 4096];
                let read = self.stream.read(&mut raw).await.unwrap();
                assert!(read > 0, "the agent hung up");
                self.framer.push(&raw[..read]);
                continue;
            };
            let asked = Packet::decode(&raw).unwrap();
            heard += usize::from(matches!(asked.body, Body::Notify(_)));
            let header = Header { session: 5, ..asked.header };
            let body = Body::Response { uptime: 0, error: ErrorStatus::NO_ERROR, index: 0, binds: vec![] };
            self.stream.write_all(&Packet { header, context: None, body }.encode().unwrap()).await.unwrap();
        }
    }
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn notifications_wait_for_a_master_that_is_away_and_when_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master");
    let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
    let reader = hub.reader();
    tokio::spawn(hub.run());
    let parts = Parts { vrrp: true, ..Parts::default() };
    let wanted = Settings { master: Address::Unix(path.clone()), parts, traps: true };
    let (settings, receiver) = watch::channel(Some(wanted));
    let (mut feed, events) = delivery::queue(100_000);
    let (asked, _sets) = mpsc::unbounded_channel();
    let agent = tokio::spawn(run(receiver, reader.clone(), bus.downgrade(), events, asked));
    let mut happens = |count: u64| {
        for id in 1..=count {
            let (from, to) = (VrrpState::Backup, VrrpState::Master);
            let fact = VrrpFact::GroupStateChanged { group: "VG_1".into(), from, to };
            feed.send(&Arc::new(sample::event(id, None, fact)));
        }
    };
    let counts = || {
        let counted = reader.counters().deliveries.resolve(&SNMP_TRAPS.into());
        (counted.delivered.get(), counted.lost.get())
    };
    let delivered = async |count: u64| {
        let all = async {
            while counts().0 < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, all).await.unwrap();
    };

    let told_lost = async |times: usize| {
        let told = async {
            while reader.history().iter().filter(|event| event.fact.kind() == "master_agent_lost").count()
                < times
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, told).await.unwrap();
    };

    // It is not there yet.
    told_lost(1).await;
    happens(1000);
    let mut master = Master::accept(UnixListener::bind(&path).unwrap()).await;
    master.hear(1000).await;
    delivered(1000).await;
    assert_eq!(counts(), (1000, 0));

    // It goes, and comes back.
    let Master { stream, listener, .. } = master;
    drop(stream);
    told_lost(2).await;
    happens(1000);
    let mut master = Master::accept(listener).await;
    master.hear(1000).await;
    delivered(2000).await;
    assert_eq!(counts(), (2000, 0));

    // Of what waits at the end each is counted.
    drop(master);
    told_lost(3).await;
    happens(1000);
    drop(feed);
    timeout(SOON, agent).await.unwrap().unwrap().unwrap();
    assert_eq!(counts(), (2000, 1000));
    drop(settings);
}
