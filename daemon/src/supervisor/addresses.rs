//! The addresses that workers left behind. In: what they told, and times. Out: the addresses off, where no worker comes
//! before a peer has taken over, or none any more.

use std::time::Instant;

use super::absence::Next;
use super::placed::Which;
use super::{Phase, Supervisor};
use crate::logging::Severity;

impl Supervisor<'_> {
    /// Takes the addresses off if no worker comes before a peer has taken over.
    pub(super) fn look_after_addresses(&mut self, now: Instant) {
        let (Some(absence), Some(patience)) = (self.absence, self.patience) else { return };
        let next = match &self.phase {
            Phase::Waiting { until, .. } => Some(Next::At(*until)),
            Phase::Running(worker) | Phase::Stopping { worker, .. } => {
                worker.not_yet_heard().map(Next::Started)
            }
            Phase::Over(_) => None,
        };
        if next.and_then(|next| absence.off_at(next, patience)).is_some_and(|off| off <= now) {
            let why = format!("no worker for as long as a peer waits ({} ms)", patience.as_millis());
            if self.take_addresses_off(&why) {
                self.absence = None;
            }
        }
    }

    /// Takes off what a worker that ended well has left all the same: it may have been told to stop before it had come to
    /// the addresses of one that crashed.
    pub(super) fn take_left_ones_off(&mut self) {
        if self.terms.as_ref().is_none_or(|terms| !terms.release) {
            self.placed.clear();
        }
        self.placed.told_all();
        if self.placed.is_empty() {
            return;
        }
        let taken = self.placed.take_off(Which::Marked);
        if taken.off > 0 {
            let off = format!("Took {} virtual addresses off that a worker had left", taken.off);
            self.log.now(Severity::Warning, off);
        }
        if let Some(error) = taken.error {
            let message = format!("Virtual addresses that a worker had left may still be there: {error}");
            self.log.now(Severity::Error, message);
        }
        self.placed.clear();
    }

    /// Whether none is left.
    pub(super) fn take_addresses_off(&mut self, why: &str) -> bool {
        if self.placed.is_empty() {
            return true;
        }
        let taken = self.placed.take_off(Which::All);
        let off = format!("Took {} virtual addresses off: {why}", taken.off);
        match taken.error {
            None => {
                self.left_on = None;
                if taken.off > 0 {
                    self.log.now(Severity::Warning, &off);
                }
                self.taken_off += taken.off;
                true
            }
            Some(error) => {
                if self.left_on.as_ref() != Some(&error) {
                    self.log.now(Severity::Error, format!("{off}. Others are still there: {error}"));
                    self.left_on = Some(error);
                }
                false
            }
        }
    }
}
