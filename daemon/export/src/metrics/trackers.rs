//! Metrics of tracked scripts, files, processes and BFD sessions. Those that the keepalived exporter has keep its names.

use keepwatch_bus::counters::{Counters, TrackScriptCounters};
use keepwatch_bus::fact::Evidence;
use keepwatch_bus::world::{self, World};
use keepwatch_model::{Level, Tracker};

use super::family::{Families, Labels, flag, number};

type Counted = (&'static str, &'static str, fn(&TrackScriptCounters) -> u64);

const COUNTED: [Counted; 4] = [
    ("keepwatch_track_script_succeeded_total", "Runs of a tracked script that succeeded", |c| {
        c.succeeded.get()
    }),
    ("keepwatch_track_script_failed_total", "Runs of a tracked script that failed, in whatever way", |c| {
        c.failed.get()
    }),
    ("keepwatch_track_script_timed_out_total", "Runs of a tracked script that its time-out ended", |c| {
        c.timed_out.get()
    }),
    ("keepwatch_track_script_skipped_total", "Runs left out because the one before had not ended", |c| {
        c.skipped.get()
    }),
];

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    levels(families, world);
    scripts(families, world, counters);
    sessions(families, world);
    let trackers = &world.trackers;
    let mut values = families.gauge("keepwatch_track_file_value", "The number in a tracked file", &["name"]);
    for file in trackers.files.values() {
        if let Level::Number(value) = file.level {
            values.sample(&[&file.key().name], f64::from(value));
        }
    }
    let mut quorums = families.gauge(
        "keepwatch_track_process_quorum",
        "Whether there are as many processes as there should be",
        &["name"],
    );
    for process in trackers.processes.values() {
        quorums.sample(&[&process.key().name], flag(process.level == Level::Up));
    }
    let mut counts = families.gauge(
        "keepwatch_track_process_count",
        "Processes that there were when the quorum was last gained or lost",
        &["name"],
    );
    for process in trackers.processes.values() {
        if let Some(Evidence::Counted { processes, .. }) = process.evidence {
            counts.sample(&[&process.key().name], f64::from(processes));
        }
    }
}

/// Everything that is tracked, of whatever kind.
fn levels(families: &mut Families, world: &World) {
    let mut up = families.gauge(
        "keepwatch_tracker_up",
        "Whether what a virtual router follows is as it should be; missing before its first result, and for numbers",
        &["kind", "name"],
    );
    for tracker in world.trackers.all() {
        if let level @ (Level::Up | Level::Down) = tracker.level {
            let key = tracker.key();
            up.sample(&[&key.kind.to_string(), &key.name], flag(level == Level::Up));
        }
    }
}

fn sessions(families: &mut Families, world: &World) {
    let mut up =
        families.gauge("keepwatch_bfd_session_up", "Whether a BFD session is up", &["name", "neighbour"]);
    for session in world.trackers.bfds.values() {
        let Tracker::Bfd(settings) = &*session.settings.model else { continue };
        let neighbour = settings.neighbour.to_string();
        up.sample(&[&settings.name, &neighbour], flag(session.level == Level::Up));
    }
}

fn scripts(families: &mut Families, world: &World, counters: &Counters) {
    let scripts = &world.trackers.scripts;
    let mut status = families.gauge(
        "keepalived_script_status",
        "Whether a tracked script counts as succeeding",
        &["name"],
    );
    for script in scripts.values() {
        status.sample(&[&script.key().name], flag(script.level == Level::Up));
    }
    let all: Vec<_> = scripts
        .values()
        .map(world::Tracker::key)
        .filter_map(|key| Some((counters.track_scripts.get(&key.name)?, key.name)))
        .collect();
    let mut state = families.gauge(
        "keepalived_script_state",
        "What a tracked script does: 0 idle, 1 running, 2 asked to end, 3 killed",
        &["name"],
    );
    for (counters, name) in &all {
        state.sample(&[name], counters.state.get() as f64);
    }
    for (family, help, count) in COUNTED {
        let mut family = families.counter(family, help, &["name"]);
        for (counters, name) in &all {
            family.sample(&[name], number(count(counters)));
        }
    }
    let mut took = families.summary(
        "keepwatch_track_script_duration_seconds",
        "How long runs of a tracked script took",
        &["name"],
    );
    for (counters, name) in &all {
        let runs = counters.succeeded.get() + counters.failed.get();
        took.total(&Labels::default(), &[name], runs, number(counters.took_microseconds.get()) / 1e6);
    }
    let mut last = families.gauge(
        "keepwatch_track_script_last_duration_seconds",
        "How long the last run of a tracked script took",
        &["name"],
    );
    for (counters, name) in &all {
        last.sample(&[name], counters.last_took_microseconds.get() as f64 / 1e6);
    }
}
