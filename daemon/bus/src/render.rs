//! A fact as a line of the log. Where keepalived has a well-known line, ours reads the same, because people grep
//! for it; where it has none, the line says the data of the fact. One fact gives at most one line.

use std::fmt::Write;

use crate::event::Event;
use crate::fact::{
    AdvertError, AnnounceOccasion, DiagnosticSeverity, Drift, Fact, LinkDownReason, ScriptOutcome,
};
use crate::subject::{RealKey, VrrpState, endpoint};

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

/// The line of an event; none for facts that only describe the configuration.
pub fn line(event: &Event) -> Option<Line> {
    let mut text = String::new();
    let level = write(&mut text, &event.fact)?;
    // Text from outside (names, errors) must not be able to forge a second line.
    if text.contains(|c: char| c.is_control()) {
        text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    Some(Line { level, text })
}

fn write(out: &mut String, fact: &Fact) -> Option<Level> {
    let (level, result) = match fact {
        Fact::DaemonStarted { settings: s } => (
            Level::Info,
            write!(out, "Starting keepwatch {} as {}, process {}", s.version, s.router_id, s.pid),
        ),
        Fact::DaemonStopping { reason } => (Level::Info, write!(out, "Stopping ({reason})")),
        Fact::WorkerRestarted { reason } => (Level::Error, write!(out, "Worker restarted: {reason}")),
        Fact::ConfigLoaded { file, instances, virtual_servers, real_servers, reload, .. } => (
            Level::Info,
            write!(
                out,
                "{} {file}: {instances} VRRP instances, {virtual_servers} virtual servers, {real_servers} real servers",
                if *reload { "Reloaded" } else { "Configuration" }
            ),
        ),
        Fact::ConfigRejected { file, errors, first } => (
            Level::Error,
            write!(
                out,
                "Reload of {file} refused, the running configuration stays ({errors} errors): {first}"
            ),
        ),
        Fact::ConfigDiagnosed { severity, code, place, message } => {
            let (level, name) = match severity {
                DiagnosticSeverity::Note => (Level::Info, "note"),
                DiagnosticSeverity::Warning => (Level::Warning, "warning"),
                DiagnosticSeverity::Error => (Level::Error, "error"),
            };
            let colon = if place.is_empty() { "" } else { ": " };
            (level, write!(out, "{place}{colon}{name}: {message} [{code}]"))
        }
        Fact::HistoryFailed { file, error } => {
            (Level::Warning, write!(out, "History file {file} can't be written: {error}"))
        }
        Fact::HistoryRecovered { file, lost } => (
            Level::Info,
            write!(out, "History file {file} is written again; {lost} events are missing in it"),
        ),
        Fact::ConsumerFailed { consumer, error } => (Level::Warning, write!(out, "{consumer}: {error}")),
        Fact::LinkUp { interface, .. } => (Level::Info, write!(out, "Netlink reports {interface} up")),
        Fact::LinkDown { interface, reason } => {
            (Level::Info, write!(out, "Netlink reports {interface} down ({})", link_reason(*reason)))
        }
        Fact::InstanceConfigured { .. }
        | Fact::GroupConfigured { .. }
        | Fact::VirtualServerConfigured { .. }
        | Fact::RealServerConfigured { .. } => return None,
        Fact::InstanceUnconfigured { instance } => {
            (Level::Info, write!(out, "({instance}) removed by reload"))
        }
        Fact::GroupUnconfigured { group } => {
            (Level::Info, write!(out, "VRRP_Group({group}) removed by reload"))
        }
        Fact::VirtualServerUnconfigured { service } => {
            (Level::Info, write!(out, "Removing Virtual Server {service}"))
        }
        Fact::RealServerUnconfigured { real } => {
            (Level::Info, write!(out, "service {} no longer exist", real.label()))
        }
        Fact::CheckSucceeded { .. }
        | Fact::CheckFailed { .. }
        | Fact::CheckNotRun { .. }
        | Fact::RealServerUp { .. }
        | Fact::RealServerDown { .. }
        | Fact::VirtualServerAdded { .. }
        | Fact::VirtualServerRemoved { .. }
        | Fact::RealServerAdded { .. }
        | Fact::RealServerRemoved { .. }
        | Fact::RealServerWeightChanged { .. }
        | Fact::QuorumGained { .. }
        | Fact::QuorumLost { .. }
        | Fact::SorryServerAdded { .. }
        | Fact::SorryServerRemoved { .. }
        | Fact::DriftRepaired { .. }
        | Fact::IpvsWithheld { .. }
        | Fact::IpvsFailed { .. }
        | Fact::IpvsRecovered { .. } => return service(out, fact),
        Fact::ScriptExited { script, about, outcome, took } => {
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
        Fact::ScriptNotRun { script, about, error } => {
            (Level::Warning, write!(out, "Script {script} not run for {about}: {error}"))
        }
        Fact::MailSent { subject, recipients, .. } => {
            (Level::Detail, write!(out, "Mail to {recipients} recipients sent: {subject}"))
        }
        Fact::MailDelayed { subject, error, waiting, retry_in } => (
            Level::Warning,
            write!(out, "Mail delayed, {waiting} waiting, next try in {retry_in:?}: {subject}: {error}"),
        ),
        Fact::MailFailed { subject, error } => {
            (Level::Warning, write!(out, "Mail not sent: {subject}: {error}"))
        }
        Fact::MasterAgentConnected { socket } => {
            (Level::Info, write!(out, "AgentX session with the SNMP master agent at {socket}"))
        }
        Fact::MasterAgentLost { socket, error } => {
            (Level::Warning, write!(out, "No AgentX session with the SNMP master agent at {socket}: {error}"))
        }
        Fact::StateChanged { .. }
        | Fact::GroupStateChanged { .. }
        | Fact::AdvertTimedOut { .. }
        | Fact::MasterHeard { .. }
        | Fact::MasterResigned { .. }
        | Fact::HigherPriorityReceived { .. }
        | Fact::LowerPriorityReceived { .. }
        | Fact::AdvertRejected { .. }
        | Fact::PriorityChanged { .. }
        | Fact::AddressAdded { .. }
        | Fact::AddressRemoved { .. }
        | Fact::AddressFailed { .. }
        | Fact::AddressesAnnounced { .. }
        | Fact::AdvertSendFailed { .. }
        | Fact::SourceAddressChanged { .. }
        | Fact::AdvertDelayed { .. } => return vrrp(out, fact),
    };
    // Writing to a String can't fail.
    result.ok().map(|()| level)
}

fn vrrp(out: &mut String, fact: &Fact) -> Option<Level> {
    let (level, result) = match fact {
        Fact::StateChanged { instance, from, to, .. } => {
            let init = if *from == VrrpState::Init { " (init)" } else { "" };
            (Level::Info, write!(out, "({instance}) Entering {to} STATE{init}"))
        }
        Fact::GroupStateChanged { group, to, .. } => {
            (Level::Info, write!(out, "VRRP_Group({group}) Syncing instances to {to} state"))
        }
        Fact::AdvertTimedOut { instance, .. } => {
            (Level::Detail, write!(out, "({instance}) Receive advertisement timeout"))
        }
        Fact::MasterHeard { instance, address, .. } => {
            (Level::Detail, write!(out, "({instance}) master set to {address}"))
        }
        Fact::MasterResigned { instance, .. } => {
            (Level::Info, write!(out, "({instance}) Backup received priority 0 advertisement"))
        }
        Fact::HigherPriorityReceived { instance, address, priority, own } if priority == own => (
            Level::Info,
            write!(
                out,
                "({instance}) Master received advert from {address} with same priority {priority} but higher IP address than ours"
            ),
        ),
        Fact::HigherPriorityReceived { instance, address, priority, own } => (
            Level::Info,
            write!(
                out,
                "({instance}) Master received advert from {address} with higher priority {priority}, ours {own}"
            ),
        ),
        Fact::LowerPriorityReceived { instance, address, priority, own } => (
            Level::Info,
            write!(
                out,
                "({instance}) Received advert from {address} with lower priority {priority}, ours {own}"
            ),
        ),
        Fact::AdvertRejected { instance, address, error, detail } => {
            (Level::Warning, write!(out, "({instance}) {} from {address}: {detail}", advert_error(*error)))
        }
        Fact::PriorityChanged { instance, from, to } => {
            (Level::Info, write!(out, "({instance}) Changing effective priority from {from} to {to}"))
        }
        Fact::AddressAdded { instance, address, adopted } => {
            let how = if *adopted { "adopting" } else { "setting" };
            (Level::Detail, write!(out, "({instance}) {how} VIP {address} on {}", address.interface))
        }
        Fact::AddressRemoved { instance, address } => {
            (Level::Detail, write!(out, "({instance}) removing VIP {address} from {}", address.interface))
        }
        Fact::AddressFailed { instance, address, adding, error } => {
            let (verb, to) = if *adding { ("add", "to") } else { ("remove", "from") };
            let on = &address.interface;
            (Level::Error, write!(out, "({instance}) can't {verb} VIP {address} {to} {on}: {error}"))
        }
        Fact::AddressesAnnounced { instance, addresses, repeat, occasion } => {
            let why = match occasion {
                AnnounceOccasion::BecameMaster => "on becoming master",
                AnnounceOccasion::Delayed => "again",
                AnnounceOccasion::Refresh => "as refresh",
                AnnounceOccasion::LowerPriorityMaster => "because of a lower-priority master",
                AnnounceOccasion::AddressesChanged => "for new addresses",
                AnnounceOccasion::LeftFault => "for its unicast peers",
            };
            (
                Level::Detail,
                write!(
                    out,
                    "({instance}) Sending gratuitous ARPs {why}: {addresses} addresses, {repeat} each"
                ),
            )
        }
        Fact::AdvertSendFailed { instance, error } => {
            (Level::Error, write!(out, "({instance}) send advert error: {error}"))
        }
        Fact::SourceAddressChanged { instance, address: Some(address) } => {
            (Level::Info, write!(out, "({instance}) adverts are sent from {address} now"))
        }
        Fact::SourceAddressChanged { instance, address: None } => {
            (Level::Info, write!(out, "({instance}) the interface has no address to send adverts from"))
        }
        Fact::AdvertDelayed { instance, late } => {
            (Level::Warning, write!(out, "({instance}) advert left {} ms late", late.as_millis()))
        }
        _ => return None,
    };
    result.ok().map(|()| level)
}

fn service(out: &mut String, fact: &Fact) -> Option<Level> {
    let (level, result) = match fact {
        Fact::CheckSucceeded { checker, .. } => {
            (Level::Info, write!(out, "{} to {} success.", check_name(&checker.kind), checker.real.label()))
        }
        Fact::CheckFailed { checker, error, attempt, attempts, .. } if attempt < attempts => (
            Level::Detail,
            write!(
                out,
                "{} to {} failed ({error}), try {attempt} of {attempts}.",
                check_name(&checker.kind),
                checker.real.label()
            ),
        ),
        Fact::CheckFailed { checker, error, attempt, .. } => {
            let retries = attempt.saturating_sub(1);
            let after = if retries == 0 { String::new() } else { format!(" after {retries} retries") };
            (
                Level::Info,
                write!(out, "{} on service {} failed{after}: {error}.", checker.kind, checker.real.label()),
            )
        }
        Fact::CheckNotRun { checker, error } => (
            Level::Warning,
            write!(out, "{} on service {} could not be run: {error}.", checker.kind, checker.real.label()),
        ),
        // keepalived says these by what follows from them: the service is added to or removed from the pool.
        Fact::RealServerUp { .. } | Fact::RealServerDown { .. } => return None,
        Fact::VirtualServerAdded { service, adopted } => {
            let how = if *adopted { "Adopting" } else { "Adding" };
            (Level::Detail, write!(out, "{how} Virtual Server {service}"))
        }
        Fact::VirtualServerRemoved { service } => {
            (Level::Detail, write!(out, "Removed Virtual Server {service}"))
        }
        Fact::RealServerAdded { real, adopted: false, .. } => (Level::Info, pool(out, "Adding", real, "to")),
        Fact::RealServerAdded { real, adopted: true, .. } => (Level::Info, pool(out, "Adopting", real, "of")),
        Fact::RealServerRemoved { real } => (Level::Info, pool(out, "Removing", real, "from")),
        // What `inhibit_on_failure` does, in keepalived's words.
        Fact::RealServerWeightChanged { real, to: 0, .. } => {
            (Level::Info, pool(out, "Disabling", real, "of"))
        }
        Fact::RealServerWeightChanged { real, from: 0, .. } => {
            (Level::Info, pool(out, "Enabling", real, "of"))
        }
        Fact::RealServerWeightChanged { real, from, to } => (
            Level::Info,
            write!(
                out,
                "Changing weight from {from} to {to} for active service {} of VS {}",
                real.label(),
                real.service
            ),
        ),
        Fact::QuorumGained { service, quorum, hysteresis, weight } => {
            let need = i64::from(*quorum) + i64::from(*hysteresis);
            (
                Level::Info,
                write!(out, "Gained quorum {quorum}+{hysteresis}={need} <= {weight} for VS {service}"),
            )
        }
        Fact::QuorumLost { service, quorum, hysteresis, weight } => {
            let need = i64::from(*quorum) - i64::from(*hysteresis);
            (Level::Info, write!(out, "Lost quorum {quorum}-{hysteresis}={need} > {weight} for VS {service}"))
        }
        Fact::SorryServerAdded { service, sorry } => {
            let sorry = endpoint(sorry, service.protocol());
            (Level::Info, write!(out, "Adding sorry server {sorry} to VS {service}"))
        }
        Fact::SorryServerRemoved { service, sorry } => {
            let sorry = endpoint(sorry, service.protocol());
            (Level::Info, write!(out, "Removing sorry server {sorry} from VS {service}"))
        }
        Fact::DriftRepaired { service, real, drift } => {
            let what = match drift {
                Drift::Missing => "was missing",
                Drift::Altered => "had been altered",
                Drift::Surplus => "did not belong there",
            };
            let subject =
                real.map(|r| format!("{} of ", endpoint(&r, service.protocol()))).unwrap_or_default();
            (Level::Warning, write!(out, "IPVS table repaired: {subject}VS {service} {what}"))
        }
        Fact::IpvsWithheld { operation } => (Level::Info, write!(out, "IPVS (shadow): would {operation}")),
        Fact::IpvsRecovered {} => (Level::Info, write!(out, "IPVS works again")),
        Fact::IpvsFailed { operation, error } => (Level::Error, write!(out, "IPVS: {operation}: {error}")),
        _ => return None,
    };
    result.ok().map(|()| level)
}

fn pool(out: &mut String, verb: &str, real: &RealKey, to: &str) -> std::fmt::Result {
    write!(out, "{verb} service {} {to} VS {}", real.label(), real.service)
}

fn check_name(kind: &str) -> &str {
    match kind {
        "TCP_CHECK" => "TCP connection",
        other => other,
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

fn advert_error(error: AdvertError) -> &'static str {
    match error {
        AdvertError::PacketLength => "invalid length",
        AdvertError::Checksum => "invalid checksum",
        AdvertError::Version => "invalid version",
        AdvertError::VirtualRouterId => "invalid virtual router id",
        AdvertError::Ttl => "invalid TTL",
        AdvertError::Type => "invalid packet type",
        AdvertError::Interval => "advertisement interval mismatch",
        AdvertError::AddressList => "address list mismatch",
        AdvertError::AuthTypeInvalid => "invalid authentication type",
        AdvertError::AuthTypeMismatch => "authentication type mismatch",
        AdvertError::AuthFailure => "authentication failure",
    }
}
