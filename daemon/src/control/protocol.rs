//! Questions and answers of the control socket. Each is one line of JSON; a client sends one question and reads
//! answers until the socket closes.

use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::{Event, World};
use serde::{Deserialize, Serialize};

use super::why::{Now, Why};
use crate::worker::reload::Outcome;

/// What a client can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// The state of everything.
    Status,
    /// The state of everything, and then every event: folded in, they keep it right. Who was too slow gets the state anew.
    Follow,
    /// The last events, and then, if it follows, every further one.
    Events {
        /// How many of the last ones; all that are held if not said.
        #[serde(default)]
        last: Option<usize>,
        /// Go on with those that come.
        #[serde(default)]
        follow: bool,
        /// Only some of them.
        #[serde(default)]
        filter: Filter,
    },
    /// To read the configuration again, and say what came of it.
    Reload,
    /// How much is logged of each subsystem, after what is to be changed has been changed.
    LogLevel {
        /// `SUBSYSTEM=LEVEL`, `all=LEVEL` or `LEVEL`, in this order.
        #[serde(default)]
        set: Vec<String>,
    },
    /// What keepalived writes on a signal.
    Dump {
        /// Which of its files.
        what: DumpAsked,
    },
    /// What led to the last change of something; or, without a subject, what is wrong now.
    Why {
        /// An instance, group, interface, address, virtual or real server, as people would name it.
        #[serde(default)]
        subject: Option<String>,
    },
}

/// Which events are asked for; each condition that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// Of one of these kinds: `state_changed`. None: of any.
    pub kinds: Vec<String>,
    /// About this subject, as people would name it.
    pub subject: Option<String>,
}

impl Filter {
    /// Whether an event is asked for; `names` are those of the subject.
    pub fn wants(&self, event: &Event, names: &[String]) -> bool {
        self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at <= until)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == event.fact.kind()))
            && (self.subject.is_none() || event.mentions().iter().any(|name| names.contains(name)))
    }
}

/// Which dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DumpAsked {
    /// `keepalived.data`: how everything stands (SIGUSR1)
    Data,
    /// `keepalived.stats`: what virtual routers counted (SIGUSR2)
    Stats,
    /// `keepalived.json`: virtual routers for programs
    Json,
}

/// What the daemon answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Question::Status`] and [`Question::Follow`].
    Status {
        /// The daemon's time.
        now: Timestamp,
        /// The state of everything.
        world: Box<World>,
    },
    /// To [`Question::Events`] and [`Question::Follow`], one each.
    Event {
        /// The event.
        event: Arc<Event>,
        /// Its line in the log; none where it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<String>,
    },
    /// A client that follows was too slow.
    Missed {
        /// How many events it did not get.
        count: u64,
    },
    /// To [`Question::Why`]: one for each thing of that name.
    Why {
        /// The daemon's time.
        now: Timestamp,
        /// What is known of them.
        subjects: Vec<Why>,
    },
    /// To [`Question::Why`] without a subject.
    Now {
        /// The daemon's time.
        now: Timestamp,
        /// What is wrong, and what happened lately.
        #[serde(flatten)]
        state: Now,
    },
    /// To [`Question::Reload`], when it is over.
    Reload {
        /// What came of it.
        outcome: Outcome,
    },
    /// To [`Question::LogLevel`].
    LogLevels {
        /// Each subsystem with its level.
        levels: Vec<(String, String)>,
    },
    /// To [`Question::Dump`].
    Dump {
        /// What would be in the file, or in the files, one after the other.
        text: String,
    },
    /// The question can't be answered.
    Error {
        /// Why not.
        message: String,
    },
}
