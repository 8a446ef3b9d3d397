//! Prometheus metrics, made anew from the world and the counters for each scrape.
//!
//! The world is held only while the numbers are collected; they are turned into text after it was let go.

mod daemon;
mod family;
mod instances;
mod keepalived;
mod services;
mod trackers;
mod vrrp;

use family::Families;
use keepwatch_bus::Reader;
use prometheus::TextEncoder;

/// Content type of [`exposition`].
pub(crate) const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// All metrics in Prometheus's text format.
///
/// # Errors
/// When the encoder finds a family that it can't write, which would be a mistake in this crate.
pub fn exposition(reader: &Reader) -> Result<String, prometheus::Error> {
    let mut families = Families::default();
    {
        let world = reader.world();
        let counters = reader.counters();
        keepalived::collect(&mut families, &world, counters);
        daemon::collect(&mut families, &world, counters);
        vrrp::collect(&mut families, &world, counters);
        trackers::collect(&mut families, &world, counters);
        services::collect(&mut families, &world, counters);
    }
    let (length, oldest) = {
        let history = reader.history();
        (history.iter().len(), history.iter().next().map(|event| event.at))
    };
    daemon::collect_history(&mut families, length, oldest);
    TextEncoder::new().encode_to_string(&families.into_inner())
}
