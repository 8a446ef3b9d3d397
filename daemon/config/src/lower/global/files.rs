//! Files around reloads, dumps, directories of iproute2, and the file mode mask.

use std::path::{Path, PathBuf};

use super::GlobalDraft;
use super::umask::umask;
use crate::diagnostics::Diagnostic;
use crate::model::{JsonVersion, ReloadMarker};
use crate::preprocess::Context;
use crate::tree::Node;

impl GlobalDraft {
    pub(super) fn files(&mut self, node: &Node, context: &mut Context) -> bool {
        let model = &mut self.model;
        let (reload, dumps, iproute) = (&mut model.reload, &mut model.dumps, &mut model.iproute);
        let path = || node.arg(0).map(PathBuf::from);
        match node.keyword.name {
            "reload_check_config" => {
                reload.check_log = path().or_else(|| Some("/dev/null".into()));
            }
            "reload_time_file" => reload.time_file = path(),
            "reload_repeat" => reload.repeat = true,
            "reload_file" => reload.marker = Some(path().map_or(ReloadMarker::BesidePid, ReloadMarker::At)),
            "config_save_dir" => reload.save_directory = directory(node, context),
            "tmp_config_directory" => reload.copy_directory = path(),
            "data_use_instance" => dumps.name_instance = node.on(),
            "state_dump_file" => dump(&mut dumps.state, node, context),
            "stats_dump_file" => dump(&mut dumps.stats, node, context),
            "json_dump_file" => dump(&mut dumps.json, node, context),
            "json_version" => {
                dumps.json_version = if node.int(0) == Some(2) { JsonVersion::V2 } else { JsonVersion::V1 };
            }
            "iproute_usr_dir" => iproute.usr = path().unwrap_or_default(),
            "iproute_etc_dir" => iproute.etc = path().unwrap_or_default(),
            "umask" => model.umask = umask(node, context).or(model.umask),
            _ => return false,
        }
        true
    }
}

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
