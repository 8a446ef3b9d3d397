//! What does not work at the moment: each thing is said once for each reason, however often it is tried again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use keepwatch_bus::fact::TableChange;

use crate::table::ServiceKey;

/// An entry of the table as facts name it: the virtual server, and the real or sorry server if it is about one.
pub(crate) type Subject = (ServiceKey, Option<SocketAddr>);

/// See the module.
#[derive(Default)]
pub(crate) struct Complaints {
    /// Of the data plane as a whole: it could not be read, changed, …
    dataplane: BTreeMap<&'static str, String>,
    /// Of entries of the table.
    entries: BTreeMap<Subject, (TableChange, String)>,
}

impl Complaints {
    /// Takes in what did not work; gives whether that is new.
    pub(crate) fn of_dataplane(&mut self, operation: &'static str, error: &str) -> bool {
        self.dataplane.insert(operation, error.to_owned()).is_none_or(|before| before != error)
    }

    /// Takes in what was refused; gives whether that is new.
    pub(crate) fn of_entry(&mut self, subject: Subject, change: TableChange, error: &str) -> bool {
        let now = (change, error.to_owned());
        match self.entries.insert(subject, now.clone()) {
            Some(before) => before != now,
            None => true,
        }
    }

    /// This operation works; gives whether it did not before.
    pub(crate) fn dataplane_works(&mut self, operation: &'static str) -> bool {
        self.dataplane.remove(operation).is_some()
    }

    /// Nobody wants anything of these operations any more; gives whether one of them did not work.
    pub(crate) fn not_wanted(&mut self, operations: &[&'static str]) -> bool {
        let before = self.dataplane.len();
        self.dataplane.retain(|operation, _| !operations.contains(operation));
        self.dataplane.len() < before
    }

    /// This entry is as it should be; gives whether it was not before.
    pub(crate) fn entry_works(&mut self, subject: &Subject) -> bool {
        self.entries.remove(subject).is_some()
    }

    /// What was said of these services is not known any more; gives whether there was anything.
    pub(crate) fn forget(&mut self, services: &BTreeSet<ServiceKey>) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(service, _), _| !services.contains(service));
        self.entries.len() < before
    }

    /// All entries that there is one about.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Subject> {
        self.entries.keys()
    }

    /// Those of one service.
    pub(crate) fn entries_of(&self, service: ServiceKey) -> impl Iterator<Item = &Subject> {
        self.entries.range((service, None)..).map(|(subject, _)| subject).take_while(move |s| s.0 == service)
    }

    /// Whether all is well.
    pub(crate) fn is_empty(&self) -> bool {
        self.dataplane.is_empty() && self.entries.is_empty()
    }
}
