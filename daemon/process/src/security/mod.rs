//! Can a command be run, and could somebody but root change what root would run?
//!
//! [`look`] is the one rule, for a test of the configuration and for the moment before a command is run. With
//! `enable_script_security` a command that runs as root, or becomes root by the set-user-ID bit, must be root's alone:
//! its program, the interpreter in the program's first line (`#!`), every other program and script that its command line
//! runs, and of each of them every directory and every link on the way. What is only read (`grep -q UP /run/state`) may be
//! anybody's: it is what the check is about.

mod commands;
mod files;
mod shell;
mod trail;

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{getgid, getuid};

/// Who would run a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user's number.
    pub uid: u32,
    /// The group's.
    pub gid: u32,
}

impl Who {
    /// Who runs this process.
    pub fn ourselves() -> Self {
        Self { uid: getuid().as_raw(), gid: getgid().as_raw() }
    }
}

/// Why a command is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is no such file, or nothing of this name on the search path.
    #[error("{0}: No such file or directory")]
    Missing(String),
    /// The program is a directory.
    #[error("{path} is a directory", path = .0.display())]
    Directory(PathBuf),
    /// Who would run it may not go through this directory.
    #[error("who runs it may not go through {path}", path = .0.display())]
    Unreachable(PathBuf),
    /// Nobody may execute it, or not the one who would.
    #[error("{path} may not be executed by who should run it", path = .0.display())]
    NotExecutable(PathBuf),
    /// The interpreter in its first line (`#!`) is not there. That of a script whose lines end with a carriage return has
    /// one at the end of its name.
    #[error("{}", no_interpreter(script, interpreter, ""))]
    NoInterpreter {
        /// The script.
        script: PathBuf,
        /// What its first line names.
        interpreter: PathBuf,
    },
    /// It would run as root, and belongs to somebody else, or this on the way to it does.
    #[error("{path} belongs to user {owner}, not to root (enable_script_security)", path = .path.display())]
    Owner {
        /// The file, directory or link.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// It would run as root, and others can write it, or this on the way to it.
    #[error("{path} can be written by others than root, mode {mode:04o} (enable_script_security)", path = .path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// That a script has no interpreter, and what is wrong with its first line; names stand in `quote`.
pub fn no_interpreter(script: &Path, interpreter: &Path, quote: &str) -> String {
    let script = script.display();
    match interpreter.to_string_lossy().strip_suffix('\r') {
        Some(_) => format!(
            "the lines of {quote}{script}{quote} end with a carriage return, so its interpreter is not found"
        ),
        None => {
            let interpreter = interpreter.display();
            format!(
                "{quote}{script}{quote} names the interpreter {quote}{interpreter}{quote}, which is not there"
            )
        }
    }
}

/// Looks for the program of a command line and returns where it is, without links on the way. `who` is `None` when it
/// is not known who would run it; then, nothing is said of rights. With `secure`, what root runs must be root's alone.
///
/// # Errors
/// The first [`Flaw`].
pub fn look(argv: &[OsString], who: Option<Who>, secure: bool, search_path: &OsStr) -> Result<PathBuf, Flaw> {
    let name = argv.first().map_or(OsStr::new(""), OsString::as_os_str);
    let missing = || Flaw::Missing(name.display().to_string());
    let written = files::find(name, search_path).ok_or_else(missing)?;
    let metadata = written.metadata().map_err(|_| missing())?;
    let program = written.canonicalize().map_err(|_| missing())?;
    if let Some(closed) = who.and_then(|who| closed_directory(&written, &program, who)) {
        return Err(Flaw::Unreachable(closed));
    }
    if metadata.is_dir() {
        return Err(Flaw::Directory(written));
    }
    if metadata.mode() & 0o111 == 0 || who.is_some_and(|who| !may_execute(&metadata, who)) {
        return Err(Flaw::NotExecutable(written));
    }
    if let Some(interpreter) = files::missing_interpreter(&written, search_path) {
        return Err(Flaw::NoInterpreter { script: written, interpreter });
    }
    if secure && who.is_some_and(|who| becomes_root(&metadata, who)) {
        commands::run_by(&written, argv, search_path).iter().try_for_each(|file| trail::judge(file))?;
    }
    Ok(program)
}

/// Where a program is, by its name or path as written, with the links on the way.
pub fn written(name: &OsStr, search_path: &OsStr) -> Option<PathBuf> {
    files::find(name, search_path)
}

/// The directory above a file, as written or as it really is, that a user may not go through.
fn closed_directory(written: &Path, real: &Path, who: Who) -> Option<PathBuf> {
    let written = std::path::absolute(written).ok()?;
    let mut above = written.ancestors().skip(1).chain(real.ancestors().skip(1));
    above.find(|part| part.metadata().is_ok_and(|part| !may_execute(&part, who))).map(Path::to_path_buf)
}

/// May a user execute this file, or go through this directory? Yes when it cannot be told: an access control list shows
/// among the rights of the group only, and supplementary groups are not known here.
fn may_execute(file: &Metadata, who: Who) -> bool {
    let right = match who.uid {
        0 if file.is_dir() => return true,
        0 => 0o111,
        uid if uid == file.uid() => 0o100,
        _ if who.gid == file.gid() => 0o010,
        _ => 0o011,
    };
    file.mode() & right != 0
}

fn becomes_root(program: &Metadata, who: Who) -> bool {
    let set_user = program.uid() == 0 && program.mode() & 0o4000 != 0;
    let set_group = program.gid() == 0 && program.mode() & 0o2010 == 0o2010;
    who.uid == 0 || who.gid == 0 || set_user || set_group
}

#[cfg(test)]
mod tests;
