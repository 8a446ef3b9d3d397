//! `keepwatch why`: the state of something, the chain of events that led to it (newest at the end, each one step
//! further in), and what followed.

use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::Event;

use super::describe;
use super::paint::{Paint, ago, clock};
use crate::control::why::{Reckoning, Story, Why};

/// Steps of a story that are indented and followed further.
const DEEPEST: usize = 12;

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
    if let Some(priority) = &why.priority {
        writeln!(out, "  {}", reckoning(priority))?;
    }
    for note in &why.notes {
        writeln!(out, "  {note}")?;
    }
    if why.since.is_some() && why.chain.is_empty() {
        writeln!(out, "  the events that led there are no longer held")?;
    }
    let before = chain(out, paint, &why.chain)?;
    if let Some(change) = before {
        follow(out, paint, &why.followed, change, why.chain.len())?;
        reach(out, paint, &why.chain, &why.followed)?;
    }
    if why.more > 0 {
        writeln!(out, "  … and {} events more", why.more)?;
    }
    if !why.lately.is_empty() {
        writeln!(out, "  {}", paint.head("what else happened to it, the last first:"))?;
    }
    why.lately.iter().try_for_each(|story| self::story(out, paint, story))
}

/// A chain of causes; returns its end.
pub(super) fn chain<'e>(
    out: &mut impl Write,
    paint: Paint,
    chain: &'e [Arc<Event>],
) -> io::Result<Option<&'e Event>> {
    let mut before: Option<&Event> = None;
    for (depth, event) in chain.iter().enumerate() {
        let last = depth + 1 == chain.len();
        line(out, paint, event, before, depth, last)?;
        before = Some(event);
    }
    Ok(before)
}

/// How far it reached: from the root to the last effect.
fn reach(
    out: &mut impl Write,
    paint: Paint,
    chain: &[Arc<Event>],
    followed: &[Arc<Event>],
) -> io::Result<()> {
    let [Some(root), Some(last)] = [chain.first(), followed.last().or(chain.last())] else { return Ok(()) };
    if root.id == last.id {
        return Ok(());
    }
    let whole = format!("from the root to the last effect: {}", span(last.since(root)));
    writeln!(out, "  {}", paint.dim(&whole))
}

/// Something that happened, once or more often.
pub(super) fn story(out: &mut impl Write, paint: Paint, story: &Story) -> io::Result<()> {
    chain(out, paint, &story.chain)?;
    match story.times {
        0 | 1 => Ok(()),
        times => writeln!(
            out,
            "  {}",
            paint.dim(&format!("the like of it happened {times} times; this is the last"))
        ),
    }
}

/// `priority 90: base 150, script chk_haproxy −60 since 10:01:02.123, exit 1: its last line of output`.
fn reckoning(priority: &Reckoning) -> String {
    let parts = priority.parts.iter().map(|part| {
        let since = part.since.map_or_else(String::new, |at| format!(" since {}", clock(at)));
        let evidence = if part.evidence.is_empty() { String::new() } else { format!(", {}", part.evidence) };
        let counts = match part.weight {
            Some(weight) if weight < 0 => format!("−{}", weight.unsigned_abs()),
            Some(weight) => format!("+{weight}"),
            None if part.undecided => "undecided".into(),
            None => "a fault".into(),
        };
        format!(", {} {counts}{since}{evidence}", part.what)
    });
    format!("priority {}: base {}{}", priority.priority, priority.base, parts.collect::<String>())
}

/// What followed from `cause`, each with what followed from it in turn.
fn follow(
    out: &mut impl Write,
    paint: Paint,
    all: &[Arc<Event>],
    cause: &Event,
    depth: usize,
) -> io::Result<()> {
    for event in all.iter().filter(|event| event.cause == Some(cause.id)) {
        line(out, paint, event, Some(cause), depth, false)?;
        // A cause is always older: this ends, whatever a daemon says.
        if event.id > cause.id && depth < DEEPEST {
            follow(out, paint, all, event, depth + 1)?;
        }
    }
    Ok(())
}

