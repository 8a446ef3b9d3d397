//! What the daemon says of why: the answers of `keepwatch why --json` and `keepwatch events --json`, and whether everybody
//! who tells agrees with them.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{keepwatchd::Keepwatchd, wait};

/// The root of what a daemon says first, asked without a subject: of the worst that is wrong, or, if nothing is, of what
/// happened last.
pub struct Root {
    /// The number of the event.
    pub event: u64,
    /// Its kind.
    pub kind: String,
    /// Its line in the log; empty if it has none.
    pub line: String,
    /// What is wrong, with everything that is wrong for the same reason; empty if nothing is.
    pub wrong: String,
}

/// What `keepwatch why` says, as JSON, and its exit status.
pub fn why(daemon: &Keepwatchd, subject: &[&str]) -> Result<(Value, Option<i32>)> {
    let mut arguments = vec!["--json", "why"];
    arguments.extend(subject);
    let output = daemon.ask(&arguments)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answer = serde_json::from_str(&text).with_context(|| format!("an answer: {text:?}"))?;
    Ok((answer, output.status.code()))
}

/// What the daemon says first.
pub fn root(daemon: &Keepwatchd) -> Result<Root> {
    let (answer, code) = why(daemon, &[])?;
    let wrong = &answer["wrong"][0];
    let sick = wrong.is_object();
    ensure!(code == Some(if sick { 3 } else { 0 }), "exit status {code:?}: {answer}");
    let first = if sick { &wrong["chain"][0] } else { &answer["lately"][0]["chain"][0] };
    let event = first["id"].as_u64().with_context(|| format!("a root: {answer}"))?;
    let kind = first["kind"].as_str().unwrap_or_default().to_owned();
    let said = [&wrong["what"], &wrong["error"]].map(|text| text.as_str().unwrap_or_default());
    let also = wrong["also"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let wrong =
        if sick { said.into_iter().chain(also).collect::<Vec<_>>().join("; ") } else { String::new() };
    let line = line_of(daemon, &kind, event)?;
    Ok(Root { event, kind, line, wrong })
}

/// The line of an event, as `keepwatch events` has it.
fn line_of(daemon: &Keepwatchd, kind: &str, event: u64) -> Result<String> {
    let output = daemon.ask(&["--json", "events", "--kind", kind])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = answers.into_iter().find(|answer| answer["event"]["id"] == event);
    let found = found.with_context(|| format!("event {event} among those of the kind {kind}"))?;
    Ok(found["line"].as_str().unwrap_or_default().to_owned())
}

/// The number of the first event in what `keepwatch why` says in words.
fn first(why: &str) -> Option<u64> {
    why.lines().find_map(|line| line.trim_start().strip_prefix('#')?.split(' ').next()?.parse().ok())
}

/// Waits until the daemon says first that this kind of event, whose line has `words` in it, is the root, and `wrong` is
/// wrong (nothing, if it is empty); and until log and metrics agree with it.
pub fn wait_for_root(daemon: &Keepwatchd, kind: &str, words: &str, wrong: &str) -> Result<Root> {
    let is_it = |root: &Root| {
        root.kind == kind
            && root.line.contains(words)
            && root.wrong.contains(wrong)
            && root.wrong.is_empty() == wrong.is_empty()
    };
    let what = format!("`why` names a {kind} with {words:?} first, and {wrong:?} is wrong");
    // In words as well as in JSON.
    let says = |root: &Root| daemon.answer(&["why"]).is_ok_and(|why| first(&why) == Some(root.event));
    let found = wait::value(&what, wait::LONG, || root(daemon).ok().filter(is_it).filter(says));
    let root = found.with_context(|| daemon.answer(&["why"]).unwrap_or_default())?;
    if !root.line.is_empty() {
        let log = daemon.process().log();
        ensure!(log.contains(&root.line), "the log has no {:?}:\n{log}", root.line);
    }
    let counted = daemon.metric("keepwatch_bus_events_total", &[&format!("kind=\"{kind}\"")]);
    ensure!(counted.is_some_and(|count| count >= 1.0), "{kind} is counted {counted:?} times");
    Ok(root)
}
