//! Who else tells of what happens: the log as JSON, spans and log records of OTLP, exemplars of metrics, notifications of
//! SNMP, mails, posts to a webhook. Each names the event that it tells of, and all must agree with the history on what that
//! was, and when.

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

/// Those who tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Log,
    Traces,
    Records,
    Metrics,
    Notifications,
    Mails,
    Posts,
}

/// Who has nothing to tell of a thing, neither of its root nor of what comes of it, and why not.
pub(crate) type Silent = &'static [(Channel, &'static str)];

/// Of what changes no virtual router and no server.
pub(crate) const NOTHING_CHANGED: Silent = &[
    (Channel::Notifications, "the MIBs have notifications of changes of virtual routers and servers"),
    (Channel::Mails, "as keepalived's, mails are of changes of virtual routers and servers"),
];

/// The peers that are told, on the daemon's own host.
pub(crate) struct Witnesses {
    host: Host,
    collector: Receiver,
    webhook: Receiver,
    snmpd: Snmpd,
    traps: Snmptrapd,
    /// None while it is down.
    mail: Option<Aiosmtpd>,
}

/// What the history has of an event.
struct Known {
    at: Timestamp,
    kind: String,
    cause: Option<u64>,
    /// What a virtual router became, if that is what it tells.
    became: Option<String>,
}

impl Known {
    /// Whether an event of this kind has a notification, or a mail.
    fn is_meant_for(&self, channel: Channel) -> bool {
        let changed = match &*self.kind {
            // The beginning is no state that anybody is told of.
            "state_changed" => self.became.as_deref().is_some_and(|to| to != "INIT"),
            "real_server_up" | "real_server_down" | "quorum_gained" | "quorum_lost" => true,
            _ => false,
        };
        match channel {
            Channel::Notifications => changed || self.kind == "advert_rejected",
            Channel::Mails => changed,
            Channel::Log | Channel::Traces | Channel::Records | Channel::Metrics | Channel::Posts => true,
        }
    }
}

impl Witnesses {
    pub(crate) fn start(host: &Host) -> Result<Self> {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let traps = Snmptrapd::start(host)?;
        let snmpd = Snmpd::start_with(host, Snmptrapd::SINK)?;
        let collector = Receiver::start(host, at(4318))?;
        let webhook = Receiver::start(host, at(4319))?;
        let mut witnesses = Self { host: host.clone(), collector, webhook, snmpd, traps, mail: None };
        witnesses.mail_server_comes()?;
        Ok(witnesses)
    }

    /// The mail server is down from now on.
    pub(crate) fn mail_server_goes(&mut self) {
        self.mail = None;
    }

    /// It is there, with the mails that it had before.
    pub(crate) fn mail_server_comes(&mut self) -> Result<()> {
        self.mail = Some(Aiosmtpd::start(&self.host, SocketAddr::from(([127, 0, 0, 1], 2525)))?);
        Ok(())
    }

    /// The master agent.
    pub(crate) fn snmpd(&self) -> &Process {
        self.snmpd.process()
    }

    /// Lines of `global_defs` that have them told.
    pub(crate) fn global(&self) -> String {
        format!(
            "enable_snmp_vrrp\nenable_snmp_checker\nenable_snmp_rfcv2\nenable_traps\nsnmp_socket unix:{}\nnotification_email {{\n admin@example.org\n}}\n\
             notification_email_from keepwatch@example.org\nsmtp_server 127.0.0.1 2525\nsmtp_alert true",
            self.snmpd.socket().display()
        )
    }

    /// A block that has the webhook told of all that the log has with `-D`.
    const WEBHOOK: &str = "observability {\n webhook w {\n url http://127.0.0.1:4319/\n kinds daemon link \
                                      vrrp track check ipvs notify routing\n }\n}\n";

    /// The rest of what has them told.
    pub(crate) fn watch(settings: Settings) -> Settings {
        let settings = settings.and(Self::WEBHOOK).flags(&["--log-format", "json"]);
        let settings = settings.variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        settings.variable("OTEL_BSP_SCHEDULE_DELAY", "100").variable("OTEL_BLRP_SCHEDULE_DELAY", "100")
    }

