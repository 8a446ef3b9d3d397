//! A fact as a line of the log. Where keepalived has a well-known line, ours reads the same, because people grep
//! for it; where it has none, the line says the data of the fact. One fact gives at most one line.

use std::fmt;

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::event::Event;
use crate::fact::Fact;

/// How much a line matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// Said only where detail is asked for (`-D`).
    #[strum(serialize = "debug")]
    Detail,
    /// Normal operation.
    Info,
    /// Something to look at.
    Warning,
    /// Something that does not work.
    Error,
}

/// What a line is of: the subjects of facts, by the names that a level can be set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Subsystem {
    /// The daemon as a whole, its configuration and history.
    Daemon,
    /// Network interfaces.
    Link,
    /// Virtual routers and sync groups.
    Vrrp,
    /// What virtual routers follow.
    Track,
    /// Virtual servers, real servers and their checkers.
    Check,
    /// The kernel's table.
    Ipvs,
    /// Scripts, FIFOs, mail, SNMP and whatever else tells others.
    Notify,
    /// Routes, rules and static addresses.
    Routing,
}

impl Fact {
    /// Which part of the daemon it is of.
    pub fn subsystem(&self) -> Subsystem {
        match self {
            Self::Daemon(_) => Subsystem::Daemon,
            Self::Link(_) => Subsystem::Link,
            Self::Vrrp(_) => Subsystem::Vrrp,
            Self::Track(_) => Subsystem::Track,
            Self::Service(_) => Subsystem::Check,
            Self::Ipvs(_) => Subsystem::Ipvs,
            Self::Consumer(_) => Subsystem::Notify,
            Self::Routing(_) => Subsystem::Routing,
        }
    }
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
