//! The bus as a whole: publishers, hub, consumers, history file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use keepwatch_bus::fact::{DaemonFact, LinkDownReason, LinkFact};
use keepwatch_bus::{
    Bus, BusSettings, Event, EventId, Fact, FileSettings, Hub, Reader, World, history, sample,
};

fn link_down(interface: &str) -> Fact {
    Fact::Link(LinkFact::LinkDown { interface: interface.into(), reason: LinkDownReason::NoCarrier })
}

/// Runs `publish` with a live hub and returns the reader once all is handled.
fn with_hub(settings: BusSettings, publish: impl FnOnce(&Bus, &Reader)) -> Reader {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (bus, hub) = Hub::new(settings).unwrap();
    let reader = hub.reader();
    let running = runtime.spawn(hub.run());
    publish(&bus, &reader);
    drop(bus);
    runtime.block_on(running).unwrap();
    reader
}

#[test]
fn a_watcher_that_never_reads_costs_the_publisher_nothing_and_learns_how_much_it_missed() {
    const EVENTS: u64 = 1_000_000;
    let ring = 1024;
    let mut idle = None;
    let reader = with_hub(BusSettings { ring, ..BusSettings::default() }, |bus, reader| {
        idle = Some(reader.watch("idle"));
        let began = Instant::now();
        for _ in 0..EVENTS {
            bus.publish(None, link_down("eth0"));
        }
        // Generous: it is some 200 ns an event on an idle machine. A publisher that waited for the watcher would
        // never come here at all.
        assert!(began.elapsed() < Duration::from_secs(60));
    });
    assert_eq!(reader.world().version, EVENTS);
    assert_eq!(reader.history().iter().len(), 4096, "the history is bounded");

    let mut idle = idle.unwrap();
    let first = idle.next_blocking().unwrap();
    assert_eq!(first.missed, EVENTS - ring as u64, "only the ring was kept for it");
    assert_eq!(first.event.id, EventId(EVENTS - ring as u64 + 1));
    let rest = std::iter::from_fn(|| idle.next_blocking()).map(|seen| assert_eq!(seen.missed, 0)).count();
    assert_eq!(rest, ring - 1);
    let missed = reader.counters().missed.get(&"idle".into()).unwrap().get();
    assert_eq!(missed, EVENTS - ring as u64, "what it missed is counted under its name");
}

#[test]
fn a_delivering_consumer_gets_everything_in_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (bus, mut hub) = Hub::new(BusSettings { ring: 1, history: 1, earlier: Vec::new() }).unwrap();
    let mut queue = hub.deliver("test", |_| true);
    for _ in 0..10_000 {
        bus.publish(None, link_down("eth0"));
    }
    drop(bus);
    runtime.block_on(hub.run());
    for expected in 1..=10_000 {
        assert_eq!(queue.try_recv().unwrap().id, EventId(expected));
    }
}

#[test]
fn a_chain_of_causes_is_found_from_its_end() {
    let mut end = EventId(0);
    let reader = with_hub(BusSettings::default(), |bus, _| {
        let root = bus.publish(None, link_down("eth0"));
        bus.publish(None, link_down("eth9"));
        let middle = bus.publish(Some(root), link_down("eth1"));
        end = bus.publish(Some(middle), link_down("eth2"));
    });
    let chain: Vec<u64> = reader.history().chain(end).iter().map(|e| e.id.0).collect();
    assert_eq!(chain, [1, 3, 4]);
    let after: Vec<u64> = reader.history().consequences(EventId(1)).iter().map(|e| e.id.0).collect();
    assert_eq!(after, [3, 4]);
}

fn run_with_file(file: &FileSettings, events: u32) -> Reader {
    let earlier = file.load(4096).unwrap().events;
    let mut writer = None;
    let reader = with_hub(BusSettings { earlier, ring: 1 << 16, ..BusSettings::default() }, |bus, reader| {
        writer = Some(history::write_file(file.clone(), reader.watch("history"), bus.downgrade()).unwrap());
        for _ in 0..events {
            bus.publish(None, link_down("eth0"));
        }
    });
    writer.unwrap().join().unwrap();
    reader
}

#[test]
fn the_history_file_survives_a_restart_and_stays_within_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileSettings { path: dir.path().join("history.jsonl"), max_bytes: 20_000 };
    run_with_file(&file, 10);
    let reader = run_with_file(&file, 10);
    let ids: Vec<u64> = reader.history().iter().map(|e| e.id.0).collect();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>(), "numbers go on where the last run stopped");

    run_with_file(&file, 5_000);
    let size: u64 = dir.path().read_dir().unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= file.max_bytes, "{size} bytes");
    assert_eq!(file.load(4096).unwrap().events.last().unwrap().id, EventId(5_020));
}

