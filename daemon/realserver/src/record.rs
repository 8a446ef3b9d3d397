//! What was done to this host, as a file: it is written before it is done, so that whatever happens in between, the next run
//! knows what to undo. It lies where a restart of the host forgets it, as the kernel forgets what it tells of.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use keepwatch_bus::own_file;
use keepwatch_net::namespace;
use serde::{Deserialize, Serialize};

use crate::plan::Device;

/// Everybody may know.
const MODE: u32 = 0o644;
/// More than any record has.
const LONGEST: u64 = 8 << 20;

/// An address that was put on an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Put {
    /// Where.
    pub device: Device,
    /// Which; its prefix is as long as it is.
    pub address: IpAddr,
    /// Its label, for IPv4.
    pub label: Option<String>,
}

impl Put {
    /// Length of its prefix in bits.
    pub fn prefix(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }
}

/// A setting of the kernel that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its path below `/proc/sys/net`.
    pub setting: String,
    /// What it was.
    pub before: String,
    /// What it was made.
    pub now: String,
}

/// Which boot of the host, and which network: what was done is gone with either.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Where {
    /// The kernel's name for this boot.
    pub boot: String,
    /// Inode of the network namespace: no other has it as long as that lives.
    pub namespace: u64,
    /// The kernel's number of the network namespace, which no other has before the next boot; Linux 5.14.
    #[serde(default)]
    pub cookie: Option<u64>,
}

impl Where {
    /// That of the calling thread.
    ///
    /// # Errors
    /// When there is no `/proc`.
    pub fn here() -> io::Result<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let namespace = std::fs::metadata("/proc/thread-self/ns/net")?.ino();
        Ok(Self { boot, namespace, cookie: namespace::cookie() })
    }

    /// Whether both are the same. A namespace may have the inode of one that is gone.
    fn is(&self, other: &Self) -> bool {
        let same = match (self.cookie, other.cookie) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => self.namespace == other.namespace,
        };
        same && self.boot == other.boot
    }
}

/// All that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it was done.
    pub place: Where,
    /// The real servers that the host is.
    pub servers: BTreeSet<IpAddr>,
    /// The virtual addresses that it has to have for that, and where, whoever has put them there.
    #[serde(default)]
    pub wanted: BTreeSet<(Device, IpAddr)>,
    /// Addresses.
    pub addresses: BTreeSet<Put>,
    /// Settings, in the order in which they were changed.
    pub settings: Vec<Changed>,
    /// Interfaces that were down, and were taken up.
    pub raised: BTreeSet<Device>,
}

/// Why a record can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It can't be read or written.
    #[error("the record {}: {error}", path.display())]
    Io {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is no record.
    #[error(
        "the record {} can't be read ({error}): `keepwatch realserver down --forget` removes it; what it tells of, undo by \
         hand",
        path.display()
    )]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// It is not even that: nobody's to remove.
    #[error("{} is no record of what was set up, and stays: was another one meant by --record?", .0.display())]
    NoRecord(PathBuf),
    /// It tells of another network.
    #[error(
        "the record {} is of another network namespace: if that is gone, as that of a container that was started anew, \
         `keepwatch realserver down --forget` removes the record; if not, name one for this network with --record",
        .0.display()
    )]
    Elsewhere(PathBuf),
}

