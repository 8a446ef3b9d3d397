//! Metrics of virtual servers, real servers, their checkers and what IPVS counts.

use keepwatch_bus::counters::{Counters, Gauge, ServiceCounters};
use keepwatch_bus::subject::{CheckerKey, RealKey, ServiceKey};
use keepwatch_bus::world::{RealServer, RealState, Service, World};

use super::family::{Families, Label, flag, number};

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    let services = world.services_in_order();
    virtual_servers(families, &services);
    real_servers(families, &services);
    checks(families, world, counters);
    certificates(families, &services);
    traffic(families, &services, counters);
}

/// `10.0.0.1:80` or `fwmark 5`, and the protocol.
struct ServiceLabels {
    name: String,
    protocol: String,
}

impl ServiceLabels {
    fn new(key: &ServiceKey) -> Self {
        let name = match key {
            ServiceKey::Address { address, port, .. } => {
                std::net::SocketAddr::new(*address, *port).to_string()
            }
            ServiceKey::Fwmark { fwmark, .. } => format!("fwmark {fwmark}"),
        };
        Self { name, protocol: key.protocol().to_string() }
    }

    fn labels(&self) -> [Label<'_>; 2] {
        [("virtual_server", &self.name), ("protocol", &self.protocol)]
    }

    fn with<'a>(&'a self, label: Label<'a>) -> [Label<'a>; 3] {
        let [name, protocol] = self.labels();
        [name, protocol, label]
    }
}

fn virtual_servers(families: &mut Families, services: &[&Service]) {
    type Measured = (&'static str, &'static str, fn(&Service) -> f64);
    let measured: [Measured; 5] = [
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
        ("keepwatch_virtual_server_sorry", "Whether the sorry server serves", |s| flag(s.sorry)),
    ];
    for (name, help, measure) in measured {
        let mut family = families.gauge(name, help);
        for service in services {
            family.sample(&ServiceLabels::new(&service.key).labels(), measure(service));
        }
    }
    let mut reals = families.gauge(
        "keepwatch_virtual_server_real_servers",
        "Real servers, by whether they are up, down, or checked by nobody",
    );
    for service in services {
        let labels = ServiceLabels::new(&service.key);
        for state in RealState::ALL {
            let count = service.reals_that_are(state) as u64;
            reals.sample(&labels.with(("state", &state.to_string())), number(count));
        }
    }
}

fn real_servers(families: &mut Families, services: &[&Service]) {
    type Measured = (&'static str, &'static str, fn(&RealServer) -> Option<f64>);
    let measured: [Measured; 5] = [
        (
            "keepwatch_real_server_up",
            "Whether the checkers of the real server hold; only where it has any",
            |r| (r.state() != RealState::Unchecked).then(|| flag(r.up)),
        ),
        ("keepwatch_real_server_checked", "Whether any checker watches the real server", |r| {
            Some(flag(r.checked))
        }),
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
        let mut family = families.gauge(name, help);
        for service in services {
            let labels = ServiceLabels::new(&service.key);
            for real in service.reals_in_order() {
                let address = real.address.to_string();
                if let Some(value) = measure(real) {
                    family.sample(&labels.with(("real_server", &address)), value);
                }
            }
        }
    }
}

