//! `keepwatch why` without a subject: what is wrong now, the worst first, each with its root and since when; and what
//! happened lately.

use std::io::{self, Write};

use jiff::Timestamp;
use keepwatch_bus::world::Weight;

use super::paint::{Paint, ago, clock};
use super::why::{chain, story};
use crate::control::why::{Finding, Now};

/// So much of what is wrong for the same reason is named; the rest is counted.
const ALSO: usize = 8;

/// Writes it all.
pub(super) fn write(out: &mut impl Write, paint: Paint, now: Timestamp, state: &Now) -> io::Result<()> {
    match state.wrong.len() {
        0 => writeln!(out, "{}", paint.good("nothing is wrong now"))?,
        1 => writeln!(out, "{}", paint.head("one thing is wrong now:"))?,
        count => writeln!(out, "{}", paint.head(&format!("{count} things are wrong now, the worst first:")))?,
    }
    for finding in &state.wrong {
        write_finding(out, paint, now, finding)?;
    }
    if !state.lately.is_empty() {
        writeln!(out, "\n{}", paint.head("what happened lately, the last first:"))?;
    }
    state.lately.iter().try_for_each(|one| story(out, paint, one))
}

fn write_finding(out: &mut impl Write, paint: Paint, now: Timestamp, finding: &Finding) -> io::Result<()> {
    let since = finding
        .since
        .map_or_else(String::new, |since| format!(", since {} ({} ago)", clock(since), ago(now, since)));
    let what = match finding.weight {
        Weight::Split | Weight::Outage => paint.bad(&finding.what),
        Weight::Degraded | Weight::Configuration | Weight::Telling => paint.warn(&finding.what),
    };
    let colon = if finding.error.is_empty() { "" } else { ": " };
    writeln!(out, "! {what}{colon}{}{since}", finding.error)?;
    for also in finding.also.iter().take(ALSO) {
        writeln!(out, "  and for the same reason: {also}")?;
    }
    match finding.also.len().saturating_sub(ALSO) {
        0 => {}
        more => writeln!(out, "  and {more} more")?,
    }
    chain(out, paint, &finding.chain)?;
    Ok(())
}
