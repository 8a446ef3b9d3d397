//! Everything that is passed on the way to a file: whoever can change one of these can put another file in its place.

use std::collections::VecDeque;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::Flaw;

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Checks a file, and all on the way to it; what is nearest to the file is said first.
///
/// # Errors
/// What is not root's alone.
pub(super) fn judge(file: &Path) -> Result<(), Flaw> {
    let missing = |_| Flaw::Missing(file.display().to_string());
    let passed = std::path::absolute(file).and_then(|file| trail(&file)).map_err(missing)?;
    passed.iter().rev().try_for_each(|(path, metadata)| judge_one(path, metadata))
}

/// The directories, links and the file itself, in the order in which the kernel passes them.
fn trail(file: &Path) -> std::io::Result<Vec<(PathBuf, Metadata)>> {
    let mut place = PathBuf::from("/");
    let mut passed = vec![(place.clone(), fs::symlink_metadata("/")?)];
    let mut ahead: VecDeque<PathBuf> =
        file.components().map(|part| PathBuf::from(part.as_os_str())).collect();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        match part.components().next() {
            Some(Component::RootDir) => place = PathBuf::from("/"),
            Some(Component::ParentDir) => {
                place.pop();
            }
            Some(Component::Normal(name)) => {
                let next = place.join(name);
                let metadata = fs::symlink_metadata(&next)?;
                if metadata.is_symlink() {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(nix::errno::Errno::ELOOP.into());
                    }
                    let target = fs::read_link(&next)?;
                    for part in target.components().rev() {
                        ahead.push_front(PathBuf::from(part.as_os_str()));
                    }
                    passed.push((next, metadata));
                } else {
                    passed.push((next.clone(), metadata));
                    place = next;
                }
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    Ok(passed)
}

fn judge_one(path: &Path, metadata: &Metadata) -> Result<(), Flaw> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 {
        return Err(Flaw::Owner { path: path.to_owned(), owner });
    }
    // In a sticky directory such as /tmp only the owner of a file can replace it; the rights of a link mean nothing.
    let sticky = metadata.is_dir() && mode & 0o1000 != 0;
    let group_writes = mode & 0o020 != 0 && metadata.gid() != 0;
    if (group_writes || mode & 0o002 != 0) && !sticky && !metadata.is_symlink() {
        return Err(Flaw::Writable { path: path.to_owned(), mode });
    }
    Ok(())
}
