//! What every stage of reading adds to: the sources, and what is wrong with them.

use std::collections::HashMap;

use crate::diagnostics::{Diagnostic, Diagnostics, Outcome};
use crate::source::{FileId, SourceMap, Span};

/// How many diagnostics, beyond those that are kept, before a text is taken to be no configuration at all.
const MOST_DROPPED: usize = 5_000;

/// Sources and diagnostics, which every stage adds to.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) sources: SourceMap,
    pub(crate) diagnostics: Diagnostics,
    /// Every command so far, if they are to be looked at.
    pub(crate) commands: Vec<crate::lower::script_files::Command>,
    pub(crate) look_at_scripts: bool,
    /// Reading was given up: what is said after that would only follow from it.
    pub(crate) stopped: bool,
    /// Names whose definitions are not written right, which was reported.
    pub(crate) lost_names: Vec<Box<str>>,
    /// Lines that did not become what they were meant to, and the code that said so: what else seems wrong with them
    /// only follows from it.
    pub(crate) spoilt: HashMap<(FileId, usize), &'static str>,
}

impl Context {
    /// Something was reported before, and this is what it leads to.
    pub(crate) fn leads_to(&mut self, outcome: Outcome) {
        self.diagnostics.leads_to(outcome);
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        let follows = !self.spoilt.is_empty()
            && diagnostic.span.is_some_and(|span| self.spoilt.contains_key(&self.line_of(span)));
        if follows {
            self.leads_to(diagnostic.outcome);
        } else if !self.stopped {
            self.diagnostics.push(diagnostic);
            if self.diagnostics.dropped() > MOST_DROPPED {
                self.diagnostics.push_last(
                    Diagnostic::error("too-many-mistakes", "too many mistakes to go on reading").fatal(),
                );
                self.stopped = true;
            }
        }
    }

    /// Reports why a line does not become what it was meant to; nothing else will be said about it.
    pub(crate) fn spoil(&mut self, diagnostic: Diagnostic) {
        let Some(span) = diagnostic.span else { return self.report(diagnostic) };
        let code = *self.spoilt.entry(self.line_of(span)).or_insert(diagnostic.code);
        // The same line may be used many times: its diagnostic counts them.
        if code != diagnostic.code {
            self.leads_to(diagnostic.outcome);
        } else if !self.stopped {
            self.diagnostics.push(diagnostic);
        }
    }

    fn line_of(&self, span: Span) -> (FileId, usize) {
        (span.file, self.sources.file(span.file).line_of(span.start))
    }
}
