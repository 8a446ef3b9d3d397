//! A scrape of 1000 virtual routers and 10,000 checked real servers: how many series there may be; how large it is and how long
//! it takes is printed, and judged by nobody here: others may need the machine.

#![allow(clippy::unwrap_used, reason = "a test that can not go on should panic")]

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::Counters;
use keepwatch_bus::fact::{ServiceFact, VrrpFact};
use keepwatch_bus::subject::{CheckerKey, VrrpState};
use keepwatch_bus::{BusSettings, Configured, Hub, sample};
use keepwatch_export::{Exposition, Format, exposition};
use keepwatch_model::{Instance, InterfaceAddress};

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

fn count(counters: &Counters, number: u16) {
    let name = format!("VI_{number}").into();
    counters.vrrp.resolve(&name).adverts_received.add(7);
    let times = counters.times.resolve(&name);
    let now = Instant::now();
    for at in 0..3 {
        times.heard(now + at * Duration::from_secs(1), [10, 0, 0, 2].into(), 150);
    }
}

#[tokio::test]
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
            let key = CheckerKey { real, kind: "TCP_CHECK".into(), index: 0 };
            counters.checkers.resolve(&key).succeeded.inc();
            counters.checks.resolve(&(service, "TCP_CHECK".into())).observe(Duration::from_millis(2));
        }
    }
    while reader.backlog() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut best, mut text) = (Duration::MAX, Exposition::default());
    for _ in 0..5 {
        let begun = Instant::now();
        text = exposition(&reader, Format::OpenMetrics);
        best = best.min(begun.elapsed());
    }
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let begun = Instant::now();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap().len();
    println!(
        "{series} series, {} bytes in {best:?}; gzip: {packed} bytes in {:?} more",
        text.len(),
        begun.elapsed()
    );
    let (routers, services) = (usize::from(ROUTERS), usize::from(SERVICES));
    let most = routers * OF_ROUTER + services * (usize::from(REALS) * OF_REAL + OF_SERVICE) + REST;
    assert!(series <= most, "{series} series, more than {most}");
}