fn line(
    out: &mut impl Write,
    paint: Paint,
    event: &Event,
    before: Option<&Event>,
    depth: usize,
    change: bool,
) -> io::Result<()> {
    let text = describe::text(event);
    let text = if change { paint.head(&text) } else { text };
    let after = before.map(|b| format!("  +{}", span(event.since(b)))).unwrap_or_default();
    let arrow = if depth == 0 { "" } else { "└ " };
    let indent = "  ".repeat(depth);
    let place = format!("{}  {}", describe::number(event), clock(event.at));
    writeln!(out, "{}  {indent}{arrow}{text}{}", paint.dim(&place), paint.dim(&after))?;
    for evidence in describe::evidence(event) {
        writeln!(out, "{:31}  {indent}  {}", "", paint.dim(&evidence))?;
    }
    Ok(())
}

fn span(time: std::time::Duration) -> String {
    match time.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        micros => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::EventId;
    use keepwatch_bus::fact::ConsumerFact;

    use super::*;
    use crate::control::why::{Kind, Part};

    fn event(id: u64, cause: Option<u64>, subject: &str) -> Arc<Event> {
        let fact = ConsumerFact::MailFailed { subject: subject.into(), error: "e".into() };
        Arc::new(Event {
            id: EventId(id),
            at: "2026-11-21T12:00:00Z".parse().unwrap(),
            mono: id * 1_500_000,
            cause: cause.map(EventId),
            fact: fact.into(),
        })
    }

    #[test]
    fn a_priority_names_what_makes_it_and_by_what_that_was_seen() {
        let part = |what: &str, weight, evidence: &str| Part {
            what: what.into(),
            weight,
            undecided: false,
            since: None,
            evidence: evidence.into(),
        };
        let parts = vec![
            part("interface eth1", None, "no carrier"),
            part("script chk_haproxy", Some(-60), "exit 1: its last line of output"),
            part("file f", Some(5), ""),
        ];
        assert_eq!(
            reckoning(&Reckoning { priority: 95, base: 150, parts }),
            "priority 95: base 150, interface eth1 a fault, no carrier, script chk_haproxy −60, exit 1: its last line of \
             output, file f +5"
        );
    }

    #[test]
    fn what_follows_stands_under_what_it_follows_from() {
        let why = Why {
            kind: Kind::Instance,
            name: "VI_1".into(),
            state: "MASTER".into(),
            priority: None,
            notes: Vec::new(),
            since: Some("2026-11-21T12:00:00Z".parse().unwrap()),
            chain: vec![event(1, None, "root"), event(2, Some(1), "change")],
            followed: vec![event(3, Some(2), "a"), event(4, Some(2), "b"), event(5, Some(3), "of a")],
            more: 7,
            lately: Vec::new(),
        };
        let mut out = Vec::new();
        write(&mut out, Paint { on: false }, "2026-11-21T12:01:00Z".parse().unwrap(), &[why]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let steps: Vec<&str> =
            text.lines().skip(1).filter_map(|l| l.get(33..)).map(|l| l.trim_end_matches(": e")).collect();
        assert!(text.starts_with("instance VI_1: MASTER, since 2026-11-21 "), "{text}");
        assert!(text.contains("\n    #1  2026-11-21 ") && text.contains("\n    #5  2026-11-21 "), "{text}");
        for (step, start) in steps.iter().zip([
            "Mail not sent: root",
            "  └ Mail not sent: change",
            "    └ Mail not sent: a",
            "      └ Mail not sent: of a",
            "    └ Mail not sent: b",
        ]) {
            assert!(step.starts_with(start), "{step:?} {start:?}\n{text}");
        }
        assert!(text.contains("of a: e  +3.0 ms") && text.ends_with("… and 7 events more\n"), "{text}");
    }
}
