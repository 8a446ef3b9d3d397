//! The SNMP agent alone, against net-snmp's master: a world told in facts, walked through a real snmpd, while snmpd
//! is killed, stopped and started again.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration::{Host, Lab, snmpd::Snmpd, wait};
use keepwatch_bus::fact::{DaemonFact, VrrpFact};
use keepwatch_bus::sample;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Bus, BusSettings, Configured, Hub, Process, Reader};
use keepwatch_mib::rfc::Order;
use keepwatch_mib::source::View;
use keepwatch_mib::{Parts, Settings};
use keepwatch_model::{Global, Instance, InterfaceAddress, VirtualRouterId, VrrpVersion};
use nix::sys::signal::Signal;
use snmp_agentx::{Address, Tree, oid};
use tokio::runtime::Runtime;
use tokio::sync::watch;

const ROOT: &str = ".1.3.6.1.4.1.9586.100.5";
/// vrrpInstanceState, and the row of VI_1.
const STATE: &str = ".1.3.6.1.4.1.9586.100.5.2.3.1.4.1";
const PARTS: Parts = Parts::KEEPALIVED;

/// The agent in this process, with a hub of its own; snmpd in a host.
struct Scene {
    bus: Bus,
    reader: Reader,
    settings: watch::Sender<Option<Settings>>,
    runtime: Runtime,
    host: Host,
}

impl Scene {
    fn new(name: &str, instances: u32) -> Result<Self> {
        let host = Lab::new(name)?.host("director")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let _inside = runtime.enter();
        let (bus, mut hub) = Hub::new(BusSettings::default())?;
        let (reader, events) = (hub.reader(), hub.deliver("snmp", |_| true));
        runtime.spawn(hub.run());
        let wanted = Settings { master: Address::Unix(Snmpd::socket_of(&host)), parts: PARTS, traps: true };
        let (settings, watched) = watch::channel(Some(wanted));
        let (ask, _) = tokio::sync::mpsc::unbounded_channel();
        runtime.spawn(keepwatch_mib::run(watched, reader.clone(), bus.downgrade(), events, ask));
        drop(_inside);
        let global = Global { router_id: "R1".into(), ..Global::default() };
        let started = Process { global: global.into(), ..Process::default() };
        bus.publish(None, DaemonFact::DaemonStarted { settings: Box::new(started) });
        for position in 1..=instances {
            let settings = Configured::new(position, instance(position));
            bus.publish(None, VrrpFact::InstanceConfigured { instance: name_of(position), settings });
        }
        Ok(Self { bus, reader, settings, runtime, host })
    }

    fn wait_for_session(&self, number: u64) -> Result<()> {
        wait::until("the agent has a session", wait::LONG, || {
            let world = self.reader.world();
            world.snmp.connected && world.snmp.sessions >= number
        })
    }

    fn become_state(&self, to: VrrpState) {
        self.become_of(1, to);
    }

    /// The virtual router at this place changes its state.
    fn become_of(&self, position: u32, to: VrrpState) {
        let (instance, from) = (name_of(position), VrrpState::Init);
        self.bus.publish(None, VrrpFact::StateChanged { instance, from, to, priority: 100 });
    }
}

fn name_of(position: u32) -> std::sync::Arc<str> {
    format!("VI_{position}").into()
}

fn instance(position: u32) -> Instance {
    let address = Ipv4Addr::from(0x0a4e_0900 + position);
    Instance {
        vrid: VirtualRouterId(position as u8),
        version: VrrpVersion::V3,
        addresses: vec![InterfaceAddress::host(address.into())],
        ..sample::instance()
    }
}

/// The names of a walk, in its order.
fn names(walk: &str) -> Vec<Vec<u32>> {
    let names = walk.lines().filter_map(|line| line.strip_prefix('.')?.split_once(" = "));
    names.map(|(name, _)| name.split('.').filter_map(|arc| arc.parse().ok()).collect()).collect()
}

