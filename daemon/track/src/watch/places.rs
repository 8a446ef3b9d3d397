//! On what the way to a file depends: the names in directories that must stay as they are for the path to lead to the same
//! file.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;

/// The places on the way to `path`: for each symbolic link the directory that it is in and its name, and the directory and
/// name of the file itself. Where the way ends early, the last place is the name that is missing. A relative path begins
/// in the working directory.
pub(super) fn of(path: &Path) -> Vec<(PathBuf, OsString)> {
    let mut places = Vec::new();
    let mut at = if path.is_absolute() { PathBuf::from("/") } else { PathBuf::from(".") };
    let mut left: VecDeque<OsString> = steps(path);
    let mut links = 0;
    while let Some(step) = left.pop_front() {
        if step == ".." {
            // After a link was followed `at` has none left, so that this is its parent.
            if !at.pop() {
                at.push("..");
            }
            continue;
        }
        let here = at.join(&step);
        let Ok(found) = here.symlink_metadata() else {
            places.push((at, step));
            return places;
        };
        if found.is_symlink() && links < LINKS {
            links += 1;
            places.push((at.clone(), step));
            let Ok(target) = here.read_link() else { return places };
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            let mut rest = steps(&target);
            rest.append(&mut left);
            left = rest;
        } else if left.is_empty() {
            places.push((at.clone(), step));
        } else {
            at = here;
        }
    }
    places
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_directories_and_what_is_missing_are_places() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let place = |directory: &str, name: &str| (root.join(directory), OsString::from(name));
        assert_eq!(of(&root.join("a/f")), [place("", "a")]);
        std::fs::create_dir(root.join("a")).unwrap();
        assert_eq!(of(&root.join("a/f")), [place("a", "f")]);
        std::fs::write(root.join("a/f"), "1").unwrap();
        assert_eq!(of(&root.join("a/./f")), [place("a", "f")]);
        symlink("a", root.join("now")).unwrap();
        symlink("now/f", root.join("link")).unwrap();
        assert_eq!(of(&root.join("link")), [place("", "link"), place("", "now"), place("a", "f")]);
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(of(&root.join("loop")).last(), Some(&place("", "loop")));
    }
}
