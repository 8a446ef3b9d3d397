//! Metrics of the daemon itself: build, configuration, bus, history, mail, SNMP session, interfaces.

use jiff::Timestamp;
use keepwatch_bus::beat::PARTS;
use keepwatch_bus::counters::{Counters, FifoCounters};
use keepwatch_bus::world::World;

use super::family::{Families, flag, number};

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    process(families, world);
    configuration(families, world);
    bus(families, world, counters);
    consumers(families, world, counters);
    let mut interfaces = families.gauge(
        "keepwatch_interface_up",
        "Whether an interface that a virtual router needs is up with carrier",
    );
    for interface in world.interfaces.values() {
        interfaces.sample(&[("interface", &interface.name)], flag(interface.up));
    }
}

fn process(families: &mut Families, world: &World) {
    let settings = &world.settings;
    families
        .gauge("keepwatch_build_info", "Version of keepwatch and where it puts IPVS entries; always 1")
        .sample(
            &[
                ("version", &settings.version),
                ("router_id", &settings.global.router_id),
                ("dataplane", &settings.dataplane),
            ],
            1.0,
        );
    if let Some(at) = world.started_at {
        families
            .gauge("keepwatch_start_time_seconds", "When the worker began, in seconds since 1970")
            .sample(&[], seconds(at));
    }
    families
        .gauge("keepwatch_stopping", "Whether a clean stop is under way")
        .sample(&[], flag(world.stopping));
}

fn configuration(families: &mut Families, world: &World) {
    let config = &world.config;
    families
        .gauge("keepwatch_config_generation", "Configurations that came into force since the worker began")
        .sample(&[], number(config.generation));
    families
        .gauge(
            "keepwatch_config_last_reload_successful",
            "Whether the last (re)load of the configuration was accepted",
        )
        .sample(&[], flag(config.rejected.is_none() && config.generation > 0));
    if let Some(at) = config.loaded_at {
        families
            .gauge(
                "keepwatch_config_last_reload_success_timestamp_seconds",
                "When the configuration came into force",
            )
            .sample(&[], seconds(at));
    }
}

fn bus(families: &mut Families, world: &World, counters: &Counters) {
    families
        .counter("keepwatch_bus_world_version_total", "Events folded into the world")
        .sample(&[], number(world.version));
    let mut events = families.counter("keepwatch_bus_events_total", "Events, by what happened");
    for (kind, count) in counters.events.all() {
        events.sample(&[("kind", kind)], number(count.get()));
    }
    drop(events);
    let mut missed =
        families.counter("keepwatch_bus_missed_total", "Events that a watching consumer was too slow for");
    for (consumer, count) in counters.missed.all() {
        missed.sample(&[("consumer", &consumer)], number(count.get()));
    }
}

fn fifos(families: &mut Families, world: &World, counters: &Counters) {
    let mut working =
        families.gauge("keepwatch_fifo_works", "Whether a FIFO is there and takes all its lines");
    for (path, fifo) in &world.fifos {
        working.sample(&[("fifo", path)], flag(fifo.error.is_none() && fifo.losing.is_none()));
    }
    drop(working);
    let mut ended = families
        .counter("keepwatch_fifo_readers_ended_total", "Times the script that reads a FIFO ended by itself");
    for (path, fifo) in &world.fifos {
        ended.sample(&[("fifo", path)], number(fifo.readers_ended));
    }
    drop(ended);
    for row in FifoCounters::TABLE {
        let mut family = families.counter(row.metric, row.help);
        for (path, counted) in counters.fifos.all() {
            family.sample(&[("fifo", &path)], number((row.get)(&counted).get()));
        }
    }
}

/// Everything that only watches, and whether it works.
fn consumers(families: &mut Families, world: &World, counters: &Counters) {
    let mut failed = families.gauge("keepwatch_consumer_failed", "Parts that only watch and could not start");
    for consumer in world.failed_consumers.keys() {
        failed.sample(&[("consumer", consumer)], 1.0);
    }
    drop(failed);
    families
        .gauge("keepwatch_history_writable", "Whether the history file can be written")
        .sample(&[], flag(world.history_error.is_none()));
    families
        .counter("keepwatch_scripts_run_total", "Notify scripts that have ended")
        .sample(&[], number(world.scripts.run));
    families
        .counter(
            "keepwatch_scripts_failed_total",
            "Notify scripts that failed, were killed or had to be ended",
        )
        .sample(&[], number(world.scripts.failed));
    families
        .counter("keepwatch_scripts_not_run_total", "Notify scripts that could not be run")
        .sample(&[], number(world.scripts.not_run));
    families
        .gauge("keepwatch_scripts_overdue", "Notify scripts that have run for long and still do")
        .sample(&[], number(world.scripts.overdue.len() as u64));
    fifos(families, world, counters);
    families
        .counter("keepwatch_mails_sent_total", "Mails that the server took")
        .sample(&[], number(world.mail.sent));
    families
        .counter(
            "keepwatch_mail_recipients_refused_total",
            "Recipients whom the server refused, the mail going to others",
        )
        .sample(&[], number(world.mail.refused));
    families.counter("keepwatch_mails_failed_total", "Mails given up").sample(&[], number(world.mail.failed));
    families
        .gauge("keepwatch_mail_working", "Whether the last mail went well")
        .sample(&[], flag(world.mail.error.is_none()));
    families
        .gauge("keepwatch_snmp_session_up", "Whether the AgentX session with the SNMP master agent stands")
        .sample(&[], flag(world.snmp.connected));
    families
        .gauge(
            "keepwatch_dbus_name_owned",
            "Whether the daemon's name on the system bus is its own; 0 also without enable_dbus",
        )
        .sample(&[], flag(world.dbus.name.is_some()));
    families
        .counter("keepwatch_snmp_sessions_total", "AgentX sessions since the worker began")
        .sample(&[], number(world.snmp.sessions));
    families
        .gauge("keepwatch_ipvs_working", "Whether there is nothing that IPVS refuses")
        .sample(&[], flag(world.ipvs_error.is_none()));
    let mut hung = families
        .gauge("keepwatch_part_hung", "Whether a part that virtual routers do not depend on stands still");
    for part in PARTS {
        hung.sample(&[("part", part)], flag(world.hung.contains_key(part)));
    }
}

/// Metrics of the history in memory.
pub(super) fn collect_history(families: &mut Families, events: usize, oldest: Option<Timestamp>) {
    families
        .gauge("keepwatch_history_events", "Events held in memory")
        .sample(&[], number(u64::try_from(events).unwrap_or(u64::MAX)));
    if let Some(at) = oldest {
        families
            .gauge(
                "keepwatch_history_oldest_timestamp_seconds",
                "When the oldest event held in memory happened",
            )
            .sample(&[], seconds(at));
    }
}

/// Seconds since 1970.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
