//! Prometheus metrics, made anew from the world and the counters for each scrape.
//!
//! Each part looks at the world for itself and briefly: publishers never wait for it, and the hub not long.

mod daemon;
mod family;
mod instances;
mod keepalived;
mod process;
mod services;
mod table;
mod trackers;
mod vrrp;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use keepwatch_bus::{BusSettings, Hub, Reader, World};

pub use family::{Described, Exposition, Families, Family, Format, Kind, Labels, flag, number};

/// All metrics, as text.
pub fn exposition(reader: &Reader, format: Format) -> Exposition {
    collect(reader, format).finish()
}

/// Every family that there may be, in the order in which they are written; for documents and checks of documents.
///
/// # Errors
/// When the kernel gives no eventfd.
pub fn families() -> std::io::Result<Vec<Described>> {
    let (_bus, hub) = Hub::new(BusSettings::default())?;
    Ok(collect(&hub.reader(), Format::Text).described())
}

/// So many virtual routers and real servers are worth a second thread.
const MANY: usize = 1000;
/// How long what is written aside was the last time, and what comes after it.
static LAST: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// What there is of real servers and their checks is about as long as all others together: where there are many, both are
/// written at the same time.
fn collect(reader: &Reader, format: Format) -> Families {
    let counters = reader.counters();
    let [aside, after] = &LAST;
    let begun = |last: &AtomicUsize| Families::with_room(format, last.load(Relaxed));
    let servers = || {
        let mut families = begun(aside);
        services::collect(&mut families, &reader.world(), counters);
        aside.store(families.len(), Relaxed);
        families
    };
    let (mut families, mut rest) = (Families::new(format), begun(after));
    let others = |families: &mut Families, rest: &mut Families| {
        keepalived::collect(families, &reader.world(), counters);
        vrrp::collect(families, &reader.world(), counters);
        trackers::collect(families, &reader.world(), counters);
        services::collect_traffic(rest, &reader.world(), counters);
        table::collect(rest, counters);
        daemon::collect(rest, reader);
        process::collect(rest);
        after.store(rest.len(), Relaxed);
    };
    let servers = thread::scope(|scope| {
        let scraper = || thread::Builder::new().name("scrape".into()).spawn_scoped(scope, servers).ok();
        let running = are_many(&reader.world()).then(scraper).flatten();
        others(&mut families, &mut rest);
        running.and_then(|running| running.join().ok())
    })
    // Few, or no thread could be had.
    .unwrap_or_else(servers);
    families.append(servers);
    families.append(rest);
    families
}

fn are_many(world: &World) -> bool {
    world.instances.len() + world.services.values().map(|service| service.reals.len()).sum::<usize>() >= MANY
}
