//! What a verdict on something that is tracked stands on: the run of a script, what was read from a file, processes that
//! were counted, a BFD session. Each says so in words.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use keepwatch_model::{BfdDiagnostic, BfdState};
use serde::{Deserialize, Serialize};

/// What the verdict on something was seen by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Nothing yet: `init_fail`.
    Assumed,
    /// A run of a script.
    Run(ScriptRun),
    /// A look at a file.
    Read {
        /// The file.
        file: PathBuf,
        /// What was in it.
        found: FileContent,
    },
    /// The processes that were counted.
    Counted {
        /// How many.
        processes: u32,
        /// At least so many should be there.
        quorum: u16,
        /// At most so many should be there.
        quorum_max: Option<u16>,
    },
    /// A BFD session.
    Session(Session),
}

/// What is known of a BFD session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// With whom.
    pub neighbour: IpAddr,
    /// Why it stands as it does.
    pub why: SessionWhy,
    /// What this side says of why it last left Up.
    #[serde(default)]
    pub diagnostic: BfdDiagnostic,
    /// What the neighbour says of that.
    #[serde(default)]
    pub remote_diagnostic: BfdDiagnostic,
}

/// Why a BFD session is up or down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionWhy {
    /// Nothing has been heard of the neighbour yet.
    Unheard,
    /// Both sides hear each other.
    Agreed {
        /// Time between two packets of this side, before jitter.
        transmit: Duration,
        /// How long the neighbour may be silent.
        detection: Duration,
    },
    /// The neighbour was silent for too long.
    Silence {
        /// How long it might have been.
        detection: Duration,
        /// How much later this was noticed.
        overdue: Duration,
    },
    /// The neighbour said that its side is in this state.
    Neighbour(BfdState),
    /// Packets can't be sent, or not be received, and why.
    Hindered(String),
}

/// A run of a tracked script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptRun {
    /// How it ended.
    pub verdict: Verdict,
    /// The last line that it wrote, empty if none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_line: String,
    /// How long it took.
    pub took: Duration,
}

/// How a run of a tracked script ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// With this exit status; 0 is success, all else a failure.
    Exited(i32),
    /// By a signal of this number.
    Killed(i32),
    /// It was not done within `timeout`.
    TimedOut,
    /// It could not be run, and why.
    NotRun(String),
}

impl Verdict {
    /// Whether it counts for `rise`, else for `fall`.
    pub fn is_success(&self) -> bool {
        match self {
            Self::Exited(status) => *status == 0,
            Self::Killed(_) | Self::TimedOut | Self::NotRun(_) => false,
        }
    }
}

/// What a tracked file has in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileContent {
    /// A number.
    Number,
    /// No number: that counts as 0.
    NoNumber,
    /// Nothing: that counts as 0.
    Empty,
    /// It is not there: that counts as 0.
    Missing,
    /// A number that is too large to be one: what stood there before counts.
    TooLarge,
    /// It can't be read, and why: that counts as 0.
    Unreadable(String),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assumed => f.write_str("it has not been run yet (init_fail)"),
            Self::Run(run) => run.fmt(f),
            Self::Read { file, found } => {
                let file = file.display();
                match found {
                    FileContent::Number => file.fmt(f),
                    FileContent::NoNumber => write!(f, "{file} has no number in it"),
                    FileContent::Empty => write!(f, "{file} is empty"),
                    FileContent::Missing => write!(f, "{file} is not there"),
                    FileContent::TooLarge => write!(f, "{file} has too large a number in it"),
                    FileContent::Unreadable(error) => write!(f, "{file} can't be read: {error}"),
                }
            }
            Self::Counted { processes, quorum, quorum_max } => {
                let s = if *processes == 1 { "" } else { "es" };
                write!(f, "{processes} process{s}, ")?;
                match quorum_max {
                    Some(most) if most == quorum => write!(f, "{quorum} wanted"),
                    Some(most) => write!(f, "{quorum} to {most} wanted"),
                    None => write!(f, "{quorum} wanted"),
                }
            }
            Self::Session(session) => session.fmt(f),
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let neighbour = self.neighbour;
        match &self.why {
            SessionWhy::Unheard => write!(f, "nothing heard of {neighbour} yet"),
            SessionWhy::Agreed { transmit, detection } => {
                write!(
                    f,
                    "{neighbour} answers: a packet each {} ms, down after {} ms of silence",
                    milliseconds(*transmit),
                    milliseconds(*detection)
                )
            }
            SessionWhy::Silence { detection, .. } => {
                write!(f, "nothing heard of {neighbour} for {} ms", milliseconds(*detection))
            }
            SessionWhy::Neighbour(state) => {
                write!(f, "{neighbour} says that its side is {state}")?;
                if self.remote_diagnostic != BfdDiagnostic::NONE {
                    write!(f, " ({})", self.remote_diagnostic)?;
                }
                Ok(())
            }
            SessionWhy::Hindered(error) => f.write_str(error),
        }
    }
}

impl fmt::Display for ScriptRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Exited(status) => write!(f, "exit {status}")?,
            Verdict::Killed(signal) => write!(f, "killed by signal {signal}")?,
            Verdict::TimedOut => write!(f, "timed out after {:.1} s", self.took.as_secs_f64())?,
            Verdict::NotRun(error) => write!(f, "can't be run: {error}")?,
        }
        if self.last_line.is_empty() { Ok(()) } else { write!(f, ": {}", self.last_line) }
    }
}

/// For people.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
