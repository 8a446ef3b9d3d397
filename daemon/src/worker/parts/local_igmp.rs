//! `disable_local_igmp`: the kernel reports no membership of groups of the link (224.0.0.0/24). The setting is of the
//! network namespace; it is put back when it is not wanted any longer, and at the stop. The supervisor is told of it, for a
//! worker that is killed.

use std::sync::{Mutex, PoisonError};

use crate::host_settings::{Changed, Setting};
use crate::left::Left;
use crate::supervisor::line::Report;
use crate::worker::pulse::ToSupervisor;

/// What keeps the kernel from reporting.
const OFF: &str = "0";

/// The setting.
pub(in crate::worker) struct LocalIgmp {
    /// How it was changed, if it was.
    changed: Mutex<Option<Changed>>,
    supervisor: ToSupervisor,
}

impl LocalIgmp {
    /// Not yet changed.
    pub(in crate::worker) fn new(supervisor: ToSupervisor) -> Self {
        Self { changed: Mutex::default(), supervisor }
    }

    /// What is going to be changed, for whoever has to know it before anything runs; none where it can't be.
    pub(in crate::worker) fn intention() -> Option<Report> {
        Setting::LocalIgmp.change(OFF).ok().map(Left::Setting).map(Report::Left)
    }

    /// Changes it, or puts it back.
    pub(in crate::worker) fn disable(&self, disable: bool) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*changed, disable) {
            (None, true) => {
                // A kernel without the setting (before Linux 4.3), or one that may not be written to, goes on reporting.
                let Ok(change) = Setting::LocalIgmp.change(OFF) else { return };
                self.supervisor.say(Report::Left(Left::Setting(change.clone())));
                if change.make().is_ok() {
                    *changed = Some(change);
                }
            }
            (Some(change), false) => {
                if change.put_back().is_ok() {
                    self.supervisor.say(Report::TakenBack(Left::Setting(change.clone())));
                }
                *changed = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
}
