//! What happened: the last events, and one of them with all that led to it and all that followed.

use std::collections::HashMap;
use std::fmt::{Result, Write};
use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::line::Level;
use keepwatch_bus::world::Change;
use keepwatch_bus::{Event, EventId, History};

use super::html::{Ago, At, Escaped};
use super::{Scene, View};

/// Lines in the list of what happened last.
pub(crate) const LAST: usize = 40;
/// Events that followed which are told; the rest is counted.
const FOLLOWED: usize = 200;
/// Deepest indentation of what followed.
const DEEPEST: usize = 12;

/// The list.
pub(super) fn write_last(out: &mut String, scene: Scene<'_>) -> Result {
    let Scene { history, view, .. } = scene;
    out.push_str("<section id=\"events\"><h2>What happened last</h2><table><tbody>\n");
    let rows = history.iter().rev().filter_map(|event| row(history, view, event));
    let mut none = true;
    for row in rows.take(LAST) {
        out.push_str(&row);
        none = false;
    }
    if none {
        out.push_str("<tr class=\"none\"><td>nothing that the filter wants</tr>");
    }
    out.push_str("</tbody></table></section>\n");
    Ok(())
}

/// One line of it; none for an event without a line, or that is not wanted.
pub(crate) fn row(history: &History, view: &View, event: &Event) -> Option<String> {
    let line = event.line()?;
    let cause = event.cause.and_then(|cause| history.get(cause)).and_then(|cause| cause.line());
    if !view.wants([line.text.as_str()].into_iter().chain(cause.as_ref().map(|line| line.text.as_str()))) {
        return None;
    }
    let mut out = String::new();
    write_row(&mut out, event, &line.text, line.level, cause.map(|line| line.text).as_deref()).ok()?;
    Some(out)
}

fn write_row(out: &mut String, event: &Event, text: &str, level: Level, cause: Option<&str>) -> Result {
    let id = event.id.0;
    write!(
        out,
        "<tr id=\"e{id}\"><td class=\"one\">{}<td class=\"n\"><a href=\"/event/{id}\">{}</a><td>{}{}",
        At(event.at),
        event.id,
        mark(level),
        Escaped(text)
    )?;
    if let Some(number) = event.cause {
        write!(out, " <a class=\"because\" href=\"/event/{id}\">because of {number}")?;
        if let Some(cause) = cause {
            write!(out, ": {}", Escaped(cause))?;
        }
        out.push_str("</a>");
    }
    out.push_str("</tr>\n");
    Ok(())
}

/// What weighs more has a sign of its own.
fn mark(level: Level) -> &'static str {
    match level {
        Level::Error => "<b class=\"mark bad\" title=\"error\">!!</b> ",
        Level::Warning => "<b class=\"mark warn\" title=\"warning\">!</b> ",
        Level::Info | Level::Detail => "",
    }
}

/// Since when something is as it is, with the way to why.
pub(super) fn write_change(
    out: &mut String,
    history: &History,
    change: Option<Change>,
    now: Timestamp,
) -> Result {
    let Some(Change { at, event }) = change else { return Ok(()) };
    match history.get(event).is_some() {
        true => write!(out, "<small><a href=\"/event/{}\">{}</a></small>", event.0, Ago(now, at)),
        false => write!(out, "<small>{}</small>", Ago(now, at)),
    }
}

/// The texts of what led to a change, in a few words.
pub(super) fn write_causes(out: &mut String, history: &History, change: Option<Change>) -> Result {
    let Some(change) = change else { return Ok(()) };
    let chain = history.chain(change.event);
    let causes = chain.iter().rev().skip(1).rev().filter_map(|event| event.line());
    let texts: Vec<String> = causes.map(|line| line.text).collect();
    if texts.is_empty() {
        return Ok(());
    }
    write!(out, "<a href=\"/event/{}\">{}</a>", change.event.0, Escaped(&texts.join("; then ")))
}

/// An event with its chain: from the root to it, and all that followed.
pub(super) fn write_chain(out: &mut String, scene: Scene<'_>, event: &Arc<Event>) -> Result {
    let Scene { history, now, .. } = scene;
    let chain = history.chain(event.id);
    let followed = history.consequences(event.id);
    let root = chain.first().unwrap_or(event);
    write!(
        out,
        "<section id=\"chain\"><h2>{}{}</h2><p class=\"about\">{}, {} ago</p>",
        event.line().map_or("", |line| mark(line.level)),
        Escaped(&text(event)),
        At(event.at),
        Ago(now, event.at)
    )?;
    if let Some(lost) = root.cause {
        write!(out, "<p>It began with {lost}, which is no longer held.</p>")?;
    }
    out.push_str("<ol class=\"chain\">");
    let mut depth: HashMap<EventId, usize> = HashMap::new();
    let more = followed.len().saturating_sub(FOLLOWED);
    for told in chain.iter().chain(followed.iter().take(FOLLOWED)) {
        let deep = told.cause.and_then(|cause| depth.get(&cause)).map_or(0, |deep| deep + 1);
        depth.insert(told.id, deep);
        let current = if told.id == event.id { " aria-current=\"true\"" } else { "" };
        write!(
            out,
            "<li class=\"d{}\"{current}><span class=\"when\">{}</span> <a href=\"/event/{}\">{}</a> {}{}",
            deep.min(DEEPEST),
            At(told.at),
            told.id.0,
            told.id,
            told.line().map_or("", |line| mark(line.level)),
            Escaped(&text(told))
        )?;
        if told.id != root.id {
            write!(out, " <small>{}</small>", after(told, root))?;
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>");
    super::write_more(out, more, "<p>", " followed.</p>")?;
    let data = serde_json::to_string_pretty(&**event).unwrap_or_default();
    write!(out, "<h2>What is known of it</h2><pre tabindex=\"0\">{}</pre></section>", Escaped(&data))
}

/// The time since the root.
fn after(event: &Event, root: &Event) -> String {
    let micros = event.since(root).as_micros();
    format!("+{}", super::html::brief(u32::try_from(micros).unwrap_or(u32::MAX)))
}

/// The text of an event, never empty.
fn text(event: &Event) -> String {
    event.line().map_or_else(|| event.fact.kind().replace('_', " "), |line| line.text)
}
