//! Are the scripts there, and is it safe to run them?
//!
//! Goes in: every command of the configuration with its place. Comes out: what keepalived says of them too: a script
//! that is not there or may not be executed, and scripts run without `enable_script_security` (exit code 5). Only
//! looks at the files, and runs nothing.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::diagnostics::Diagnostic;
use crate::model::Global;
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// A command and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// The program as written.
    pub(crate) program: Box<str>,
    /// Where.
    pub(crate) at: Span,
}

/// Is there such a user or group on this machine? `file` is `/etc/passwd` or `/etc/group`.
///
/// Yes when that cannot be told because the file cannot be read. A number is no name, as in keepalived.
pub(super) fn is_known(file: &str, name: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else { return true };
    text.lines().any(|line| line.split(':').next() == Some(name) || line.starts_with(['+', '-']))
}

/// Says so when a user (the value of this number of a keyword) or the group after it is not known; false then.
pub(super) fn check_user(node: &Node, index: usize, context: &mut Context) -> bool {
    if !context.look_at_scripts {
        return true;
    }
    let mut known = true;
    for (index, file, what) in [(index, "/etc/passwd", "user"), (index + 1, "/etc/group", "group")] {
        let Some(name) =
            node.arg(index).map(|name| name.trim_start_matches(':')).filter(|name| !name.is_empty())
        else {
            break;
        };
        if !is_known(file, name) {
            known = false;
            let message = format!("there is no {what} `{name}` on this machine");
            // As keepalived: without the user of all scripts the file is not as it was meant; one script is only not run.
            let diagnostic = if node.keyword.is_quoted() {
                Diagnostic::warning("unknown-user", message)
            } else {
                Diagnostic::error("unknown-user", message)
            };
            context.report(diagnostic.at(node.arg_span(index), "cannot run scripts"));
        }
    }
    known
}

/// Where programs without a path are looked for.
const SEARCHED: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Looks at each command.
pub(super) fn check(global: &Global, context: &mut Context) {
    let mut insecure = None;
    for command in std::mem::take(&mut context.commands) {
        let Some(path) = find(&command.program) else {
            context.report(
                Diagnostic::warning("script-not-found", format!("there is no script `{}`", command.program))
                    .at(command.at, "cannot be run"),
            );
            continue;
        };
        let Ok(metadata) = path.metadata() else { continue };
        if metadata.is_dir() || metadata.mode() & 0o111 == 0 {
            context.report(
                Diagnostic::warning(
                    "script-not-executable",
                    format!("`{}` may not be executed", path.display()),
                )
                .at(command.at, "cannot be run")
                .help(format!("`chmod +x {}`", path.display())),
            );
        }
        insecure = insecure.or(Some(command.at));
        if global.enable_script_security
            && let Some(part) = changeable(&path)
        {
            context.report(
                Diagnostic::warning(
                    "script-insecure",
                    format!("others than root can change `{}`", part.display()),
                )
                .changes()
                .at(command.at, "not run as root")
                .help("`enable_script_security` forbids it; take the write permission from group and others"),
            );
        }
    }
    if let Some(at) = insecure.filter(|_| !global.enable_script_security) {
        context.report(
            Diagnostic::warning("script-security", "scripts are run without `enable_script_security`")
                .unsafe_script()
                .at(at, "for example this one")
                .help("write `enable_script_security` in `global_defs`; scripts that others than root can change are then not run as root"),
        );
    }
}

fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        let path = Path::new(program);
        return path.exists().then(|| path.to_path_buf());
    }
    SEARCHED.iter().map(|directory| Path::new(directory).join(program)).find(|path| path.is_file())
}

/// The script, or the directory above it, that somebody but root may write to.
fn changeable(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    real.ancestors()
        .find(|part| {
            part.metadata().is_ok_and(|metadata| {
                let mode = metadata.mode();
                // In a sticky directory such as /tmp only the owner of a file can replace it.
                let by_others = mode & 0o022 != 0 && !(metadata.is_dir() && mode & 0o1000 != 0);
                metadata.uid() != 0 || by_others
            })
        })
        .map(Path::to_path_buf)
}
