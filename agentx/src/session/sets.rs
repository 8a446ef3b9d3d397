//! Sets (RFC 2741 section 7.2.4): tested, done, taken back, forgotten. One at a time, as a master that speaks for one
//! manager after the other sends them.
//!
//! The values come with the TestSet alone; CommitSet and UndoSet name its transaction. What is to be taken back is what
//! was there before the CommitSet.

use rasn_snmp::v2::{VarBind, VarBindValue};

use super::serve::{Answer, View};
use crate::pdu::ErrorStatus;

/// The Set that is under way.
#[derive(Debug, Default)]
pub(super) struct Sets {
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    transaction: u32,
    context: Option<bytes::Bytes>,
    binds: Vec<VarBind>,
    /// The values from before, of those that have been set.
    before: Vec<VarBind>,
}

impl Sets {
    /// All that is to be set is tested before anything is.
    pub(super) fn test(
        &mut self,
        view: View<'_>,
        transaction: u32,
        binds: &[VarBind],
        answer: Answer,
    ) -> Vec<u8> {
        self.under_way = None;
        for (at, bind) in (1..).zip(binds) {
            if let Err(error) = view.tree.test(view.context, &bind.name, &bind.value) {
                return answer.error(error, at);
            }
        }
        let (context, binds, before) = (view.context.cloned(), binds.to_vec(), Vec::new());
        self.under_way = Some(UnderWay { transaction, context, binds, before });
        answer.finish()
    }

    /// Does it; what was done before one that fails after all is for an UndoSet to take back, which the master sends.
    pub(super) fn commit(&mut self, view: View<'_>, transaction: u32, answer: Answer) -> Vec<u8> {
        let Some(set) = self.under_way.as_mut().filter(|set| set.transaction == transaction) else {
            return answer.error(ErrorStatus::COMMIT_FAILED, 0);
        };
        let context = set.context.as_ref();
        for (at, VarBind { name, value }) in (1..).zip(&set.binds) {
            let before = view.tree.get(context, name);
            if view.tree.set(context, name, value).is_err() {
                return answer.error(ErrorStatus::COMMIT_FAILED, at);
            }
            if matches!(before, VarBindValue::Value(_)) {
                set.before.push(VarBind { name: name.clone(), value: before });
            }
        }
        answer.finish()
    }

    /// Takes back what was done, the last first.
    pub(super) fn undo(&mut self, view: View<'_>, transaction: u32, answer: Answer) -> Vec<u8> {
        let Some(set) = self.under_way.take().filter(|set| set.transaction == transaction) else {
            return answer.error(ErrorStatus::UNDO_FAILED, 0);
        };
        for VarBind { name, value } in set.before.iter().rev() {
            if view.tree.set(set.context.as_ref(), name, value).is_err() {
                return answer.error(ErrorStatus::UNDO_FAILED, 0);
            }
        }
        answer.finish()
    }

    /// It is over.
    pub(super) fn forget(&mut self) {
        self.under_way = None;
    }
}
