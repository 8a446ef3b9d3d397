//! Consumers that act themselves: scripts, mails, the SNMP session, the log of what could not start.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::subject::{Name, RealKey};

mod fold;
mod line;
mod state;

pub use state::{Broken, DbusState, FifoState, MailState, Overdue, ScriptsState, SnmpState};

/// What happens to consumers that act themselves: scripts, mails, the SNMP session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
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
    /// A part that had failed ([`ConsumerFact::ConsumerFailed`]) works, by itself or by a reload; or a reload took it away.
    ConsumerWorks {
        /// Which.
        consumer: Name,
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
    /// A FIFO is there and is told of changes: at the start, and anew after each reload.
    FifoOpened {
        /// Its path.
        fifo: Name,
    },
    /// A FIFO can't be made or used, or something about it is not as it should be.
    FifoFailed {
        /// Its path.
        fifo: Name,
        /// What is wrong.
        error: String,
    },
    /// A reload took a FIFO away.
    FifoRemoved {
        /// Its path.
        fifo: Name,
    },
    /// Lines for a FIFO are lost; published for the first of a row, all are counted.
    FifoLosesLines {
        /// Its path.
        fifo: Name,
        /// Why.
        error: String,
    },
    /// Lines for a FIFO are written again.
    FifoFlows {
        /// Its path.
        fifo: Name,
        /// Lines that are missing in it.
        lost: u64,
    },
    /// The script that reads a FIFO has ended by itself.
    FifoReaderEnded {
        /// The FIFO's path.
        fifo: Name,
        /// The command: program and arguments.
        script: String,
        /// How it ended.
        outcome: ScriptOutcome,
        /// How long it ran.
        took: Duration,
        /// The last that it wrote to its output and its errors.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        output: String,
        /// When it is started again; not at all if it ended well.
        again_in: Option<Duration>,
    },
    /// The script that reads a FIFO had failed ([`ConsumerFact::FifoReaderEnded`], or it could not be run), was started
    /// again, and has run for as long as it was waited with that.
    FifoReaderWorks {
        /// The FIFO's path.
        fifo: Name,
        /// The command: program and arguments.
        script: String,
    },
    /// A manager set an object over SNMP. What comes of it follows from this.
    ManagerSet {
        /// By which master agent; it does not say for whom it asked.
        socket: String,
        /// What.
        set: ManagerSet,
    },
    /// A mail was handed to the mail server.
    MailSent {
        /// Its subject.
        subject: String,
        /// Its recipients.
        recipients: u32,
        /// From the event to the server's answer.
        took: Duration,
        /// The number of this try; 0 in the history of versions that did not count.
        #[serde(default, skip_serializing_if = "is_uncounted")]
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
    /// A receiver of events (a webhook, an OTLP collector) takes no messages, or not all of them; published when that
    /// begins. They are kept and tried again, as many as there is room for.
    DeliveryInterrupted {
        /// Which: `otlp traces`, `webhook pager`.
        consumer: Name,
        /// What went wrong.
        error: String,
        /// Messages that wait.
        waiting: u32,
    },
    /// It takes them again.
    DeliveryResumed {
        /// Which.
        consumer: Name,
        /// Messages that it will not get.
        lost: u64,
        /// How long it took none, or not all.
        stood: Duration,
    },
    /// Nothing is delivered to it any more, by a reload or the end of the daemon, and some messages were left.
    DeliveryEnded {
        /// Which.
        consumer: Name,
        /// Messages that it will not get.
        lost: u64,
    },
    /// The AgentX session with the SNMP master agent stands.
    MasterAgentConnected {
        /// The master's socket.
        socket: String,
        /// The subtrees that another subagent of it has already, by their names in numbers: ours is asked once that has gone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        behind: Vec<String>,
    },
    /// The name on the system bus is ours.
    BusJoined {
        /// The name.
        name: Name,
    },
    /// The system bus, or the name on it, is not to be had; it is being tried again. Published when that begins and when the
    /// reason changes.
    BusLost {
        /// The name.
        name: Name,
        /// Why.
        error: String,
    },
    /// A reload took the daemon off the system bus, or gave it another name there.
    BusLeft {
        /// The name.
        name: Name,
    },
    /// Somebody called a method on the system bus.
    BusCalled {
        /// Its connection, such as `:1.17`.
        caller: String,
        /// The method.
        member: String,
        /// The object.
        object: String,
        /// The virtual router that the object is, if it is one.
        #[serde(default)]
        instance: Option<Name>,
    },
    /// A reload ended the AgentX session, or the attempts to have one.
    MasterAgentLeft {
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

fn is_uncounted(tries: &u32) -> bool {
    *tries == 0
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
    /// It ran too long while another one waited, or when the daemon ended, and was ended with its process group.
    TimedOut,
}

/// What [`ConsumerFact::ScriptNotRun`] says that the script which reads a FIFO should have been run about.
pub fn about_reader(fifo: &str) -> String {
    format!("FIFO {fifo}")
}

/// What a manager can set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagerSet {
    /// `vrrpInstanceBasePriority`: until the next reload.
    Priority {
        /// The virtual router.
        instance: Name,
        /// Until now.
        from: u8,
        /// From now on, 1 to 255.
        to: u8,
    },
    /// `vrrpInstancePreempt`: until the next reload.
    Preempt {
        /// The virtual router.
        instance: Name,
        /// Whether it overrules a master of lower priority from now on.
        to: bool,
    },
    /// `realServerWeight`: until the next reload.
    Weight {
        /// The real server.
        real: RealKey,
        /// Until now.
        from: u32,
        /// From now on, 0 to 65535.
        to: u16,
    },
}

impl fmt::Display for ManagerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Priority { instance, from, to } => {
                write!(f, "({instance}) base priority changed from {from} to {to} via SNMP.")
            }
            Self::Preempt { instance, to: true } => write!(f, "({instance}) preemption enabled with SNMP"),
            Self::Preempt { instance, to: false } => write!(f, "({instance}) preemption disabled with SNMP"),
            Self::Weight { real, from, to } => {
                let RealKey { service, real } = real;
                write!(f, "Weight of {real} of VS {service} changed from {from} to {to} via SNMP.")
            }
        }
    }
}
#[cfg(test)]
mod tests;
