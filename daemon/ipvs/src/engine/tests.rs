//! The engine as a whole, on the memory and shadow data planes.

use std::sync::Arc;

use keepwatch_bus::fact::IpvsFact;
use keepwatch_bus::{BusSettings, Event, Fact, Hub, Reader};

use super::*;
use crate::fixture::{VIP, definition, server, web};

fn desired(servers: &[u8]) -> Desired {
    let servers = servers.iter().map(|n| (*n, server(1)));
    Desired { definitions: vec![definition(servers)], ..Desired::default() }
}

fn start(dataplane: DataplaneKind) -> (Engine, Hub) {
    let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
    let settings = EngineSettings {
        dataplane,
        audit: Duration::from_millis(10),
        flush_at_start: false,
        ..EngineSettings::default()
    };
    (Engine::start(settings, bus), hub)
}

async fn told(engine: Engine, mut hub: Hub) -> (Vec<Arc<Event>>, Reader) {
    let (mut queue, reader) = (hub.deliver("test", |_| true), hub.reader());
    drop(engine);
    hub.run().await;
    let mut events = Vec::new();
    while let Ok(event) = queue.try_recv() {
        events.push(event);
    }
    (events, reader)
}

#[tokio::test]
async fn in_shadow_every_operation_is_told_and_none_is_done() {
    let (engine, hub) = start(DataplaneKind::Shadow);
    engine.apply(desired(&[2, 3]), None, |_| ());
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.report(RealKey { service: VIP, real: web(2) }, Health::DOWN, None);
    engine.stop(Farewell::Release, None).await;
    let (events, _) = told(engine, hub).await;
    let withheld: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Ipvs(IpvsFact::IpvsWithheld { operation }) => Some(operation.as_str()),
            _ => None,
        })
        .collect();
    let first = withheld.first().copied().unwrap_or_default();
    assert_eq!(first, "add service [10.0.0.1]:tcp:80 (rr)");
    assert_eq!(withheld.last().copied().unwrap_or_default(), "delete service [10.0.0.1]:tcp:80");
    assert!(
        withheld.contains(&"add real server 192.168.0.3:8080 to [10.0.0.1]:tcp:80 (weight 1)"),
        "{withheld:?}"
    );
}

/// What IPVS counts is read again when somebody wants it and it is old, and not otherwise.
#[tokio::test]
async fn figures_are_read_when_they_are_wanted_and_old() {
    let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
    let settings = EngineSettings { dataplane: DataplaneKind::Memory, ..EngineSettings::default() };
    let engine = Engine::start(settings, bus);
    let mut wanted = desired(&[2]);
    wanted.meters.freshness = Some(Duration::from_secs(30));
    let demand = wanted.meters.demand.clone();
    engine.apply(wanted, None, |_| ());
    tokio::time::sleep(Duration::from_millis(100)).await;
    demand.ask();
    let begun = Instant::now();
    while demand.is_asked() {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody has looked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    demand.ask();
    tokio::time::sleep(HEARTBEAT * 2).await;
    assert!(demand.take(), "looked again though they were not old");
    engine.stop(Farewell::Release, None).await;
}

#[tokio::test]
async fn in_memory_nothing_drifts_and_nothing_fails() {
    let (engine, hub) = start(DataplaneKind::Memory);
    engine.apply(desired(&[2, 3]), None, |_| ());
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.report(RealKey { service: VIP, real: web(2) }, Health::DOWN, None);
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.apply(desired(&[3, 4]), None, |_| ());
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.stop(Farewell::Release, None).await;
    let (events, _) = told(engine, hub).await;
    let wrong: Vec<_> = events
        .iter()
        .filter(|event| matches!(event.fact.kind(), "drift_repaired" | "ipvs_failed" | "ipvs_refused"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(events.last().map(|event| event.fact.kind()), Some("virtual_server_removed"));
}

#[tokio::test]
async fn what_checkers_say_of_a_server_that_is_being_defined_is_not_lost() {
    let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
    let settings = EngineSettings { dataplane: DataplaneKind::Memory, ..EngineSettings::default() };
    let (orders, inbox) = mpsc::unbounded_channel();
    let mut task = Task::new(settings, bus, inbox, Beat::default());
    let real = RealKey { service: VIP, real: web(2) };
    // It is there while the table is read for the new definitions.
    orders.send(Order::Health(real, Health::DOWN, None)).map_err(drop).unwrap();
    task.apply(desired(&[2, 3]), None, Box::new(|_| ())).await;
    let Some(Order::Health(..)) = task.desk.at_once() else { panic!("it was given to nobody") };
    assert!(!task.desk.holding);
}

#[tokio::test]
async fn what_is_to_be_kept_is_not_removed() {
    let (engine, hub) = start(DataplaneKind::Shadow);
    engine.apply(desired(&[2]), None, |_| ());
    engine.stop(Farewell::Keep, None).await;
    let (events, _) = told(engine, hub).await;
    assert!(events.iter().all(|event| event.fact.kind() != "virtual_server_removed"));
}

#[tokio::test]
async fn the_heartbeat_goes_on_without_anything_to_do() {
    let (engine, _hub) = start(DataplaneKind::Memory);
    let beat = engine.beat();
    let before = beat.count();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(beat.count() >= before + 2);
}

/// What checkers find from then on is about somebody who is known.
#[tokio::test]
async fn new_servers_are_told_of_before_the_table_is_read() {
    let (bus, mut hub) = Hub::new(BusSettings::default()).unwrap();
    let mut queue = hub.deliver("test", |_| true);
    let settings = EngineSettings { dataplane: DataplaneKind::Memory, ..EngineSettings::default() };
    let (_orders, inbox) = mpsc::unbounded_channel();
    let mut task = Task::new(settings, bus.clone(), inbox, Beat::default());
    let marker = bus.clone();
    let told = Box::new(move |_| {
        marker.publish(None, IpvsFact::IpvsRecovered {});
    });
    task.apply(desired(&[2]), None, told).await;
    drop((task, bus));
    hub.run().await;
    let mut kinds = Vec::new();
    while let Ok(event) = queue.try_recv() {
        kinds.push(event.fact.kind());
    }
    let expected = ["virtual_server_configured", "real_server_configured", "ipvs_recovered", "quorum_gained"];
    assert_eq!(kinds, expected);
}
