//! `notify_fifo`, `vrrp_notify_fifo`, `lvs_notify_fifo` and their scripts.

use std::path::PathBuf;

use crate::diagnostics::Diagnostic;
use crate::model::{NotifyFifo, NotifyFifos};
use crate::preprocess::Context;
use crate::schema::global::{FifoDraft, FifoDrafts};

impl FifoDrafts {
    /// The model: nobody is told twice, and two scripts do not read one pipe.
    pub(super) fn finish(self, context: &mut Context) -> NotifyFifos {
        let Self { all, mut vrrp, mut lvs, states_on_reload } = self;
        vrrp.unless_same("vrrp_notify_fifo", &all, context);
        lvs.unless_same("lvs_notify_fifo", &all, context);
        if let (Some((_, at)), Some(_), true) = (&lvs.script, &vrrp.script, lvs.path() == vrrp.path())
            && lvs.path().is_some()
        {
            context.report(
                Diagnostic::warning("conflict", "`vrrp_notify_fifo_script` reads this pipe already")
                    .at(*at, "left out"),
            );
            lvs.script = None;
        }
        NotifyFifos {
            all: all.finish("notify_fifo", context),
            vrrp: vrrp.finish("vrrp_notify_fifo", context),
            lvs: lvs.finish("lvs_notify_fifo", context),
            states_on_reload,
        }
    }
}

impl FifoDraft {
    fn path(&self) -> Option<&PathBuf> {
        self.fifo.as_ref().map(|(fifo, _)| &fifo.path)
    }

    /// Leaves it out when the pipe of everything is the same (reported).
    fn unless_same(&mut self, keyword: &str, all: &Self, context: &mut Context) {
        if self.path().is_some()
            && self.path() == all.path()
            && let Some((_, at)) = self.fifo.take()
        {
            self.script = None;
            context.report(
                Diagnostic::warning("conflict", format!("`{keyword}` is the pipe of `notify_fifo`"))
                    .at(at, "left out: everything would be told twice"),
            );
        }
    }

    fn finish(self, keyword: &str, context: &mut Context) -> Option<NotifyFifo> {
        match (self.fifo, self.script) {
            (Some((fifo, _)), script) => {
                Some(NotifyFifo { script: script.map(|(script, _)| script), ..fifo })
            }
            (None, Some((_, at))) => {
                context.report(
                    Diagnostic::warning(
                        "no-effect",
                        format!("there is no `{keyword}` that this script could read"),
                    )
                    .at(at, "never run"),
                );
                None
            }
            (None, None) => None,
        }
    }
}
