//! Consumers that act themselves: scripts, mails, the SNMP session, the log of what could not start.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::line::{Level, Written};
use crate::subject::Name;
use crate::world::World;

/// What happens to consumers that act themselves: scripts, mails, the SNMP session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptOutcome {
    /// By itself.
    Exited {
        /// Its exit status.
        status: i32,
    },
    /// By a signal.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// It ran too long and was killed with everything it had started.
    TimedOut,
}

/// What became of mails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MailState {
    /// Mails that the server took.
    pub sent: u64,
    /// Mails given up.
    pub failed: u64,
    /// The last error, until a mail is sent.
    pub error: Option<String>,
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
    /// Sessions since the worker began.
    pub sessions: u64,
}

impl ConsumerFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World) {
        match self {
            Self::ConsumerFailed { consumer, error } => {
                w.failed_consumers.insert(consumer.clone(), error.clone());
            }
            Self::MailSent { .. } => {
                w.mail.sent += 1;
                w.mail.error = None;
            }
            Self::MailDelayed { error, .. } => w.mail.error = Some(error.clone()),
            Self::MailFailed { error, .. } => {
                w.mail.failed += 1;
                w.mail.error = Some(error.clone());
            }
            Self::MasterAgentConnected { socket } => {
                w.snmp.connected = true;
                w.snmp.sessions += 1;
                w.snmp.socket = Some(socket.clone());
                w.snmp.error = None;
            }
            Self::MasterAgentLost { socket, error } => {
                w.snmp.connected = false;
                w.snmp.socket = Some(socket.clone());
                w.snmp.error = Some(error.clone());
            }
            Self::ScriptExited { .. } | Self::ScriptNotRun { .. } => {}
        }
    }

    /// Writes its line.
    pub(crate) fn line(&self, out: &mut String) -> Written {
        match self {
            Self::ConsumerFailed { consumer, error } => (Level::Warning, write!(out, "{consumer}: {error}")),
            Self::ScriptExited { script, about, outcome, took } => {
                let took = took.as_secs_f64();
                match outcome {
                    ScriptOutcome::Exited { status: 0 } => {
                        (Level::Detail, write!(out, "Script {script} for {about} succeeded in {took:.3} s"))
                    }
                    ScriptOutcome::Exited { status } => (
                        Level::Warning,
                        write!(out, "Script {script} for {about} exited with {status} after {took:.3} s"),
                    ),
                    ScriptOutcome::Killed { signal } => (
                        Level::Warning,
                        write!(
                            out,
                            "Script {script} for {about} was killed by signal {signal} after {took:.3} s"
                        ),
                    ),
                    ScriptOutcome::TimedOut => (
                        Level::Warning,
                        write!(out, "Script {script} for {about} was killed: it ran {took:.3} s"),
                    ),
                }
            }
            Self::ScriptNotRun { script, about, error } => {
                (Level::Warning, write!(out, "Script {script} not run for {about}: {error}"))
            }
            Self::MailSent { subject, recipients, .. } => {
                (Level::Detail, write!(out, "Mail to {recipients} recipients sent: {subject}"))
            }
            Self::MailDelayed { subject, error, waiting, retry_in } => (
                Level::Warning,
                write!(out, "Mail delayed, {waiting} waiting, next try in {retry_in:?}: {subject}: {error}"),
            ),
            Self::MailFailed { subject, error } => {
                (Level::Warning, write!(out, "Mail not sent: {subject}: {error}"))
            }
            Self::MasterAgentConnected { socket } => {
                (Level::Info, write!(out, "AgentX session with the SNMP master agent at {socket}"))
            }
            Self::MasterAgentLost { socket, error } => (
                Level::Warning,
                write!(out, "No AgentX session with the SNMP master agent at {socket}: {error}"),
            ),
        }
    }
}
