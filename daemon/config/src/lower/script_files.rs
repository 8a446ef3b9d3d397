//! Are the scripts there, and is it safe to run them?
//!
//! Goes in: every command of the configuration with its place. Comes out: what keepalived says of them too: a script
//! that is not there or may not be executed, and scripts run without `enable_script_security` (exit status 6); a
//! `vrrp_script` that cannot be run is in the model no more. Only looks at the files, and runs nothing.

use std::collections::HashSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::script_user::{self, Accounts};
use crate::diagnostics::Diagnostic;
use crate::encoding;
use crate::model::{Config, Global, Name, ScriptUser};
use crate::preprocess::Context;
use crate::source::Span;

/// A command and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// The program as written.
    pub(crate) program: Box<str>,
    /// Where.
    pub(crate) at: Span,
    /// The `vrrp_script` that it is of: one that cannot be run is not tracked.
    pub(crate) tracked: Option<Name>,
    /// Who is named to run it.
    pub(crate) user: Option<ScriptUser>,
}

/// Where programs without a path are looked for.
const SEARCHED: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Looks at each command, and takes those `vrrp_script`s out of the model that cannot be run.
pub(super) fn check(config: &mut Config, context: &mut Context) {
    let commands = std::mem::take(&mut context.commands);
    let nobody = script_user::is_nobody(&config.global, &commands, context);
    let mut runs = None;
    let mut disabled: HashSet<Name> = HashSet::new();
    for command in commands {
        if nobody && command.user.is_none() {
            disabled.extend(command.tracked);
            continue;
        }
        // `</PATH` only asks whether a file can be opened.
        if command.program.starts_with('<') {
            continue;
        }
        let problem = look(&command, &config.global, &context.accounts);
        if !matches!(problem, Some(Problem::Missing | Problem::Unreachable(_))) {
            runs = runs.or(Some(command.at));
        }
        if let Some(problem) = problem {
            context.report(problem.diagnostic(&command));
            disabled.extend(command.tracked);
        }
    }
    if !disabled.is_empty() {
        forget(config, &disabled);
    }
    if let Some(at) = runs.filter(|_| !config.global.enable_script_security) {
        context.report(
            Diagnostic::warning("script-security", "scripts are run without `enable_script_security`")
                .unsafe_script()
                .at(at, "for example this one")
                .help("write `enable_script_security` in `global_defs`; scripts that others than root can change are then not run as root"),
        );
    }
}

/// Why a command is not run.
enum Problem {
    /// There is no such file.
    Missing,
    /// It is a directory.
    Directory(PathBuf),
    /// Who runs it may not go through this directory.
    Unreachable(PathBuf),
    /// Nobody may execute it, or not the one who runs it.
    NotExecutable(PathBuf),
    /// It would run as root, and others can change it, or this above it.
    Insecure(PathBuf),
}

fn look(command: &Command, global: &Global, accounts: &Accounts) -> Option<Problem> {
    let Some(path) = find(&command.program) else { return Some(Problem::Missing) };
    let metadata = path.metadata().ok()?;
    let ids = script_user::ids(command.user.as_ref(), global, accounts);
    if let Some(closed) = ids.and_then(|ids| closed_directory(&path, ids)) {
        return Some(Problem::Unreachable(closed));
    }
    if metadata.is_dir() {
        return Some(Problem::Directory(path));
    }
    if metadata.mode() & 0o111 == 0 || ids.is_some_and(|ids| !may_execute(&metadata, ids)) {
        return Some(Problem::NotExecutable(path));
    }
    let is_root = matches!(ids, Some((0, _) | (_, 0)));
    let protected = global.enable_script_security && is_root;
    protected.then(|| changeable(&path)).flatten().map(Problem::Insecure)
}

/// The directory above a file, as written or as it really is, that a user may not go through.
fn closed_directory(path: &Path, ids: (u32, u32)) -> Option<PathBuf> {
    let written = std::path::absolute(path).ok()?;
    let real = path.canonicalize().ok()?;
    let mut above = written.ancestors().skip(1).chain(real.ancestors().skip(1));
    above.find(|part| part.metadata().is_ok_and(|part| !may_execute(&part, ids))).map(Path::to_path_buf)
}

