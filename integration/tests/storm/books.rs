//! Whether the counts of everybody who tells add up to the number of events: each with how often the metrics count a kind,
//! and these with the log, where every line says how many it stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{background::Background, keepwatchd::Keepwatchd};
use jiff::Timestamp;
use nix::libc::O_NONBLOCK;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use serde_json::Value;
use snmp_agentx::session::MAX_WAITING_NOTIFICATIONS;

use crate::{BYTES, EVENTS, OFTEN, Scene};

/// Changes of servers that notifications, mails and FIFOs tell of.
const OF_SERVERS: [&str; 4] = ["real_server_up", "real_server_down", "quorum_gained", "quorum_lost"];

/// Whoever reads a FIFO as it is written.
pub(crate) struct Fifo {
    text: Arc<Mutex<Vec<u8>>>,
    _reader: Background,
}

impl Fifo {
    /// Reads this one as soon as it is there.
    pub(crate) fn read(path: PathBuf) -> Result<Self> {
        let text = Arc::new(Mutex::new(Vec::new()));
        let out = Arc::clone(&text);
        let reader = Background::start("fifo", move |end| {
            let (mut file, mut buffer) = (None, [0; 65_536]);
            while !end.is_near() {
                if file.is_none() {
                    file = fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&path).ok();
                }
                let read =
                    file.as_mut().and_then(|file: &mut fs::File| file.read(&mut buffer).ok()).unwrap_or(0);
                let new = buffer.get(..read).unwrap_or_default();
                out.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(new);
                if read == 0 {
                    sleep(Duration::from_millis(10));
                }
            }
        })?;
        Ok(Self { text, _reader: reader })
    }

    fn lines(&self) -> Vec<String> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}

/// What the log has.
#[derive(Default)]
struct Ledger {
    /// Events by kind, those among them that were counted together with others.
    kinds: BTreeMap<String, u64>,
    /// Of them those that are logged without `-D`, but for what is about the webhook itself: that is no news to it.
    plain: u64,
    /// Lines that were lost, because the disk was too slow.
    lost: u64,
}

impl Ledger {
    fn read(log: &Path) -> Result<Self> {
        let mut ledger = Self::default();
        for line in fs::read_to_string(log)?.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            if let Some((lost, _)) = text("message").split_once(" log lines were lost: ") {
                ledger.lost += lost.parse::<u64>().context("a number of lines")?;
            }
            let kind = text("kind");
            if kind.is_empty() {
                continue;
            }
            let together = text("message").rsplit_once(" (and ");
            let together = together.and_then(|(_, rest)| rest.strip_suffix(" times more)")?.parse().ok());
            let count: u64 = together.unwrap_or(1);
            *ledger.kinds.entry(kind.to_owned()).or_default() += count;
            let told = text("level") != "debug" && text("consumer") != "webhook w";
            ledger.plain += if told { count } else { 0 };
        }
        Ok(ledger)
    }

    /// Events that have a line.
    fn all(&self) -> u64 {
        self.kinds.values().sum::<u64>() + self.lost
    }
}

/// Everything that is told.
pub(crate) struct Books<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) daemon: &'a Keepwatchd,
    pub(crate) log: &'a Path,
}