fn checks(families: &mut Families, world: &World, counters: &Counters) {
    // Only checkers whose real server is still there: what a reload took away is not shown.
    let known = |key: &CheckerKey| world.real(&key.real).is_some();
    let all: Vec<_> = counters.checkers.all().into_iter().filter(|(key, _)| known(key)).collect();
    let rows: Vec<_> = all
        .iter()
        .map(|(key, counted)| {
            let service = ServiceLabels::new(&key.real.service);
            (service, key.real.real.to_string(), key.index.to_string(), key.kind.clone(), counted)
        })
        .collect();

    let mut results = families.counter("keepwatch_checks_total", "Health checks, by result; each try counts");
    for (service, real, index, kind, counted) in &rows {
        for (result, count) in [("success", &counted.succeeded), ("failure", &counted.failed)] {
            let labels = checker(service, real, kind, index);
            let labels: Vec<_> = labels.into_iter().chain([("result", result)]).collect();
            results.sample(&labels, number(count.get()));
        }
    }
    drop(results);
    let mut reasons = families
        .counter("keepwatch_check_failures_total", "Failed health checks, by reason; each try counts");
    for (service, real, index, kind, counted) in &rows {
        for (reason, count) in counted.failures.iter() {
            let labels = checker(service, real, kind, index);
            let labels: Vec<_> = labels.into_iter().chain([("reason", reason.label())]).collect();
            reasons.sample(&labels, number(count));
        }
    }
    drop(reasons);
    let mut took = families.summary("keepwatch_check_duration_seconds", "How long health checks took");
    for (service, real, index, kind, counted) in &rows {
        let checks = counted.succeeded.get() + counted.failed.get();
        let sum = number(counted.took_microseconds.get()) / 1e6;
        took.total(&checker(service, real, kind, index), checks, sum);
    }
    drop(took);
    let mut last =
        families.gauge("keepwatch_check_last_duration_seconds", "How long the last health check took");
    for (service, real, index, kind, counted) in &rows {
        last.sample(&checker(service, real, kind, index), signed(&counted.last_took_microseconds) / 1e6);
    }
}

/// Certificates that `SSL_GET` checkers saw.
fn certificates(families: &mut Families, services: &[&Service]) {
    let mut until = families.gauge(
        "keepwatch_check_certificate_not_after_timestamp_seconds",
        "Last moment that the certificate holds which the real server shows",
    );
    let mut distrusted = Vec::new();
    for service in services {
        let labels = ServiceLabels::new(&service.key);
        for real in service.reals_in_order() {
            for seen in &real.checkers {
                let Some(certificate) = &seen.certificate else { continue };
                let (address, index) = (real.address.to_string(), seen.key.index.to_string());
                let labels = checker(&labels, &address, &seen.key.kind, &index);
                until.sample(&labels, certificate.not_after.as_second() as f64);
                let owned: Vec<_> = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
                distrusted.push((owned, certificate.distrust.is_some()));
            }
        }
    }
    drop(until);
    let mut family = families.gauge(
        "keepwatch_check_certificate_distrusted",
        "Whether the `ca` of the SSL block would not have the certificate that the real server shows",
    );
    for (labels, is) in &distrusted {
        let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        family.sample(&labels, flag(*is));
    }
}

fn checker<'a>(service: &'a ServiceLabels, real: &'a str, kind: &'a str, index: &'a str) -> [Label<'a>; 5] {
    let [name, protocol] = service.labels();
    [name, protocol, ("real_server", real), ("checker", kind), ("index", index)]
}

#[allow(clippy::cast_precision_loss)]
fn signed(gauge: &Gauge) -> f64 {
    gauge.get() as f64
}

/// Those that only rise are told of virtual servers too; how many connections there are now, of real servers only.
fn traffic(families: &mut Families, services: &[&Service], counters: &Counters) {
    let shown = || ServiceCounters::TABLE.iter().filter(|row| !row.metric.is_empty());
    for row in shown().filter(|row| row.metric.ends_with("_total")) {
        let mut family = families.counter(&format!("keepwatch_virtual_server_{}", row.metric), row.help);
        for service in services {
            if let Some(counted) = counters.services.get(&service.key) {
                family.sample(&ServiceLabels::new(&service.key).labels(), signed((row.get)(&counted)));
            }
        }
    }
    let reals: Vec<_> = services
        .iter()
        .flat_map(|service| service.reals_in_order().into_iter().map(|real| (service.key, real.address)))
        .filter_map(|(service, real)| Some((service, real, counters.reals.get(&RealKey { service, real })?)))
        .map(|(service, real, counted)| (ServiceLabels::new(&service), real.to_string(), counted))
        .collect();
    for row in shown() {
        let name = format!("keepwatch_real_server_{}", row.metric);
        let mut family = match row.metric.ends_with("_total") {
            true => families.counter(&name, row.help),
            false => families.gauge(&name, row.help),
        };
        for (service, real, counted) in &reals {
            family.sample(&service.with(("real_server", real)), signed((row.get)(counted)));
        }
    }
}
