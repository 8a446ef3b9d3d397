//! Who else tells of what happens: the log as JSON, spans and log records of OTLP, exemplars of metrics, notifications of
//! SNMP, mails. Each names the event that it tells of, and all must agree with the history on what that was, and when.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Process,
    aiosmtpd::Aiosmtpd,
    keepwatchd::{Keepwatchd, Settings},
    receiver::Receiver,
    snmpd::Snmpd,
    snmptrapd::Snmptrapd,
    story::Root,
    wait,
};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use prost::Message;
use serde_json::Value;

/// The peers that are told, on the daemon's own host.
pub(crate) struct Witnesses {
    host: Host,
    collector: Receiver,
    snmpd: Snmpd,
    traps: Snmptrapd,
    mail: Aiosmtpd,
}

/// What the history has of an event.
struct Known {
    at: Timestamp,
    kind: String,
    cause: Option<u64>,
    /// What a virtual router became, if that is what it tells.
    became: Option<String>,
}

impl Witnesses {
    pub(crate) fn start(host: &Host) -> Result<Self> {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let traps = Snmptrapd::start(host)?;
        let snmpd = Snmpd::start_with(host, Snmptrapd::SINK)?;
        let (collector, mail) = (Receiver::start(host, at(4318))?, Aiosmtpd::start(host, at(2525))?);
        Ok(Self { host: host.clone(), collector, snmpd, traps, mail })
    }

    /// The master agent.
    pub(crate) fn snmpd(&self) -> &Process {
        self.snmpd.process()
    }

    /// Lines of `global_defs` that have them told.
    pub(crate) fn global(&self) -> String {
        format!(
            "enable_snmp_vrrp\nenable_traps\nsnmp_socket unix:{}\nnotification_email {{\n admin@example.org\n}}\n\
             notification_email_from keepwatch@example.org\nsmtp_server 127.0.0.1 2525\nsmtp_alert true",
            self.snmpd.socket().display()
        )
    }

    /// The rest of what has them told.
    pub(crate) fn watch(settings: Settings) -> Settings {
        let settings = settings.flags(&["--log-format", "json"]);
        let settings = settings.variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        settings.variable("OTEL_BSP_SCHEDULE_DELAY", "100").variable("OTEL_BLRP_SCHEDULE_DELAY", "100")
    }

    /// Waits until all have told of the root and of what came of it, and agree.
    pub(crate) fn agree_on(&self, daemon: &Keepwatchd, root: &Root) -> Result<()> {
        let mut disagreement = String::new();
        wait::until("all that is told agrees", wait::LONG, || match self.check(daemon, root) {
            Ok(()) => true,
            Err(error) => {
                disagreement = format!("{error:#}");
                false
            }
        })
        .with_context(|| format!("of {} {}: {disagreement}", root.kind, root.event))
    }

    fn check(&self, daemon: &Keepwatchd, root: &Root) -> Result<()> {
        let told = [
            ("log", log(daemon)?),
            ("spans", self.spans()?),
            ("log records", self.records()?),
            ("exemplars", self.exemplars(daemon)?),
            ("notifications", self.notified()?),
            ("mails", self.mailed()?),
        ];
        // Last, so that it has all that they can have.
        let history = history(daemon)?;
        for (who, told) in &told {
            for (id, kind, at) in told {
                let known = history.get(id).with_context(|| format!("{who} have an event {id}"))?;
                ensure!(kind.as_ref().is_none_or(|kind| *kind == known.kind), "{who}: {id} is {kind:?}");
                // As fine as it is told.
                let late = at.map(|at| (at.as_millisecond() - known.at.as_millisecond()).abs());
                ensure!(late.is_none_or(|late| late <= 1), "{who}: {id} was at {at:?}, not {}", known.at);
            }
        }
        let [log, spans, records, exemplars, notified, mailed] = told.map(|(_, told)| told);
        let has = |told: &[Told], id: u64| told.iter().any(|(of, ..)| *of == id);
        let whole = root.line.is_empty() || (has(&log, root.event) && has(&records, root.event));
        ensure!(whole, "log or log records do not have the root");
        ensure!(has(&spans, root.event), "no span is the root");
        let counted = exemplars.iter().filter(|(_, kind, _)| kind.as_ref() == Some(&root.kind));
        ensure!(counted.max().is_some_and(|(id, ..)| *id >= root.event), "no exemplar is the root");
        // What came of it for a virtual router is in a notification and in a mail, which has the root as well.
        for (id, _) in
            history.iter().filter(|(id, known)| known.became.is_some() && comes_of(&history, **id, root))
        {
            ensure!(has(&spans, *id) && has(&log, *id), "no span or line of {id}");
            ensure!(has(&notified, *id), "no notification of {id}");
            ensure!(has(&mailed, *id), "no mail of {id}");
            let at = history.get(&root.event).map(|known| format!("{:.3}", known.at)).unwrap_or_default();
            let named = format!("  {at}  #{}  ", root.event);
            let of_it = format!("<keepwatch.{id}.");
            let whole = |mail: &String| mail.contains(&of_it) && mail.contains(&named);
            let line = root.line.is_empty() || self.mail.mails().iter().any(whole);
            ensure!(line, "the mail of {id} has no {named:?}");
        }
        Ok(())
    }

