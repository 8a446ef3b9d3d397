//! A walk over 1000 virtual routers, packet by packet, without a socket: what a GetNext costs from the master's bytes to
//! ours. One iteration is one object.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use keepwatch_bus::fact::{DaemonFact, VrrpFact};
use keepwatch_bus::settings::InstanceSettings;
use keepwatch_bus::{Counters, World, sample};
use keepwatch_mib::Parts;
use keepwatch_mib::keepalived::mib;
use keepwatch_mib::source::View;
use snmp_agentx::session::{Input, Output};
use snmp_agentx::{Body, ErrorStatus, Header, Packet, SearchRange, Session, Settings, oid};

const ROOT: [u32; 10] = [1, 3, 6, 1, 4, 1, 9586, 100, 5, 2];

fn world(instances: u32) -> World {
    let mut world = World::default();
    world.apply(&sample::event(1, None, DaemonFact::DaemonStarted { settings: Box::default() }));
    for position in 1..=instances {
        let address = sample::virtual_address(std::net::Ipv4Addr::from(0x0a4e_0000 + position), 32, "eth0");
        let settings = InstanceSettings { position, addresses: vec![address], ..sample::instance() };
        let fact = VrrpFact::InstanceConfigured {
            instance: format!("VI_{position}").into(),
            settings: Box::new(settings),
        };
        world.apply(&sample::event(1 + u64::from(position), None, fact));
    }
    world
}

/// A session that serves: its Open has been answered, and it has nothing to register.
fn session(now: Instant) -> Session {
    let mut session = Session::new(Settings::new("bench", Vec::new()), now);
    let mut out = Vec::new();
    session.handle(now, Input::Start, &mut out);
    session.handle(now, Input::Connected, &mut out);
    let open = out.iter().find_map(|output| match output {
        Output::Send(raw) => Some(Packet::decode(raw).unwrap()),
        Output::Connect | Output::Disconnect | Output::Changed(_) => None,
    });
    let body = Body::Response { uptime: 0, error: ErrorStatus::NO_ERROR, index: 0, binds: Vec::new() };
    let header = Header { session: 7, ..open.unwrap().header };
    let raw = Packet { header, context: None, body }.encode().unwrap();
    let (world, counters, mib) = (World::default(), Counters::default(), mib(Parts::default()));
    let view = View { world: &world, counters: &counters };
    session.receive(now, &raw, &mib.over(view), &mut out);
    assert!(session.is_serving());
    session
}

fn walk(c: &mut Criterion) {
    let (counters, now) = (Counters::default(), Instant::now());
    let mib = mib(Parts { vrrp: true, checker: true });
    for instances in [100, 1000, 10_000] {
        let world = world(instances);
        let mut session = session(now);
        let first = oid(&ROOT);
        let (mut start, mut out) = (first.clone(), Vec::new());
        c.bench_function(&format!("an object of a walk over {instances} virtual routers"), |b| {
            b.iter(|| {
                let range = SearchRange { start: start.clone(), include: false, end: oid(&[]) };
                let header = Header { session: 7, ..Header::default() };
                let asked = Packet { header, context: None, body: Body::GetNext(vec![range]) };
                out.clear();
                let view = View { world: &world, counters: &counters };
                session.receive(now, &asked.encode().unwrap(), &mib.over(view), &mut out);
                let Some(Output::Send(raw)) = out.first() else { panic!("no answer") };
                let Body::Response { binds, .. } = Packet::decode(black_box(raw)).unwrap().body else {
                    panic!("no response")
                };
                // From the end it begins anew.
                start = if binds[0].name == start { first.clone() } else { binds[0].name.clone() };
            });
        });
    }
}

criterion_group!(benches, walk);
criterion_main!(benches);
