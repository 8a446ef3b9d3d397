//! Files that are ours alone: the history, the log, pid files, what signals dump. One way to open them, for a daemon that
//! runs as root must not be led astray by who may write into a directory: through a symbolic link to another file, into
//! a pipe that nobody reads, or into a file that somebody else made, and reads. In: a path. Out: a regular file of our
//! own, no more readable than it should be; or a reason that fits behind the path and a colon.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::geteuid;

/// What the owner and his group may read: what happened here is not for everybody.
pub const PRIVATE: u32 = 0o640;

/// Opens a file to write at its end; makes it if it is not there. It gets no other rights than those of `mode`.
///
/// # Errors
/// What the system said, or whose or what kind of file is there.
pub fn append(path: &Path, mode: u32) -> io::Result<File> {
    open(path, OpenOptions::new().append(true).create(true), Some(mode))
}

/// Opens a file to be held, and written as a whole; makes it if it is not there, and leaves what is in it.
///
/// # Errors
/// As [`append`].
pub fn hold(path: &Path, mode: u32) -> io::Result<File> {
    open(path, OpenOptions::new().write(true).create(true).truncate(false), Some(mode))
}

/// Opens a file to read what an earlier run wrote.
///
/// # Errors
/// As [`append`]; [`io::ErrorKind::NotFound`] if there is none.
pub fn read(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true), None)
}

/// Opens a file to read what an earlier run wrote, of ours or of root's: for who is not root and may know.
///
/// # Errors
/// As [`read`].
pub fn read_ours_or_roots(path: &Path) -> io::Result<File> {
    open_of(path, OpenOptions::new().read(true), None, |owner| owner == 0 || owner == geteuid().as_raw())
}

/// Writes a whole file in the place of what is there: readers see the old one or the new one, nobody who had the old one
/// open reads the new one, and a link at `path` is replaced and not followed.
///
/// # Errors
/// What the system said; nothing is left behind then.
pub fn replace(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Err(refused("it is a directory"));
    }
    // Made with O_EXCL, and for us alone.
    let mut file = tempfile::Builder::new().prefix(".keepwatch-").tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Below these a daemon makes whatever directories its files need; a host, or an image that has nothing but a daemon, need
/// not have them.
const OURS_TO_MAKE: [&str; 2] = ["/run", "/var"];

/// Makes the directory in which `path` is to lie, if there is none. Outside of /run and /var it may be the only one that is
/// missing, and none of the root directory: else the path is a slip of somebody who will not look there for the file.
///
/// # Errors
/// Which directory is not there; what the system said.
pub fn directory_for(path: &Path) -> io::Result<()> {
    let own = |path: &Path| path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_owned);
    let Some(directory) = own(path).filter(|directory| !directory.is_dir()) else { return Ok(()) };
    if OURS_TO_MAKE.iter().any(|place| directory.starts_with(place)) {
        return std::fs::create_dir_all(directory);
    }
    let above = own(&directory).unwrap_or_else(|| ".".into());
    if above == Path::new("/") || !above.is_dir() {
        let missing = directory.ancestors().take_while(|it| !it.is_dir()).last().unwrap_or(&directory);
        return Err(refused(&format!("there is no directory {}", missing.display())));
    }
    match std::fs::create_dir(&directory) {
        // Two of us make it at once.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes way for a socket at `path`: one that was left there is removed.
///
/// # Errors
/// When there is something else, or a socket of another owner.
pub fn clear_for_socket(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.file_type().is_symlink() {
        return Err(refused("it is a symbolic link"));
    }
    if !found.file_type().is_socket() {
        return Err(refused("there is something that is no socket"));
    }
    if found.uid() != geteuid().as_raw() {
        return Err(foreign(found.uid()));
    }
    std::fs::remove_file(path)
}

fn open(path: &Path, options: &mut OpenOptions, mode: Option<u32>) -> io::Result<File> {
    open_of(path, options, mode, |owner| owner == geteuid().as_raw())
}

fn open_of(
    path: &Path,
    options: &mut OpenOptions,
    mode: Option<u32>,
    may_own: fn(u32) -> bool,
) -> io::Result<File> {
    // Without O_NONBLOCK a pipe would make us wait for its other end.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = options.mode(mode.unwrap_or(PRIVATE)).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        // ELOOP is also that of a directory on the way that leads in a circle.
        Some(Errno::ELOOP) if path.is_symlink() => refused("it is a symbolic link"),
        Some(Errno::ENXIO | Errno::EISDIR) => refused("it is no regular file"),
        _ => error,
    })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(refused("it is no regular file"));
    }
    if !may_own(found.uid()) {
        return Err(foreign(found.uid()));
    }
    if found.nlink() > 1 {
        return Err(refused("it has another name as well (a hard link)"));
    }
    if let Some(mode) = mode
        && found.mode() & 0o7777 & !mode != 0
    {
        file.set_permissions(Permissions::from_mode(found.mode() & mode))?;
    }
    Ok(file)
}