    fn spans(&self) -> Result<Vec<Told>> {
        let mut told = Vec::new();
        for request in self.collector.taken().iter().filter(|request| request.path == "/v1/traces") {
            let spans = ExportTraceServiceRequest::decode(&*request.body)?.resource_spans.into_iter();
            let spans = spans.flat_map(|part| part.scope_spans).flat_map(|part| part.spans);
            for span in spans {
                told.push((event(&span.attributes)?, Some(span.name), at(span.end_time_unix_nano)));
            }
        }
        Ok(told)
    }

    fn records(&self) -> Result<Vec<Told>> {
        let mut told = Vec::new();
        for request in self.collector.taken().iter().filter(|request| request.path == "/v1/logs") {
            let logs = ExportLogsServiceRequest::decode(&*request.body)?.resource_logs.into_iter();
            let logs = logs.flat_map(|part| part.scope_logs).flat_map(|part| part.log_records);
            for log in logs {
                let kind = log.event_name.strip_prefix("keepwatch.").map(str::to_owned);
                told.push((event(&log.attributes)?, kind, at(log.time_unix_nano)));
            }
        }
        Ok(told)
    }

    /// Of OpenMetrics; the kind where the metric names it.
    fn exemplars(&self, daemon: &Keepwatchd) -> Result<Vec<Told>> {
        let accept = "Accept: application/openmetrics-text; version=1.0.0";
        let url = format!("http://{}/metrics", Keepwatchd::METRICS);
        let page =
            self.host.run("curl", &["-sf", "-H", accept, &url]).with_context(|| daemon.process().log())?;
        let told = page.lines().filter_map(|line| {
            let (sample, exemplar) = line.split_once(" # {event_id=\"")?;
            let (id, rest) = exemplar.split_once("\"} ")?;
            let kind = sample.strip_prefix("keepwatch_bus_events_total{kind=\"");
            let kind = kind.and_then(|kind| Some(kind.split_once('"')?.0.to_owned()));
            let seconds: f64 = rest.split(' ').nth(1)?.parse().ok()?;
            Some((id.parse().ok()?, kind, Timestamp::from_millisecond((seconds * 1e3).round() as i64).ok()))
        });
        Ok(told.collect())
    }

    fn notified(&self) -> Result<Vec<Told>> {
        let of = |trap: Vec<String>| {
            let last = trap.last()?.split_once(".9586.100.5.100.1.1.0 = STRING: \"")?.1;
            let id = last.trim_end_matches('"').parse().ok()?;
            let of_instance = trap.first()?.ends_with(".9586.100.5.2.10.0.2");
            Some((id, of_instance.then(|| "state_changed".to_owned()), None))
        };
        let traps = self.traps.traps();
        let all = traps.len();
        let told: Vec<Told> = traps.into_iter().filter_map(of).collect();
        // snmpd itself tells that it started.
        ensure!(told.len() + 2 >= all, "notifications without an event: {:#?}", self.traps.traps());
        Ok(told)
    }

    fn mailed(&self) -> Result<Vec<Told>> {
        let mails = self.mail.mails();
        let of = |mail: &String| {
            let id = mail.split_once("<keepwatch.")?.1.split_once('.')?.0;
            Some((id.parse().ok()?, None, None))
        };
        let told: Vec<Told> = mails.iter().filter_map(of).collect();
        ensure!(told.len() == mails.len(), "mails without an event: {mails:#?}");
        Ok(told)
    }
}

/// An event as somebody tells of it: its number, its kind and its time, as far as they are told.
type Told = (u64, Option<String>, Option<Timestamp>);

fn log(daemon: &Keepwatchd) -> Result<Vec<Told>> {
    let log = daemon.process().log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<Told> = lines
        .filter_map(|line| {
            let kind = line["kind"].as_str().map(str::to_owned);
            Some((line["event"].as_u64()?, kind, line["time"].as_str()?.parse().ok()))
        })
        .collect();
    ensure!(!told.is_empty(), "nothing is logged as JSON:\n{log}");
    Ok(told)
}

fn history(daemon: &Keepwatchd) -> Result<BTreeMap<u64, Known>> {
    let text = std::fs::read_to_string(daemon.history_path())?;
    // The last line may be half written.
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let known = events.filter_map(|event| {
        let kind = event["kind"].as_str()?.to_owned();
        // The beginning is no state that anybody is told of.
        let became = event["to"].as_str().filter(|to| kind == "state_changed" && *to != "INIT");
        let became = became.map(str::to_owned);
        let (at, cause) = (event["at"].as_str()?.parse().ok()?, event["cause"].as_u64());
        Some((event["id"].as_u64()?, Known { at, kind, cause, became }))
    });
    Ok(known.collect())
}

/// Whether an event comes of this root.
fn comes_of(history: &BTreeMap<u64, Known>, id: u64, root: &Root) -> bool {
    let mut at = Some(id);
    while let Some(id) = at {
        if id == root.event {
            return true;
        }
        at = history.get(&id).and_then(|known| known.cause);
    }
    false
}

fn event(attributes: &[KeyValue]) -> Result<u64> {
    let found = attributes.iter().find(|attribute| attribute.key == "keepwatch.event");
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Any::IntValue(id)) => Ok(u64::try_from(*id)?),
        other => anyhow::bail!("no number of an event: {other:?}"),
    }
}

fn at(nanoseconds: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanoseconds.into()).ok()
}
