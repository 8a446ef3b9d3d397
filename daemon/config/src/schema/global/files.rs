//! Files, and how the configuration is read.

use std::path::{Path, PathBuf};

use super::umask::umask;
use super::{GlobalDraft, PATH};
use crate::diagnostics::Diagnostic;
use crate::model::{JsonVersion, ReloadMarker};
use crate::preprocess::Context;
use crate::schema::bounds::U32;
use crate::schema::entry::Block;
use crate::schema::{Keyword, Kind, any, flag, kw, one, opt, some, switch};
use crate::tree::Node;

const fn path(name: &'static str, help: &'static str) -> Keyword {
    kw(name, PATH, help)
}

pub(super) const FILES: Block<GlobalDraft> = Block(&[
    kw("umask", &[some("NUMBER | BIT[|BIT …]", Kind::Word)], "File mode mask.")
        .default("IXUSR|IRWXG|IRWXO")
        .example("umask IRWXG|IRWXO").sets(|to, node, context| to.model.umask = umask(node, context).or(to.model.umask)),
    // Who reads the files acts by these two.
    kw("random_seed", &[one("SEED", Kind::Int(0, U32))], "Makes `${_RANDOM}` below it repeatable: any number of its range is as likely as another, but they are not those of random(3).")
        .example("random_seed 1").sets_nothing(),
    kw(
        "include_check",
        &[any("[+|-]read | match | wildcard_match | brace_match", Kind::Word)],
        "What `include` asks of its files.",
    )
    .repeats()
    .example("include_check read +match").sets_nothing(),
    kw(
        "reload_check_config",
        &[opt("LOG FILE", Kind::Word)],
        "Check before a reload, and write the result to a file. keepwatch always checks.",
    )
    .default("/dev/null when it stands alone")
    .example("reload_check_config").sets(|to, node, _| {
        to.model.reload.check_log = Some(node.path().unwrap_or_else(|| "/dev/null".into()));
    }),
    kw("reload_time_file", &[one("PATH", Kind::Word)], "File with the time of the next reload.")
        .exact()
        .example("reload_time_file /run/reload_at").sets(|to, node, _| to.model.reload.time_file = node.path()),
    flag("reload_repeat", "Reload again at that time of each day.").example("reload_repeat").sets(|to, _, _| to.model.reload.repeat = true),
    kw("reload_file", &[opt("PATH", Kind::Word)], "File that is there while a reload is going on.")
        .default("none; beside the pid file when it stands alone")
        .example("reload_file /run/reloading").sets(|to, node, _| {
            to.model.reload.marker = Some(node.path().map_or(ReloadMarker::BesidePid, ReloadMarker::At));
        }),
    path("config_save_dir", "Where configurations are kept around a reload, for debugging.")
        .example("config_save_dir /tmp/kw").sets(|to, node, context| to.model.reload.save_directory = directory(node, context)),
    path("tmp_config_directory", "Where keepalived keeps its copy of the configuration.")
        .first_counts()
        .example("tmp_config_directory /tmp").sets(|to, node, _| to.model.reload.copy_directory = node.path()),
    switch("data_use_instance", "Names of dumps have the instance in them.")
        .default("off")
        .example("data_use_instance").sets(|to, node, _| to.model.dumps.name_instance = node.on()),
    path("state_dump_file", "Where SIGUSR1 writes.")
        .default("keepalived.data in $TMPDIR, or in /tmp")
        .exact()
        .example("state_dump_file /run/keepalived.data").sets(|to, node, context| dump(&mut to.model.dumps.state, node, context)),
    path("stats_dump_file", "Where SIGUSR2 writes.")
        .default("keepalived.stats there")
        .exact()
        .example("stats_dump_file /run/keepalived.stats").sets(|to, node, context| dump(&mut to.model.dumps.stats, node, context)),
    path("json_dump_file", "Where the JSON signal writes.")
        .default("keepalived.json there")
        .exact()
        .example("json_dump_file /run/keepalived.json").sets(|to, node, context| dump(&mut to.model.dumps.json, node, context)),
    kw("json_version", &[one("VERSION", Kind::Int(1, 2))], "Version of the JSON dump.")
        .default("1")
        .example("json_version 2").sets(|to, node, _| {
            let second = node.int(0) == Some(2);
            to.model.dumps.json_version = if second { JsonVersion::V2 } else { JsonVersion::V1 };
        }),
    path("iproute_usr_dir", "Where iproute2 keeps its tables.")
        .default("/usr/share/iproute2")
        .exact()
        .example("iproute_usr_dir /usr/lib/iproute2").sets(|to, node, _| to.model.iproute.usr = node.path().unwrap_or_default()),
    path("iproute_etc_dir", "Where iproute2's tables are overridden.")
        .default("/etc/iproute2")
        .exact()
        .example("iproute_etc_dir /usr/local/etc/iproute2").sets(|to, node, _| to.model.iproute.etc = node.path().unwrap_or_default()),
]);

fn dump(slot: &mut PathBuf, node: &Node, context: &mut Context) {
    match node.arg(0).filter(|path| !path.is_empty()) {
        Some(path) => *slot = path.into(),
        None => context.report(
            Diagnostic::error("missing-value", format!("`{}` has an empty path", node.keyword.name))
                .at(node.arg_span(0), "left out"),
        ),
    }
}

/// The directory, which need not be there yet but whose parent must be; without a slash at its end.
fn directory(node: &Node, context: &mut Context) -> Option<PathBuf> {
    let text = node.arg(0)?;
    let path = Path::new(text.strip_suffix('/').unwrap_or(text));
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = match path.metadata() {
        _ if text.is_empty() => Some("`config_save_dir` has an empty path".into()),
        _ if !context.look_at_scripts => None,
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some(format!("`{text}` is no directory")),
        Err(_) if parent.is_dir() => None,
        Err(_) => Some(format!("there is no directory for `{text}` to be made in")),
    };
    match problem {
        None => Some(path.into()),
        Some(message) => {
            context.report(Diagnostic::error("missing-file", message).at(node.arg_span(0), "left out"));
            None
        }
    }
}
