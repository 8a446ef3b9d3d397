//! What can be tracked: scripts, files, processes.

use super::bounds::{I32, U16};
use super::{Keyword, Kind, any, flag, kw, one, opt, script, some};

/// `vrrp_script NAME { … }`.
pub(super) const VRRP_SCRIPT: &[Keyword] = &[
    script("script", "The command; it succeeds with exit code 0.").example("script \"/usr/bin/pgrep nginx\""),
    kw("interval", &[one("SECONDS", Kind::Seconds(0, 4_294_000_000))], "Time between two runs.")
        .default("1")
        .example("interval 2"),
    kw("timeout", &[one("SECONDS", Kind::Seconds(0, 4_294_000_000))], "When a run counts as failed.")
        .default("the interval")
        .example("timeout 5"),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-253, 253)), opt("reverse", Kind::Options("weight"))],
        "Added to the priority on success (or, below 0, on failure); 0 makes failure a fault.",
    )
    .default("0")
    .example("weight -20")
    .nearest(),
    kw("rise", &[one("NUMBER", Kind::Int(1, I32))], "Successes in a row until it counts as up.")
        .default("1")
        .example("rise 2"),
    kw("fall", &[one("NUMBER", Kind::Int(1, I32))], "Failures in a row until it counts as down.")
        .default("1")
        .example("fall 3"),
    kw("user", &[one("USER", Kind::Word), opt("GROUP", Kind::Word)], "Who runs it.")
        .default("script_user")
        .example("user nobody"),
    flag("init_fail", "Counts as failed until the first run.").example("init_fail"),
];

/// `track_file NAME { … }`.
pub(super) const TRACK_FILE: &[Keyword] = &[
    kw("file", &[one("PATH", Kind::Word)], "The file with the number in it.")
        .example("file /run/offset")
        .first_counts(),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-254, 254)), opt("reverse", Kind::Options("weight"))],
        "What the number is multiplied by.",
    )
    .default("1")
    .example("weight 2")
    .first_counts(),
    kw("init_file", &[any("[VALUE] [overwrite]", Kind::Word)], "Write the file at start.")
        .example("init_file 0 overwrite"),
];

/// `vrrp_track_process NAME { … }`.
pub(super) const TRACK_PROCESS: &[Keyword] = &[
    kw("process", &[some("PROGRAM [ARGUMENT …]", Kind::Word)], "The program, and arguments that must match.")
        .example("process nginx")
        .first_counts(),
    kw("param_match", &[opt("HOW", Kind::Choice(&["initial", "partial"]))], "How arguments are compared.")
        .default("exactly")
        .example("param_match initial"),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-254, 254)), opt("reverse", Kind::Options("weight"))],
        "Added to the priority while it runs.",
    )
    .default("0")
    .example("weight 20")
    .first_counts(),
    kw("quorum", &[one("NUMBER", Kind::Int(1, U16))], "Least number of processes.")
        .default("1")
        .example("quorum 3"),
    kw("quorum_max", &[one("NUMBER", Kind::Int(0, U16))], "Greatest number of processes.")
        .default("any")
        .example("quorum_max 3"),
    kw("delay", &[one("SECONDS", Kind::Seconds(1, 3_600_000_000))], "Both of the next two.")
        .default("0")
        .example("delay 0.5"),
    kw("fork_delay", &[one("SECONDS", Kind::Seconds(1, 3_600_000_000))], "Time before a new process counts.")
        .default("0")
        .example("fork_delay 0.5"),
    kw(
        "terminate_delay",
        &[one("SECONDS", Kind::Seconds(1, 3_600_000_000))],
        "Time before an ended process counts.",
    )
    .default("0")
    .example("terminate_delay 0.5"),
    flag("full_command", "Compare the whole command line.").example("full_command"),
];
