//! Scripts: who runs them, and those of start and stop.

use crate::schema::{Keyword, Kind, flag, kw, one, opt, script, switch};

pub(super) const SCRIPTS: &[Keyword] = &[
    kw("script_user", &[one("USER", Kind::Word), opt("GROUP", Kind::Word)], "Who runs scripts.")
        .default("keepalived_script, else root")
        .example("script_user nobody"),
    flag("enable_script_security", "Do not run as root what others than root could change.")
        .example("enable_script_security"),
    switch("use_symlink_paths", "Leave symbolic links in paths of scripts.")
        .default("off")
        .example("use_symlink_paths"),
    switch("set_supplementary_groups", "Scripts run with the user's supplementary groups.")
        .default("off")
        .example("set_supplementary_groups"),
    script("startup_script", "Command to run before anything starts.")
        .first_counts()
        .example("startup_script \"/etc/keepalived/start.sh\""),
    kw("startup_script_timeout", &[one("SECONDS", Kind::Int(1, 1000))], "How long that may run.")
        .default("10")
        .example("startup_script_timeout 30"),
    script("shutdown_script", "Command to run after everything has stopped.")
        .first_counts()
        .example("shutdown_script \"/etc/keepalived/stop.sh\""),
    kw("shutdown_script_timeout", &[one("SECONDS", Kind::Int(1, 1000))], "How long that may run.")
        .default("10")
        .example("shutdown_script_timeout 30"),
    switch("rs_init_notifies", "Run `notify_up` for servers found up at start.")
        .default("off")
        .example("rs_init_notifies"),
];
