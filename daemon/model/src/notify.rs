//! Commands that are run when an instance or a sync group changes state.

use serde::{Deserialize, Serialize};

use super::Script;
use super::rare::Usual;

/// `notify_*` of an instance or a sync group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// `notify_master`.
    pub master: Option<Script>,
    /// `notify_backup`.
    pub backup: Option<Script>,
    /// `notify_fault`.
    pub fault: Option<Script>,
    /// `notify_stop`.
    pub stop: Option<Script>,
    /// `notify_deleted` (instances): FIFOs are told DELETED, and not FAULT, when a reload removed it.
    pub tell_deleted: bool,
    /// The command of `notify_deleted`, if it has one.
    pub deleted: Option<Script>,
    /// `notify`: every change, with the arguments `INSTANCE|GROUP name STATE priority`.
    pub any: Option<Script>,
    /// `notify_master_rx_lower_pri` (instances): an advert of lower priority was heard while master.
    pub master_rx_lower_priority: Option<Script>,
}

impl Notify {
    /// Whether no command is run.
    pub fn is_empty(&self) -> bool {
        let Self { master, backup, fault, stop, tell_deleted: _, deleted, any, master_rx_lower_priority } =
            self;
        [master, backup, fault, stop, deleted, any, master_rx_lower_priority]
            .iter()
            .all(|script| script.is_none())
    }
}

impl Usual for Notify {
    fn usual() -> &'static Self {
        static USUAL: Notify = Notify {
            master: None,
            backup: None,
            fault: None,
            stop: None,
            tell_deleted: false,
            deleted: None,
            any: None,
            master_rx_lower_priority: None,
        };
        &USUAL
    }
}
