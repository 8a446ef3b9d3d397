//! What facts of consumers that act themselves do to the world.

use super::line::{how_it_ended, last_line};
use super::{Broken, ConsumerFact, DbusState, Overdue, ScriptOutcome, about_reader};
use crate::world::{Change, World};

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
}