#[test]
fn a_walk_finds_every_object_in_order() -> Result<()> {
    let scene = Scene::new("snmp-walk", 100)?;
    let snmpd = Snmpd::start(&scene.host)?;
    scene.wait_for_session(1)?;
    let began = Instant::now();
    let seen = names(&snmpd.walk(ROOT)?);
    println!("{} objects walked in {:?}", seen.len(), began.elapsed());
    ensure!(seen.is_sorted(), "a walk out of order");

    let (mib, world) = (keepwatch_mib::keepalived::mib(PARTS), scene.reader.world());
    let order = Order::of(&world);
    let tree = mib.over(View { world: &world, counters: scene.reader.counters(), order: &order });
    let (mut at, mut all) = (oid(&[]), Vec::new());
    while let Some((name, _)) = tree.next(None, &at, false) {
        all.push(name.to_vec());
        at = name;
    }
    assert_eq!(seen, all, "what snmpd shows is what the tables hold");
    assert!(all.len() > 100 * 30);
    assert_eq!(snmpd.get(&format!("{ROOT}.1.2.0"))?.trim(), format!("{ROOT}.1.2.0 = STRING: \"R1\""));
    Ok(())
}

/// 20 walkers during 200 rounds of changes, or 100 and 1000 with `KEEPWATCH_FULL`.
#[test]
fn walks_stay_in_order_while_rows_come_and_go() -> Result<()> {
    const ROWS: u32 = 60;
    let (count, rounds) = (integration::amount(20, 100), integration::amount(200, 1000));
    let scene = Scene::new("snmp-come-go", ROWS)?;
    let snmpd = Snmpd::start(&scene.host)?;
    scene.wait_for_session(1)?;
    let over = AtomicBool::new(false);
    let walks = std::thread::scope(|scope| -> Result<usize> {
        let walkers: Vec<_> = (0..count)
            .map(|_| {
                scope.spawn(|| -> Result<usize> {
                    let mut walks = 0;
                    while !over.load(Ordering::Relaxed) {
                        let seen = names(&snmpd.walk(&format!("{ROOT}.2"))?);
                        ensure!(seen.is_sorted_by(|a, b| a < b), "twice, or out of order");
                        ensure!(seen.len() > 30, "only {} objects", seen.len());
                        walks += 1;
                    }
                    Ok(walks)
                })
            })
            .collect();
        // The first goes and all others move up; then it comes back, and they make room.
        for round in 0..rounds {
            let (name, gone) = (name_of(1 + round % ROWS), round % 2 == 0);
            let others = (1..=ROWS).filter(|row| name_of(*row) != name);
            if gone {
                scene.bus.publish(None, VrrpFact::InstanceUnconfigured { instance: name.clone() });
            }
            for (place, row) in (1..).zip(others) {
                let place = if gone { place } else { row };
                let settings = Configured::new(place, instance(row));
                scene.bus.publish(None, VrrpFact::InstanceConfigured { instance: name_of(row), settings });
            }
            if !gone {
                let row = 1 + round % ROWS;
                let settings = Configured::new(row, instance(row));
                scene.bus.publish(None, VrrpFact::InstanceConfigured { instance: name, settings });
            }
            // Others change their state.
            let states = [VrrpState::Backup, VrrpState::Master];
            scene.become_of(2 + round % (ROWS - 1), states[round as usize % 2]);
            std::thread::sleep(Duration::from_millis(10));
        }
        over.store(true, Ordering::Relaxed);
        walkers.into_iter().map(|walker| walker.join().expect("a walker panicked")).sum()
    })?;
    println!("{walks} walks by {count} walkers during {rounds} rounds of changes");
    ensure!(walks >= count as usize, "only {walks} walks");
    Ok(())
}

