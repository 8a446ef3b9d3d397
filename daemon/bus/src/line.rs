//! A fact as a line of the log. Where keepalived has a well-known line, ours reads the same, because people grep
//! for it; where it has none, the line says the data of the fact. One fact gives at most one line.

use std::fmt;

use crate::event::Event;
use crate::fact::Fact;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Said only where detail is asked for (`-D`).
    Detail,
    /// Normal operation.
    Info,
    /// Something to look at.
    Warning,
    /// Something that does not work.
    Error,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// Its text, without time and without end of line.
    pub text: String,
}

/// What a fact's text was written with, and how that went.
pub(crate) type Written = (Level, fmt::Result);

impl Event {
    /// Its line in the log; none for facts that only describe the configuration.
    pub fn line(&self) -> Option<Line> {
        let mut text = String::new();
        let out = &mut text;
        let (level, written) = match &self.fact {
            Fact::Daemon(fact) => fact.line(out),
            Fact::Link(fact) => fact.line(out),
            Fact::Vrrp(fact) => fact.line(out)?,
            Fact::Track(fact) => fact.line(out)?,
            Fact::Service(fact) => fact.line(out)?,
            Fact::Ipvs(fact) => fact.line(out),
            Fact::Consumer(fact) => fact.line(out),
            Fact::Routing(fact) => fact.line(out),
        };
        // Writing to a String can't fail.
        written.ok()?;
        // Text from outside (names, errors) must not be able to forge a second line.
        if text.contains(|c: char| c.is_control()) {
            text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        }
        Some(Line { level, text })
    }
}
