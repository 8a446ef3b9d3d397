//! What happens to consumers that act themselves: scripts, mails, the SNMP session.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ScriptOutcome;
use crate::subject::Name;

/// What happens to consumers that act themselves: scripts, mails, the SNMP session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ConsumerFact {
    /// A listener, socket or other part that only watches could not start; failover goes on without it.
    ConsumerFailed {
        /// Which: `metrics`, `control`, `smtp`, …
        consumer: Name,
        /// What went wrong.
        error: String,
    },
    /// A script of the configuration was run and has ended.
    ScriptExited {
        /// The command: program and arguments.
        script: String,
        /// About what it was run: `INSTANCE VI_1 MASTER`.
        about: String,
        /// How it ended.
        outcome: ScriptOutcome,
        /// How long it ran.
        took: Duration,
        /// The last that it wrote to its output and its errors; nothing of one that succeeded.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        output: String,
    },
    /// A script of the configuration has run for long, and still does; published once.
    ScriptOverdue {
        /// The command: program and arguments.
        script: String,
        /// About what it was run: `INSTANCE VI_1 MASTER`.
        about: String,
        /// How long it has run.
        running: Duration,
        /// Scripts about the same subject that wait until it has ended.
        waiting: u32,
    },
    /// A script of the configuration should have been run and was not.
    ScriptNotRun {
        /// The command: program and arguments.
        script: String,
        /// About what it should have been run.
        about: String,
        /// Why not.
        error: String,
    },
    /// A mail was handed to the mail server.
    MailSent {
        /// Its subject.
        subject: String,
        /// Its recipients.
        recipients: u32,
        /// From the event to the server's answer.
        took: Duration,
        /// The number of this try.
        #[serde(default)]
        tries: u32,
    },
    /// The mail server will never take a mail for one of its recipients; others get it.
    MailRefused {
        /// Its subject.
        subject: String,
        /// Who does not get it.
        recipient: String,
        /// What the server said.
        error: String,
    },
    /// The mail server did not take a mail, which waits now and is tried again; published when that begins and when
    /// the reason changes, not for each try.
    MailDelayed {
        /// Its subject.
        subject: String,
        /// What went wrong.
        error: String,
        /// Mails that wait.
        waiting: u32,
        /// Time to the next try.
        retry_in: Duration,
    },
    /// A mail was given up.
    MailFailed {
        /// Its subject.
        subject: String,
        /// What went wrong.
        error: String,
    },
    /// The AgentX session with the SNMP master agent stands.
    MasterAgentConnected {
        /// The master's socket.
        socket: String,
    },
    /// The AgentX session ended; it is being tried again.
    MasterAgentLost {
        /// The master's socket.
        socket: String,
        /// What went wrong.
        error: String,
    },
}