/// May a user execute this file, or go through this directory? Yes when it cannot be told: an access control list shows
/// among the rights of the group only.
fn may_execute(file: &Metadata, (uid, gid): (u32, u32)) -> bool {
    let mode = file.mode();
    let right = match uid {
        0 if file.is_dir() => return true,
        0 => 0o111,
        _ if uid == file.uid() => 0o100,
        _ if gid == file.gid() => 0o010,
        _ => 0o011,
    };
    mode & right != 0
}

impl Problem {
    fn diagnostic(&self, command: &Command) -> Diagnostic {
        let (code, message, label) = match self {
            Self::Missing => {
                ("script-not-found", format!("there is no script `{}`", command.program), "cannot be run")
            }
            Self::Directory(path) => {
                ("script-not-executable", format!("`{}` is a directory", path.display()), "cannot be run")
            }
            Self::Unreachable(path) => (
                "script-not-executable",
                format!("who runs this may not go through `{}`", path.display()),
                "cannot be run",
            ),
            Self::NotExecutable(path) => (
                "script-not-executable",
                format!("`{}` may not be executed by who should run it", path.display()),
                "cannot be run",
            ),
            Self::Insecure(path) => (
                "script-insecure",
                format!("others than root can change `{}`", path.display()),
                "not run as root",
            ),
        };
        let diagnostic = Diagnostic::warning(code, message).at(command.at, label);
        let diagnostic = match self {
            Self::Missing | Self::Directory(_) | Self::Unreachable(_) => diagnostic,
            Self::NotExecutable(path) => diagnostic.help(format!("`chmod +x {}`", path.display())),
            Self::Insecure(_) => diagnostic
                .help("`enable_script_security` forbids it; take the write permission from group and others"),
        };
        match (self, &command.tracked) {
            // keepalived counts this one among what it runs as it is written, and does not run it.
            (Self::NotExecutable(_), _) | (_, None) => diagnostic,
            (Self::Missing | Self::Directory(_) | Self::Unreachable(_) | Self::Insecure(_), Some(_)) => {
                diagnostic.changes().help("nothing tracks it")
            }
        }
    }
}

/// Takes scripts out of the model, and out of what is tracked.
fn forget(config: &mut Config, disabled: &HashSet<Name>) {
    config.track_scripts.retain(|script| !disabled.contains(&script.name));
    let instances = config.instances.iter_mut().filter_map(|instance| instance.tracking.written());
    let groups = config.sync_groups.iter_mut().map(|group| &mut group.tracking);
    for tracking in instances.chain(groups) {
        tracking.scripts.retain(|script| !disabled.contains(&script.name));
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let name = encoding::os_string(program);
    if program.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.exists());
    }
    SEARCHED.iter().map(|directory| Path::new(directory).join(&name)).find(|path| path.is_file())
}

/// The script, a directory above it, or a link on the way to it that somebody but root may write to or put another in
/// place of.
fn changeable(path: &Path) -> Option<PathBuf> {
    let (written, real) = (std::path::absolute(path).ok()?, path.canonicalize().ok()?);
    let mut parts = written.ancestors().chain(real.ancestors());
    let by_others = |part: &&Path| part.symlink_metadata().is_ok_and(|metadata| is_changeable(&metadata));
    parts.find(by_others).map(Path::to_path_buf)
}

/// Can somebody but root change this?
fn is_changeable(metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    let by_group = metadata.gid() != 0 && mode & 0o020 != 0;
    // In a sticky directory such as /tmp only the owner of a file can replace it; the rights of a link mean nothing.
    let sticky = metadata.is_dir() && mode & 0o1000 != 0;
    let by_others = (by_group || mode & 0o002 != 0) && !sticky && !metadata.is_symlink();
    metadata.uid() != 0 || by_others
}