impl Books<'_> {
    /// Says what was told.
    ///
    /// # Errors
    /// What does not add up.
    pub(crate) fn balance(&self) -> Result<String> {
        let metrics = self.daemon.get("/metrics")?.body;
        ensure!(value(&metrics, "keepwatch_bus_backlog", "") == 0.0, "events wait");
        // Of these nothing else would add up.
        for consumer in ["log", "mail", "fifos", "snmp", "webhooks"] {
            let missed = value(&metrics, "keepwatch_bus_missed_total", &format!("consumer=\"{consumer}\""));
            ensure!(missed == 0.0, "{consumer} is {missed} events too slow");
        }
        let ledger = Ledger::read(self.log)?;
        let mut told = self.metrics(&metrics, &ledger)?;
        for part in [
            self.history(&metrics)?,
            self.otlp(&metrics, &ledger)?,
            self.posts(&metrics, &ledger)?,
            self.notifications(&metrics)?,
            self.mails(&metrics)?,
            self.fifo(&metrics)?,
        ] {
            told += &format!("\n{part}");
        }
        Ok(told)
    }

    /// A sum over all series of a family.
    pub(crate) fn sum(&self, family: &str) -> Result<f64> {
        Ok(value(&self.daemon.get("/metrics")?.body, family, ""))
    }

    /// Adverts that are told as late were so while the machine was. There are none without a line: of what comes again soon
    /// after, the wire has all.
    ///
    /// # Errors
    /// When one was late by itself, or late ones are counted and none is told.
    pub(crate) fn late_adverts_are_the_machine_s(&self) -> Result<()> {
        let (mut told, machine) = (0, self.scene.wire.machine());
        for line in fs::read_to_string(self.log)?.lines() {
            let Some((at, late)) = serde_json::from_str(line).ok().as_ref().and_then(late_advert) else {
                continue;
            };
            told += 1;
            let allowance = machine.allowance_between(at.saturating_sub(late), at);
            ensure!(late.saturating_sub(allowance) < OFTEN / 2, "late, and not by {allowance:?}: {line}");
        }
        let counted = self.sum("keepwatch_vrrp_adverts_late_total")?;
        ensure!((counted > 0.0) == (told > 0), "{counted} late adverts are counted, {told} are told");
        println!("{counted} late adverts are counted, {told} of them told");
        Ok(())
    }

    /// Each kind is logged as often as it is counted, and all together are as many as there are numbers.
    fn metrics(&self, metrics: &str, ledger: &Ledger) -> Result<String> {
        let mut lost = 0.0;
        for (kind, logged) in &ledger.kinds {
            let counted = value(metrics, "keepwatch_bus_events_total", &format!("kind=\"{kind}\""));
            ensure!(counted >= *logged as f64, "{kind}: logged {logged} times, counted {counted}");
            lost += counted - *logged as f64;
        }
        ensure!(lost == ledger.lost as f64, "{lost} events are not logged, {} lines are lost", ledger.lost);
        let all = value(metrics, "keepwatch_bus_events_total", "");
        let last = self.daemon.answer(&["--json", "events", "-n", "1"])?;
        let last = serde_json::from_str::<Value>(last.trim())?["event"]["id"].as_u64().context("the last")?;
        ensure!(all == last as f64, "{all} events are counted, and the last is number {last}");
        let turns = value(metrics, "keepwatch_vrrp_transitions_total", "");
        let changes = value(metrics, "keepwatch_bus_events_total", "kind=\"state_changed\"");
        ensure!(turns == changes, "{turns} transitions are counted, and {changes} events");
        Ok(format!("{last} events; {} of them have lines, {} are lost", ledger.all(), ledger.lost))
    }

    /// It is bounded, and has the last events without a hole.
    fn history(&self, metrics: &str) -> Result<String> {
        let held = value(metrics, "keepwatch_history_events", "");
        ensure!(held <= EVENTS as f64, "{held} events are held in memory");
        let path = self.daemon.history_path();
        let older = PathBuf::from(format!("{}.1", path.display()));
        let (older, newer) = (fs::read_to_string(older).unwrap_or_default(), fs::read_to_string(path)?);
        let bytes = (older.len() + newer.len()) as u64;
        ensure!(bytes <= BYTES, "the history takes {bytes} bytes");
        let lines = older.lines().chain(newer.lines());
        let ids = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()?["id"].as_u64());
        let ids: BTreeSet<u64> = ids.collect();
        let (first, last) = (ids.first().context("no events")?, ids.last().context("no events")?);
        let missed = value(metrics, "keepwatch_bus_missed_total", "consumer=\"history\"");
        let holes = last - first + 1 - ids.len() as u64;
        ensure!(holes as f64 <= missed, "{holes} events are missing in the history, {missed} are counted");
        let all = value(metrics, "keepwatch_bus_world_version_total", "");
        ensure!(*last as f64 == all, "the history ends with {last}, of {all}");
        Ok(format!("history: {held} in memory, {} in {bytes} bytes of the file", ids.len()))
    }

    /// What a receiver took, what is lost for it, and what its watcher missed.
    fn delivered(metrics: &str, consumer: &str) -> [f64; 2] {
        let label = format!("consumer=\"{consumer}\"");
        ["delivered", "lost"].map(|what| value(metrics, &format!("keepwatch_delivery_{what}_total"), &label))
    }

    fn otlp(&self, metrics: &str, ledger: &Ledger) -> Result<String> {
        let (mut spans, mut records) = (0, 0);
        for request in self.scene.collector.taken() {
            match &*request.path {
                "/v1/traces" => {
                    let all = ExportTraceServiceRequest::decode(&*request.body)?.resource_spans.into_iter();
                    spans +=
                        all.flat_map(|part| part.scope_spans).map(|part| part.spans.len()).sum::<usize>();
                }
                _ => {
                    let all = ExportLogsServiceRequest::decode(&*request.body)?.resource_logs.into_iter();
                    records += all
                        .flat_map(|part| part.scope_logs)
                        .map(|part| part.log_records.len())
                        .sum::<usize>();
                }
            }
        }
        let missed = value(metrics, "keepwatch_bus_missed_total", "consumer=\"otlp\"");
        let [logged, lost] = Self::delivered(metrics, "otlp logs");
        ensure!(logged == records as f64, "{records} log records came, {logged} are counted");
        // Some of the events that were missed have no line.
        let (least, all) = (logged + lost, ledger.all() as f64);
        ensure!(
            least <= all && all <= least + missed,
            "{logged} + {lost} log records and {missed} missed events are not {all}"
        );
        let [traced, lost_spans] = Self::delivered(metrics, "otlp traces");
        ensure!(traced == spans as f64, "{spans} spans came, {traced} are counted");
        // Those of which nothing came are not sent: they are checks.
        let least = value(metrics, "keepwatch_vrrp_transitions_total", "");
        ensure!(traced + lost_spans + missed >= least, "{traced} + {lost_spans} spans of {least} changes");
        Ok(format!("OTLP: {records} records, {spans} spans, {lost} and {lost_spans} lost, {missed} missed"))
    }

    fn posts(&self, metrics: &str, ledger: &Ledger) -> Result<String> {
        let posts = self.scene.webhook.taken();
        let [delivered, lost] = Self::delivered(metrics, "webhook w");
        let ids: BTreeSet<_> =
            posts.iter().filter_map(|post| post.header("x-keepwatch-event").map(str::to_owned)).collect();
        ensure!(ids.len() == posts.len(), "{} posts of {} events", posts.len(), ids.len());
        ensure!(delivered == posts.len() as f64, "{} posts came, {delivered} are counted", posts.len());
        let (sum, plain) = (delivered + lost, ledger.plain as f64);
        let right = plain <= sum && sum <= plain + ledger.lost as f64;
        ensure!(right, "{delivered} + {lost} posts are not {plain}");
        Ok(format!("webhook: {} posts, {lost} lost", posts.len()))
    }

    fn notifications(&self, metrics: &str) -> Result<String> {
        let [delivered, lost] = Self::delivered(metrics, "snmp traps");
        let all = value(metrics, "keepwatch_vrrp_transitions_total", "") + of_servers(metrics);
        // A few wait while there is no session: a master agent that is asked for too much may be gone.
        let up = value(metrics, "keepwatch_snmp_session_up", "") == 1.0;
        let waiting = if up { 0.0 } else { MAX_WAITING_NOTIFICATIONS as f64 };
        ensure!(
            delivered + lost <= all && all <= delivered + lost + waiting,
            "{delivered} + {lost} notifications are not {all}"
        );
        let of = |trap: Vec<String>| {
            let id = trap.last()?.split_once(".9586.100.5.100.1.1.0 = STRING: \"")?.1;
            id.trim_end_matches('"').parse::<u64>().ok()
        };
        let ids: Vec<u64> = self.scene.traps.traps().into_iter().filter_map(of).collect();
        let once: BTreeSet<u64> = ids.iter().copied().collect();
        ensure!(once.len() == ids.len(), "a notification came twice");
        // From the master agent to the receiver they go by UDP.
        let udp = self.scene.host.run("cat", &["/proc/net/snmp"])?;
        let udp: Vec<&str> = udp.lines().filter(|line| line.starts_with("Udp: ")).collect();
        let names = udp.first().context("no Udp:")?.split(' ').position(|name| name == "RcvbufErrors");
        let dropped = udp.last().and_then(|line| line.split(' ').nth(names?)?.parse::<u64>().ok());
        let dropped = dropped.context("RcvbufErrors")?;
        let came = ids.len() as u64 + dropped;
        ensure!(came as f64 >= delivered, "{} notifications came, {delivered} are counted", ids.len());
        Ok(format!(
            "SNMP: {} notifications, {lost} lost, {dropped} datagrams dropped by the kernel",
            ids.len()
        ))
    }

    fn mails(&self, metrics: &str) -> Result<String> {
        let mails = self.scene.mail.mails();
        let mut told = Vec::new();
        let mut not_listed = 0;
        for mail in &mails {
            let id =
                mail.split_once("<keepwatch.").and_then(|(_, rest)| rest.split_once('.')?.0.parse().ok());
            let Some((_, list)) = mail.split_once(" notices in one <=") else {
                told.push(id.context("a mail without an event")?);
                continue;
            };
            let list = list.split_once("\nThe first, ").map_or(list, |(list, _)| list);
            let ids =
                list.lines().filter_map(|line| line.strip_prefix("  #")?.split(' ').next()?.parse().ok());
            told.extend(ids.collect::<Vec<u64>>());
            // A list has an end; how many are not in it is said.
            let more = list
                .lines()
                .find_map(|line| line.strip_prefix("  and ")?.split_once(" more, ")?.0.parse().ok());
            not_listed += more.unwrap_or(0);
        }
        told.sort_unstable();
        let once: BTreeSet<u64> = told.iter().copied().collect();
        ensure!(once.len() == told.len(), "a change is mailed twice");
        let failed = value(metrics, "keepwatch_mails_failed_total", "");
        ensure!(failed == 0.0, "{failed} mails are given up");
        let meant = states_told(metrics) - CALM_CHANGES + of_servers(metrics);
        let changes = told.len() + not_listed;
        ensure!(changes as f64 == meant, "{changes} changes are mailed, of {meant}");
        Ok(format!("mail: {changes} changes in {} mails, none given up", mails.len()))
    }

    fn fifo(&self, metrics: &str) -> Result<String> {
        let lines = self.scene.fifo.lines();
        let [counted, lost] =
            ["", "lost_"].map(|what| value(metrics, &format!("keepwatch_fifo_lines_{what}total"), ""));
        ensure!(counted == lines.len() as f64, "{} lines were read, {counted} are counted", lines.len());
        let changes = states_told(metrics) + of_servers(metrics);
        ensure!(counted + lost == changes, "{counted} + {lost} lines of {changes} changes");
        Ok(format!("FIFO: {} lines, {lost} lost", lines.len()))
    }
}

