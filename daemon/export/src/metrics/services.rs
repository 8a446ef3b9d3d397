//! Metrics of virtual servers, real servers, their checkers and what IPVS counts.

use std::collections::HashMap;
use std::sync::Arc;

use keepwatch_bus::counters::{CheckerCounters, Counters, Gauge, ServiceCounters};
use keepwatch_bus::subject::{RealKey, ServiceKey};
use keepwatch_bus::world::{RealServer, RealState, Service, World};

use super::family::{Families, Labels, flag, number};

const OF_SERVICE: [&str; 2] = ["virtual_server", "protocol"];
const OF_REAL: [&str; 3] = ["virtual_server", "protocol", "real_server"];
const OF_CHECKER: [&str; 5] = ["virtual_server", "protocol", "real_server", "checker", "index"];

/// A virtual server with its labels, and those of its real servers.
struct Shown<'a> {
    labels: Labels,
    service: &'a Service,
    reals: Vec<(Labels, &'a RealServer)>,
}

impl<'a> Shown<'a> {
    fn new(service: &'a Service) -> Self {
        let labels = labels(&service.key);
        let reals = service.reals.values();
        let reals = reals.map(|real| (labels.with(&[("real_server", &real.address.to_string())]), real));
        Self { reals: reals.collect(), service, labels }
    }
}

/// `10.0.0.1:80` or `fwmark 5`, and the protocol.
fn labels(key: &ServiceKey) -> Labels {
    let name = match key {
        ServiceKey::Address { address, port, .. } => std::net::SocketAddr::new(*address, *port).to_string(),
        ServiceKey::Fwmark { fwmark, .. } => format!("fwmark {fwmark}"),
    };
    Labels::new(&[("virtual_server", &name), ("protocol", &key.protocol().to_string())])
}

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    let shown: Vec<_> = world.services.values().map(Shown::new).collect();
    virtual_servers(families, &shown);
    real_servers(families, &shown);
    checks(families, &shown, counters);
    certificates(families, &shown);
}

/// What IPVS counts of them.
pub(super) fn collect_traffic(families: &mut Families, world: &World, counters: &Counters) {
    let shown: Vec<_> = world.services.values().map(Shown::new).collect();
    traffic(families, &shown, counters);
}

