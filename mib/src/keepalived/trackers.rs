//! What virtual routers track: the scripts, files, BFD sessions and processes themselves.

use keepwatch_bus::fact::Evidence;
use keepwatch_bus::world::Tracker;
use keepwatch_model::{
    ArgumentMatch, BfdSession, Level, TrackFile, TrackProcess, TrackScript, Tracker as Settings,
};
use snmp_agentx::syntax::{DISPLAY_STRING, INTEGER, INTEGER32, UNSIGNED32};
use snmp_agentx::{At, Column, Rows, Table};

use super::Tables;
use crate::cells::{Cell, integer, microseconds, text, truth, unsigned};
use crate::source::{Keepwatch, placed, row};

pub(super) const TABLES: Tables = &[&SCRIPTS, &FILES, &BFDS, &PROCESSES];

struct Trackers;

impl Rows for Trackers {
    type Source = Keepwatch;
    type Index = [u32; 1];
    type Row<'s> = &'s Tracker;
}

/// A cell of a script.
fn of_script(tracker: &Tracker, cell: impl FnOnce(&TrackScript) -> Cell) -> Cell {
    if let Settings::Script(script) = &*tracker.settings { cell(script) } else { None }
}

fn of_file(tracker: &Tracker, cell: impl FnOnce(&TrackFile) -> Cell) -> Cell {
    if let Settings::File(file) = &*tracker.settings { cell(file) } else { None }
}

fn of_process(tracker: &Tracker, cell: impl FnOnce(&TrackProcess) -> Cell) -> Cell {
    if let Settings::Process(process) = &*tracker.settings { cell(process) } else { None }
}

fn of_bfd(tracker: &Tracker, cell: impl FnOnce(&BfdSession) -> Cell) -> Cell {
    if let Settings::Bfd(session) = &*tracker.settings { cell(session) } else { None }
}

/// init(1), bad(2), good(3), initfailed(5).
fn script_result(tracker: &Tracker) -> Cell {
    integer(match (tracker.level, &tracker.evidence) {
        (_, Some(Evidence::Assumed)) => 5,
        (Level::Up, _) => 3,
        (Level::Down, _) => 2,
        (Level::Undecided | Level::Number(_), _) => 1,
    })
}

const SCRIPTS: Table<Trackers> = Table {
    name: "vrrpScriptEntry",
    entry: &[2, 9, 1],
    index: &["vrrpScriptIndex"],
    rows: |At(view), start| row(start, |place| placed(&view.world.trackers.scripts, place)),
    columns: &[
        Column::new(2, "vrrpScriptName", DISPLAY_STRING, |t| of_script(t, |s| text(&s.name))),
        Column::new(3, "vrrpScriptCommand", DISPLAY_STRING, |t| of_script(t, |s| text(s.script.to_string()))),
        Column::new(4, "vrrpScriptInterval", INTEGER32, |t| {
            of_script(t, |s| integer(i64::try_from(s.interval.as_secs()).unwrap_or(i64::MAX)))
        }),
        Column::new(5, "vrrpScriptWeight", INTEGER32, |t| of_script(t, |s| integer(s.weight))),
        Column::new(6, "vrrpScriptResult", INTEGER, |t| script_result(t)),
        Column::new(7, "vrrpScriptRise", UNSIGNED32, |t| of_script(t, |s| unsigned(s.rise))),
        Column::new(8, "vrrpScriptFall", UNSIGNED32, |t| of_script(t, |s| unsigned(s.fall))),
        Column::new(9, "vrrpScriptWgtRev", INTEGER, |t| of_script(t, |s| truth(s.reverse))),
        Column::new(10, "vrrpScriptPath", DISPLAY_STRING, |t| of_script(t, |s| text(s.script.argv.first()?))),
        Column::new(11, "vrrpScriptIntervalUsec", UNSIGNED32, |t| of_script(t, |s| microseconds(s.interval))),
        Column::new(12, "vrrpScriptTimeoutUsec", UNSIGNED32, |t| of_script(t, |s| microseconds(s.timeout))),
    ],
};

