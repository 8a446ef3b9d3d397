//! The kinds of checkers, one file each.
//!
//! A new one is a file here, with its arms in [`Probe`], and is named in the model's `CheckerKind::is_acted_on`. It may
//! take as long as it needs, and says by its [`Outcome`] how it went; the scheduler, the tries and the roster know no
//! kind. What can be worked out once for all checks of a checker (patterns compiled, requests written, counters of its
//! packets) is worked out in [`Probe::new`].

mod dns;
mod misc;
mod ping;
mod tcp;
mod udp;

use std::sync::Arc;

use keepwatch_model::{Checker, CheckerKind};

use crate::outcome::Outcome;
use crate::roster::{Definition, Manner};

/// A check that is ready to be made, again and again; one at a time.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// Nothing to prepare: the settings are all there is.
    Plain(Arc<Checker>),
    /// A command, and how it is run.
    Command(Arc<Checker>, Manner),
}

impl Probe {
    /// Prepares the check of a checker.
    pub(crate) fn new(definition: &Definition) -> Self {
        let Definition { checker, manner, .. } = definition;
        match &checker.kind {
            CheckerKind::Misc(_) => Self::Command(checker.clone(), *manner),
            _ => Self::Plain(checker.clone()),
        }
    }

    /// Whether the next check is due so long after the start of this one, not after its end: keepalived's way with
    /// commands.
    pub(crate) fn counts_from_its_start(&self) -> bool {
        matches!(self, Self::Command(..))
    }

    /// Makes one check.
    pub(crate) async fn check(&self) -> Outcome {
        match self {
            Self::Plain(checker) => plain(&checker.kind).await,
            Self::Command(checker, manner) => match &checker.kind {
                CheckerKind::Misc(settings) => misc::check(settings, *manner).await,
                other => plain(other).await,
            },
        }
    }
}

async fn plain(kind: &CheckerKind) -> Outcome {
    match kind {
        CheckerKind::Tcp(settings) => tcp::check(settings).await,
        CheckerKind::Dns(settings) => dns::check(settings).await,
        CheckerKind::Ping(settings) => ping::check(settings).await,
        CheckerKind::Udp(settings) => udp::check(settings).await,
        CheckerKind::Http(_) | CheckerKind::Smtp(_) | CheckerKind::Misc(_) => {
            Outcome::NotRun(format!("{} is not built yet", kind.keyword()))
        }
    }
}
