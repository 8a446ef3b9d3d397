//! The kinds of checkers, one file each.
//!
//! A new one is a file here, with its arm in [`check`], and is named in the model's `CheckerKind::is_acted_on`. It is
//! given its settings, may take as long as it needs, and says by its [`Outcome`] how it went; the scheduler, the tries
//! and the roster know no kind.

mod tcp;

use keepwatch_model::CheckerKind;

use crate::outcome::Outcome;

/// Makes one check.
pub(crate) async fn check(kind: &CheckerKind) -> Outcome {
    match kind {
        CheckerKind::Tcp(settings) => tcp::check(settings).await,
        CheckerKind::Http(_)
        | CheckerKind::Smtp(_)
        | CheckerKind::Dns(_)
        | CheckerKind::Misc(_)
        | CheckerKind::Ping(_)
        | CheckerKind::Udp(_) => Outcome::NotRun(format!("{} is not built yet", kind.keyword())),
    }
}
