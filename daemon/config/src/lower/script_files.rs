//! Are the scripts there, and is it safe to run them?
//!
//! Goes in: every command of the configuration with its place. Comes out: what keepalived says of them too: a script
//! that is not there or may not be executed, and scripts run without `enable_script_security` (exit code 5). Only
//! looks at the files, and runs nothing.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::script_user;
use crate::diagnostics::Diagnostic;
use crate::model::Global;
use crate::preprocess::Context;
use crate::source::Span;

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

/// Where programs without a path are looked for.
const SEARCHED: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Looks at each command.
pub(super) fn check(global: &Global, context: &mut Context) {
    let mut insecure = None;
    let commands = std::mem::take(&mut context.commands);
    script_user::must_be_somebody(global, &commands, context);
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
