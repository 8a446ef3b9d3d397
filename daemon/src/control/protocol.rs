//! Questions and answers of the control socket. Each is one line of JSON; a client sends one question and reads
//! answers until the socket closes.

use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::{Event, World};
use serde::{Deserialize, Serialize};

use super::why::Why;

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
    },
    /// What keepalived writes on a signal.
    Dump {
        /// Which of its files.
        what: DumpAsked,
    },
    /// What led to the last change of something.
    Why {
        /// An instance, group, interface, virtual or real server, as people would name it.
        subject: String,
    },
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