#[test]
fn snmptable_shows_every_table_by_its_name() -> Result<()> {
    let scene = Scene::new("snmp-names", 2)?;
    let snmpd = Snmpd::start(&scene.host)?;
    scene.wait_for_session(1)?;
    let texts = integration::binaries::workspace().join("mib");
    let base = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mib-base"));
    let mut entries: Vec<_> =
        keepwatch_mib::keepalived::objects(PARTS).filter_map(|object| Some(object.table?.0)).collect();
    entries.dedup();
    ensure!(entries.len() > 15, "{entries:?}");
    let mut with_rows = 0;
    for entry in entries {
        let table = format!("KEEPALIVED-MIB::{}Table", entry.trim_end_matches("Entry"));
        let shown = snmpd.table(&[&texts, base], &table)?;
        let is_empty = shown.contains(&format!("{table}: No entries"));
        ensure!(is_empty || shown.contains(&format!("SNMP table: {table}")), "{shown}");
        with_rows += usize::from(!is_empty);
        if entry == "vrrpInstanceEntry" {
            ensure!(shown.contains("vrrpInstanceName") && shown.contains("VI_2"), "{shown}");
            // Names of values too.
            ensure!(shown.contains("init") && shown.contains("vrrpv3"), "{shown}");
        }
    }
    ensure!(with_rows >= 2, "{with_rows} tables have rows");
    drop(snmpd);
    Ok(())
}

/// Scripts tell "not there now" from "not supported" by it: the MIB decides, not the rows.
#[test]
fn what_is_not_there_now_is_told_from_what_never_is() -> Result<()> {
    let named = |place: &[u32]| place.iter().fold(ROOT.to_owned(), |name, arc| format!("{name}.{arc}"));
    let objects: Vec<_> = keepwatch_mib::keepalived::objects(PARTS).map(|object| object.place).collect();
    let missing: Vec<String> = objects.iter().map(|place| named(place) + ".4000000.1").collect();
    let mut containers: Vec<String> = objects.iter().map(|place| named(&place[..place.len() - 1])).collect();
    containers.dedup();
    for instances in [0, 3] {
        let scene = Scene::new("snmp-get", instances)?;
        let snmpd = Snmpd::start(&scene.host)?;
        scene.wait_for_session(1)?;
        for (names, answer) in [(&missing, "No Such Instance"), (&containers, "No Such Object")] {
            let lines = snmpd.get_all(names)?;
            assert_eq!(lines.len(), names.len());
            for (name, line) in names.iter().zip(lines) {
                ensure!(line.starts_with(&format!("{name} = {answer}")), "{instances} instances: {line}");
            }
        }
    }
    ensure!(missing.len() > 200 && containers.len() > 15);
    Ok(())
}

#[test]
fn state_changes_show_up_and_nothing_can_be_set() -> Result<()> {
    let scene = Scene::new("snmp-state", 2)?;
    let snmpd = Snmpd::start_with(&scene.host, Snmpd::WRITABLE)?;
    scene.wait_for_session(1)?;
    for (state, number) in [(VrrpState::Backup, 1), (VrrpState::Master, 2), (VrrpState::Fault, 3)] {
        scene.become_state(state);
        wait::until(&format!("snmpget tells {state}"), wait::SHORT, || {
            snmpd.get(STATE).is_ok_and(|line| line.contains(&format!("INTEGER: {number}")))
        })?;
    }
    let text = snmpd.set(&[STATE, "i", "2"])?;
    ensure!(text.contains("notWritable"), "{text}");
    ensure!(snmpd.get(STATE)?.contains("INTEGER: 3"));
    Ok(())
}

#[test]
fn a_master_that_dies_is_found_again() -> Result<()> {
    let scene = Scene::new("snmp-restart", 2)?;
    let mut snmpd = Snmpd::start(&scene.host)?;
    scene.wait_for_session(1)?;
    snmpd.process_mut().kill();
    wait::until("the loss is a fact", wait::LONG, || !scene.reader.world().snmp.connected)?;
    scene.become_state(VrrpState::Master);
    let snmpd = Snmpd::start(&scene.host)?;
    scene.wait_for_session(2)?;
    ensure!(snmpd.get(STATE)?.contains("INTEGER: 2"));
    Ok(())
}

