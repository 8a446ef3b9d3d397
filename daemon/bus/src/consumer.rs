//! Consumers that act themselves: scripts, mails, the SNMP session, the log of what could not start.

use std::fmt::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::line::{Level, Written};
use crate::subject::{Name, RealKey};
use crate::world::{Change, World};

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
    fn reader_fails(&mut self, error: String, change: Change) {
        let changed = self.reader.take().map_or(change, |broken| broken.changed);
        self.reader = Some(Broken { error, changed });
    }
}

/// What [`ConsumerFact::ScriptNotRun`] says that the script which reads a FIFO should have been run about.
pub fn about_reader(fifo: &str) -> String {
    format!("FIFO {fifo}")
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
    fn ended(&mut self, script: &str, about: &str) {
        self.overdue.retain(|overdue| (&*overdue.script, &*overdue.about) != (script, about));
    }
}

impl MailState {
    fn fails(&mut self, error: &str, change: Change) {
        self.error = Some(error.to_owned());
        self.failing.get_or_insert(change);
    }
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

/// The connection to the system bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DbusState {
    /// The name that is ours there.
    pub name: Option<Name>,
    /// Why there is none although one is wanted.
    pub error: Option<String>,
}

impl ConsumerFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            Self::ConsumerFailed { consumer, error } => {
                w.failed_consumers.insert(consumer.clone(), Broken { error: error.clone(), changed: change });
            }
            Self::ConsumerWorks { consumer } => {
                w.failed_consumers.shift_remove(consumer);
            }
            Self::MailSent { .. } => {
                w.mail.sent += 1;
                (w.mail.error, w.mail.failing) = (None, None);
            }
            Self::MailRefused { .. } => w.mail.refused += 1,
            Self::MailDelayed { error, .. } => w.mail.fails(error, change),
            Self::MailFailed { error, .. } => {
                w.mail.failed += 1;
                w.mail.fails(error, change);
            }
            Self::DeliveryInterrupted { consumer, error, .. } => {
                let broken = Broken { error: error.clone(), changed: change };
                w.interrupted.insert(consumer.clone(), broken);
            }
            Self::DeliveryResumed { consumer, .. } | Self::DeliveryEnded { consumer, .. } => {
                w.interrupted.shift_remove(consumer);
            }
            Self::MasterAgentConnected { socket, .. } => {
                w.snmp.connected = true;
                w.snmp.sessions += 1;
                w.snmp.socket = Some(socket.clone());
                (w.snmp.error, w.snmp.failing) = (None, None);
            }
            Self::MasterAgentLost { socket, error } => {
                w.snmp.connected = false;
                w.snmp.socket = Some(socket.clone());
                w.snmp.error = Some(error.clone());
                w.snmp.failing.get_or_insert(change);
            }
            Self::MasterAgentLeft { .. } => {
                w.snmp.connected = false;
                (w.snmp.socket, w.snmp.error, w.snmp.failing) = (None, None, None);
            }
            Self::BusJoined { name } => w.dbus = DbusState { name: Some(name.clone()), error: None },
            Self::BusLost { error, .. } => w.dbus = DbusState { name: None, error: Some(error.clone()) },
            Self::BusLeft { .. } => w.dbus = DbusState::default(),
            Self::BusCalled { .. } => {}
            Self::ScriptExited { script, about, outcome, .. } => {
                w.scripts.ended(script, about);
                w.scripts.run += 1;
                if *outcome != (ScriptOutcome::Exited { status: 0 }) {
                    w.scripts.failed += 1;
                }
            }
            Self::ScriptOverdue { script, about, .. } => {
                w.scripts.ended(script, about);
                let (script, about) = (script.clone(), about.clone());
                w.scripts.overdue.push(Overdue { about, script, changed: change });
            }
            // What comes of it is told by whoever does it.
            Self::ManagerSet { .. } => {}
            Self::ScriptNotRun { about, error, .. } => {
                w.scripts.not_run += 1;
                if let Some((_, fifo)) = w.fifos.iter_mut().find(|(fifo, _)| *about == about_reader(fifo)) {
                    fifo.reader_fails(format!("it can't be run: {error}"), change);
                }
            }
            // With it begins a reader of its own.
            Self::FifoOpened { fifo } => {
                let fifo = w.fifos.entry(fifo.clone()).or_default();
                (fifo.error, fifo.losing, fifo.failing, fifo.reader) = (None, None, None, None);
            }
            Self::FifoFailed { fifo, error } => {
                let fifo = w.fifos.entry(fifo.clone()).or_default();
                (fifo.error, fifo.losing) = (Some(error.clone()), None);
                fifo.failing.get_or_insert(change);
            }
            Self::FifoRemoved { fifo } => {
                w.fifos.shift_remove(fifo);
            }
            Self::FifoLosesLines { fifo, error } => {
                let fifo = w.fifos.entry(fifo.clone()).or_default();
                fifo.losing = Some(error.clone());
                fifo.failing.get_or_insert(change);
            }
            Self::FifoFlows { fifo, .. } => {
                let fifo = w.fifos.entry(fifo.clone()).or_default();
                fifo.losing = None;
                fifo.failing.take_if(|_| fifo.error.is_none());
            }
            Self::FifoReaderEnded { fifo, script, outcome, took, output, again_in } => {
                let fifo = w.fifos.entry(fifo.clone()).or_default();
                fifo.readers_ended += 1;
                match again_in {
                    Some(_) => {
                        let (how, last) = (how_it_ended(*outcome, *took), last_line(output));
                        fifo.reader_fails(format!("{script} {how}{last}"), change);
                    }
                    // It ended well.
                    None => fifo.reader = None,
                }
            }
            Self::FifoReaderWorks { fifo, .. } => {
                if let Some(fifo) = w.fifos.get_mut(fifo) {
                    fifo.reader = None;
                }
            }
        }
    }

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

