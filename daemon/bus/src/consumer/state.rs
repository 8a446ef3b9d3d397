//! What is known of consumers that act themselves.

use serde::{Deserialize, Serialize};

use crate::subject::Name;
use crate::world::Change;

/// What became of notify scripts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScriptsState {
    /// Scripts that have ended, in whatever way.
    pub run: u64,
    /// Of these, the ones that failed, were killed or had to be ended.
    pub failed: u64,
    /// Scripts that could not be run.
    pub not_run: u64,
    /// Scripts that have run for long and still do.
    pub overdue: Vec<Overdue>,
}

/// A script that has run for long, and still does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overdue {
    /// About what it runs: `INSTANCE VI_1 MASTER`.
    pub about: String,
    /// The command.
    pub script: String,
    /// When that was told.
    pub changed: Change,
}

/// A consumer that could not start, or a receiver of events that takes none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// What went wrong.
    pub error: String,
    /// Since when.
    pub changed: Change,
}

/// A FIFO.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FifoState {
    /// What is wrong with it.
    pub error: Option<String>,
    /// Why lines are lost, while they are.
    pub losing: Option<String>,
    /// Since when one of the two is so.
    #[serde(default)]
    pub failing: Option<Change>,
    /// How often its script has ended by itself.
    pub readers_ended: u64,
    /// How the script that reads it ended last, while it fails and is started again and again.
    #[serde(default)]
    pub reader: Option<Broken>,
}

impl FifoState {
    /// Since the first time in a row, and as the last time shows it.
    pub(super) fn reader_fails(&mut self, error: String, change: Change) {
        let changed = self.reader.take().map_or(change, |broken| broken.changed);
        self.reader = Some(Broken { error, changed });
    }
}

/// What became of mails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MailState {
    /// Mails that the server took.
    pub sent: u64,
    /// Recipients whom the server refused, while it took the mail for others.
    #[serde(default)]
    pub refused: u64,
    /// Mails given up.
    pub failed: u64,
    /// The last error, until a mail is sent.
    pub error: Option<String>,
    /// Since when there is one.
    #[serde(default)]
    pub failing: Option<Change>,
}

/// The AgentX session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SnmpState {
    /// Whether it stands.
    pub connected: bool,
    /// The master agent's socket.
    pub socket: Option<String>,
    /// Why it does not stand.
    pub error: Option<String>,
    /// Since when it does not.
    #[serde(default)]
    pub failing: Option<Change>,
    /// Sessions since the worker began.
    pub sessions: u64,
}

impl ScriptsState {
    /// A script has ended; another one about the same may still run.
    pub(super) fn ended(&mut self, script: &str, about: &str) {
        self.overdue.retain(|overdue| (&*overdue.script, &*overdue.about) != (script, about));
    }
}

impl MailState {
    pub(super) fn fails(&mut self, error: &str, change: Change) {
        self.error = Some(error.to_owned());
        self.failing.get_or_insert(change);
    }
}

/// The connection to the system bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DbusState {
    /// The name that is ours there.
    pub name: Option<Name>,
    /// Why there is none although one is wanted.
    pub error: Option<String>,
}
