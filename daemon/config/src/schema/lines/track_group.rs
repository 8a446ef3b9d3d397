//! `track_group` of a line of static addresses, routes and rules.

use super::OptionLine;
use crate::diagnostics::Diagnostic;
use crate::model::Name;
use crate::preprocess::Context;
use crate::source::Span;
use crate::words::Word;

/// The `track_group` of a line.
#[derive(Debug, Default)]
pub(super) struct TrackGroup {
    /// Its name, if there is such a group.
    name: Option<Name>,
    /// Where it stands.
    at: Option<Span>,
}

impl TrackGroup {
    /// Takes the name after `track_group`; `None` when the line is to be left out (reported).
    pub(super) fn read(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let value = line.value(option)?;
        if self.at.is_some() {
            let message = "`track_group` was given before".into();
            let label = format!("the {} is left out", line.what);
            return line.refuse(value, "duplicate-keyword", message, label);
        }
        self.take(value, line);
        Some(())
    }

    /// Takes the name.
    pub(super) fn take(&mut self, value: &Word, line: &mut OptionLine) {
        if let Some(first) = self.at {
            let diagnostic = Diagnostic::error("duplicate-keyword", "`track_group` was given before");
            line.context.report(diagnostic.at(value.span, "has no effect").also(first, "first here"));
            return;
        }
        let groups = &line.context.known.track_groups;
        self.at = Some(value.span);
        self.name = groups.get(&*value.text).cloned();
        if self.name.is_none() {
            let message = format!("there is no `track_group` {} above", value.text);
            let diagnostic = Diagnostic::error("unknown-group", message)
                .at(value.span, "has no effect")
                .help("a `track_group` must stand before what it is for")
                .suggest_nearest(value, groups.iter().map(|name| &**name));
            line.context.report(diagnostic);
        }
    }

    /// The group, if it can be tracked.
    pub(super) fn finish(
        self,
        no_track: bool,
        has_interface: bool,
        interface: &str,
        context: &mut Context,
    ) -> Option<Name> {
        let (name, at) = (self.name?, self.at?);
        if !has_interface {
            let message = format!("`track_group` needs an interface ({interface})");
            context.report(Diagnostic::error("conflict", message).at(at, "has no effect"));
            return None;
        }
        if no_track {
            let message = "`track_group` does not go with `no_track`";
            context.report(Diagnostic::warning("conflict", message).at(at, "has no effect"));
            return None;
        }
        Some(name)
    }
}
