//! Who could change a script: with `enable_script_security`, one that runs as root must be root's alone, and every
//! directory on the way to it.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use keepwatch_model::encoding;

/// Group-writable, other-writable, sticky (`stat(2)`).
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Why a script is not run.
#[derive(Debug, thiserror::Error)]
pub enum Insecure {
    /// Its program can't be found or looked at.
    #[error("{path}: {error}")]
    NotFound {
        /// The program.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// Somebody but root could change it.
    #[error("{path} belongs to user {owner}, not to root (enable_script_security)")]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
    },
    /// Somebody but root could change it.
    #[error("{path} can be written by others than root, mode {mode:04o} (enable_script_security)")]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// Where the program `name` is: itself if it has a slash, else the first one on `path` (as `PATH` is written).
///
/// # Errors
/// [`Insecure::NotFound`].
pub(super) fn find(name: &str, path: &OsStr) -> Result<PathBuf, Insecure> {
    let not_found = |error| Insecure::NotFound { path: name.to_owned(), error };
    let own_name = encoding::os_string(name);
    if name.contains('/') {
        return fs::canonicalize(own_name).map_err(not_found);
    }
    let candidates = std::env::split_paths(path).map(|directory| directory.join(&own_name));
    let found = candidates.into_iter().find(|candidate| is_program(candidate));
    match found {
        Some(found) => fs::canonicalize(found).map_err(not_found),
        None => Err(not_found(io::Error::new(io::ErrorKind::NotFound, "not on the search path"))),
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0)
}

/// Checks `program` (absolute, without symbolic links) and every directory above it.
///
/// # Errors
/// The first of them that is not root's alone.
pub(super) fn examine(program: &Path) -> Result<(), Insecure> {
    for path in program.ancestors().collect::<Vec<_>>().into_iter().rev() {
        let metadata = fs::symlink_metadata(path)
            .map_err(|error| Insecure::NotFound { path: path.display().to_string(), error })?;
        judge(path, &metadata)?;
    }
    Ok(())
}

fn judge(path: &Path, metadata: &Metadata) -> Result<(), Insecure> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 {
        return Err(Insecure::Owner { path: path.to_owned(), owner });
    }
    // In a sticky directory nobody can replace another's file.
    let sticky = metadata.is_dir() && mode & STICKY != 0;
    let group_writes = mode & GROUP_WRITES != 0 && metadata.gid() != 0;
    if !sticky && (group_writes || mode & OTHERS_WRITE != 0) {
        return Err(Insecure::Writable { path: path.to_owned(), mode });
    }
    Ok(())
}
