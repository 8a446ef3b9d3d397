//! Facts of consumers that act themselves as lines of the log.

use std::fmt::Write;
use std::time::Duration;

use super::{ConsumerFact, ScriptOutcome};
use crate::line::{Level, Written};

impl ConsumerFact {
    /// Writes its line.
    pub(crate) fn line(&self, out: &mut String) -> Written {
        match self {
            Self::ConsumerFailed { consumer, error } => (Level::Warning, write!(out, "{consumer}: {error}")),
            Self::ConsumerWorks { consumer } => (Level::Info, write!(out, "{consumer}: the trouble is over")),
            Self::ScriptExited { script, about, outcome, took, output } => {
                if *outcome == (ScriptOutcome::Exited { status: 0 }) {
                    let took = took.as_secs_f64();
                    let written = write!(out, "Script {script} for {about} succeeded in {took:.3} s");
                    return (Level::Detail, written);
                }
                let (how, last) = (how_it_ended(*outcome, *took), last_line(output));
                (Level::Warning, write!(out, "Script {script} for {about} {how}{last}"))
            }
            Self::ScriptOverdue { script, about, running, waiting } => (
                Level::Warning,
                write!(
                    out,
                    "Script {script} for {about} still runs after {:.0} s, {waiting} wait for it",
                    running.as_secs_f64()
                ),
            ),
            Self::ScriptNotRun { script, about, error } => {
                (Level::Warning, write!(out, "Script {script} not run for {about}: {error}"))
            }
            Self::FifoOpened { fifo } => (Level::Detail, write!(out, "notify fifo {fifo} is written")),
            Self::FifoFailed { fifo, error } => (Level::Error, write!(out, "notify fifo {fifo}: {error}")),
            Self::FifoRemoved { fifo } => (Level::Info, write!(out, "notify fifo {fifo} removed by reload")),
            Self::FifoLosesLines { fifo, error } => {
                (Level::Warning, write!(out, "notify fifo {fifo} loses lines: {error}"))
            }
            Self::FifoFlows { fifo, lost } => (
                Level::Warning,
                write!(out, "notify fifo {fifo} is written again; {lost} lines are missing in it"),
            ),
            Self::FifoReaderEnded { fifo, script, outcome, took, output, again_in } => {
                let (how, last) = (how_it_ended(*outcome, *took), last_line(output));
                let again = match again_in {
                    Some(pause) => format!("; started again in {} s", pause.as_secs_f64()),
                    None => "; not started again".to_owned(),
                };
                (
                    Level::Warning,
                    write!(out, "notify fifo script terminated: {script} for {fifo} {how}{last}{again}"),
                )
            }
            Self::FifoReaderWorks { fifo, script } => {
                (Level::Info, write!(out, "notify fifo script runs again: {script} for {fifo}"))
            }
            Self::ManagerSet { socket, set } => (Level::Info, write!(out, "{set} (SNMP SET from {socket})")),
            Self::MailSent { subject, recipients, tries: 0 | 1, .. } => {
                (Level::Detail, write!(out, "Mail to {recipients} recipients sent: {subject}"))
            }
            Self::MailSent { subject, recipients, tries, .. } => {
                (Level::Info, write!(out, "Mail to {recipients} recipients sent at try {tries}: {subject}"))
            }
            Self::MailRefused { subject, recipient, error } => {
                (Level::Warning, write!(out, "Mail refused for {recipient}: {subject}: {error}"))
            }
            Self::MailDelayed { subject, error, waiting, retry_in } => (
                Level::Warning,
                write!(out, "Mail delayed, {waiting} waiting, next try in {retry_in:?}: {subject}: {error}"),
            ),
            Self::MailFailed { subject, error } => {
                (Level::Warning, write!(out, "Mail not sent: {subject}: {error}"))
            }
            Self::DeliveryInterrupted { consumer, error, waiting } => {
                (Level::Warning, write!(out, "{consumer}: not delivered, {waiting} waiting: {error}"))
            }
            Self::DeliveryResumed { consumer, lost, stood } => (
                if *lost > 0 { Level::Warning } else { Level::Info },
                write!(
                    out,
                    "{consumer}: delivered again after {:.1} s; {lost} messages are lost",
                    stood.as_secs_f64()
                ),
            ),
            Self::DeliveryEnded { consumer, lost } => {
                (Level::Warning, write!(out, "{consumer}: ended; {lost} messages are lost"))
            }
            Self::MasterAgentConnected { socket, behind } => {
                let told = write!(out, "AgentX session with the SNMP master agent at {socket}");
                match behind.is_empty() {
                    true => (Level::Info, told),
                    false => {
                        let behind = behind.join(", ");
                        let why = "another subagent serves it, and ours is asked when that has gone";
                        (Level::Warning, told.and_then(|()| write!(out, ", but not of {behind}: {why}")))
                    }
                }
            }
            Self::BusJoined { name } => {
                (Level::Info, write!(out, "Acquired the name {name} on the system bus"))
            }
            Self::BusLost { name, error } => {
                (Level::Warning, write!(out, "Lost the name {name} on the system bus: {error}"))
            }
            Self::BusLeft { name } => {
                (Level::Info, write!(out, "Released the name {name} on the system bus"))
            }
            Self::BusCalled { caller, member, object, instance } => {
                let written = match (&**member, instance) {
                    ("PrintData", _) => write!(out, "Printing VRRP data"),
                    ("PrintStats", _) => write!(out, "Printing VRRP stats"),
                    ("PrintStatsClear", _) => write!(out, "Printing and clearing VRRP stats"),
                    ("SendGarp", Some(instance)) => write!(out, "Sending garps on {instance}"),
                    _ => write!(out, "{member} of {object}"),
                };
                (Level::Info, written.and_then(|()| write!(out, " on DBus request by {caller}")))
            }
            Self::MasterAgentLeft { socket } => {
                (Level::Info, write!(out, "Left the SNMP master agent at {socket}"))
            }
            Self::MasterAgentLost { socket, error } => (
                Level::Warning,
                write!(out, "No AgentX session with the SNMP master agent at {socket}: {error}"),
            ),
        }
    }
}
pub(super) fn how_it_ended(outcome: ScriptOutcome, took: Duration) -> String {
    let took = took.as_secs_f64();
    match outcome {
        ScriptOutcome::Exited { status } => format!("exited with {status} after {took:.3} s"),
        ScriptOutcome::Killed { signal } => format!("was killed by signal {signal} after {took:.3} s"),
        ScriptOutcome::TimedOut => format!("was ended: it ran {took:.3} s"),
    }
}

/// The last line that a script wrote, with what leads to it.
pub(super) fn last_line(output: &str) -> String {
    let last = output.lines().rfind(|line| !line.trim().is_empty());
    last.map(|line| format!(": {line}")).unwrap_or_default()
}
