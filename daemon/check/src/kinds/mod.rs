//! The kinds of checkers, one file each.
//!
//! A new one is a file here, with its arms in [`Probe`], and is named in the model's `CheckerKind::is_acted_on`. It may
//! take as long as it needs, and says by its [`Outcome`] how it went; the scheduler, the tries and the roster know no
//! kind. What can be worked out once for all checks of a checker (patterns compiled, requests written, counters of its
//! packets) is worked out in [`Probe::new`].

mod http;
mod smtp;
mod ssl;
mod tcp;

use std::sync::Arc;

use keepwatch_model::{Checker, CheckerKind, Ssl};

use crate::outcome::{Checked, Outcome};

pub(crate) use http::{Pages, Workshop};

/// A check that is ready to be made, again and again; one at a time.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// Nothing to prepare: the settings are all there is.
    Plain(Arc<Checker>),
    /// Pages of a web server.
    Pages(Arc<Pages>),
    /// It could not be prepared, for this reason.
    Broken(Arc<str>),
}

impl Probe {
    /// Prepares the check of a checker, with what it has in common with others.
    pub(crate) fn new(checker: &Arc<Checker>, ssl: Option<&Ssl>, workshop: &mut Workshop) -> Self {
        match &checker.kind {
            CheckerKind::Http(settings) => match Pages::new(checker, settings, ssl, workshop) {
                Ok(pages) => Self::Pages(Arc::new(pages)),
                Err(error) => Self::Broken(error.into()),
            },
            CheckerKind::Tcp(_)
            | CheckerKind::Smtp(_)
            | CheckerKind::Dns(_)
            | CheckerKind::Misc(_)
            | CheckerKind::Ping(_)
            | CheckerKind::Udp(_) => Self::Plain(checker.clone()),
        }
    }

    /// Makes one check.
    pub(crate) async fn check(&self) -> Checked {
        match self {
            Self::Plain(checker) => plain(&checker.kind).await.into(),
            Self::Pages(pages) => Box::pin(pages.check()).await,
            Self::Broken(error) => Outcome::NotRun(error.to_string()).into(),
        }
    }
}

async fn plain(kind: &CheckerKind) -> Outcome {
    match kind {
        CheckerKind::Tcp(settings) => tcp::check(settings).await,
        CheckerKind::Smtp(settings) => Box::pin(smtp::check(settings)).await,
        CheckerKind::Http(_)
        | CheckerKind::Dns(_)
        | CheckerKind::Misc(_)
        | CheckerKind::Ping(_)
        | CheckerKind::Udp(_) => Outcome::NotRun(format!("{} is not built yet", kind.keyword())),
    }
}