const FILES: Table<Trackers> = Table {
    name: "vrrpFileEntry",
    entry: &[2, 13, 1],
    index: &["vrrpFileIndex"],
    rows: |At(view), start| row(start, |place| placed(&view.world.trackers.files, place)),
    columns: &[
        Column::new(2, "vrrpFileName", DISPLAY_STRING, |t| of_file(t, |f| text(&f.name))),
        Column::new(3, "vrrpFilePath", DISPLAY_STRING, |t| of_file(t, |f| text(f.file.to_string_lossy()))),
        Column::new(4, "vrrpFileResult", INTEGER32, |t| match t.level {
            Level::Number(number) => integer(number),
            Level::Undecided | Level::Up | Level::Down => integer(0),
        }),
        Column::new(5, "vrrpFileWeight", INTEGER32, |t| of_file(t, |f| integer(f.weight))),
        Column::new(6, "vrrpFileWgtRev", INTEGER, |t| of_file(t, |f| truth(f.reverse))),
    ],
};

const BFDS: Table<Trackers> = Table {
    name: "vrrpBfdEntry",
    entry: &[2, 18, 1],
    index: &["vrrpBfdIndex"],
    rows: |At(view), start| row(start, |place| placed(&view.world.trackers.bfds, place)),
    columns: &[
        Column::new(2, "vrrpBfdName", DISPLAY_STRING, |t| of_bfd(t, |b| text(&b.name))),
        // 1 while it is up, else 0.
        Column::new(3, "vrrpBfdResult", INTEGER32, |t| integer(i32::from(t.level == Level::Up))),
        Column::new(4, "vrrpBfdWeight", INTEGER32, |t| of_bfd(t, |b| integer(b.weight))),
        Column::new(5, "vrrpBfdWgtRev", INTEGER, |t| of_bfd(t, |b| truth(b.reverse))),
    ],
};

const PROCESSES: Table<Trackers> = Table {
    name: "vrrpProcessEntry",
    entry: &[2, 21, 1],
    index: &["vrrpProcessIndex"],
    rows: |At(view), start| row(start, |place| placed(&view.world.trackers.processes, place)),
    columns: &[
        Column::new(2, "vrrpProcessName", DISPLAY_STRING, |t| of_process(t, |p| text(&p.name))),
        Column::new(3, "vrrpProcessPath", DISPLAY_STRING, |t| of_process(t, |p| text(&p.program))),
        Column::new(4, "vrrpProcessParams", DISPLAY_STRING, |t| {
            of_process(t, |p| text(p.arguments.join(" ")))
        }),
        Column::new(5, "vrrpProcessParamMatch", INTEGER, |t| {
            of_process(t, |p| {
                integer(match p.matching {
                    None => 0,
                    Some(ArgumentMatch::Exact) => 1,
                    Some(ArgumentMatch::Partial) => 2,
                    Some(ArgumentMatch::Initial) => 3,
                })
            })
        }),
        Column::new(6, "vrrpProcessWeight", INTEGER32, |t| of_process(t, |p| integer(p.weight))),
        Column::new(7, "vrrpProcessWgtRev", INTEGER, |t| of_process(t, |p| truth(p.reverse))),
        Column::new(8, "vrrpProcessQuorum", UNSIGNED32, |t| of_process(t, |p| unsigned(p.quorum))),
        // Without one: as keepalived says it, the largest unsigned number.
        Column::new(9, "vrrpProcessQuorumMax", INTEGER32, |t| {
            of_process(t, |p| integer(p.quorum_max.map_or(-1, i64::from)))
        }),
        Column::new(10, "vrrpProcessForkDelay", UNSIGNED32, |t| {
            of_process(t, |p| microseconds(p.fork_delay))
        }),
        Column::new(11, "vrrpProcessTerminateDelay", UNSIGNED32, |t| {
            of_process(t, |p| microseconds(p.terminate_delay))
        }),
        Column::new(12, "vrrpProcessFullCommand", INTEGER, |t| of_process(t, |p| truth(p.full_command))),
        Column::new(13, "vrrpProcessCurProc", INTEGER32, |t| match t.evidence {
            Some(Evidence::Counted { processes, .. }) => integer(processes),
            _ => integer(0),
        }),
        Column::new(14, "vrrpProcessResult", INTEGER, |t| truth(t.level == Level::Up)),
    ],
};
