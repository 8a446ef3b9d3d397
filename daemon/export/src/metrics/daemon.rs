//! Metrics of the daemon itself: build, configuration, bus, history, mail, SNMP session, interfaces, scripts.

use jiff::Timestamp;
use keepwatch_bus::Reader;
use keepwatch_bus::beat::PARTS;
use keepwatch_bus::counters::{Counters, DeliveryCounters, FifoCounters, SNMP_TRAPS};
use keepwatch_bus::world::World;

use super::family::{Families, Labels, flag, number};

pub(super) fn collect(families: &mut Families, reader: &Reader) {
    let (world, counters) = (&*reader.world(), reader.counters());
    process(families, world);
    configuration(families, world, counters);
    bus(families, world, counters, reader.backlog());
    consumers(families, world, counters);
    history(families, reader);
    let mut interfaces = families.gauge(
        "keepwatch_interface_up",
        "Whether an interface that a virtual router needs is up with carrier",
        &["interface"],
    );
    for interface in world.interfaces.values() {
        interfaces.sample(&[&interface.name], flag(interface.up));
    }
}

fn process(families: &mut Families, world: &World) {
    let settings = &world.settings;
    families
        .gauge(
            "keepwatch_build_info",
            "Version of keepwatch and where it puts IPVS entries; always 1",
            &["version", "router_id", "dataplane"],
        )
        .sample(&[&settings.version, &settings.global.router_id, &settings.dataplane], 1.0);
    moment(
        families,
        "keepwatch_start_time_seconds",
        "When the worker began, in seconds since 1970",
        world.started_at,
    );
    families
        .gauge("keepwatch_stopping", "Whether a clean stop is under way", &[])
        .sample(&[], flag(world.stopping));
}

fn configuration(families: &mut Families, world: &World, counters: &Counters) {
    let config = &world.config;
    families
        .gauge(
            "keepwatch_config_generation",
            "Configurations that came into force since the worker began",
            &[],
        )
        .sample(&[], number(config.generation));
    families
        .gauge(
            "keepwatch_config_last_reload_successful",
            "Whether the last (re)load of the configuration was accepted",
            &[],
        )
        .sample(&[], flag(config.rejected.is_none() && config.generation > 0));
    moment(
        families,
        "keepwatch_config_last_reload_success_timestamp_seconds",
        "When the configuration came into force",
        config.loaded_at,
    );
    let tallies = &counters.tallies;
    let mut reloads =
        families.counter("keepwatch_config_reloads_total", "Reloads, by how they ended", &["result"]);
    for result in ["success", "failure"] {
        let noted = tallies.reloads.resolve(&result);
        reloads.sample_like(&[result], number(noted.get()), noted.last());
    }
    families
        .histogram(
            "keepwatch_config_reload_duration_seconds",
            "From the signal until each part had been told of the new configuration",
            &[],
        )
        .observed(&Labels::default(), &[], &tallies.reloads_took.read());
    let mut changes = families.counter(
        "keepwatch_config_changes_total",
        "What configurations defined (anew or otherwise than before) and removed, the first one among them",
        &["what", "change"],
    );
    for ((what, change), count) in tallies.changes.all() {
        changes.sample(&[what, change], number(count.get()));
    }
}

/// A gauge of a moment, if there was one.
fn moment(families: &mut Families, name: &str, help: &str, at: Option<Timestamp>) {
    let mut family = families.gauge(name, help, &[]);
    if let Some(at) = at {
        family.sample(&[], seconds(at));
    }
}

fn bus(families: &mut Families, world: &World, counters: &Counters, backlog: usize) {
    families
        .counter("keepwatch_bus_world_version_total", "Events folded into the world", &[])
        .sample(&[], number(world.version));
    families
        .gauge("keepwatch_bus_backlog", "Events that were published and not yet taken into the world", &[])
        .sample(&[], number(backlog as u64));
    let mut events = families.counter("keepwatch_bus_events_total", "Events, by what happened", &["kind"]);
    for (kind, noted) in counters.events.all() {
        events.sample_like(&[kind], number(noted.get()), noted.last());
    }
    let mut waiting =
        families.gauge("keepwatch_bus_waiting", "Events that wait for a delivering consumer", &["consumer"]);
    for (consumer, count) in counters.waiting.all() {
        waiting.sample(&[&consumer], count.get() as f64);
    }
    let mut missed = families.counter(
        "keepwatch_bus_missed_total",
        "Events that a consumer was too slow for",
        &["consumer"],
    );
    for (consumer, count) in counters.missed.all() {
        missed.sample(&[&consumer], number(count.get()));
    }
}

fn fifos(families: &mut Families, world: &World, counters: &Counters) {
    let mut working =
        families.gauge("keepwatch_fifo_works", "Whether a FIFO is there and takes all its lines", &["fifo"]);
    for (path, fifo) in &world.fifos {
        working.sample(&[path], flag(fifo.error.is_none() && fifo.losing.is_none()));
    }
    let mut ended = families.counter(
        "keepwatch_fifo_readers_ended_total",
        "Times the script that reads a FIFO ended by itself",
        &["fifo"],
    );
    for (path, fifo) in &world.fifos {
        ended.sample(&[path], number(fifo.readers_ended));
    }
    for row in FifoCounters::TABLE {
        let mut family = families.counter(row.metric, row.help, &["fifo"]);
        for (path, counted) in counters.fifos.all() {
            family.sample(&[&path], number((row.get)(&counted).get()));
        }
    }
}

