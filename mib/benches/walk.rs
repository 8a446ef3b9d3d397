//! What an object of a walk costs: `cargo bench -p keepwatch-mib`.
//!
//! First packet by packet, without a socket: from the master's bytes to ours. Then over a Unix socket, with a master that
//! asks for one object after the other as snmpd does, and works for a moment between: processor time of the agent's
//! thread, most of which is the kernel's for a wake-up, a read and a write.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{DaemonFact, VrrpFact};
use keepwatch_bus::{Configured, Counters, World, sample};
use keepwatch_mib::Parts;
use keepwatch_mib::keepalived::mib;
use keepwatch_mib::rfc::Order;
use keepwatch_mib::source::View;
use keepwatch_model::{Instance, InterfaceAddress};
use nix::sys::resource::{UsageWho, getrusage};
use snmp_agentx::framer::Framer;
use snmp_agentx::session::{Input, Output};
use snmp_agentx::{
    Address, Body, ErrorStatus, Header, Packet, SearchRange, Session, Settings, Subagent, VarBind, oid,
};

/// `vrrp` of KEEPALIVED-MIB.
const ROOT: [u32; 10] = [1, 3, 6, 1, 4, 1, 9586, 100, 5, 2];
const ALL: Parts = Parts::KEEPALIVED;
const OBJECTS: u32 = 100_000;

fn main() {
    for instances in [100, 1000, 10_000] {
        let world = world(instances);
        let each = packet_by_packet(&world);
        println!("{instances:>6} virtual routers, packet by packet: {} ns an object", each.as_nanos());
    }
    let [user, system] = over_a_socket(world(1000));
    println!(
        "  1000 virtual routers, over a socket: {:.1} µs an object, of which {:.1} µs are the kernel's",
        (user + system).as_secs_f64() * 1e6,
        system.as_secs_f64() * 1e6
    );
}

fn world(instances: u32) -> World {
    let mut world = World::default();
    world.apply(&sample::event(1, None, DaemonFact::DaemonStarted { settings: Box::default() }));
    for position in 1..=instances {
        let address = InterfaceAddress::host(std::net::Ipv4Addr::from(0x0a4e_0000 + position).into());
        let model = Instance { addresses: vec![address], ..sample::instance() };
        let settings = Configured::new(position, model);
        let fact = VrrpFact::InstanceConfigured { instance: format!("VI_{position}").into(), settings };
        world.apply(&sample::event(1 + u64::from(position), None, fact));
    }
    world
}

fn settings() -> Settings {
    Settings::new("bench", Vec::new())
}

/// A walk from the root on, which begins anew at its end.
struct Walk(Vec<u32>);

impl Walk {
    fn question(&self) -> Vec<u8> {
        let range = SearchRange { start: oid(&self.0), include: false, end: oid(&[]) };
        let header = Header { session: 7, ..Header::default() };
        Packet { header, context: None, body: Body::GetNext(vec![range]) }.encode().unwrap()
    }

    fn answered(&mut self, raw: &[u8]) {
        let Body::Response { binds, .. } = Packet::decode(raw).unwrap().body else { panic!("no response") };
        let VarBind { name, .. } = &binds[0];
        self.0 = if **name == *self.0 { ROOT.to_vec() } else { name.to_vec() };
    }
}

/// The answer of a master that opens a session.
fn opened(open: &Packet) -> Vec<u8> {
    let body = Body::Response { uptime: 0, error: ErrorStatus::NO_ERROR, index: 0, binds: Vec::new() };
    Packet { header: Header { session: 7, ..open.header }, context: None, body }.encode().unwrap()
}

fn packet_by_packet(world: &World) -> Duration {
    let (counters, mib, now) = (Counters::default(), mib(ALL), Instant::now());
    let order = Order::of(world);
    let tree = mib.over(View { world, counters: &counters, order: &order });
    let (mut session, mut out) = (Session::new(settings(), now), Vec::new());
    session.handle(now, Input::Start, &mut out);
    session.handle(now, Input::Connected, &mut out);
    let Some(Output::Send(open)) = out.pop() else { panic!("no Open") };
    session.receive(now, &opened(&Packet::decode(&open).unwrap()), &tree, &mut out);
    assert!(session.is_serving());

    let (mut walk, mut took) = (Walk(ROOT.to_vec()), Duration::ZERO);
    for _ in 0..OBJECTS {
        let question = walk.question();
        out.clear();
        let began = Instant::now();
        session.receive(now, black_box(&question), &tree, &mut out);
        took += began.elapsed();
        let Some(Output::Send(raw)) = out.first() else { panic!("no answer") };
        walk.answered(raw);
    }
    took / OBJECTS
}

/// User and system time of the agent for an object.
fn over_a_socket(world: World) -> [Duration; 2] {
    let directory = std::env::temp_dir().join(format!("walk-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("master");
    let listener = UnixListener::bind(&path).unwrap();
    let agent = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (world, counters, mib) = (Arc::new(world), Counters::default(), mib(ALL));
        let order = Order::of(&world);
        let (_handle, subagent) = Subagent::new(Address::Unix(path), settings(), move |answer| {
            answer(&mib.over(View { world: &world, counters: &counters, order: &order }));
        });
        // Until the master hangs up.
        let (over, ended) = tokio::sync::oneshot::channel();
        let mut over = Some(over);
        runtime.block_on(async {
            let report = move |change| {
                if matches!(change, snmp_agentx::Change::Lost(_)) {
                    over.take().map(|over| over.send(()));
                }
            };
            tokio::select! {
                () = subagent.run(report) => {}
                _ = ended => {}
            }
        });
        let used = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
        let time = |time: nix::sys::time::TimeVal| {
            Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64)
        };
        [used.user_time(), used.system_time()].map(|used| time(used) / OBJECTS)
    });
    let (stream, _) = listener.accept().unwrap();
    ask(stream);
    let used = agent.join().unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    used
}

fn ask(mut stream: UnixStream) {
    let mut framer = Framer::default();
    let mut next = |stream: &mut UnixStream| {
        let mut raw = [0; 4096];
        loop {
            if let Some(packet) = framer.next_packet().unwrap() {
                return packet;
            }
            let count = stream.read(&mut raw).unwrap();
            framer.push(&raw[..count]);
        }
    };
    let open = next(&mut stream);
    stream.write_all(&opened(&Packet::decode(&open).unwrap())).unwrap();
    let mut walk = Walk(ROOT.to_vec());
    for _ in 0..OBJECTS {
        stream.write_all(&walk.question()).unwrap();
        walk.answered(&next(&mut stream));
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(20) {
            std::hint::spin_loop();
        }
    }
}
