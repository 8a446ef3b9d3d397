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

use keepwatch_bus::{BusSettings, Hub, Reader};

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

fn collect(reader: &Reader, format: Format) -> Families {
    let mut families = Families::new(format);
    let counters = reader.counters();
    keepalived::collect(&mut families, &reader.world(), counters);
    vrrp::collect(&mut families, &reader.world(), counters);
    trackers::collect(&mut families, &reader.world(), counters);
    services::collect(&mut families, &reader.world(), counters);
    table::collect(&mut families, counters);
    daemon::collect(&mut families, reader);
    process::collect(&mut families);
    families
}