    /// Waits until all but the silent have told of the root and of what came of it, and agree on what it was and when.
    pub(crate) fn agree_on(&self, daemon: &Keepwatchd, root: &Root, silent: Silent) -> Result<()> {
        let mut disagreement = String::new();
        wait::until("all that is told agrees", wait::LONG, || match self.check(daemon, root, silent) {
            Ok(()) => true,
            Err(error) => {
                disagreement = format!("{error:#}");
                false
            }
        })
        .with_context(|| format!("of {} {}: {disagreement}", root.kind, root.event))
    }

    /// Waits until there is one mail of each change that is to be mailed, and no other.
    pub(crate) fn each_is_mailed_once(&self, daemon: &Keepwatchd) -> Result<()> {
        let mut seen = (Vec::new(), Vec::new());
        wait::until("each change is mailed once", wait::LONG, || {
            let mailed = self.mailed().unwrap_or_default().into_iter().map(|(id, ..)| id).collect::<Vec<_>>();
            let known = history(daemon).unwrap_or_default().into_iter();
            let meant = known.filter(|(_, known)| known.is_meant_for(Channel::Mails)).map(|(id, _)| id);
            seen = (mailed, meant.collect());
            seen.0.sort_unstable();
            !seen.1.is_empty() && seen.0 == seen.1
        })
        .with_context(|| format!("mailed are {:?}, and changed has {:?}", seen.0, seen.1))
    }

    fn check(&self, daemon: &Keepwatchd, root: &Root, silent: Silent) -> Result<()> {
        let all = [
            (Channel::Log, log(daemon)?),
            (Channel::Traces, self.spans()?),
            (Channel::Records, self.records()?),
            (Channel::Metrics, self.exemplars(daemon)?),
            (Channel::Notifications, self.notified()?),
            (Channel::Mails, self.mailed()?),
            (Channel::Posts, self.posted()?),
        ];
        // Last, so that it has all that they can have.
        let history = history(daemon)?;
        for (channel, told) in &all {
            for (id, kind, at) in told {
                let known = history.get(id).with_context(|| format!("{channel:?} have an event {id}"))?;
                // Of the kind as much as is told.
                let agrees = kind.as_ref().is_none_or(|kind| known.kind.starts_with(kind.as_str()));
                ensure!(agrees, "{channel:?}: {id} is {kind:?}, not {}", known.kind);
                // As fine as it is told.
                let late = at.map(|at| (at.as_millisecond() - known.at.as_millisecond()).abs());
                ensure!(
                    late.is_none_or(|late| late <= 1),
                    "{channel:?}: {id} was at {at:?}, not {}",
                    known.at
                );
            }
        }
        let chain: Vec<u64> = history.keys().copied().filter(|id| comes_of(&history, *id, root)).collect();
        for (channel, told) in &all {
            let has = |id: u64| told.iter().any(|(of, ..)| *of == id);
            if let Some((_, why)) = silent.iter().find(|(of, _)| of == channel) {
                let tells = chain.iter().find(|id| has(**id));
                ensure!(tells.is_none(), "{channel:?} tell of {tells:?}, though {why}");
                continue;
            }
            match channel {
                Channel::Log | Channel::Records | Channel::Posts => {
                    ensure!(root.line.is_empty() || has(root.event), "{channel:?} do not have the root");
                }
                Channel::Traces => ensure!(has(root.event), "no span is the root"),
                // The last of its kind stands for all.
                Channel::Metrics => {
                    let of_kind = told.iter().filter(|(_, kind, _)| kind.as_ref() == Some(&root.kind));
                    ensure!(
                        of_kind.max().is_some_and(|(id, ..)| *id >= root.event),
                        "no exemplar is the root"
                    );
                }
                Channel::Notifications | Channel::Mails => {
                    let meant = |id: &&u64| history.get(id).is_some_and(|known| known.is_meant_for(*channel));
                    let meant: Vec<u64> = chain.iter().filter(meant).copied().collect();
                    ensure!(!meant.is_empty(), "there is nothing that {channel:?} could tell of");
                    let missing = meant.iter().find(|id| !has(**id));
                    ensure!(missing.is_none(), "{channel:?} do not tell of {missing:?}");
                }
            }
        }
        let at = history.get(&root.event).map(|known| known.at);
        self.mails_have_the_reason(&chain, root, at.context("the root")?)
    }

