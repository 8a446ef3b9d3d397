//! Scripts, files, processes and BFD sessions that virtual routers follow, and static entries, in `keepalived.data`.

use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::counters::Counters;
use keepwatch_bus::fact::Evidence;
use keepwatch_bus::subject::{Name, TrackedKey};
use keepwatch_bus::world::Tracker as Known;
use keepwatch_model::{Level, TrackProcess, TrackScript, TrackedKind, Tracker};

use super::{Page, decimal, routers, truth};

/// States of a script, as [`keepwatch_bus::counters::TrackScriptCounters::state`] numbers them.
const SCRIPT_STATES: [&str; 4] = ["idle", "running", "requested termination", "forcing termination"];

pub(super) fn write(page: &mut Page, world: &World, counters: &Counters) {
    let trackers = &world.trackers;
    section(page, "VRRP Scripts", trackers.scripts.values(), |page, tracker| {
        if let Tracker::Script(settings) = &*tracker.settings.model {
            script_block(page, settings, tracker, world, counters);
        }
    });
    section(page, "VRRP Track files", trackers.files.values(), |page, tracker| {
        if let Tracker::File(settings) = &*tracker.settings.model {
            page.line(format_args!(" Track file = {}", settings.name));
            page.line(format_args!("   File = {}", settings.file.display()));
            let status = if let Level::Number(number) = tracker.level { number } else { 0 };
            page.line(format_args!("   Status = {status}"));
            page.line(format_args!("   Weight = {}{}", settings.weight, reverse(settings.reverse)));
            followers(page, &tracker.key(), world);
        }
    });
    section(page, "VRRP Track processes", trackers.processes.values(), |page, tracker| {
        if let Tracker::Process(settings) = &*tracker.settings.model {
            process_block(page, settings, tracker, world);
        }
    });
    section(page, "VRRP Track BFDs", trackers.bfds.values(), |page, tracker| {
        page.line(format_args!(" VRRP Track BFD = {}", tracker.key().name));
        page.line(format_args!("   Status = {}", if tracker.level == Level::Up { "Up" } else { "Down" }));
        followers(page, &tracker.key(), world);
    });
    routers::interfaces(page, world);
}

fn section<'a>(
    page: &mut Page,
    name: &str,
    all: impl Iterator<Item = &'a Known>,
    mut block: impl FnMut(&mut Page, &'a Known),
) {
    let mut all = all.peekable();
    if all.peek().is_some() {
        page.section(name);
    }
    all.for_each(|tracker| block(page, tracker));
}

/// What is configured of a script.
pub(super) fn script<'a>(world: &'a World, name: &Name) -> Option<&'a TrackScript> {
    match &*world.trackers.scripts.get(name)?.settings.model {
        Tracker::Script(script) => Some(script),
        Tracker::File(_) | Tracker::Process(_) | Tracker::Bfd(_) => None,
    }
}

/// How many processes were counted.
pub(super) fn processes(evidence: Option<&Evidence>) -> u32 {
    if let Some(Evidence::Counted { processes, .. }) = evidence { *processes } else { 0 }
}

fn script_block(
    page: &mut Page,
    settings: &TrackScript,
    tracker: &Known,
    world: &World,
    counters: &Counters,
) {
    page.line(format_args!(" VRRP Script = {}", settings.name));
    page.line(format_args!("   Command = {}", settings.script));
    page.line(format_args!("   Interval = {} sec", seconds(settings.interval)));
    page.line(format_args!("   Timeout = {} sec", seconds(settings.timeout)));
    page.line(format_args!("   Weight = {}{}", settings.weight, reverse(settings.reverse)));
    page.line(format_args!("   Rise = {}", settings.rise));
    page.line(format_args!("   Fall = {}", settings.fall));
    let good = tracker.level == Level::Up;
    // keepalived counts from 0 up to rise, and on to rise + fall - 1.
    let result = if good { settings.rise.saturating_add(settings.fall).saturating_sub(1) } else { 0 };
    page.line(format_args!("   Result = {result}"));
    let init = match (tracker.level, settings.init_fail) {
        (Level::Undecided, true) => "INIT/FAILED",
        (Level::Undecided, false) => "INIT",
        (Level::Up | Level::Down | Level::Number(_), _) => "unknown",
    };
    page.line(format_args!("   Init state = {init}"));
    page.line(format_args!("   Status = {}", if good { "GOOD" } else { "BAD" }));
    followers(page, &tracker.key(), world);
    let state = counters.track_scripts.get(&settings.name).map_or(0, |counted| counted.state.get());
    let state = usize::try_from(state).ok().and_then(|state| SCRIPT_STATES.get(state)).unwrap_or(&"unknown");
    page.line(format_args!("   State = {state}"));
}

