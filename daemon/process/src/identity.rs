//! Who runs a command: names to numbers, by the system's own name service.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User as Entry, getgid, getgrouplist, getuid};

use crate::command::User;
use crate::run::NotRun;
use crate::security::Who;

/// Who runs commands where nobody is named, if there is such a user.
pub const DEFAULT_USER: &str = "keepalived_script";

/// The numbers of who runs a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    /// Supplementary groups.
    pub(crate) groups: Vec<Gid>,
}

impl Identity {
    pub(crate) fn who(&self) -> Who {
        Who { uid: self.uid.as_raw(), gid: self.gid.as_raw() }
    }
}

/// The numbers of the user and group that a command would be run by; `None` is whoever runs this process. May ask a
/// directory service.
///
/// # Errors
/// When there is no such user or group, or the name service does not answer.
pub fn user_numbers(user: Option<&User>) -> Result<Option<(u32, u32)>, NotRun> {
    Ok(look_up(user, false)?.map(|identity| (identity.uid.as_raw(), identity.gid.as_raw())))
}

/// Looks up who runs a command; `None` is whoever runs this process, unchanged. May ask a directory service.
pub(crate) fn look_up(user: Option<&User>, secure: bool) -> Result<Option<Identity>, NotRun> {
    let Some(user) = user else {
        return match entry(DEFAULT_USER)? {
            Some(entry) => Ok(Some(Identity { uid: entry.uid, gid: entry.gid, groups: Vec::new() })),
            None if secure => Err(NotRun::Nobody),
            None => Ok(None),
        };
    };
    let entry = entry(&user.name)?.ok_or_else(|| NotRun::NoUser(user.name.clone()))?;
    let gid = match &user.group {
        None => entry.gid,
        Some(name) => {
            let group = Group::from_name(name).map_err(|error| NotRun::LookUp(name.clone(), error))?;
            group.ok_or_else(|| NotRun::NoGroup(name.clone()))?.gid
        }
    };
    // Becoming who we are already needs no right, and giving up groups does.
    if !getuid().is_root() && (entry.uid, gid) == (getuid(), getgid()) {
        return Ok(None);
    }
    let groups = if user.supplementary_groups { groups_of(&user.name, gid)? } else { Vec::new() };
    Ok(Some(Identity { uid: entry.uid, gid, groups }))
}

fn entry(name: &str) -> Result<Option<Entry>, NotRun> {
    Entry::from_name(name).map_err(|error| NotRun::LookUp(name.to_owned(), error))
}

fn groups_of(name: &str, gid: Gid) -> Result<Vec<Gid>, NotRun> {
    let user = CString::new(name).map_err(|_| NotRun::NoUser(name.to_owned()))?;
    getgrouplist(&user, gid).map_err(|error| NotRun::LookUp(name.to_owned(), error))
}
