//! Facts of virtual servers, real servers and checkers as lines of the log.

use std::fmt::{self, Write};

use super::{Certificate, ServiceFact};
use crate::line::{Level, Written};
use crate::subject::{CheckerKey, RealKey, endpoint};

impl ServiceFact {
    /// Writes its line; none for what only describes the configuration.
    pub(crate) fn line(&self, out: &mut String) -> Option<Written> {
        Some(match self {
            Self::VirtualServerConfigured { .. }
            | Self::VirtualServerRenamed { .. }
            | Self::RealServerConfigured { .. } => return None,
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
            // What is inhibited gets no connections, and is not to be taken for one that serves.
            Self::RealServerAdded { real, adopted: false, weight } => {
                let inhibited = if *weight == 0 { ", with weight 0" } else { "" };
                let added = pool(out, "Adding", real, "to");
                (Level::Info, added.and_then(|()| out.write_str(inhibited)))
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::sample;
    use crate::service::{Failure, FailureReason};
    use crate::subject::ServiceKey;

    fn said(fact: ServiceFact) -> String {
        sample::event(1, None, fact).line().map(|line| line.text).unwrap_or_default()
    }

    fn checker(kind: &str) -> CheckerKey {
        let real = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 2], 8080));
        CheckerKey::new(real, kind, 0)
    }

    /// Their words, for people look for them: what each checker says when it succeeds, and when it fails for good.
    #[test]
    fn checkers_say_what_those_of_keepalived_say() {
        let took = Duration::ZERO;
        let failed = |kind: &str, attempt| ServiceFact::CheckFailed {
            checker: checker(kind),
            failure: Failure::new(FailureReason::Refused, "connection refused"),
            attempt,
            attempts: 2,
            log_always: false,
            took,
        };
        for (kind, success, called) in [
            ("TCP_CHECK", "TCP connection to [10.0.1.2]:tcp:8080 success.", "TCP_CHECK"),
            ("UDP_CHECK", "UDP connection to [10.0.1.2]:tcp:8080 success.", "UDP_CHECK"),
            ("PING_CHECK", "ICMP connection to [10.0.1.2]:tcp:8080 success.", "ICMP CHECK"),
            ("HTTP_GET", "Remote Web server [10.0.1.2]:tcp:8080 succeed on service.", "HTTP_CHECK"),
            ("SSL_GET", "Remote Web server [10.0.1.2]:tcp:8080 succeed on service.", "SSL_CHECK"),
            ("SMTP_CHECK", "Remote SMTP server [10.0.1.2]:tcp:8080 succeed on service.", "SMTP_CHECK"),
            // In their own words these say nothing, or other things (docs/differences.md).
            ("MISC_CHECK", "MISC_CHECK on service [10.0.1.2]:tcp:8080 succeeded.", "MISC_CHECK"),
            ("DNS_CHECK", "DNS_CHECK on service [10.0.1.2]:tcp:8080 succeeded.", "DNS_CHECK"),
            ("FILE_CHECK", "FILE_CHECK on service [10.0.1.2]:tcp:8080 succeeded.", "FILE_CHECK"),
        ] {
            assert_eq!(said(ServiceFact::CheckSucceeded { checker: checker(kind), took }), success);
            let on = format!("{called} on service [10.0.1.2]:tcp:8080 failed");
            assert_eq!(said(failed(kind, 2)), format!("{on} after 1 retries: connection refused."));
            assert_eq!(said(failed(kind, 1)), format!("{on} (connection refused), try 1 of 2."));
        }
        // The only try: at the start, or without `retry`.
        let ServiceFact::CheckFailed { checker, failure, log_always, .. } = failed("TCP_CHECK", 1) else {
            panic!("no failure")
        };
        let only = ServiceFact::CheckFailed { checker, failure, attempt: 1, attempts: 1, log_always, took };
        assert_eq!(said(only), "TCP_CHECK on service [10.0.1.2]:tcp:8080 failed: connection refused.");
    }

    #[test]
    fn servers_come_and_go_in_the_words_of_keepalived() {
        let (real, service) = (checker("").real, checker("").real.service);
        let sorry: SocketAddr = ([10, 0, 1, 9], 80).into();
        let weight = |from, to| ServiceFact::RealServerWeightChanged { real, from, to };
        let cases = [
            (ServiceFact::RealServerRemoved { real }, "Removing service {RS} from VS {VS}"),
            (ServiceFact::RealServerUnconfigured { real }, "service {RS} no longer exist"),
            (ServiceFact::VirtualServerUnconfigured { service }, "Removing Virtual Server {VS}"),
            (weight(1, 7), "Changing weight from 1 to 7 for active service {RS} of VS {VS}"),
            (weight(1, 0), "Disabling service {RS} of VS {VS}"),
            (weight(0, 1), "Enabling service {RS} of VS {VS}"),
            (
                ServiceFact::RealServerAdded { real, weight: 1, adopted: false },
                "Adding service {RS} to VS {VS}",
            ),
            (
                ServiceFact::RealServerAdded { real, weight: 0, adopted: false },
                "Adding service {RS} to VS {VS}, with weight 0",
            ),
            (
                ServiceFact::QuorumAwaited { service, quorum: 3, hysteresis: 1, weight: 2 },
                "Starting with quorum down 3+1=4 > 2 for VS {VS}",
            ),
            (
                ServiceFact::QuorumGained { service, quorum: 3, hysteresis: 1, weight: 4 },
                "Gained quorum 3+1=4 <= 4 for VS {VS}",
            ),
            (
                ServiceFact::QuorumLost { service, quorum: 3, hysteresis: 1, weight: 1 },
                "Lost quorum 3-1=2 > 1 for VS {VS}",
            ),
            (
                ServiceFact::SorryServerAdded { service, sorry },
                "Adding sorry server [10.0.1.9]:tcp:80 to VS {VS}",
            ),
            (
                ServiceFact::SorryServerRemoved { service, sorry },
                "Removing sorry server [10.0.1.9]:tcp:80 from VS {VS}",
            ),
        ];
        for (fact, expected) in cases {
            let expected =
                expected.replace("{RS}", "[10.0.1.2]:tcp:8080").replace("{VS}", "[10.0.0.1]:tcp:80");
            assert_eq!(said(fact), expected);
        }
        let marked = ServiceKey::Fwmark { fwmark: 7, family: crate::subject::Family::Inet };
        assert_eq!(
            said(ServiceFact::VirtualServerUnconfigured { service: marked }),
            "Removing Virtual Server FWM 7"
        );
        let six = sample::real_key((std::net::Ipv6Addr::LOCALHOST, 80), (std::net::Ipv6Addr::LOCALHOST, 81));
        assert_eq!(
            said(ServiceFact::RealServerRemoved { real: six }),
            "Removing service [::1]:tcp:81 from VS [::1]:tcp:80"
        );
    }
}
