//! `keepwatch why`: the state of something, the chain of events that led to it (newest at the end, each one step
//! further in), and what followed.

use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::Event;

use super::describe;
use super::paint::{Paint, ago, clock};
use crate::control::why::Why;

/// Writes what is known of each subject.
pub(super) fn write(out: &mut impl Write, paint: Paint, now: Timestamp, subjects: &[Why]) -> io::Result<()> {
    for (place, why) in subjects.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        subject(out, paint, now, why)?;
    }
    Ok(())
}

fn subject(out: &mut impl Write, paint: Paint, now: Timestamp, why: &Why) -> io::Result<()> {
    let since = why.since.map_or_else(
        || ", unchanged since the daemon began".to_owned(),
        |since| format!(", since {} ({} ago)", clock(since), ago(now, since)),
    );
    writeln!(out, "{} {}: {}{since}", why.kind.label(), paint.head(&why.name), why.state)?;
    if why.since.is_some() && why.chain.is_empty() {
        writeln!(out, "  the events that led there are no longer held")?;
    }
    let mut before: Option<&Arc<Event>> = None;
    for (depth, event) in why.chain.iter().enumerate() {
        let last = depth + 1 == why.chain.len();
        line(out, paint, event, before, depth, last)?;
        before = Some(event);
    }
    for event in &why.followed {
        line(out, paint, event, why.chain.last(), why.chain.len(), false)?;
    }
    Ok(())
}

fn line(
    out: &mut impl Write,
    paint: Paint,
    event: &Event,
    before: Option<&Arc<Event>>,
    depth: usize,
    change: bool,
) -> io::Result<()> {
    let text = describe::text(event);
    let text = if change { paint.head(&text) } else { text };
    let after = before.map(|b| format!("  +{}", span(event.since(b)))).unwrap_or_default();
    let arrow = if depth == 0 { "" } else { "└ " };
    let indent = "  ".repeat(depth);
    writeln!(out, "  {}  {indent}{arrow}{text}{}", paint.dim(&clock(event.at)), paint.dim(&after))
}

fn span(time: std::time::Duration) -> String {
    match time.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        micros => format!("{:.1} s", micros as f64 / 1e6),
    }
}
