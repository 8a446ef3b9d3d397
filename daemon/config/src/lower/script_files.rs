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
    /// It is that of a `vrrp_script`: if it cannot be run, something does not do what it is there for.
    pub(crate) tracked: bool,
    /// Somebody is named who runs it.
    pub(crate) has_user: bool,
}

/// Is there such a user or group (`passwd` or `group`) on this machine? A number is no name, as with keepalived.
///
/// Yes when that cannot be told: the file cannot be read, or users come from somewhere else too.
pub(super) fn is_known(database: &str, name: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/etc/{database}")) else { return true };
    text.lines().any(|line| line.split(':').next() == Some(name) || line.starts_with(['+', '-']))
        || comes_from_elsewhere(database)
}

/// Does name resolution ask others than the files for users or groups?
fn comes_from_elsewhere(database: &str) -> bool {
    let text = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let sources = text.lines().find_map(|line| line.trim().strip_prefix(database)?.strip_prefix(':'));
    sources.is_some_and(|sources| {
        let mut sources = sources.split_whitespace().filter(|word| !word.starts_with('['));
        sources.any(|source| !matches!(source, "files" | "compat" | "systemd"))
    })
}

/// Says so when a user (the value of this number of a keyword) or the group after it is not known; false then.
pub(super) fn check_user(node: &Node, index: usize, context: &mut Context) -> bool {
    if !context.look_at_scripts {
        return true;
    }
    let mut known = true;
    for (index, database, what) in [(index, "passwd", "user"), (index + 1, "group", "group")] {
        let Some(name) = node.arg(index) else { break };
        let name = if what == "group" { name.strip_prefix(':').unwrap_or(name) } else { name };
        // A colon alone: the user's own groups.
        if name.is_empty() && node.arg(index) == Some(":") {
            break;
        }
        if !is_known(database, name) {
            known = false;
            let message = format!("there is no {what} `{name}` on this machine");
            // As keepalived: without the user of all scripts the file is not as it was meant; one script is only not run.
            let diagnostic = match node.keyword.name {
                "script_user" | "user" | "startup_script" | "shutdown_script" => {
                    Diagnostic::error("unknown-user", message)
                }
                _ => Diagnostic::warning("unknown-user", message),
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
    let commands = std::mem::take(&mut context.commands);
    default_user(global, &commands, context);
    for command in commands {
        let say = |code: &'static str, message: String| {
            let diagnostic = Diagnostic::warning(code, message);
            if command.tracked { diagnostic.changes() } else { diagnostic }
        };
        let Some(path) = find(&command.program) else {
            context.report(
                say("script-not-found", format!("there is no script `{}`", command.program))
                    .at(command.at, "cannot be run"),
            );
            continue;
        };
        let Ok(metadata) = path.metadata() else { continue };
        if metadata.is_dir() {
            let message = format!("`{}` is a directory", path.display());
            context.report(say("script-not-executable", message).at(command.at, "cannot be run"));
            continue;
        }
        if metadata.mode() & 0o111 == 0 {
            let message = format!("`{}` may not be executed", path.display());
            context.report(
                Diagnostic::warning("script-not-executable", message)
                    .at(command.at, "cannot be run")
                    .help(format!("`chmod +x {}`", path.display())),
            );
        }
        insecure = insecure.or(Some(command.at));
        if global.enable_script_security
            && let Some(part) = changeable(&path)
        {
            context.report(
                say("script-insecure", format!("others than root can change `{}`", part.display()))
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

/// With `enable_script_security` nobody runs scripts but the user that is named, or `keepalived_script`.
fn default_user(global: &Global, commands: &[Command], context: &mut Context) {
    let needs = commands.iter().find(|command| !command.has_user);
    if let Some(command) = needs
        && global.enable_script_security
        && global.script_user.is_none()
        && !is_known("passwd", "keepalived_script")
    {
        context.report(
            Diagnostic::error("unknown-user", "there is nobody to run scripts")
                .at(command.at, "this one, for example, is not run")
                .help(
                    "with `enable_script_security` they are run by the `script_user`, else by the user \
                     `keepalived_script`, which this machine has not",
                ),
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