fn process_block(page: &mut Page, settings: &TrackProcess, tracker: &Known, world: &World) {
    page.line(format_args!(" VRRP Track process = {}", settings.name));
    page.line(format_args!("   Process = {}", settings.program));
    if !settings.arguments.is_empty() {
        page.line(format_args!("   Parameters = {}", settings.arguments.join(" ")));
    }
    page.line(format_args!("   Min processes = {}", settings.quorum));
    if let Some(most) = settings.quorum_max {
        page.line(format_args!("   Max processes = {most}"));
    }
    page.line(format_args!("   Current processes = {}", processes(tracker.evidence.as_ref())));
    page.line(format_args!("   Have quorum = {}", truth(tracker.level == Level::Up)));
    page.line(format_args!("   Weight = {}{}", settings.weight, reverse(settings.reverse)));
    page.line(format_args!("   Terminate delay = {}s", decimal(settings.terminate_delay)));
    page.line(format_args!("   Fork delay = {}s", decimal(settings.fork_delay)));
    page.line(format_args!("   Full command = {}", truth(settings.full_command)));
    followers(page, &tracker.key(), world);
}

/// The virtual routers that follow it.
fn followers(page: &mut Page, key: &TrackedKey, world: &World) {
    page.line(format_args!("   Tracking instances :"));
    for instance in world.instances.values() {
        for follow in routers::follows(instance, world) {
            if (follow.kind, &follow.name) == (key.kind, &key.name) {
                let colon = if key.kind == TrackedKind::Bfd { ":" } else { "," };
                let reverse = reverse(follow.reverse);
                page.line(format_args!("     {}{colon} weight {}{reverse}", instance.name, follow.weight));
            }
        }
    }
}

/// `keepalived_bfd.data`.
pub(super) fn sessions(page: &mut Page, world: &World) {
    section(page, "BFD Topology", world.trackers.bfds.values(), |page, tracker| {
        let Tracker::Bfd(settings) = &*tracker.settings.model else { return };
        page.line(format_args!(" BFD Instance = {}", settings.name));
        page.line(format_args!("   Neighbor IP = {}", settings.neighbour));
        if let Some(source) = settings.source {
            page.line(format_args!("   Source IP = {source}"));
        }
        page.line(format_args!("   Required min RX interval = {} ms", settings.min_rx.as_millis()));
        page.line(format_args!("   Desired min TX interval = {} ms", settings.min_tx.as_millis()));
        page.line(format_args!("   Desired idle TX interval = {} ms", settings.idle_tx.as_millis()));
        page.line(format_args!("   Detection multiplier = {}", settings.multiplier));
        page.line(format_args!("   Passive = {}", truth(settings.passive)));
        page.line(format_args!("   State = {}", if tracker.level == Level::Up { "Up" } else { "Down" }));
        if let Some(evidence) = &tracker.evidence {
            page.line(format_args!("   Seen by = {evidence}"));
        }
    });
}

/// `2`, or `0.500`.
fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => time.as_secs().to_string(),
        millis => format!("{}.{millis:03}", time.as_secs()),
    }
}

fn reverse(is: bool) -> &'static str {
    if is { " reverse" } else { "" }
}
