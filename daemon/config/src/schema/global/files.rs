//! Files, and how the configuration is read.

use super::PATH;
use crate::schema::bounds::U32;
use crate::schema::{Keyword, Kind, any, flag, kw, one, opt, some, switch};

const fn path(name: &'static str, help: &'static str) -> Keyword {
    kw(name, PATH, help)
}

pub(super) const FILES: &[Keyword] = &[
    kw("umask", &[some("NUMBER | BIT[|BIT …]", Kind::Word)], "File mode mask.")
        .default("IXUSR|IRWXG|IRWXO")
        .example("umask IRWXG|IRWXO"),
    kw("random_seed", &[one("SEED", Kind::Int(0, U32))], "Makes `${_RANDOM}` below it repeatable: any number of its range is as likely as another, but they are not those of random(3).")
        .example("random_seed 1"),
    kw(
        "include_check",
        &[any("[+|-]read | match | wildcard_match | brace_match", Kind::Word)],
        "What `include` asks of its files.",
    )
    .example("include_check read +match"),
    kw(
        "reload_check_config",
        &[opt("LOG FILE", Kind::Word)],
        "Check before a reload, and write the result to a file. keepwatch always checks.",
    )
    .default("/dev/null when it stands alone")
    .example("reload_check_config"),
    kw("reload_time_file", &[one("PATH", Kind::Word)], "File with the time of the next reload.")
        .exact()
        .example("reload_time_file /run/reload_at"),
    flag("reload_repeat", "Reload again at that time of each day.").example("reload_repeat"),
    kw("reload_file", &[opt("PATH", Kind::Word)], "File that is there while a reload is going on.")
        .default("none; beside the pid file when it stands alone")
        .example("reload_file /run/reloading"),
    path("config_save_dir", "Where configurations are kept around a reload, for debugging.")
        .example("config_save_dir /tmp/kw"),
    path("tmp_config_directory", "Where keepalived keeps its copy of the configuration.")
        .first_counts()
        .example("tmp_config_directory /tmp"),
    switch("data_use_instance", "Names of dumps have the instance in them.")
        .default("off")
        .example("data_use_instance"),
    path("state_dump_file", "Where SIGUSR1 writes.")
        .default("keepalived.data in $TMPDIR, or in /tmp")
        .exact()
        .example("state_dump_file /run/keepalived.data"),
    path("stats_dump_file", "Where SIGUSR2 writes.")
        .default("keepalived.stats there")
        .exact()
        .example("stats_dump_file /run/keepalived.stats"),
    path("json_dump_file", "Where the JSON signal writes.")
        .default("keepalived.json there")
        .exact()
        .example("json_dump_file /run/keepalived.json"),
    kw("json_version", &[one("VERSION", Kind::Int(1, 2))], "Version of the JSON dump.")
        .default("1")
        .example("json_version 2"),
    path("iproute_usr_dir", "Where iproute2 keeps its tables.")
        .default("/usr/share/iproute2")
        .exact()
        .example("iproute_usr_dir /usr/lib/iproute2"),
    path("iproute_etc_dir", "Where iproute2's tables are overridden.")
        .default("/etc/iproute2")
        .exact()
        .example("iproute_etc_dir /usr/local/etc/iproute2"),
];