fn virtual_servers(families: &mut Families, services: &[Shown<'_>]) {
    type Measured = (&'static str, &'static str, fn(&Service) -> f64);
    let measured: [Measured; 7] = [
        ("keepwatch_virtual_server_present", "Whether the virtual server is in the table", |s| {
            flag(s.present)
        }),
        ("keepwatch_virtual_server_refused", "Whether IPVS refuses a change of the virtual server", |s| {
            flag(s.refused.is_some())
        }),
        ("keepwatch_virtual_server_quorum_up", "Whether the virtual server has its quorum", |s| {
            flag(s.quorum)
        }),
        ("keepwatch_virtual_server_quorum", "Weight that the virtual server needs", |s| {
            f64::from(s.settings.quorum)
        }),
        ("keepwatch_virtual_server_weight", "Weight of all its real servers in the table together", |s| {
            weight(s)
        }),
        (
            "keepwatch_virtual_server_quorum_margin",
            "Weight that may go before the quorum is lost; below 0 it is missing",
            |s| weight(s) - f64::from(s.settings.quorum),
        ),
        ("keepwatch_virtual_server_sorry", "Whether the sorry server serves", |s| flag(s.sorry)),
    ];
    for (name, help, measure) in measured {
        let mut family = families.gauge(name, help, &OF_SERVICE);
        for shown in services {
            family.sample_of(&shown.labels, &[], measure(shown.service));
        }
    }
    let mut reals = families.gauge(
        "keepwatch_virtual_server_real_servers",
        "Real servers, by whether they are up, down, or checked by nobody",
        &["virtual_server", "protocol", "state"],
    );
    for shown in services {
        for state in RealState::ALL {
            let count = shown.service.reals_that_are(state) as u64;
            reals.sample_of(&shown.labels, &[&state.to_string()], number(count));
        }
    }
}

/// The sorry server is none of them.
fn weight(service: &Service) -> f64 {
    service.reals.values().filter(|real| real.up).filter_map(|real| real.weight).map(f64::from).sum()
}

fn real_servers(families: &mut Families, services: &[Shown<'_>]) {
    type Measured = (&'static str, &'static str, fn(&RealServer) -> Option<f64>);
    let measured: [Measured; 5] = [
        (
            "keepwatch_real_server_up",
            "Whether the checkers of the real server hold; only where it has any",
            |r| (r.state() != RealState::Unchecked).then(|| flag(r.up)),
        ),
        (
            "keepwatch_real_server_checked",
            "Whether any checker watches the real server, and its checks can be made",
            |r| Some(flag(r.checked && !r.hindered)),
        ),
        ("keepwatch_real_server_present", "Whether the real server is in the table", |r| {
            Some(flag(r.weight.is_some()))
        }),
        ("keepwatch_real_server_refused", "Whether IPVS refuses a change of the real server", |r| {
            Some(flag(r.refused.is_some()))
        }),
        ("keepwatch_real_server_weight", "Weight in the table; 0 where the real server is not there", |r| {
            Some(f64::from(r.weight.unwrap_or(0)))
        }),
    ];
    for (name, help, measure) in measured {
        let mut family = families.gauge(name, help, &OF_REAL);
        for (labels, real) in services.iter().flat_map(|shown| &shown.reals) {
            if let Some(value) = measure(real) {
                family.sample_of(labels, &[], value);
            }
        }
    }
}

fn checks(families: &mut Families, services: &[Shown<'_>], counters: &Counters) {
    let reals: HashMap<_, _> = services
        .iter()
        .flat_map(|shown| {
            shown.reals.iter().map(|(labels, real)| ((shown.service.key, real.address), labels))
        })
        .collect();
    // Only checkers whose real server is still there: what a reload took away is not shown.
    let rows: Vec<(Labels, Arc<CheckerCounters>)> = counters
        .checkers
        .all()
        .into_iter()
        .filter_map(|(key, counted)| {
            let real = reals.get(&(key.real.service, key.real.real))?;
            Some((real.with(&[("checker", &key.kind), ("index", &key.index.to_string())]), counted))
        })
        .collect();

    let mut results = families.counter(
        "keepwatch_checks_total",
        "Health checks, by result; each try counts",
        &[&OF_CHECKER[..], &["result"]].concat(),
    );
    for (labels, counted) in &rows {
        for (result, count) in [("success", &counted.succeeded), ("failure", &counted.failed)] {
            results.sample_of(labels, &[result], number(count.get()));
        }
    }
    let mut reasons = families.counter(
        "keepwatch_check_failures_total",
        "Failed health checks, by reason; each try counts",
        &[&OF_CHECKER[..], &["reason"]].concat(),
    );
    for (labels, counted) in &rows {
        for (reason, count) in counted.failures.iter() {
            reasons.sample_of(labels, &[reason.label()], number(count));
        }
    }
    let mut took =
        families.summary("keepwatch_check_duration_seconds", "How long health checks took", &OF_CHECKER);
    for (labels, counted) in &rows {
        let checks = counted.succeeded.get() + counted.failed.get();
        took.total(labels, &[], checks, number(counted.took_microseconds.get()) / 1e6);
    }
    let mut last = families.gauge(
        "keepwatch_check_last_duration_seconds",
        "How long the last health check took",
        &OF_CHECKER,
    );
    for (labels, counted) in &rows {
        last.sample_of(labels, &[], signed(&counted.last_took_microseconds) / 1e6);
    }
    families
        .histogram(
            "keepwatch_check_start_delay_seconds",
            "How much later health checks began than they were due, all of them together",
            &[],
        )
        .observed(&Labels::default(), &[], &counters.check_delays.read());
    let mut latency = families.histogram(
        "keepwatch_check_latency_seconds",
        "How long health checks of one kind take, all real servers of a virtual server together",
        &["virtual_server", "protocol", "checker"],
    );
    let services: HashMap<_, _> = services.iter().map(|shown| (shown.service.key, &shown.labels)).collect();
    for ((service, kind), seen) in counters.checks.all() {
        if let Some(labels) = services.get(&service) {
            latency.observed(labels, &[&kind], &seen.read());
        }
    }
}

/// Certificates that `SSL_GET` checkers saw.
fn certificates(families: &mut Families, services: &[Shown<'_>]) {
    let seen: Vec<_> = services
        .iter()
        .flat_map(|shown| &shown.reals)
        .flat_map(|(labels, real)| real.checkers.iter().map(move |checker| (labels, checker)))
        .filter_map(|(labels, checker)| {
            let (kind, index) = (&*checker.key.kind, checker.key.index.to_string());
            let labels = labels.with(&[("checker", kind), ("index", &index)]);
            Some((labels, checker.seen.certificate.as_ref()?))
        })
        .collect();
    let mut until = families.gauge(
        "keepwatch_check_certificate_not_after_timestamp_seconds",
        "Last moment that the certificate holds which the real server shows",
        &OF_CHECKER,
    );
    for (labels, certificate) in &seen {
        until.sample_of(labels, &[], certificate.not_after.as_second() as f64);
    }
    let mut distrusted = families.gauge(
        "keepwatch_check_certificate_distrusted",
        "Whether the `ca` of the SSL block would not have the certificate that the real server shows",
        &OF_CHECKER,
    );
    for (labels, certificate) in &seen {
        distrusted.sample_of(labels, &[], flag(certificate.distrust.is_some()));
    }
}

#[allow(clippy::cast_precision_loss)]
fn signed(gauge: &Gauge) -> f64 {
    gauge.get() as f64
}

/// What IPVS counts of virtual servers and of real servers.
fn traffic(families: &mut Families, services: &[Shown<'_>], counters: &Counters) {
    let of_services: Vec<_> = services
        .iter()
        .filter_map(|shown| Some((&shown.labels, counters.services.get(&shown.service.key)?)))
        .collect();
    let of_reals: Vec<_> = services
        .iter()
        .flat_map(|shown| shown.reals.iter().map(|(labels, real)| (labels, shown.service.key, real.address)))
        .map(|(labels, service, real)| {
            (labels, counters.reals.get(&RealKey { service, real }).unwrap_or_default())
        })
        .collect();
    for row in ServiceCounters::TABLE.iter().filter(|row| !row.metric.is_empty()) {
        let rises = row.metric.ends_with("_total");
        // How many connections there are now is counted of real servers only.
        if rises {
            let name = format!("keepwatch_virtual_server_{}", row.metric);
            let mut family = families.counter(&name, row.help, &OF_SERVICE);
            for (labels, counted) in &of_services {
                family.sample_of(labels, &[], signed((row.get)(counted)));
            }
        }
        let name = format!("keepwatch_real_server_{}", row.metric);
        let mut family = match rises {
            true => families.counter(&name, row.help, &OF_REAL),
            false => families.gauge(&name, row.help, &OF_REAL),
        };
        for (labels, counted) in &of_reals {
            family.sample_of(labels, &[], signed((row.get)(counted)));
        }
    }
}
