//! A fact as a line of the log. Where keepalived has a well-known line, ours reads the same, because people grep
//! for it; where it has none, the line says the data of the fact. One fact gives at most one line.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use keepwatch_model::Severity;

use crate::event::Event;
use crate::fact::{ConsumerFact, DaemonFact, Drift, Fact, IpvsFact, LinkDownReason, LinkFact, ScriptOutcome};
use crate::subject::{ServiceKey, endpoint};

mod service;
mod vrrp;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Said only where detail is asked for (`-D`).
    Detail,
    /// Normal operation.
    Info,
    /// Something to look at.
    Warning,
    /// Something that does not work.
    Error,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// Its text, without time and without end of line.
    pub text: String,
}

/// What a fact's text was written with, and how that went.
type Written = (Level, fmt::Result);

/// The line of an event; none for facts that only describe the configuration.
pub fn line(event: &Event) -> Option<Line> {
    let mut text = String::new();
    let out = &mut text;
    let (level, written) = match &event.fact {
        Fact::Daemon(fact) => daemon(out, fact),
        Fact::Link(fact) => link(out, fact),
        Fact::Vrrp(fact) => vrrp::write(out, fact)?,
        Fact::Service(fact) => service::write(out, fact)?,
        Fact::Ipvs(fact) => ipvs(out, fact),
        Fact::Consumer(fact) => consumer(out, fact),
    };
    // Writing to a String can't fail.
    written.ok()?;
    // Text from outside (names, errors) must not be able to forge a second line.
    if text.contains(|c: char| c.is_control()) {
        text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    Some(Line { level, text })
}

fn daemon(out: &mut String, fact: &DaemonFact) -> Written {
    match fact {
        DaemonFact::DaemonStarted { settings: s } => (
            Level::Info,
            write!(out, "Starting keepwatch {} as {}, process {}", s.version, s.router_id, s.pid),
        ),
        DaemonFact::DaemonStopping { reason } => (Level::Info, write!(out, "Stopping ({reason})")),
        DaemonFact::WorkerRestarted { reason } => (Level::Error, write!(out, "Worker restarted: {reason}")),
        DaemonFact::ConfigLoaded { file, instances, virtual_servers, real_servers, reload, .. } => (
            Level::Info,
            write!(
                out,
                "{} {file}: {instances} VRRP instances, {virtual_servers} virtual servers, {real_servers} real servers",
                if *reload { "Reloaded" } else { "Configuration" }
            ),
        ),
        DaemonFact::ConfigRejected { file, errors, first } => (
            Level::Error,
            write!(
                out,
                "Reload of {file} refused, the running configuration stays ({errors} errors): {first}"
            ),
        ),
        DaemonFact::ConfigDiagnosed { severity, code, place, message } => {
            let (level, name) = match severity {
                Severity::Note => (Level::Info, "note"),
                Severity::Warning => (Level::Warning, "warning"),
                Severity::Error => (Level::Error, "error"),
            };
            let colon = if place.is_empty() { "" } else { ": " };
            (level, write!(out, "{place}{colon}{name}: {message} [{code}]"))
        }
        DaemonFact::HistoryFailed { file, error } => {
            (Level::Warning, write!(out, "History file {file} can't be written: {error}"))
        }
        DaemonFact::HistoryRecovered { file, lost } => (
            Level::Info,
            write!(out, "History file {file} is written again; {lost} events are missing in it"),
        ),
        DaemonFact::PartHung { part, doing, since } => {
            (Level::Error, write!(out, "{part} hangs since {since:.3}: {doing}"))
        }
        DaemonFact::PartMoves { part, stood } => {
            (Level::Warning, write!(out, "{part} moves again, after {:.1} s", stood.as_secs_f64()))
        }
    }
}

fn link(out: &mut String, fact: &LinkFact) -> Written {
    match fact {
        LinkFact::LinkUp { interface, .. } => (Level::Info, write!(out, "Netlink reports {interface} up")),
        LinkFact::LinkDown { interface, reason } => {
            (Level::Info, write!(out, "Netlink reports {interface} down ({})", link_reason(*reason)))
        }
    }
}

fn link_reason(reason: LinkDownReason) -> &'static str {
    match reason {
        LinkDownReason::AdminDown => "switched off",
        LinkDownReason::NoCarrier => "no carrier",
        LinkDownReason::Missing => "no such interface",
        LinkDownReason::NoSocket => "can't be listened on",
    }
}

fn ipvs(out: &mut String, fact: &IpvsFact) -> Written {
    match fact {
        IpvsFact::DriftRepaired { service, real, drift } => {
            let what = match drift {
                Drift::Missing => "was missing",
                Drift::Altered => "had been altered",
                Drift::Surplus => "did not belong there",
            };
            let entry = table_entry(service, *real);
            (Level::Warning, write!(out, "IPVS table repaired: {entry} {what}"))
        }
        IpvsFact::IpvsWithheld { operation } => {
            (Level::Info, write!(out, "IPVS (shadow): would {operation}"))
        }
        IpvsFact::IpvsRecovered {} => (Level::Info, write!(out, "IPVS works again")),
        IpvsFact::IpvsRefused { service, real, change, error } => {
            let entry = table_entry(service, *real);
            (Level::Error, write!(out, "IPVS refused to {change} {entry}: {error}"))
        }
        // What was done is told by itself.
        IpvsFact::IpvsAccepted { service, real } => {
            (Level::Detail, write!(out, "IPVS refuses {} no longer", table_entry(service, *real)))
        }
        IpvsFact::IpvsFailed { operation, error } => {
            (Level::Error, write!(out, "IPVS: {operation}: {error}"))
        }
    }
}

/// An entry of the table: a virtual server, or one of those behind it.
fn table_entry(service: &ServiceKey, real: Option<SocketAddr>) -> String {
    match real {
        Some(real) => format!("{} of VS {service}", endpoint(&real, service.protocol())),
        None => format!("VS {service}"),
    }
}

fn consumer(out: &mut String, fact: &ConsumerFact) -> Written {
    match fact {
        ConsumerFact::ConsumerFailed { consumer, error } => {
            (Level::Warning, write!(out, "{consumer}: {error}"))
        }
        ConsumerFact::ScriptExited { script, about, outcome, took } => {
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
        ConsumerFact::ScriptNotRun { script, about, error } => {
            (Level::Warning, write!(out, "Script {script} not run for {about}: {error}"))
        }
        ConsumerFact::MailSent { subject, recipients, .. } => {
            (Level::Detail, write!(out, "Mail to {recipients} recipients sent: {subject}"))
        }
        ConsumerFact::MailDelayed { subject, error, waiting, retry_in } => (
            Level::Warning,
            write!(out, "Mail delayed, {waiting} waiting, next try in {retry_in:?}: {subject}: {error}"),
        ),
        ConsumerFact::MailFailed { subject, error } => {
            (Level::Warning, write!(out, "Mail not sent: {subject}: {error}"))
        }
        ConsumerFact::MasterAgentConnected { socket } => {
            (Level::Info, write!(out, "AgentX session with the SNMP master agent at {socket}"))
        }
        ConsumerFact::MasterAgentLost { socket, error } => {
            (Level::Warning, write!(out, "No AgentX session with the SNMP master agent at {socket}: {error}"))
        }
    }
}
