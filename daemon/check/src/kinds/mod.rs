//! The kinds of checkers, one file each.
//!
//! A new one is a file here, with its arms in [`Probe`]. It may
//! take as long as it needs, and says by its [`Outcome`] how it went; the scheduler, the tries and the roster know no
//! kind. What can be worked out once for all checks of a checker (patterns compiled, requests written, counters of its
//! packets) is worked out in [`Probe::new`].

mod dns;
mod http;
mod misc;
mod ping;
mod smtp;
mod ssl;
mod tcp;
mod udp;

use std::sync::Arc;

use keepwatch_model::{Checker, CheckerKind, Connection};
use keepwatch_process::Manner;

use crate::definition::Definition;
use crate::outcome::{Checked, Outcome};

pub(crate) use http::{Pages, Workshop};
pub use misc::commands_under_way;

/// A check that is ready to be made, again and again; one at a time.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// Nothing to prepare: the settings are all there is.
    Plain(Arc<Checker>),
    /// Pages of a web server.
    Pages(Arc<Pages>),
    /// A command, and how it is run.
    Command(Arc<(Arc<Checker>, Manner)>),
    /// It could not be prepared, for this reason.
    Broken(Arc<String>),
}

impl Probe {
    /// Prepares the check of a checker, with what it has in common with others.
    pub(crate) fn new(definition: &Definition, workshop: &mut Workshop) -> Self {
        let Definition { checker, manner, ssl, .. } = definition;
        match &checker.kind {
            CheckerKind::Http(settings) => match Pages::new(checker, settings, ssl.as_deref(), workshop) {
                Ok(pages) => Self::Pages(Arc::new(pages)),
                Err(error) => Self::Broken(Arc::new(error)),
            },
            CheckerKind::Misc(_) => Self::Command(Arc::new((checker.clone(), *manner))),
            CheckerKind::Tcp(_)
            | CheckerKind::Smtp(_)
            | CheckerKind::Dns(_)
            | CheckerKind::Ping(_)
            | CheckerKind::Udp(_) => Self::Plain(checker.clone()),
        }
    }

    /// Whether the next check is due so long after the start of this one, not after its end: keepalived's way with
    /// commands.
    pub(crate) fn counts_from_its_start(&self) -> bool {
        matches!(self, Self::Command(..))
    }

    /// What is connected to, where that the connection opens is all there is to see: many such checks are made together.
    pub(crate) fn only_connects(&self) -> Option<&Connection> {
        match self {
            Self::Plain(checker) => match &checker.kind {
                CheckerKind::Tcp(settings) => Some(settings),
                _ => None,
            },
            Self::Pages(_) | Self::Command(_) | Self::Broken(_) => None,
        }
    }

    /// Makes one check. Each kind takes its own room for it, not that of the largest: thousands may be under way.
    pub(crate) async fn check(&self) -> Checked {
        match self {
            Self::Plain(checker) => Box::pin(plain(&checker.kind)).await.into(),
            Self::Pages(pages) => Box::pin(pages.check()).await,
            Self::Command(command) => match &command.0.kind {
                CheckerKind::Misc(settings) => Box::pin(misc::check(settings, command.1)).await.into(),
                other => Box::pin(plain(other)).await.into(),
            },
            Self::Broken(error) => Outcome::NotRun(error.to_string()).into(),
        }
    }
}

async fn plain(kind: &CheckerKind) -> Outcome {
    match kind {
        CheckerKind::Tcp(settings) => tcp::check(settings).await,
        CheckerKind::Smtp(settings) => smtp::check(settings).await,
        CheckerKind::Dns(settings) => dns::check(settings).await,
        CheckerKind::Ping(settings) => ping::check(settings).await,
        CheckerKind::Udp(settings) => udp::check(settings).await,
        // These are prepared by [`Probe::new`].
        CheckerKind::Http(_) | CheckerKind::Misc(_) => {
            Outcome::NotRun(format!("{} was not prepared", kind.keyword()))
        }
    }
}
