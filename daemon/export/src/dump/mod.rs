//! The dumps that keepalived writes on a signal, so that what reads keepalived's reads ours: `keepalived.data`,
//! `keepalived.stats` and `keepalived.json`. In: the world, the counters, and what they were when the statistics were last
//! cleared. Out: texts; who asked for them writes them.
//!
//! | file | what |
//! |---|---|
//! | `stats` | what virtual routers counted, and [`Cleared`] |
//! | `json` | virtual routers for programs, versions 1 and 2 |
//! | `global` | `global_defs`, which every data file begins with |
//! | `routers`, `trackers` | sections of `keepalived.data` |
//! | `servers` | sections of `keepalived_check.data` |
//! | `entries` | addresses, routes and rules in keepalived's words |
//!
//! Labels, their order and their units are those of keepalived 2.4.3. What only its own loops know (descriptors, the next
//! time-out of a read, the moment of the last advertisement) is left out; passwords are never in them.

mod entries;
mod global;
mod json;
mod routers;
mod servers;
mod stats;
mod trackers;

use std::fmt::{Arguments, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_bus::counters::Counters;
use keepwatch_bus::fact::DumpKind;
use keepwatch_bus::{World, local_time};
use keepwatch_model::JsonVersion;

pub use stats::Cleared;

/// One file of a data dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it tells of.
    pub kind: DumpKind,
    /// What is in it.
    pub text: String,
}

/// What stands in the name of a data file before its last dot: keepalived's processes each have one. We have one process for
/// all of them, and write the same files.
pub fn suffix(kind: DumpKind) -> &'static str {
    match kind {
        DumpKind::Checkers => "_check",
        DumpKind::Bfd => "_bfd",
        DumpKind::Parent => "_parent",
        DumpKind::Vrrp | DumpKind::Stats | DumpKind::StatsCleared | DumpKind::Json => "",
    }
}

/// What SIGUSR1 asks for: the files of the sides that run.
pub fn data(world: &World, counters: &Counters) -> Vec<Part> {
    let settings = &world.settings;
    let mut kinds = vec![DumpKind::Parent];
    if settings.vrrp_enabled {
        kinds.push(DumpKind::Vrrp);
    }
    if settings.checkers_enabled && world.services.values().next().is_some() {
        kinds.push(DumpKind::Checkers);
    }
    if world.trackers.bfds.values().next().is_some() {
        kinds.push(DumpKind::Bfd);
    }
    let part = |kind| {
        let mut page = Page::default();
        global::write(&mut page, settings);
        match kind {
            DumpKind::Vrrp => {
                routers::write(&mut page, world);
                trackers::write(&mut page, world, counters);
            }
            DumpKind::Checkers => servers::write(&mut page, world),
            DumpKind::Bfd => trackers::sessions(&mut page, world),
            DumpKind::Parent | DumpKind::Stats | DumpKind::StatsCleared | DumpKind::Json => {}
        }
        Part { kind, text: page.0 }
    };
    kinds.into_iter().map(part).collect()
}

/// What SIGUSR2 asks for.
pub fn stats(world: &World, counters: &Counters, cleared: &Cleared) -> String {
    let mut page = Page::default();
    stats::write(&mut page, world, counters, cleared);
    page.0
}

/// What the JSON signal asks for: one line, as keepalived's, in the version that the configuration wants.
///
/// # Errors
/// When it can't be written as JSON, which does not happen.
pub fn json(world: &World, counters: &Counters, cleared: &Cleared) -> serde_json::Result<String> {
    let version = world.settings.global.dumps.json_version;
    let routers = json::routers(world, counters, cleared);
    let mut text = match version {
        JsonVersion::V1 => serde_json::to_string(&routers)?,
        JsonVersion::V2 => serde_json::to_string(&json::All::new(routers, world))?,
    };
    text.push('\n');
    Ok(text)
}

/// A text that grows by lines.
#[derive(Default)]
struct Page(String);

impl Page {
    /// A line of its own.
    fn line(&mut self, line: Arguments<'_>) {
        // Writing into memory does not fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    /// The head of a section.
    fn section(&mut self, name: &str) {
        self.line(format_args!("------< {name} >------"));
    }
}

/// `1795836982.020809 (Sat Nov 28 03:36:22.020809 2026)`: seconds since 1970, and the host's time.
fn moment(at: Timestamp) -> String {
    let local = at.to_zoned(local_time::zone());
    format!("{} ({})", seconds_since_1970(at), local.strftime("%a %b %e %H:%M:%S%.6f %Y"))
}

/// `1795836982.020809`.
fn seconds_since_1970(at: Timestamp) -> String {
    let micros = at.as_microsecond();
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

/// Seconds with six decimals, as keepalived writes times that it keeps in microseconds.
fn decimal(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn truth(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}

fn enabled(is: bool) -> &'static str {
    if is { "enabled" } else { "disabled" }
}

fn on(is: bool) -> &'static str {
    if is { "ON" } else { "OFF" }
}