fn how_it_ended(outcome: ScriptOutcome, took: Duration) -> String {
    let took = took.as_secs_f64();
    match outcome {
        ScriptOutcome::Exited { status } => format!("exited with {status} after {took:.3} s"),
        ScriptOutcome::Killed { signal } => format!("was killed by signal {signal} after {took:.3} s"),
        ScriptOutcome::TimedOut => format!("was ended: it ran {took:.3} s"),
    }
}

/// The last line that a script wrote, with what leads to it.
fn last_line(output: &str) -> String {
    let last = output.lines().rfind(|line| !line.trim().is_empty());
    last.map(|line| format!(": {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// What is told of in a world in which this happened.
    fn trouble(happened: impl IntoIterator<Item = ConsumerFact>) -> Vec<String> {
        let mut world = World::default();
        for (id, fact) in (1..).zip(happened) {
            world.apply(&sample::event(id, None, fact));
        }
        world.trouble().into_iter().map(|trouble| format!("{}: {}", trouble.what, trouble.error)).collect()
    }

    #[test]
    fn of_two_hung_scripts_of_one_event_one_is_left_when_the_other_ends() {
        let about = || "INSTANCE VI_1 BACKUP".to_owned();
        let overdue = |script: &str| ConsumerFact::ScriptOverdue {
            script: script.into(),
            about: about(),
            running: Duration::from_secs(10),
            waiting: 0,
        };
        let ended = ConsumerFact::ScriptExited {
            script: "/h1".into(),
            about: about(),
            outcome: ScriptOutcome::Exited { status: 0 },
            took: Duration::from_secs(14),
            output: String::new(),
        };
        assert_eq!(trouble([overdue("/h1"), overdue("/h2")]).len(), 2);
        assert_eq!(
            trouble([overdue("/h1"), overdue("/h2"), ended]),
            ["script for INSTANCE VI_1 BACKUP: /h2 still runs"]
        );
    }

    #[test]
    fn a_reader_that_fails_is_trouble_until_one_lives() {
        let fifo = || Name::from("/run/fifo");
        let opened = || ConsumerFact::FifoOpened { fifo: fifo() };
        let ended = |status, again_in| ConsumerFact::FifoReaderEnded {
            fifo: fifo(),
            script: "/reader".into(),
            outcome: ScriptOutcome::Exited { status },
            took: Duration::from_secs(1),
            output: "boom\n".into(),
            again_in,
        };
        let failed = || ended(3, Some(Duration::from_secs(4)));
        let works = || ConsumerFact::FifoReaderWorks { fifo: fifo(), script: "/reader".into() };
        let not_run = || ConsumerFact::ScriptNotRun {
            script: "/reader".into(),
            about: about_reader(&fifo()),
            error: "there is none".into(),
        };
        let what = "the script that reads FIFO /run/fifo fails";
        assert_eq!(
            trouble([opened(), failed()]),
            [format!("{what}: /reader exited with 3 after 1.000 s: boom")]
        );
        assert_eq!(trouble([opened(), not_run()]), [format!("{what}: it can't be run: there is none")]);
        for over in [works(), opened(), ended(0, None), ConsumerFact::FifoRemoved { fifo: fifo() }] {
            assert_eq!(trouble([opened(), failed(), failed(), over]), [""; 0]);
        }
    }

    #[test]
    fn a_master_agent_that_a_reload_left_is_no_trouble() {
        let mut world = World::default();
        let socket = "/var/agentx/master".to_owned();
        let lost = ConsumerFact::MasterAgentLost { socket: socket.clone(), error: "refused".into() };
        world.apply(&sample::event(1, None, lost));
        assert_eq!(world.trouble().len(), 1);
        world.apply(&sample::event(2, None, ConsumerFact::MasterAgentLeft { socket }));
        assert!(world.trouble().is_empty() && !world.snmp.connected);
    }
}