/// Receivers of events: webhooks, OTLP collectors, the master agent of SNMP.
fn deliveries(families: &mut Families, world: &World, counters: &Counters) {
    let all = counters.deliveries.all();
    let help = "Whether a receiver of events takes all that is handed to it";
    let mut working = families.gauge("keepwatch_delivery_works", help, &["consumer"]);
    for (consumer, _) in &all {
        let works = match &**consumer {
            SNMP_TRAPS => world.snmp.connected,
            _ => !world.interrupted.contains_key(consumer),
        };
        working.sample(&[consumer], flag(works));
    }
    for row in DeliveryCounters::TABLE {
        let mut family = families.counter(row.metric, row.help, &["consumer"]);
        for (consumer, counted) in &all {
            family.sample(&[consumer], number((row.get)(counted).get()));
        }
    }
}

/// Everything that only watches, and whether it works.
fn consumers(families: &mut Families, world: &World, counters: &Counters) {
    let mut failed = families.gauge(
        "keepwatch_consumer_failed",
        "Parts that only watch and could not start",
        &["consumer"],
    );
    for consumer in world.failed_consumers.keys() {
        failed.sample(&[consumer], 1.0);
    }
    families
        .gauge("keepwatch_history_writable", "Whether the history file can be written", &[])
        .sample(&[], flag(world.history_error.is_none()));
    families
        .counter("keepwatch_scripts_run_total", "Notify scripts that have ended", &[])
        .sample(&[], number(world.scripts.run));
    families
        .counter(
            "keepwatch_scripts_failed_total",
            "Notify scripts that failed, were killed or had to be ended",
            &[],
        )
        .sample(&[], number(world.scripts.failed));
    families
        .counter("keepwatch_scripts_not_run_total", "Notify scripts that could not be run", &[])
        .sample(&[], number(world.scripts.not_run));
    families
        .gauge("keepwatch_scripts_overdue", "Notify scripts that have run for long and still do", &[])
        .sample(&[], number(world.scripts.overdue.len() as u64));
    scripts(families, counters);
    fifos(families, world, counters);
    deliveries(families, world, counters);
    families
        .counter("keepwatch_mails_sent_total", "Mails that the server took", &[])
        .sample(&[], number(world.mail.sent));
    families
        .counter(
            "keepwatch_mail_recipients_refused_total",
            "Recipients whom the server refused, the mail going to others",
            &[],
        )
        .sample(&[], number(world.mail.refused));
    let waiting = counters.mails_waiting.get();
    families
        .gauge("keepwatch_mails_waiting", "Mails that wait for the mail server, or are under way to it", &[])
        .sample(&[], number(u64::try_from(waiting).unwrap_or(0)));
    families
        .counter("keepwatch_mails_failed_total", "Mails given up", &[])
        .sample(&[], number(world.mail.failed));
    families
        .gauge("keepwatch_mail_working", "Whether the last mail went well", &[])
        .sample(&[], flag(world.mail.error.is_none()));
    families
        .gauge(
            "keepwatch_snmp_session_up",
            "Whether the AgentX session with the SNMP master agent stands",
            &[],
        )
        .sample(&[], flag(world.snmp.connected));
    families
        .gauge(
            "keepwatch_dbus_name_owned",
            "Whether the daemon's name on the system bus is its own; 0 also without enable_dbus",
            &[],
        )
        .sample(&[], flag(world.dbus.name.is_some()));
    families
        .counter("keepwatch_snmp_sessions_total", "AgentX sessions since the worker began", &[])
        .sample(&[], number(world.snmp.sessions));
    families
        .gauge("keepwatch_ipvs_working", "Whether there is nothing that IPVS refuses", &[])
        .sample(&[], flag(world.ipvs_error.is_none()));
    let mut hung = families.gauge(
        "keepwatch_part_hung",
        "Whether a part that virtual routers do not depend on stands still",
        &["part"],
    );
    for part in PARTS {
        hung.sample(&[part], flag(world.hung.contains_key(part)));
    }
}

/// The history in memory.
fn history(families: &mut Families, reader: &Reader) {
    let (length, oldest) = {
        let history = reader.history();
        (history.iter().len(), history.iter().next().map(|event| event.at))
    };
    families
        .gauge("keepwatch_history_events", "Events held in memory", &[])
        .sample(&[], number(length as u64));
    moment(
        families,
        "keepwatch_history_oldest_timestamp_seconds",
        "When the oldest event held in memory happened",
        oldest,
    );
}

/// Notify scripts: how long they run, by how they end.
fn scripts(families: &mut Families, counters: &Counters) {
    let mut took = families.histogram(
        "keepwatch_script_duration_seconds",
        "How long notify scripts ran, by how they ended",
        &["result"],
    );
    for (result, seen) in counters.tallies.scripts.all() {
        took.observed(&Labels::default(), &[result], &seen.read());
    }
}

/// Seconds since 1970.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
