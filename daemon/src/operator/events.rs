//! `keepwatch events`: one line an event, with its number, time and cause.

use std::io::{self, Write};

use keepwatch_bus::Event;
use keepwatch_bus::line::Level;

use super::describe;
use super::paint::{Paint, clock};

/// Writes one event.
pub(super) fn write(out: &mut impl Write, paint: Paint, event: &Event) -> io::Result<()> {
    let text = describe::text(event);
    let text = match event.line().map(|line| line.level) {
        Some(Level::Error) => paint.bad(&text),
        Some(Level::Warning) => paint.warn(&text),
        Some(Level::Info | Level::Detail) | None => text,
    };
    let cause = event.cause.map(|cause| format!("  ← {cause}")).unwrap_or_default();
    writeln!(out, "{}  {}  {text}{}", paint.dim(&describe::number(event)), clock(event.at), paint.dim(&cause))
}
