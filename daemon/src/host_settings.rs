//! Settings of the host that a worker changes and puts back at its end. One that is killed does not put anything back, and the
//! next one finds what the first has written. So each tells the supervisor what it is about to change ([`crate::left`]): the
//! next worker learns from that how things were, and where there is no next one the supervisor puts them back itself.

use std::fmt;
use std::fs;
use std::io;

use crate::left::{self, Left};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// By which pattern cores are written (`--core-dump-pattern`), for the whole host.
    CorePattern,
    /// Whether memberships of groups of the link are reported (`disable_local_igmp`), for the network namespace.
    LocalIgmp,
}

/// One that was changed, or is about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub setting: Setting,
    /// What was written there.
    pub ours: Vec<u8>,
    /// What was there before there was any worker of this daemon.
    pub before: Vec<u8>,
}

impl Setting {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::CorePattern, Self::LocalIgmp];

    /// Where the kernel has it.
    pub fn path(self) -> &'static str {
        match self {
            Self::CorePattern => "/proc/sys/kernel/core_pattern",
            Self::LocalIgmp => "/proc/sys/net/ipv4/igmp_link_local_mcast_reports",
        }
    }

    /// Each network namespace has its own.
    pub fn is_of_the_network(self) -> bool {
        self == Self::LocalIgmp
    }

    /// What a change to `ours` would be: to be told before it is made.
    ///
    /// # Errors
    /// When the setting can't be read.
    pub fn change(self, ours: &str) -> io::Result<Changed> {
        let is = fs::read(self.path())?;
        let inherited = left::inherited().into_iter().find_map(|left| match left {
            Left::Setting(changed) if changed.setting == self => Some(changed),
            Left::Setting(_) | Left::Pipe(_) => None,
        });
        Ok(Changed { setting: self, ours: ours.trim().into(), before: original(&is, inherited) })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CorePattern => "core_pattern",
            Self::LocalIgmp => "local_igmp",
        })
    }
}

impl Changed {
    /// Makes the change.
    ///
    /// # Errors
    /// What the system said.
    pub fn make(&self) -> io::Result<()> {
        fs::write(self.setting.path(), &self.ours)
    }

    /// Puts back what was there, where what we wrote still is. Whether there was anything to put back.
    ///
    /// # Errors
    /// What the system said.
    pub fn put_back(&self) -> io::Result<bool> {
        // Somebody else may have changed it meanwhile: that is how he wants it.
        let put = self.before != self.ours && fs::read(self.setting.path())?.trim_ascii() == self.ours;
        if put {
            fs::write(self.setting.path(), &self.before)?;
        }
        Ok(put)
    }
}

/// What a worker before this one found counts only if what it wrote is still there.
fn original(is: &[u8], inherited: Option<Changed>) -> Vec<u8> {
    let is = is.trim_ascii();
    inherited.filter(|changed| changed.ours == is).map_or_else(|| is.to_vec(), |changed| changed.before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_worker_wrote_is_not_what_it_was() {
        let inherited = || {
            Some(Changed {
                setting: Setting::CorePattern,
                ours: b"core".to_vec(),
                before: b"|/bin/handler %p".to_vec(),
            })
        };
        assert_eq!(original(b"core\n", inherited()), b"|/bin/handler %p");
        assert_eq!(original(b"other\n", inherited()), b"other");
        assert_eq!(original(b"core\n", None), b"core");
    }
}