#[test]
fn a_history_file_that_cant_be_written_is_told_once_and_everything_else_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileSettings { path: dir.path().join("no-such-directory/history.jsonl"), max_bytes: 20_000 };
    let reader = with_hub(BusSettings::default(), |bus, reader| {
        history::write_file(file, reader.watch("history"), bus.downgrade()).unwrap();
        for _ in 0..100 {
            bus.publish(None, link_down("eth0"));
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while reader.world().history_error.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let told = reader
        .history()
        .iter()
        .filter(|e| matches!(e.fact, Fact::Daemon(DaemonFact::HistoryFailed { .. })))
        .count();
    assert_eq!(told, 1);
    assert!(reader.world().history_error.is_some());
    assert_eq!(reader.world().version, 101);
}

#[test]
fn a_line_that_was_cut_short_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileSettings { path: dir.path().join("history.jsonl"), max_bytes: 1 << 20 };
    run_with_file(&file, 3);
    let mut text = std::fs::read_to_string(&file.path).unwrap();
    text.insert_str(0, "{\"id\":1,\"at\":\"20\n");
    text.truncate(text.len() - 10);
    std::fs::write(&file.path, text).unwrap();
    let recorded = file.load(10).unwrap();
    assert_eq!((recorded.events.len(), recorded.passed_over), (2, 2));
}

#[test]
fn what_somebody_else_wrote_into_the_file_neither_takes_long_nor_all_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileSettings { path: dir.path().join("history.jsonl"), max_bytes: 1 << 20 };
    run_with_file(&file, 3);
    let ours = std::fs::read(&file.path).unwrap();
    let last = ours.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
    let last = String::from_utf8_lossy(last).replacen("\"id\":3", &format!("\"id\":{}", u64::MAX), 1);
    let text = [&vec![b'x'; 8 << 20], &b"\n\xff\0{}\nnull\n"[..], last.as_bytes(), b"\n", &ours].concat();
    std::fs::write(&file.path, text).unwrap();
    let recorded = file.load(10).unwrap();
    let ids: Vec<u64> = recorded.events.iter().map(|event| event.id.0).collect();
    assert_eq!((ids, recorded.passed_over), (vec![1, 2, 3], 3));
    run_with_file(&file, 1);
    assert_eq!(file.load(1).unwrap().events[0].id, EventId(4));
}

#[test]
fn a_torn_last_line_costs_that_line_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileSettings { path: dir.path().join("history.jsonl"), max_bytes: 1 << 20 };
    run_with_file(&file, 3);
    let text = std::fs::read_to_string(&file.path).unwrap();
    std::fs::write(&file.path, &text[..text.len() - 10]).unwrap();
    run_with_file(&file, 2);
    let recorded = file.load(10).unwrap();
    let ids: Vec<u64> = recorded.events.iter().map(|event| event.id.0).collect();
    assert_eq!((ids, recorded.passed_over), (vec![1, 2, 3, 4], 1), "number 3 of the torn line is used again");
}

#[test]
fn a_history_of_a_larger_bound_is_read_from_its_end_without_a_hole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.jsonl");
    let line = |id: u64| {
        let fact = LinkFact::LinkUp { interface: "eth0".into(), index: 2 };
        serde_json::to_string(&sample::event(id, None, fact)).unwrap() + "\n"
    };
    let text = |ids: std::ops::Range<u64>| ids.map(line).collect::<String>();
    std::fs::write(&path, text(100..200)).unwrap();
    std::fs::write(dir.path().join("history.jsonl.1"), text(1..100)).unwrap();
    let file = FileSettings { path, max_bytes: text(150..200).len() as u64 + 5 };
    let recorded = file.load(1000).unwrap();
    let ids: Vec<u64> = recorded.events.iter().map(|event| event.id.0).collect();
    assert_eq!((ids, recorded.passed_over), ((150..200).collect(), 0));
}

#[test]
fn folding_the_recorded_events_of_a_run_gives_its_world() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileSettings { path: dir.path().join("history.jsonl"), max_bytes: 1 << 20 };
    let reader = run_with_file(&file, 7);
    let mut world = World::default();
    file.load(100).unwrap().events.iter().for_each(|e: &Event| world.apply(e));
    assert_eq!(world, *reader.world());
}

/// One event of each kind, as the version wrote them whose facts had settings of their own and not the model.
const BEFORE_THE_MODEL: &str = include_str!("history_before_the_model.jsonl");

#[test]
fn the_history_of_the_version_before_is_read_but_for_its_configurations_which_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileSettings { path: dir.path().join("history.jsonl"), max_bytes: 1 << 20 };
    std::fs::write(&file.path, BEFORE_THE_MODEL).unwrap();
    let recorded = file.load(1000).unwrap();
    let kinds: Vec<&str> = recorded.events.iter().map(|event| event.fact.kind()).collect();
    assert_eq!(
        recorded.passed_over, 6,
        "daemon_started, config_loaded, and the four of instances and servers"
    );
    assert_eq!(recorded.events.len() + 6, BEFORE_THE_MODEL.lines().count());
    for told in ["state_changed", "advert_timed_out", "check_failed", "real_server_down", "quorum_lost"] {
        assert!(kinds.contains(&told), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_world_sees_each_event_once() {
    let (bus, hub) = Hub::new(BusSettings { ring: 1 << 14, ..BusSettings::default() }).unwrap();
    let reader = hub.reader();
    let hub = tokio::spawn(hub.run());
    let talker = std::thread::spawn(move || {
        for index in 0..5000 {
            bus.publish(None, LinkFact::LinkUp { interface: "eth0".into(), index });
        }
    });
    let mut worlds = Vec::new();
    for _ in 0..50 {
        worlds.push(reader.follow("test"));
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    talker.join().unwrap();
    hub.await.unwrap();
    for (mut world, mut watcher) in worlds {
        while let Some(seen) = watcher.next().await {
            assert_eq!(seen.missed, 0);
            world.apply(&seen.event);
        }
        // The version counts the events.
        assert_eq!(world, *reader.world());
    }
}
