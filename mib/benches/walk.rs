//! What an object of a walk costs: `cargo bench -p keepwatch-mib`.
//!
//! First packet by packet, without a socket: from the master's bytes to ours. Then over a Unix socket, with a master that
//! asks for one object after the other as snmpd does, and works for a moment between: processor time of the agent's
//! thread, most of which is the kernel's for a wake-up, a read and a write.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{DaemonFact, ServiceFact, VrrpFact};
use keepwatch_bus::subject::{Protocol, RealKey, ServiceKey};
use keepwatch_bus::{Configured, Counters, World, sample};
use keepwatch_mib::Parts;
use keepwatch_mib::keepalived::mib;
use keepwatch_mib::rfc::Order;
use keepwatch_mib::source::View;
use keepwatch_model::{Instance, InterfaceAddress, VirtualServer};
use nix::sys::resource::{UsageWho, getrusage};
use snmp_agentx::framer::Framer;
use snmp_agentx::session::{Input, Output};
use snmp_agentx::{
    Address, Body, ErrorStatus, Header, Packet, SearchRange, Session, Settings, Subagent, VarBind, oid,
};

/// `vrrp` and `check` of KEEPALIVED-MIB.
const VRRP: [u32; 10] = [1, 3, 6, 1, 4, 1, 9586, 100, 5, 2];
const CHECK: [u32; 10] = [1, 3, 6, 1, 4, 1, 9586, 100, 5, 3];
const ALL: Parts = Parts::KEEPALIVED;
const OBJECTS: u32 = 100_000;

fn main() {
    for count in [100, 1000, 10_000] {
        let each = packet_by_packet(&routers(count), &VRRP);
        println!("{count:>6} virtual routers, packet by packet: {} ns an object", each.as_nanos());
        let each = packet_by_packet(&servers(count), &CHECK);
        println!("{count:>6} real servers, packet by packet: {} ns an object", each.as_nanos());
    }
    for (how, blocking) in [("on a thread", true), ("in a task", false)] {
        let [user, system] = over_a_socket(routers(1000), blocking);
        println!(
            "  1000 virtual routers, over a socket {how}: {:.1} µs an object, of which {:.1} µs are the kernel's",
            (user + system).as_secs_f64() * 1e6,
            system.as_secs_f64() * 1e6
        );
    }
}

fn routers(instances: u32) -> World {
    let mut world = World::default();
    world.apply(&sample::event(1, None, DaemonFact::DaemonStarted { settings: Box::default() }));
    for position in 1..=instances {
        let address = InterfaceAddress::host(Ipv4Addr::from(0x0a4e_0000 + position).into());
        let model = Instance { addresses: vec![address], ..sample::instance() };
        let settings = Configured::new(position, model);
        let fact = VrrpFact::InstanceConfigured { instance: format!("VI_{position}").into(), settings };
        world.apply(&sample::event(1 + u64::from(position), None, fact));
    }
    world
}

fn servers(count: u32) -> World {
    let mut world = World::default();
    world.apply(&sample::event(1, None, DaemonFact::DaemonStarted { settings: Box::default() }));
    let at = |number: u32| SocketAddr::from((Ipv4Addr::from(0x0a4e_0000 + number), 80));
    let service = ServiceKey::Address { address: at(0).ip(), port: 80, protocol: Protocol::Tcp };
    let settings = Configured::new(1, VirtualServer::new(service.into()));
    world.apply(&sample::event(2, None, ServiceFact::VirtualServerConfigured { service, settings }));
    for position in 1..=count {
        let settings = Configured::new(position, sample::real_server());
        let real = RealKey { service, real: at(position) };
        let fact = ServiceFact::RealServerConfigured { real, starts_up: true, checked: false, settings };
        world.apply(&sample::event(2 + u64::from(position), None, fact));
    }
    world
}

fn settings() -> Settings {
    Settings::new("bench", Vec::new())
}

/// A walk from the root on, which begins anew at its end.
struct Walk {
    root: Vec<u32>,
    at: Vec<u32>,
}

impl Walk {
    fn from(root: &[u32]) -> Self {
        Self { root: root.to_vec(), at: root.to_vec() }
    }

    fn question(&self) -> Vec<u8> {
        let range = SearchRange { start: oid(&self.at), include: false, end: oid(&[]) };
        let header = Header { session: 7, ..Header::default() };
        Packet { header, context: None, body: Body::GetNext(vec![range]) }.encode().unwrap()
    }

    fn answered(&mut self, raw: &[u8]) {
        let Body::Response { binds, .. } = Packet::decode(raw).unwrap().body else { panic!("no response") };
        let VarBind { name, .. } = &binds[0];
        self.at = if **name == *self.at { self.root.clone() } else { name.to_vec() };
    }
}

/// The answer of a master that opens a session.
fn opened(open: &Packet) -> Vec<u8> {
    let body = Body::Response { uptime: 0, error: ErrorStatus::NO_ERROR, index: 0, binds: Vec::new() };
    Packet { header: Header { session: 7, ..open.header }, context: None, body }.encode().unwrap()
}

fn packet_by_packet(world: &World, root: &[u32]) -> Duration {
    let (counters, mib, now) = (Counters::default(), mib(ALL), Instant::now());
    let order = Order::of(world);
    let tree = mib.over(View { world, counters: &counters, order: &order });
    let (mut session, mut out) = (Session::new(settings(), now), Vec::new());
    session.handle(now, Input::Start, &mut out);
    session.handle(now, Input::Connected, &mut out);
    let Some(Output::Send(open)) = out.pop() else { panic!("no Open") };
    session.receive(now, &opened(&Packet::decode(&open).unwrap()), &tree, &mut out);
    assert!(session.is_serving());

    let (mut walk, mut took) = (Walk::from(root), Duration::ZERO);
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
fn over_a_socket(world: World, blocking: bool) -> [Duration; 2] {
    let directory = std::env::temp_dir().join(format!("walk-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("master");
    let listener = UnixListener::bind(&path).unwrap();
    let agent = std::thread::spawn(move || {
        let (world, counters, mib) = (Arc::new(world), Counters::default(), mib(ALL));
        let order = Order::of(&world);
        let (handle, subagent) = Subagent::new(Address::Unix(path), settings(), move |answer| {
            answer(&mib.over(View { world: &world, counters: &counters, order: &order }));
        });
        // Until the master hangs up.
        let report = move |change| {
            if matches!(change, snmp_agentx::Change::Lost(_)) {
                handle.stop();
            }
        };
        if blocking {
            subagent.run_blocking(report).unwrap();
        } else {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(subagent.run(report));
        }
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
    let mut walk = Walk::from(&VRRP);
    for _ in 0..OBJECTS {
        stream.write_all(&walk.question()).unwrap();
        walk.answered(&next(&mut stream));
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(20) {
            std::hint::spin_loop();
        }
    }
}