impl Record {
    /// Reads the record; none if there is none, or if it is of an earlier boot.
    ///
    /// # Errors
    /// When it can't be read, or is of another network.
    pub fn read(path: &Path) -> Result<Option<Self>, RecordError> {
        let failed = |error| RecordError::Io { path: path.to_owned(), error };
        let mut bytes = Vec::new();
        match own_file::read_ours_or_roots(path) {
            Ok(file) => file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if !begins_as_a_record(&bytes) {
            return Err(RecordError::NoRecord(path.to_owned()));
        }
        let record: Self = serde_json::from_slice(&bytes)
            .map_err(|error| RecordError::Unreadable { path: path.to_owned(), error })?;
        let here = Where::here().map_err(failed)?;
        if record.place.boot != here.boot {
            return Ok(None);
        }
        if !record.place.is(&here) {
            return Err(RecordError::Elsewhere(path.to_owned()));
        }
        Ok(Some(record))
    }

    /// Writes it in the place of what is there; removes the file if there is nothing to tell.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let failed = |error| RecordError::Io { path: path.to_owned(), error };
        if self.is_empty() {
            return Self::forget(path).map(drop);
        }
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| RecordError::Unreadable { path: path.to_owned(), error })?;
        bytes.push(b'\n');
        own_file::directory_for(path).map_err(failed)?;
        own_file::replace(path, MODE, &bytes).map_err(failed)
    }

    /// Removes the file, whatever record is in it, and undoes nothing; whether there was one.
    ///
    /// # Errors
    /// What the system said; or that it is something else than a record.
    pub fn forget(path: &Path) -> Result<bool, RecordError> {
        if std::fs::symlink_metadata(path).is_ok_and(|it| !it.is_file()) {
            return Err(RecordError::NoRecord(path.to_owned()));
        }
        let mut begin = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(1).read_to_end(&mut begin));
        if read.is_ok() && !begins_as_a_record(&begin) {
            return Err(RecordError::NoRecord(path.to_owned()));
        }
        match std::fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(RecordError::Io { path: path.to_owned(), error }),
        }
    }

    /// Was nothing done, and is nothing wanted?
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
            && self.addresses.is_empty()
            && self.settings.is_empty()
            && self.raised.is_empty()
    }

    /// The addresses that the host has to have; where nothing is wanted any more, or a record does not tell, those that were
    /// put there.
    pub(crate) fn wanted_or_put(&self) -> BTreeSet<(Device, IpAddr)> {
        match self.wanted.is_empty() {
            true => self.addresses.iter().map(|put| (put.device, put.address)).collect(),
            false => self.wanted.clone(),
        }
    }

    /// What was done to a setting.
    pub fn changed(&self, setting: &str) -> Option<&Changed> {
        self.settings.iter().find(|changed| changed.setting == setting)
    }
}

/// What is written is an object of JSON; a disk that was full may have left nothing of it.
fn begins_as_a_record(bytes: &[u8]) -> bool {
    matches!(bytes.first(), None | Some(b'{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(place: Where) -> Record {
        let put = Put { device: Device::Lo, address: [10, 0, 0, 1].into(), label: Some("lo:0".to_owned()) };
        Record { place, addresses: [put].into(), ..Record::default() }
    }

    #[test]
    fn a_record_is_of_one_boot_and_one_network() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.json");
        assert!(Record::read(&path).unwrap().is_none());
        let here = Where::here().unwrap();
        record(here.clone()).write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Some(record(here.clone())));
        record(Where { boot: "another".to_owned(), ..here.clone() }).write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), None);
        record(Where { namespace: 1, cookie: None, ..here.clone() }).write(&path).unwrap();
        let elsewhere = Record::read(&path).unwrap_err();
        assert!(matches!(elsewhere, RecordError::Elsewhere(_)) && elsewhere.to_string().contains("--forget"));
        assert_eq!((Record::forget(&path).unwrap(), Record::forget(&path).unwrap()), (true, false));
        assert_eq!(Record::read(&path).unwrap(), None);
        // The inode of a namespace that is gone may be another's by now.
        if here.cookie.is_some() {
            record(Where { cookie: Some(0), ..here.clone() }).write(&path).unwrap();
            assert!(matches!(Record::read(&path), Err(RecordError::Elsewhere(_))));
        }
        // One of a version that kept no more.
        let old = serde_json::json!({
            "place": { "boot": here.boot, "namespace": here.namespace },
            "servers": [], "addresses": [{ "device": "lo", "address": "10.0.0.1", "label": null }], "settings": [], "raised": [],
        });
        std::fs::write(&path, old.to_string()).unwrap();
        let wanted = Record::read(&path).unwrap().unwrap().wanted_or_put();
        assert_eq!(wanted, [(Device::Lo, [10, 0, 0, 1].into())].into());
        Record { place: here, ..Record::default() }.write(&path).unwrap();
        assert!(!path.exists());
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(Record::read(&path), Err(RecordError::Unreadable { .. })));
        // A file of somebody's, named by mistake.
        std::fs::write(&path, "root:x:0:0").unwrap();
        assert!(matches!(Record::read(&path), Err(RecordError::NoRecord(_))));
        assert!(matches!(Record::forget(&path), Err(RecordError::NoRecord(_))) && path.exists());
    }
}