fn foreign(owner: u32) -> io::Error {
    let own = geteuid().as_raw();
    refused(&format!("it belongs to another user (uid {owner}, not {own})"))
}

fn refused(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::{Uid, chown, mkfifo};

    use super::*;

    #[test]
    fn a_file_is_made_for_us_and_what_is_too_open_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mode = || std::fs::metadata(&path).unwrap().mode() & 0o777;
        append(&path, PRIVATE).unwrap();
        assert_eq!(mode() & !PRIVATE, 0);
        for (before, after) in [(0o666, 0o640), (0o600, 0o600), (0o644, 0o640)] {
            std::fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            append(&path, PRIVATE).unwrap();
            assert_eq!(mode(), after, "{before:o}");
        }
    }

    #[test]
    fn a_directory_is_made_where_it_is_the_only_one_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        directory_for(&at("new/log")).unwrap();
        directory_for(&at("new/log")).unwrap();
        assert!(at("new").is_dir() && !at("new/log").exists());
        directory_for(Path::new("log")).unwrap();
        let missing = at("typo");
        let error = directory_for(&at("typo/deep/er/log")).unwrap_err().to_string();
        assert_eq!(error, format!("there is no directory {}", missing.display()));
        assert!(!missing.exists());
        let error = directory_for(Path::new("/keepwatch-typo/log")).unwrap_err().to_string();
        assert_eq!(error, "there is no directory /keepwatch-typo");
        std::fs::write(at("file"), "").unwrap();
        directory_for(&at("file/log")).unwrap_err();
    }

    #[test]
    fn what_is_not_a_regular_file_of_ours_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("target"), "kept").unwrap();
        symlink(at("target"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("one"), "kept").unwrap();
        std::fs::hard_link(at("one"), at("two")).unwrap();
        let mut cases = vec![
            ("link", "symbolic link"),
            ("dangling", "symbolic link"),
            ("pipe", "no regular file"),
            ("directory", "no regular file"),
            ("socket", "no regular file"),
            ("two", "hard link"),
        ];
        if geteuid().is_root() {
            std::fs::write(at("foreign"), "kept").unwrap();
            chown(&at("foreign"), Some(Uid::from_raw(12_345)), None).unwrap();
            cases.push(("foreign", "another user (uid 12345"));
        }
        for (name, why) in cases {
            for opened in [append(&at(name), PRIVATE), hold(&at(name), PRIVATE), read(&at(name))] {
                let error = opened.unwrap_err().to_string();
                assert!(error.contains(why), "{name}: {error}");
            }
        }
        assert!(!at("nowhere").exists());
        assert_eq!(std::fs::read_to_string(at("target")).unwrap(), "kept");
        assert_eq!(read(&at("missing")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("target"), "kept").unwrap();
        symlink(at("target"), at("file")).unwrap();
        for text in ["first", "second"] {
            replace(&at("file"), 0o600, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(at("file")).unwrap(), text);
        }
        let found = std::fs::symlink_metadata(at("file")).unwrap();
        assert!(found.is_file() && found.mode() & 0o777 == 0o600);
        assert_eq!(std::fs::read_to_string(at("target")).unwrap(), "kept");
        std::fs::create_dir(at("directory")).unwrap();
        for refused in [at("directory"), at("missing/file")] {
            assert!(replace(&refused, 0o600, b"text").is_err());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left behind");
    }

    #[test]
    fn only_a_socket_that_was_left_makes_way_for_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        drop(UnixListener::bind(at("socket")).unwrap());
        symlink(at("socket"), at("link")).unwrap();
        std::fs::write(at("file"), "kept").unwrap();
        for (name, clear) in [("link", false), ("file", false), ("socket", true), ("missing", true)] {
            assert_eq!(clear_for_socket(&at(name)).is_ok(), clear, "{name}");
        }
        assert!(!at("socket").exists() && at("file").exists() && at("link").is_symlink());
    }
}
