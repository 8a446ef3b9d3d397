//! The drawings of the page, as inline SVG without a word of style in it: timelines and sparklines.
//!
//! A timeline's horizontal unit is the second, 0 is the moment at which it was drawn, and its last span goes on beyond
//! that: the page's script lets time pass by moving the view box alone. Shapes differ as well as colours: a master is a
//! bar of full height, a backup one of half the height, what is wrong is striped, what nobody knows is a gap.

use std::fmt::{Result, Write};

use jiff::Timestamp;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::RealState;

use super::html::{Escaped, brief, span};
use crate::samples::{KEPT, Ring};
use crate::timeline::{Stage, Turn};

/// Samples that a sparkline has room for at least.
const ROOM: usize = 24;
/// How far beyond now the last span is drawn, in seconds.
const BEYOND: i64 = 86_400;

/// The timeline of one subject; `seconds` of it are shown.
pub(super) fn timeline(
    out: &mut String,
    turns: impl DoubleEndedIterator<Item = Turn>,
    now: Timestamp,
    seconds: i64,
) -> Result {
    let turns: Vec<Turn> = turns.collect();
    let now = now.as_millisecond();
    write!(
        out,
        "<svg class=\"line\" role=\"img\" viewBox=\"-{seconds} 0 {seconds} 16\" preserveAspectRatio=\"none\" \
         data-t=\"{now}\"><title>{}</title>",
        Escaped(&in_words(&turns, now, seconds))
    )?;
    for (place, (since, stage)) in turns.iter().enumerate() {
        let end = turns.get(place + 1).map_or(now + BEYOND * 1000, |(next, _)| *next);
        let (x, width) = ((since - now) as f64 / 1e3, (end - since) as f64 / 1e3);
        bar(out, *stage, x, width)?;
    }
    out.push_str("</svg>");
    Ok(())
}

fn bar(out: &mut String, stage: Stage, x: f64, width: f64) -> Result {
    let solid = |out: &mut String, class: &str, y: u8, height: u8| {
        write!(
            out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\"/>"
        )
    };
    match stage {
        Stage::Unknown => Ok(()),
        Stage::Router(VrrpState::Master) => solid(out, "t-good", 0, 16),
        Stage::Router(VrrpState::Backup) => solid(out, "t-calm", 8, 8),
        Stage::Router(VrrpState::Init) | Stage::Real(RealState::Unchecked) => solid(out, "t-idle", 13, 3),
        Stage::Real(RealState::Up) | Stage::Quorum => solid(out, "t-good", 4, 12),
        Stage::Sorry => solid(out, "t-warn", 0, 16).and_then(|()| solid(out, "t-cut", 6, 3)),
        Stage::Router(VrrpState::Fault) | Stage::Real(RealState::Down) | Stage::NoQuorum => {
            solid(out, "t-bad", 0, 16)?;
            solid(out, "t-cut", 4, 2)?;
            solid(out, "t-cut", 10, 2)
        }
    }
}

/// The same for those who do not see it: what it is now, and the last changes before.
fn in_words(turns: &[Turn], now: i64, seconds: i64) -> String {
    let passed = |since: i64| span(jiff::SignedDuration::from_millis(now - since));
    let mut text = String::new();
    let shown = turns.iter().rev().take_while(|(since, _)| *since >= now - seconds * 1000).count();
    for (since, stage) in turns.iter().rev().take((shown + 1).min(5)) {
        let _ = match text.is_empty() {
            true => write!(text, "{stage} for {}", passed(*since)),
            false => write!(text, "; before that {stage} from {} ago", passed(*since)),
        };
    }
    if shown > 5 {
        let _ = write!(text, "; {shown} changes in all");
    }
    if text.is_empty() { "nothing is known yet".into() } else { text }
}

/// A sparkline with its last value; nothing where nothing was measured. `what` says what is drawn.
pub(super) fn spark(out: &mut String, what: &str, ring: Option<&Ring>) -> Result {
    let Some(ring) = ring else { return Ok(()) };
    let Some(last) = ring.values().rev().flatten().next() else { return Ok(()) };
    let highest = ring.values().flatten().max().unwrap_or(last);
    let scale = 14.0 / f64::from(highest.max(1));
    // A young daemon's few samples are not lost in a wide empty space.
    let room = ring.values().len().clamp(ROOM, KEPT);
    write!(
        out,
        "<svg class=\"spark\" role=\"img\" viewBox=\"0 0 {room} 16\" preserveAspectRatio=\"none\"><title>{what} during \
         the last ten minutes: now {}, highest {}</title><polyline points=\"",
        brief(last),
        brief(highest)
    )?;
    // A single value would be no line.
    let begin = room - ring.values().len();
    let first = ring.values().flatten().next().unwrap_or(last);
    if ring.values().flatten().count() == 1 {
        write!(out, "{},{:.1} ", room - 4, 15.0 - f64::from(first) * scale)?;
    }
    for (place, value) in ring.values().enumerate() {
        if let Some(value) = value {
            write!(out, "{},{:.1} ", begin + place + 1, 15.0 - f64::from(value) * scale)?;
        }
    }
    write!(out, "\"/></svg> <small class=\"n\">{}</small>", brief(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_has_a_shape_for_each_state_and_says_itself_in_words() {
        let now = Timestamp::from_second(10_000).unwrap();
        let turns = [
            (9_000_000, Stage::Router(VrrpState::Backup)),
            (9_990_000, Stage::Router(VrrpState::Master)),
            (9_999_000, Stage::Router(VrrpState::Fault)),
        ];
        let mut out = String::new();
        timeline(&mut out, turns.into_iter(), now, 3600).unwrap();
        assert!(out.contains("viewBox=\"-3600 0 3600 16\""), "{out}");
        assert!(
            out.contains("<rect class=\"t-calm\" x=\"-1000.0\" y=\"8\" width=\"990.0\" height=\"8\"/>"),
            "{out}"
        );
        assert!(out.contains("FAULT for 1 s; before that MASTER from 10 s ago; before that BACKUP"), "{out}");
        assert_eq!(out.matches("t-cut").count(), 2, "stripes tell a fault without colour");
    }
}
