//! A scrape of 1000 virtual routers and 10,000 checked real servers: how many series there may be, and that what is packed is
//! what was written. How large it is and how long it takes over HTTP is printed, and judged by nobody here: others may need
//! the machine.

#![allow(clippy::unwrap_used, reason = "a test that can not go on should panic")]

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use keepwatch_bus::counters::{Counters, ServiceCounters};
use keepwatch_bus::fact::{ServiceFact, VrrpFact};
use keepwatch_bus::subject::{CheckerKey, VrrpState};
use keepwatch_bus::{BusSettings, Configured, Hub, sample};
use keepwatch_export::{Limits, serve};
use keepwatch_model::{Instance, InterfaceAddress};
use nix::sys::resource::{UsageWho, getrusage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROUTERS: u16 = 1000;
const SERVICES: u16 = 1000;
/// Of each virtual server.
const REALS: u16 = 10;

/// Series that one virtual router may have, with its address; its histograms are most of it.
const OF_ROUTER: usize = 100;
/// Series that one checked real server may have.
const OF_REAL: usize = 22;
/// Series that one virtual server may have besides.
const OF_SERVICE: usize = 35;
/// All others.
const REST: usize = 300;

/// Scrapes of each kind. Of a build that is not to be quick one says all that there is to say.
const TIMES: usize = if cfg!(debug_assertions) { 1 } else { 6 };

fn count(counters: &Counters, number: u16) {
    let name = format!("VI_{number}").into();
    counters.vrrp.resolve(&name).adverts_received.add(7);
    let times = counters.times.resolve(&name);
    let now = Instant::now();
    for at in 0..3 {
        times.heard(now + at * Duration::from_secs(1), [10, 0, 0, 2].into(), 150);
    }
}

/// Everything that counts goes on, as it does from one scrape to the next.
fn go_on(counters: &Counters) {
    for (_, counted) in counters.vrrp.all() {
        counted.adverts_received.add(15);
        counted.adverts_sent.add(1);
    }
    for (_, times) in counters.times.all() {
        times.heard(Instant::now(), [10, 0, 0, 2].into(), 150);
        times.lateness.observe(Duration::from_micros(70));
    }
    for (_, counted) in counters.checkers.all() {
        counted.succeeded.inc();
        counted.took_microseconds.add(1234);
        counted.last_took_microseconds.set(1234);
    }
    for (_, latency) in counters.checks.all() {
        latency.observe(Duration::from_micros(1234));
    }
    for (_, counted) in counters.reals.all() {
        for row in ServiceCounters::TABLE {
            (row.get)(&counted).add(7);
        }
    }
}

/// One scrape over HTTP.
struct Scrape {
    wall: Duration,
    /// Of this process, the client among it.
    cpu: Duration,
    body: Vec<u8>,
}

impl Scrape {
    async fn of(server: SocketAddr, encoding: &str) -> Self {
        let (begun, cpu) = (Instant::now(), cpu());
        let mut stream = TcpStream::connect(server).await.unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\
             Accept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::with_capacity(64 << 20);
        stream.read_to_end(&mut answer).await.unwrap();
        let (wall, cpu) = (begun.elapsed(), self::cpu() - cpu);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        Self { wall, cpu, body: answer.split_off(end) }
    }

    /// What it says.
    fn text(&self) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*self.body).read_to_string(&mut text).unwrap();
        text
    }
}

/// Processor time of this process.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    times.iter().map(|time| Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64)).sum()
}

/// The quickest of some scrapes, before each of which everything went on; and of the first one.
async fn quickest(server: SocketAddr, encoding: &str, counters: &Counters) -> Scrape {
    let mut best = None::<Scrape>;
    for number in 0..TIMES {
        // What was written lately is given to whoever asks.
        tokio::time::sleep(Duration::from_millis(150)).await;
        go_on(counters);
        let scrape = Scrape::of(server, encoding).await;
        if number == 0 {
            println!("  {encoding}, the first: {:?}, {:?} of processors", scrape.wall, scrape.cpu);
        }
        best = best.into_iter().chain([scrape]).min_by_key(|scrape| scrape.wall);
    }
    let best = best.unwrap();
    println!(
        "  {encoding}, the quickest of {TIMES}: {:?}, {:?} of processors, {} bytes",
        best.wall,
        best.cpu,
        best.body.len()
    );
    best
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_scrape_has_few_series_for_each_subject() {
    let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
    let reader = hub.reader();
    tokio::spawn(hub.run());
    let counters = reader.counters();
    for number in 0..ROUTERS {
        let instance = format!("VI_{number}").into();
        let address = Ipv4Addr::from(0x0a00_0000 + u32::from(number));
        let settings =
            Instance { addresses: vec![InterfaceAddress::host(address.into())], ..sample::instance() };
        bus.publish(
            None,
            VrrpFact::InstanceConfigured { instance, settings: Configured::new(number.into(), settings) },
        );
        let instance = format!("VI_{number}").into();
        let (from, to) = (VrrpState::Init, VrrpState::Backup);
        bus.publish(None, VrrpFact::StateChanged { instance, from, to, priority: 100 });
        count(counters, number);
    }
    for number in 0..SERVICES {
        let at = (Ipv4Addr::from(0x0a01_0000 + u32::from(number)), 80);
        let service = sample::service_key(at);
        let settings = Configured::new(number.into(), sample::service());
        bus.publish(None, ServiceFact::VirtualServerConfigured { service, settings });
        counters.services.resolve(&service);
        for real in 0..REALS {
            let real = sample::real_key(at, (Ipv4Addr::from(0x0a02_0000 + u32::from(number)), 8000 + real));
            let settings = Configured::new(1, sample::real_server());
            bus.publish(
                None,
                ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings },
            );
            bus.publish(None, ServiceFact::RealServerAdded { real, weight: 1, adopted: false });
            counters.reals.resolve(&real);
            let key = CheckerKey::new(real, "TCP_CHECK", 0);
            counters.checkers.resolve(&key).succeeded.inc();
            counters.checks.resolve(&(service, "TCP_CHECK".into())).observe(Duration::from_millis(2));
        }
    }
    while reader.backlog() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, reader.clone(), Limits::default()));
    quickest(server, "identity", counters).await;
    let text = quickest(server, "gzip", counters).await.text();
    assert!(text.ends_with("# EOF\n"));
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    println!("  {series} series, {} bytes as text", text.len());
    let (routers, services) = (usize::from(ROUTERS), usize::from(SERVICES));
    let most = routers * OF_ROUTER + services * (usize::from(REALS) * OF_REAL + OF_SERVICE) + REST;
    assert!(series <= most, "{series} series, more than {most}");
}
