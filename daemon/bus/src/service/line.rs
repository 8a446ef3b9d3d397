//! Facts of virtual servers, real servers and checkers as lines of the log.

use std::fmt::{self, Write};

use super::{Certificate, ServiceFact};
use crate::line::{Level, Written};
use crate::subject::{CheckerKey, RealKey, endpoint};

impl ServiceFact {
    /// Writes its line; none for what only describes the configuration.
    pub(crate) fn line(&self, out: &mut String) -> Option<Written> {
        Some(match self {
            Self::VirtualServerConfigured { .. } | Self::RealServerConfigured { .. } => {
                return None;
            }
            // What follows from it is told: the check fails, or it does not.
            Self::PageDigestSeen { .. } => return None,
            Self::CertificateSeen { checker, certificate } => {
                let level = if certificate.distrust.is_some() { Level::Warning } else { Level::Detail };
                (level, shown(out, checker, certificate))
            }
            Self::VirtualServerUnconfigured { service } => {
                (Level::Info, write!(out, "Removing Virtual Server {service}"))
            }
            Self::RealServerUnconfigured { real } => {
                (Level::Info, write!(out, "service {} no longer exist", real.label()))
            }
            Self::CheckSucceeded { checker, .. } => (Level::Info, success(out, checker)),
            Self::CheckFailed { checker, failure, attempt, attempts, log_always, .. }
                if attempt < attempts =>
            {
                let level = if *log_always { Level::Info } else { Level::Detail };
                let (checker, real) = (log_name(&checker.kind), checker.real.label());
                (
                    level,
                    write!(
                        out,
                        "{checker} on service {real} failed ({failure}), try {attempt} of {attempts}."
                    ),
                )
            }
            Self::CheckFailed { checker, failure, .. } if &*checker.kind == "BFD_CHECK" => {
                (Level::Info, write!(out, "BFD check of RS({}) is DOWN: {failure}", checker.real.label()))
            }
            Self::CheckFailed { checker, failure, attempt, .. } => {
                let retries = attempt.saturating_sub(1);
                let after = if retries == 0 { String::new() } else { format!(" after {retries} retries") };
                (
                    Level::Info,
                    write!(
                        out,
                        "{} on service {} failed{after}: {failure}.",
                        log_name(&checker.kind),
                        checker.real.label()
                    ),
                )
            }
            Self::CheckNotRun { checker, error } => (
                Level::Warning,
                write!(
                    out,
                    "{} on service {} could not be run: {error}.",
                    checker.kind,
                    checker.real.label()
                ),
            ),
            // keepalived says these by what follows from them: the service is added to or removed from the pool.
            Self::RealServerUp { .. } | Self::RealServerDown { .. } => return None,
            Self::VirtualServerAdded { service, adopted } => {
                let how = if *adopted { "Adopting" } else { "Adding" };
                (Level::Detail, write!(out, "{how} Virtual Server {service}"))
            }
            Self::VirtualServerRemoved { service } => {
                (Level::Detail, write!(out, "Removed Virtual Server {service}"))
            }
            Self::RealServerAdded { real, adopted: false, .. } => {
                (Level::Info, pool(out, "Adding", real, "to"))
            }
            Self::RealServerAdded { real, adopted: true, .. } => {
                (Level::Info, pool(out, "Adopting", real, "of"))
            }
            Self::RealServerRemoved { real } => (Level::Info, pool(out, "Removing", real, "from")),
            // What `inhibit_on_failure` does, in keepalived's words.
            Self::RealServerWeightChanged { real, to: 0, .. } => {
                (Level::Info, pool(out, "Disabling", real, "of"))
            }
            Self::RealServerWeightChanged { real, from: 0, .. } => {
                (Level::Info, pool(out, "Enabling", real, "of"))
            }
            Self::RealServerWeightChanged { real, from, to } => (
                Level::Info,
                write!(
                    out,
                    "Changing weight from {from} to {to} for active service {} of VS {}",
                    real.label(),
                    real.service
                ),
            ),
            Self::QuorumGained { service, quorum, hysteresis, weight } => {
                let need = i64::from(*quorum) + i64::from(*hysteresis);
                (
                    Level::Info,
                    write!(out, "Gained quorum {quorum}+{hysteresis}={need} <= {weight} for VS {service}"),
                )
            }
            Self::QuorumLost { service, quorum, hysteresis, weight } => {
                let need = i64::from(*quorum) - i64::from(*hysteresis);
                (
                    Level::Info,
                    write!(out, "Lost quorum {quorum}-{hysteresis}={need} > {weight} for VS {service}"),
                )
            }
            Self::QuorumAwaited { service, quorum, hysteresis, weight } => {
                let need = i64::from(*quorum) + i64::from(*hysteresis);
                (
                    Level::Info,
                    write!(
                        out,
                        "Starting with quorum down {quorum}+{hysteresis}={need} > {weight} for VS {service}"
                    ),
                )
            }
            Self::ChecksSuspended { service } => (
                Level::Info,
                write!(out, "Suspending healthcheckers for VS {service}: none of its addresses is here"),
            ),
            Self::ChecksResumed { service, address } => {
                let why = address.map_or_else(String::new, |address| format!(": {address} is here"));
                (Level::Info, write!(out, "Activating healthcheckers for VS {service}{why}"))
            }
            Self::SorryServerAdded { service, sorry } => {
                let sorry = endpoint(sorry, service.protocol());
                (Level::Info, write!(out, "Adding sorry server {sorry} to VS {service}"))
            }
            Self::SorryServerRemoved { service, sorry } => {
                let sorry = endpoint(sorry, service.protocol());
                (Level::Info, write!(out, "Removing sorry server {sorry} from VS {service}"))
            }
        })
    }
}

fn pool(out: &mut String, verb: &str, real: &RealKey, to: &str) -> fmt::Result {
    write!(out, "{verb} service {} {to} VS {}", real.label(), real.service)
}

/// A certificate that was shown.
fn shown(out: &mut String, checker: &CheckerKey, certificate: &Certificate) -> fmt::Result {
    let Certificate { subject, not_after, distrust, .. } = certificate;
    write!(
        out,
        "service {} shows the certificate of {subject}, which holds until {not_after}",
        checker.real.label()
    )?;
    match distrust {
        Some(why) => write!(out, "; the `ca` would not have it: {why}."),
        None => out.write_str("."),
    }
}

/// A success, in keepalived's words where it has any for this kind.
fn success(out: &mut String, checker: &CheckerKey) -> fmt::Result {
    let real = checker.real.label();
    match &*checker.kind {
        "TCP_CHECK" => write!(out, "TCP connection to {real} success."),
        "UDP_CHECK" => write!(out, "UDP connection to {real} success."),
        "PING_CHECK" => write!(out, "ICMP connection to {real} success."),
        "HTTP_GET" | "SSL_GET" => write!(out, "Remote Web server {real} succeed on service."),
        "SMTP_CHECK" => write!(out, "Remote SMTP server {real} succeed on service."),
        "BFD_CHECK" => write!(out, "BFD check of RS({real}) is UP"),
        other => write!(out, "{other} on service {real} succeeded."),
    }
}

/// What keepalived calls this kind when it fails.
fn log_name(kind: &str) -> &str {
    match kind {
        "HTTP_GET" => "HTTP_CHECK",
        "SSL_GET" => "SSL_CHECK",
        "PING_CHECK" => "ICMP CHECK",
        other => other,
    }
}
