//! Sets a host up, undoes that, and tells how it stands: the record, the kernel and what is to be done brought together.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use crate::change::{self, Change, Present, Step};
use crate::host::{Host, HostError};
use crate::judge::{Judgement, judge};
use crate::plan::Plan;
use crate::record::{Record, RecordError, Where};

/// Why it could not be set up or undone.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The record can't be used; nothing was done.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The kernel did not tell what is there, or refused a step; what was done before it was undone.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A step was refused, and what was done before it stays: the record tells of it.
    #[error("{error}; what was done before it stays, and `keepwatch realserver down` undoes it")]
    Half {
        /// What the kernel said.
        error: HostError,
    },
}

/// How a host that was set up stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What was done.
    pub record: Record,
    /// Whether it serves.
    pub judgement: Judgement,
}

/// A host, and where the record of what was done to it is.
pub struct Setup {
    host: Host,
    path: PathBuf,
    /// What was read or written last. Whoever stays does not forget what was done because the file is gone.
    last: Option<Record>,
}

impl Setup {
    /// For this host, with the record at `path`.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn open(path: &Path) -> Result<Self, Failed> {
        Ok(Self { host: Host::open()?, path: path.to_owned(), last: None })
    }

    /// The record; where its file is gone, what stood in it.
    fn read(&mut self) -> Result<Option<Record>, RecordError> {
        if let Some(record) = Record::read(&self.path)? {
            self.last = Some(record);
        }
        Ok(self.last.clone())
    }

    fn write(&mut self, record: &Record) -> Result<(), RecordError> {
        record.write(&self.path)?;
        self.last = (!record.is_empty()).then(|| record.clone());
        Ok(())
    }

    /// The addresses that this host has of its own: what it was given here before is none.
    ///
    /// # Errors
    /// When the kernel or the record does not tell.
    pub fn own_addresses(&mut self) -> Result<BTreeSet<IpAddr>, Failed> {
        let record = self.read()?.unwrap_or_default();
        let present = self.host.look(&record)?;
        let given = |address: &IpAddr| record.addresses.iter().any(|put| put.address == *address);
        Ok(present.addresses.iter().map(|found| found.address).filter(|address| !given(address)).collect())
    }

    /// What would be done to have it as the plan wants.
    ///
    /// # Errors
    /// When the kernel or the record does not tell.
    pub fn preview(&mut self, plan: &Plan) -> Result<Change, Failed> {
        let record = self.read()?.unwrap_or_default();
        let present = self.host.look(&record)?;
        Ok(change::up(plan, &record, &present))
    }

    /// Makes it what the plan wants; what is so already is left alone. Each step is told once it was done. What is
    /// returned is for people to know.
    ///
    /// # Errors
    /// When something could not be done. On a host on which nothing was set up before, all is undone then.
    pub fn up(&mut self, plan: &Plan, mut done: impl FnMut(&Step)) -> Result<Vec<String>, Failed> {
        let known = self.read()?;
        let record = known.clone().unwrap_or_default();
        let mut present = self.host.look(&record)?;
        // They have settings only once they are there. Nothing has to be undone of an end that nobody uses.
        for step in change::up(plan, &record, &present).steps {
            if let Step::Make(_) = step {
                self.host.carry_out(&step)?;
                done(&step);
                present = self.host.look(&record)?;
            }
        }
        let mut change = change::up(plan, &record, &present);
        if change.steps.is_empty() && change.after == record && (known.is_none() || self.path.exists()) {
            return Ok(change.notes);
        }
        let place = Where::here().map_err(|error| RecordError::Io { path: self.path.clone(), error })?;
        (change.during.place, change.after.place) = (place.clone(), place);
        self.write(&change.during)?;
        for step in &change.steps {
            match self.host.carry_out(step) {
                Ok(()) => done(step),
                Err(error) if known.is_none() => {
                    self.down(&mut done)?;
                    return Err(error.into());
                }
                Err(error) => return Err(Failed::Half { error }),
            }
        }
        self.write(&change.after)?;
        Ok(change.notes)
    }

    /// Undoes all that was done; none if nothing was. Each step is told once it was done. What has to stay, as an address
    /// that is another's by now has need of it, stays in the record. What is returned is for people to know.
    ///
    /// # Errors
    /// When something could not be undone: then it stays in the record.
    pub fn down(&mut self, mut done: impl FnMut(&Step)) -> Result<Option<Vec<String>>, Failed> {
        let Some(record) = self.read()? else { return Ok(None) };
        let present = self.host.look(&record)?;
        let change = change::down(&record, &present);
        for step in &change.steps {
            self.host.carry_out(step).map_err(|error| Failed::Half { error })?;
            done(step);
        }
        self.write(&change.after)?;
        Ok(Some(change.notes))
    }

    /// What would be undone; none if nothing was done.
    ///
    /// # Errors
    /// When the kernel or the record does not tell.
    pub fn preview_down(&mut self) -> Result<Option<Change>, Failed> {
        let Some(record) = self.read()? else { return Ok(None) };
        let present = self.host.look(&record)?;
        Ok(Some(change::down(&record, &present)))
    }

    /// How it stands; none if nothing was set up.
    ///
    /// # Errors
    /// When the kernel or the record does not tell.
    pub fn standing(&mut self) -> Result<Option<Standing>, Failed> {
        let Some(record) = self.read()? else { return Ok(None) };
        let present: Present = self.host.look(&record)?;
        let judgement = judge(&record, &present);
        Ok(Some(Standing { record, judgement }))
    }
}

/// Readable when an interface or address has changed.
impl AsFd for Setup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.host.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Device;
    use crate::record::Put;

    #[test]
    fn a_record_whose_file_is_gone_is_not_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/record.json");
        let put = Put { device: Device::Lo, address: [10, 0, 0, 1].into(), label: None };
        let record = Record { place: Where::here().unwrap(), addresses: [put].into(), ..Record::default() };
        let mut setup = Setup::open(&path).unwrap();
        setup.write(&record).unwrap();
        std::fs::remove_dir_all(directory.path().join("deep")).unwrap();
        assert_eq!(setup.read().unwrap(), Some(record.clone()));
        setup.write(&record).unwrap();
        assert!(path.exists());
        setup.write(&Record::default()).unwrap();
        assert_eq!((setup.read().unwrap(), path.exists()), (None, false));
    }
}
