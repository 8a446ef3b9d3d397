//! Names of routing tables, scopes, protocols, realms, TOS values and interface groups, as iproute2's files have them.
//!
//! A file below `iproute_etc_dir` is read in place of the one of the same name below `iproute_usr_dir`; files of the
//! directories `rt_tables.d` and the like add to them. Each is read when the first name is looked up in it; a number
//! needs no file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::model::IprouteDirectories;
use crate::regular_file::RegularFile;
use crate::values::of_any_base;

/// A kind of name, each with its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NameKind {
    Table,
    TypeOfService,
    Realm,
    Protocol,
    InterfaceGroup,
    Scope,
}

impl NameKind {
    fn file(self) -> &'static str {
        match self {
            Self::Table => "rt_tables",
            Self::TypeOfService => "rt_dsfield",
            Self::Realm => "rt_realms",
            Self::Protocol => "rt_protos",
            Self::InterfaceGroup => "group",
            Self::Scope => "rt_scopes",
        }
    }

    /// The greatest number that may have a name.
    fn most(self) -> u32 {
        match self {
            Self::Table => u32::MAX,
            Self::InterfaceGroup => i32::MAX as u32,
            Self::TypeOfService | Self::Realm | Self::Protocol | Self::Scope => 255,
        }
    }

    /// The number, unless it is too great.
    fn fits(self, number: u64) -> Option<u32> {
        u32::try_from(number).ok().filter(|number| *number <= self.most())
    }

    /// Names that hold where no file has another for the number.
    fn defaults(self) -> &'static [(u32, &'static str)] {
        match self {
            Self::Table => &[(253, "default"), (254, "main"), (255, "local")],
            Self::Protocol => &[
                (0, "none"),
                (1, "redirect"),
                (2, "kernel"),
                (3, "boot"),
                (4, "static"),
                (8, "gated"),
                (9, "ra"),
                (10, "mrt"),
                (11, "zebra"),
                (12, "bird"),
                (13, "dnrouted"),
                (14, "xorp"),
                (15, "ntk"),
                (16, "dhcp"),
                (42, "babel"),
            ],
            Self::Scope => &[(0, "global"), (255, "nowhere"), (254, "host"), (253, "link"), (200, "site")],
            Self::TypeOfService | Self::Realm | Self::InterfaceGroup => &[],
        }
    }
}

/// Largest file that is read, in bytes; iproute2's own have a few hundred.
const LARGEST: u64 = 1024 * 1024;

/// Where the files are, and what was read of them.
#[derive(Debug, Default)]
pub(crate) struct IprouteNames {
    used: IprouteDirectories,
    /// What `global_defs` says so far: it holds for the whole configuration, wherever it stands.
    said: IprouteDirectories,
    /// What is used was said when the configuration was read before.
    known: bool,
    read: HashMap<NameKind, Vec<(u32, String)>>,
}

impl IprouteNames {
    /// Names from these directories, whatever is said later.
    pub(crate) fn of(directories: IprouteDirectories) -> Self {
        Self { used: directories, known: true, ..Self::default() }
    }

    /// Takes what `global_defs` says so far.
    pub(crate) fn say(&mut self, directories: &IprouteDirectories) {
        self.said = directories.clone();
        if !self.known && self.read.is_empty() {
            self.used = self.said.clone();
        }
    }

    /// The directories that would have been the right ones, if names were looked up in others.
    pub(crate) fn too_late(&self) -> Option<&IprouteDirectories> {
        (!self.read.is_empty() && self.used != self.said).then_some(&self.said)
    }

    /// The number that is meant: itself, or what its name stands for.
    pub(crate) fn find(&mut self, kind: NameKind, text: &str) -> Option<u32> {
        if let Some(number) = of_any_base(text) {
            return kind.fits(number);
        }
        let entries = self.read.entry(kind).or_insert_with(|| read(kind, &self.used));
        entries.iter().find(|(_, name)| name == text).map(|(number, _)| *number)
    }
}

/// Everything that has a name of this kind.
fn read(kind: NameKind, IprouteDirectories { usr, etc }: &IprouteDirectories) -> Vec<(u32, String)> {
    let mut entries = Vec::new();
    let file = kind.file();
    if let Some(text) = text(&etc.join(file)).or_else(|| text(&usr.join(file))) {
        entries.extend(lines(&text, kind));
    }
    // By file name: of two of the same name, that of `etc` holds.
    let more = format!("{file}.d");
    let mut files: BTreeMap<_, PathBuf> = BTreeMap::new();
    for directory in [usr.join(&more), etc.join(&more)] {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| !name.starts_with('.') && name.ends_with(".conf")) {
                files.insert(name, entry.path());
            }
        }
    }
    for text in files.values().filter_map(|path| text(path)) {
        entries.extend(lines(&text, kind));
    }
    for (number, name) in kind.defaults() {
        if !entries.iter().any(|(known, _)| known == number) {
            entries.push((*number, (*name).to_owned()));
        }
    }
    entries
}

/// What is in a file, if it can be read.
fn text(path: &Path) -> Option<String> {
    String::from_utf8(RegularFile::open(path).ok()?.read(LARGEST).ok()?).ok()
}

/// Lines of a number and a name; others, and what follows `#`, mean nothing.
fn lines(text: &str, kind: NameKind) -> impl Iterator<Item = (u32, String)> {
    text.lines().filter_map(move |line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let (id, name) = (words.next()?, words.next()?);
        let id = of_any_base(id).and_then(|number| kind.fits(number))?;
        words.next().is_none().then(|| (id, name.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_itself_in_any_base() {
        let mut names = IprouteNames::default();
        for (text, number) in
            [("7", Some(7)), ("0x10", Some(16)), ("010", Some(8)), ("300", None), ("0x", None)]
        {
            assert_eq!(names.find(NameKind::Scope, text), number, "{text}");
        }
    }

    #[test]
    fn a_file_of_etc_stands_in_for_that_of_usr_and_directories_add() {
        let base = std::env::temp_dir().join(format!("keepwatch-iproute-{}", std::process::id()));
        let (usr, etc) = (base.join("usr"), base.join("etc"));
        for (path, text) in [
            (usr.join("rt_tables"), "7 usr\n"),
            (etc.join("rt_tables"), "# comment\n8 etc # more\n9 too many words\n"),
            (usr.join("rt_tables.d/a.conf"), "10 hidden\n"),
            (etc.join("rt_tables.d/a.conf"), "0x0b added\n"),
            (etc.join("rt_tables.d/b.txt"), "12 other\n"),
        ] {
            let _ = std::fs::create_dir_all(path.parent().unwrap_or(&base));
            assert!(std::fs::write(&path, text).is_ok());
        }
        let mut names = IprouteNames::of(IprouteDirectories { usr, etc });
        let found = ["usr", "etc", "too", "hidden", "added", "other", "main"]
            .map(|name| names.find(NameKind::Table, name));
        let _ = std::fs::remove_dir_all(&base);
        assert_eq!(found, [None, Some(8), None, None, Some(11), None, Some(254)]);
    }
}