#[test]
fn a_master_that_hangs_is_given_up_and_found_again() -> Result<()> {
    let scene = Scene::new("snmp-hang", 2)?;
    let snmpd = Snmpd::start(&scene.host)?;
    scene.wait_for_session(1)?;
    snmpd.process().signal(Signal::SIGSTOP)?;
    wait::until("the session is given up", wait::LONG, || !scene.reader.world().snmp.connected)?;
    snmpd.process().signal(Signal::SIGCONT)?;
    scene.wait_for_session(2)?;
    ensure!(snmpd.walk(ROOT)?.lines().count() > 50);
    Ok(())
}

#[test]
fn notifications_reach_the_managers_of_the_master() -> Result<()> {
    let scene = Scene::new("snmp-trap", 1)?;
    let manager = scene.host.inside(|| Ok(std::net::UdpSocket::bind("127.0.0.1:1162")?))?;
    manager.set_read_timeout(Some(Duration::from_secs(10)))?;
    let _snmpd = Snmpd::start_with(&scene.host, "trap2sink 127.0.0.1:1162 public")?;
    scene.wait_for_session(1)?;
    scene.become_state(VrrpState::Master);
    let mut packet = [0; 2048];
    loop {
        let length = manager.recv(&mut packet).context("no notification came")?;
        // vrrpInstanceStateChange in BER: … 9586.100.5.2.10.0.2, and then the name.
        let packet = &packet[..length];
        let has = |needle: &[u8]| packet.windows(needle.len()).any(|window| window == needle);
        if has(&[0xca, 0x72, 100, 5, 2, 10, 0, 2]) {
            ensure!(has(b"VI_1") && has(b"R1"), "{packet:?}");
            break;
        }
    }
    Ok(())
}

#[test]
fn switched_off_by_a_reload_it_goes_away_and_on_it_comes_back() -> Result<()> {
    let scene = Scene::new("snmp-off", 1)?;
    let snmpd = Snmpd::start(&scene.host)?;
    scene.wait_for_session(1)?;
    let wanted = scene.settings.borrow().clone();
    scene.settings.send(None)?;
    wait::until("the subtree is gone", wait::SHORT, || {
        snmpd.walk(ROOT).is_ok_and(|text| names(&text).is_empty() || text.contains("No Such"))
    })?;
    scene.settings.send(wanted)?;
    scene.wait_for_session(2)?;
    ensure!(snmpd.get(STATE)?.contains("INTEGER: 0"));
    drop(scene.runtime);
    Ok(())
}

#[test]
fn a_thousand_changes_at_once_are_a_thousand_notifications() -> Result<()> {
    let scene = Scene::new("snmp-traps", 1)?;
    let manager = scene.host.inside(|| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        socket.set_recv_buffer_size(4 << 20)?;
        socket.bind(&"127.0.0.1:1162".parse::<std::net::SocketAddr>()?.into())?;
        Ok(std::net::UdpSocket::from(socket))
    })?;
    manager.set_read_timeout(Some(Duration::from_secs(5)))?;
    let _snmpd = Snmpd::start_with(&scene.host, "trap2sink 127.0.0.1:1162 public")?;
    scene.wait_for_session(1)?;
    for _ in 0..500 {
        scene.become_state(VrrpState::Master);
        scene.become_state(VrrpState::Backup);
    }
    let (mut packet, mut seen) = ([0; 2048], 0);
    while seen < 1000 {
        let length = manager.recv(&mut packet).with_context(|| format!("{seen} notifications came"))?;
        seen += usize::from(packet[..length].windows(4).any(|window| window == b"VI_1"));
    }
    Ok(())
}
