//! The kinds of checkers, one file each.
//!
//! A new one is a file here, with its arms in [`Probe`], and is named in the model's `CheckerKind::is_acted_on`. It may
//! take as long as it needs, and says by its [`Outcome`] how it went; the scheduler, the tries and the roster know no
//! kind. What can be worked out once for all checks of a checker (patterns compiled, requests written, counters of its
//! packets) is worked out in [`Probe::new`].

mod tcp;

use std::sync::Arc;

use keepwatch_model::{Checker, CheckerKind};

use crate::outcome::Outcome;

/// A check that is ready to be made, again and again; one at a time.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// Nothing to prepare: the settings are all there is.
    Plain(Arc<Checker>),
}

impl Probe {
    /// Prepares the check of a checker.
    pub(crate) fn new(checker: &Arc<Checker>) -> Self {
        Self::Plain(checker.clone())
    }

    /// Makes one check.
    pub(crate) async fn check(&self) -> Outcome {
        match self {
            Self::Plain(checker) => plain(&checker.kind).await,
        }
    }
}

async fn plain(kind: &CheckerKind) -> Outcome {
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