    /// Each mail of what came of a root names that, with its time.
    fn mails_have_the_reason(&self, chain: &[u64], root: &Root, at: Timestamp) -> Result<()> {
        let named = format!("  {at:.3}  #{}  ", root.event);
        for mail in self.mail.iter().flat_map(Aiosmtpd::mails) {
            let of = |id: &u64| mail.contains(&format!("<keepwatch.{id}."));
            let without = root.line.is_empty() || mail.contains(&named) || !chain.iter().any(of);
            ensure!(without, "a mail has no {named:?}:\n{mail}");
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

    fn posted(&self) -> Result<Vec<Told>> {
        let mut told = Vec::new();
        for post in self.webhook.taken() {
            let body: Value = serde_json::from_slice(&post.body)?;
            let event = &body["event"];
            let id = event["id"].as_u64().with_context(|| format!("an event: {body}"))?;
            ensure!(post.header("x-keepwatch-event") == Some(&*id.to_string()), "the header of {body}");
            let text = |name: &str| event[name].as_str().with_context(|| format!("{name} of {body}"));
            told.push((id, Some(text("kind")?.to_owned()), Some(text("at")?.parse()?)));
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
        let text = |bind: &String, of: &str| {
            let value = bind.split_once(of)?.1.split_once(" = STRING: \"")?.1;
            Some(value.trim_end_matches('"').to_owned())
        };
        let of = |trap: Vec<String>| {
            let [which, .., time, id] = &trap[..] else { return None };
            let kinds = [
                (".9586.100.5.2.10.0.2", "state_changed"),
                (".9586.100.5.3.5.0.1", "real_server_"),
                (".9586.100.5.3.5.0.2", "quorum_"),
                (".1.3.6.1.2.1.68.0.2", "advert_rejected"),
            ];
            let kind =
                kinds.iter().find(|(name, _)| which.ends_with(name)).map(|(_, kind)| (*kind).to_owned());
            let at = text(time, ".9586.100.5.100.1.2.0")?.parse().ok()?;
            Some((text(id, ".9586.100.5.100.1.1.0")?.parse().ok()?, kind, Some(at)))
        };
        let traps = self.traps.traps();
        let all = traps.len();
        let told: Vec<Told> = traps.into_iter().filter_map(of).collect();
        // snmpd itself tells that it started.
        ensure!(told.len() + 2 >= all, "notifications without an event: {:#?}", self.traps.traps());
        Ok(told)
    }

    /// By their Message-ID, which has the event and its time in nanoseconds.
    fn mailed(&self) -> Result<Vec<Told>> {
        let mails: Vec<String> = self.mail.iter().flat_map(Aiosmtpd::mails).collect();
        let of = |mail: &String| {
            let (id, rest) = mail.split_once("<keepwatch.")?.1.split_once('.')?;
            let at = Timestamp::from_nanosecond(rest.split_once('@')?.0.parse().ok()?).ok()?;
            Some((id.parse().ok()?, None, Some(at)))
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

/// As the daemon has it in memory: the disk may be full.
fn history(daemon: &Keepwatchd) -> Result<BTreeMap<u64, Known>> {
    let output = daemon.ask(&["--json", "events"])?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answers = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let known = answers.filter_map(|answer| {
        let event = &answer["event"];
        let kind = event["kind"].as_str()?.to_owned();
        let became = event["to"].as_str().filter(|_| kind == "state_changed").map(str::to_owned);
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
