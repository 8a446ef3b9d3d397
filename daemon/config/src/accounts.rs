//! The users and groups of this machine, as its files have them.

use std::cell::OnceCell;
use std::collections::HashMap;

/// Who there is on this machine.
#[derive(Clone, Copy)]
pub(crate) enum Database {
    Users,
    Groups,
}

/// Who there is, read once for all that are asked for.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    users: OnceCell<Option<Entries>>,
    groups: OnceCell<Option<Entries>>,
}

/// What a file says.
#[derive(Debug, Default)]
struct Entries {
    /// Its lines, by the names that they begin with.
    by_name: HashMap<Box<str>, Box<str>>,
    /// There may be others, which are somewhere else.
    and_others: bool,
}

impl Accounts {
    fn all(&self, database: Database) -> Option<&Entries> {
        let known = match database {
            Database::Users => &self.users,
            Database::Groups => &self.groups,
        };
        let read = || {
            let text = std::fs::read_to_string(format!("/etc/{}", database.name())).ok()?;
            let mut entries = Entries { and_others: comes_from_elsewhere(database), ..Entries::default() };
            for line in text.lines() {
                let name = line.split(':').next().unwrap_or("");
                entries.and_others |= name.starts_with(['+', '-']);
                // Of two of one name the first counts.
                entries.by_name.entry(name.into()).or_insert_with(|| line.into());
            }
            Some(entries)
        };
        known.get_or_init(read).as_ref()
    }

    /// Is there such a user or group on this machine? A number is no name, as with keepalived.
    ///
    /// Yes when that cannot be told: the file cannot be read, or users come from somewhere else too.
    pub(crate) fn has(&self, database: Database, name: &str) -> bool {
        let Some(all) = self.all(database) else { return true };
        all.and_others || all.by_name.contains_key(name)
    }

    /// The line of a user or group in its file.
    pub(crate) fn entry(&self, database: Database, name: &str) -> Option<&str> {
        self.all(database)?.by_name.get(name).map(|line| &**line)
    }
}

impl Database {
    /// Its name in nsswitch.conf(5), and of its file below `/etc`.
    fn name(self) -> &'static str {
        match self {
            Self::Users => "passwd",
            Self::Groups => "group",
        }
    }
}

/// Does name resolution ask others than the files for users or groups?
fn comes_from_elsewhere(database: Database) -> bool {
    let text = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let sources = text.lines().find_map(|line| line.trim().strip_prefix(database.name())?.strip_prefix(':'));
    sources.is_some_and(|sources| {
        let mut sources = sources.split_whitespace().filter(|word| !word.starts_with('['));
        sources.any(|source| !matches!(source, "files" | "compat" | "systemd"))
    })
}
