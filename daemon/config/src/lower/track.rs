//! Lines that say what is tracked: `track_interface`, `track_script`, `track_file`, `track_process`, `track_bfd`.

use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_number};
use crate::model::{TrackedInterface, TrackedObject};
use crate::preprocess::Context;
use crate::words::Word;

/// A line of `track_script` and the like, and where its name stands; the weight is `None` when none is written.
#[derive(Clone, Debug)]
pub(super) struct TrackedDraft {
    pub(super) name: Word,
    pub(super) weight: Option<i32>,
    pub(super) reverse: bool,
}

impl TrackedDraft {
    /// With the weight of the definition where the line has none.
    pub(super) fn resolve(self, weight: i32, reverse: bool) -> TrackedObject {
        let own = self.weight.is_some();
        TrackedObject {
            name: (&*self.name.text).into(),
            weight: self.weight.unwrap_or(weight),
            reverse: if own { self.reverse } else { self.reverse || reverse },
        }
    }
}

/// A line of `track_interface`.
pub(super) fn interface(words: &[Word], context: &mut Context) -> Option<TrackedInterface> {
    let name = line_interface(words.first()?, "track_interface", context)?;
    let (weight, reverse) = options(words, 253, context);
    Some(TrackedInterface { interface: name, weight: weight.unwrap_or(0), reverse })
}

/// A line of `track_script`, `track_file`, `track_process` or `track_bfd`.
pub(super) fn object(words: &[Word], most: i64, context: &mut Context) -> Option<TrackedDraft> {
    let name = words.first()?.clone();
    let (weight, reverse) = options(words, most, context);
    Some(TrackedDraft { name, weight, reverse })
}

fn options(words: &[Word], most: i64, context: &mut Context) -> (Option<i32>, bool) {
    let mut weight = None;
    let mut reverse = false;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        at += 1;
        match &*word.text {
            "weight" => match words.get(at) {
                Some(value) => {
                    at += 1;
                    weight = line_number(value, -most, most, "weight", context).map(|value| value as i32);
                }
                None => context.report(
                    Diagnostic::error("missing-value", "`weight` needs a number")
                        .at(word.span.after(), "missing here"),
                ),
            },
            "reverse" => reverse = true,
            "noreverse" => reverse = false,
            other => context.report(
                Diagnostic::error("unknown-option", format!("`{other}` is no option of what is tracked"))
                    .at(word.span, "expected `weight` or `reverse`"),
            ),
        }
    }
    (weight, reverse)
}