/// When a late advert left, since the epoch, and how late, if that is what a line is about.
fn late_advert(line: &Value) -> Option<(Duration, Duration)> {
    let at: Timestamp = line["time"].as_str().filter(|_| line["kind"] == "advert_delayed")?.parse().ok()?;
    let (_, late) = line["message"].as_str()?.split_once(" advert left ")?;
    let late = late.split_once(" ms late")?.0.parse().ok()?;
    Some((Duration::try_from(at.as_duration()).ok()?, Duration::from_millis(late)))
}

/// How many events wait, before the world and after it.
pub(crate) fn waiting(daemon: &Keepwatchd) -> Result<f64> {
    let metrics = daemon.get("/metrics")?.body;
    Ok(["keepwatch_bus_backlog", "keepwatch_bus_waiting"]
        .map(|family| value(&metrics, family, ""))
        .iter()
        .sum())
}

/// How often virtual routers became something that people are told of: the beginning is none.
fn states_told(metrics: &str) -> f64 {
    let turns = |label| value(metrics, "keepwatch_vrrp_transitions_total", label);
    turns("") - turns("to=\"INIT\"")
}

/// Changes of servers that are told.
fn of_servers(metrics: &str) -> f64 {
    let of = |kind| value(metrics, "keepwatch_bus_events_total", &format!("kind=\"{kind}\""));
    OF_SERVERS.into_iter().map(of).sum()
}

/// Changes of the virtual router that stays, of which nobody is mailed: it begins as backup, and is master then.
const CALM_CHANGES: f64 = 2.0;

/// The sum of the series of a family that have this in them.
fn value(metrics: &str, family: &str, label: &str) -> f64 {
    let of_family = metrics.lines().filter_map(|line| line.strip_prefix(family));
    let series = of_family.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
