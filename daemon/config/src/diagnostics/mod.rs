//! What is wrong with a configuration, or worth saying about it.
//!
//! Goes in: [`Diagnostic`]s, each with a severity, a stable code, a place, and what to do about it. Comes out: text as
//! rustc writes it, JSON lines for programs, and the exit code of `-t`. One mistake makes one diagnostic: whoever
//! reports one also recovers, so that nothing follows from it.

mod json;
mod missing;
mod readable;
mod render;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use keepwatch_model::Severity;

use crate::encoding;
use crate::source::{FileId, SourceMap, Span};
use crate::spelling::nearest;
use crate::words::Word;

/// What a configuration with this diagnostic in it can do. The order is that of precedence among exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Runs as written.
    Runs,
    /// Runs, but something is left out or changed: exit code 4.
    RunsChanged,
    /// Runs, but a script may be unsafe to run: exit code 5.
    UnsafeScript,
    /// Cannot run: exit code 3.
    CannotRun,
}

impl Outcome {
    /// Exit code of `-t`, as keepalived's.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Runs => 0,
            Self::RunsChanged => 4,
            Self::UnsafeScript => 5,
            Self::CannotRun => 3,
        }
    }
}

/// A likely mend: put this text in place of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What to replace; empty to insert.
    pub span: Span,
    /// What to put there.
    pub replacement: String,
    /// Why, e.g. "did you mean `smtp_alert`?".
    pub message: String,
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What it leads to.
    pub outcome: Outcome,
    /// Stable name, e.g. `unknown-keyword`.
    pub code: &'static str,
    /// One line, no full stop.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// Words at the place.
    pub label: String,
    /// Other places that matter.
    pub related: Vec<(Span, String)>,
    /// More to say.
    pub notes: Vec<String>,
    /// A likely mend.
    pub suggestion: Option<Suggestion>,
    /// How often the same place made it again, in other expansions of the same text.
    pub repeated: usize,
}

impl Diagnostic {
    fn new(severity: Severity, outcome: Outcome, code: &'static str, message: String) -> Self {
        Self {
            severity,
            outcome,
            code,
            message,
            span: None,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            suggestion: None,
            repeated: 0,
        }
    }

    /// A mistake that the daemon can run with, leaving something out: exit code 4.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Outcome::RunsChanged, code, message.into())
    }

    /// Something will not be as written. The exit code stays as it is unless [`Self::changes`] is called.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Outcome::Runs, code, message.into())
    }

    /// Worth knowing.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, Outcome::Runs, code, message.into())
    }

    /// Marks it as something that keepalived would run with after changing it: exit code 4.
    pub fn changes(mut self) -> Self {
        self.outcome = Outcome::RunsChanged;
        self
    }

    /// Marks it as something that cannot run: exit code 3.
    pub fn fatal(mut self) -> Self {
        self.outcome = Outcome::CannotRun;
        self
    }

    /// Marks it as a matter of script security: exit code 5.
    pub fn unsafe_script(mut self) -> Self {
        self.outcome = Outcome::UnsafeScript;
        self
    }

    /// Where it is, and what to say there.
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.span = Some(span);
        self.label = label.into();
        self
    }

    /// Another place that matters.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// One more sentence.
    pub fn help(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// A likely mend.
    pub fn suggest(mut self, span: Span, replacement: impl Into<String>, message: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion { span, replacement: replacement.into(), message: message.into() });
        self
    }

    /// The likely mend of a word that should begin a line: what stands before it goes, back to this byte.
    pub(crate) fn suggest_new_line(self, from: u32, word: &Word, sources: &SourceMap) -> Self {
        let source = sources.file(word.span.file);
        let start = source.line_start(source.line_of(word.span.start));
        let line = source.text.get(start..word.span.start as usize).unwrap_or("");
        let indent: String = line.chars().take_while(|character| character.is_whitespace()).collect();
        let place = Span { start: from.min(word.span.start), ..word.span };
        self.suggest(place, format!("\n{indent}{}", word.text), "begin a new line")
    }

    /// Whatever is quoted of a text in it can be shown.
    fn make_readable(&mut self) {
        let related = self.related.iter_mut().map(|(_, label)| label);
        let suggestion = self.suggestion.iter_mut().map(|mend| {
            // A mend may have several lines.
            if let Cow::Owned(readable) = encoding::shown(&mend.replacement) {
                mend.replacement = readable;
            }
            &mut mend.message
        });
        let own = [&mut self.message, &mut self.label];
        for text in own.into_iter().chain(related).chain(&mut self.notes).chain(suggestion) {
            if let Cow::Owned(readable) = readable::readable(text) {
                *text = readable;
            }
        }
    }

    /// The likely mend of a misspelt word: the nearest of those that would be right, if one is near.
    pub(crate) fn suggest_nearest<'a>(self, word: &Word, right: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(&word.text, right) {
            Some(meant) => self.suggest(word.span, meant, format!("did you mean `{meant}`?")),
            None => self,
        }
    }
}

/// What was found while reading one configuration, in the order of finding.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    dropped: usize,
    worst: Option<Outcome>,
    errors: usize,
    sources: Arc<SourceMap>,
    /// Which diagnostics there are of expanded texts: the same text makes each only once.
    seen: HashMap<(&'static str, FileId, u32, u32), Vec<usize>>,
}

impl Diagnostics {
    /// How many are kept; a file with more mistakes than this is told how many more there are.
    pub const KEPT: usize = 1000;

    pub(crate) fn push(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.make_readable();
        self.worst = self.worst.max(Some(diagnostic.outcome));
        if let Some(span) = diagnostic.span {
            let place = (diagnostic.code, span.file, span.start, span.end);
            let known = self.seen.get(&place).map_or(&[][..], Vec::as_slice);
            if let Some(first) = same(known, &diagnostic, span, &self.list) {
                if let Some(first) = self.list.get_mut(first) {
                    first.repeated += 1;
                }
                return;
            }
            // What is not kept need not be known again.
            if self.list.len() < Self::KEPT {
                self.seen.entry(place).or_default().push(self.list.len());
            }
        }
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        if self.list.len() < Self::KEPT {
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds one that is kept in any case.
    pub(crate) fn push_last(&mut self, diagnostic: Diagnostic) {
        self.worst = self.worst.max(Some(diagnostic.outcome));
        self.errors += 1;
        self.list.push(diagnostic);
    }

    pub(crate) fn leads_to(&mut self, outcome: Outcome) {
        self.worst = self.worst.max(Some(outcome));
    }

    /// Something else than the diagnostics say decides what the configuration can do.
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.worst = Some(outcome);
    }

    /// Drops the complaints that something is missing which is there, but in the wrong place or with a wrong value (and
    /// was reported there).
    pub(crate) fn drop_missing(&mut self, lost: &[&'static str]) {
        // Lines that a sequence did not make may have been anything.
        let any = self.list.iter().any(|diagnostic| diagnostic.code == "bad-sequence");
        let follows = |diagnostic: &Diagnostic| {
            let lacks = missing::what_is_missing(diagnostic.code);
            (any && !lacks.is_empty()) || lacks.iter().any(|keyword| lost.contains(keyword))
        };
        if lost.is_empty() && !any {
            return;
        }
        self.list.retain(|diagnostic| {
            let follows = follows(diagnostic);
            self.errors -= usize::from(follows && diagnostic.severity == Severity::Error);
            !follows
        });
    }

    /// Drops the complaints that a name is not defined whose definition was reported to be wrong.
    pub(crate) fn drop_undefined(&mut self, lost: &[Box<str>]) {
        let follows = |diagnostic: &Diagnostic| {
            let names = |name: &str| diagnostic.message.contains(&format!("`${name}`"));
            diagnostic.code == "undefined-name" && lost.iter().any(|name| names(name))
        };
        self.errors -= self.list.iter().filter(|diagnostic| follows(diagnostic)).count();
        self.list.retain(|diagnostic| !follows(diagnostic));
    }

    pub(crate) fn set_sources(&mut self, sources: Arc<SourceMap>) {
        self.sources = sources;
        let sources = &self.sources;
        let key = |diagnostic: &Diagnostic| {
            // An expanded text is sorted where the file asks for it.
            diagnostic.span.map_or((0, 0), |span| (1, sources.outermost(span).start))
        };
        if sources.files().count() == 1 {
            self.list.sort_by_key(key);
        }
    }

    /// Everything, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Is there nothing to say?
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The lines, by file and number from 0, that have a mistake.
    pub(crate) fn lines_with_errors(&self) -> HashSet<(FileId, usize)> {
        let errors = self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let spans = errors.filter_map(|diagnostic| diagnostic.span);
        spans.map(|span| (span.file, self.sources.file(span.file).line_of(span.start))).collect()
    }

    /// Is there a mistake? Then a reload keeps the configuration that is running.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Is a brace wrong? Then the indentation may tell where it should be, and nobody should change it.
    pub fn has_wrong_braces(&self) -> bool {
        const CODES: &[&str] = &["missing-brace", "surplus-brace", "misplaced-brace", "unexpected-brace"];
        self.list.iter().any(|diagnostic| CODES.contains(&diagnostic.code))
    }

    /// Is it not text, or not of lines? Then its bytes are better left alone.
    pub fn is_of_no_lines(&self) -> bool {
        const CODES: &[&str] = &["invalid-encoding", "line-ends"];
        let mut errors = self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        errors.any(|diagnostic| CODES.contains(&diagnostic.code))
    }

    /// How many mistakes.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many diagnostics were not kept because there were too many.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The worst that any of them leads to.
    pub fn outcome(&self) -> Outcome {
        self.worst.unwrap_or(Outcome::Runs)
    }

    /// Exit code of `-t`: 0, 3 (cannot run), 4 (runs after changes), 5 (script security).
    pub fn exit_code(&self) -> u8 {
        self.outcome().exit_code()
    }

    pub(crate) fn shared_sources(&self) -> Arc<SourceMap> {
        self.sources.clone()
    }

    /// The texts that the places are in.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }
}

/// Which of those known of a place says the same of another expansion of its text, if one does.
///
/// One text can lack two things, each of which is a diagnostic: within one expansion only the same words are the same.
fn same(known: &[usize], new: &Diagnostic, span: Span, list: &[Diagnostic]) -> Option<usize> {
    let of = |index: &usize| list.get(*index);
    let here = known.iter().any(|index| of(index).is_some_and(|other| other.span == Some(span)));
    if here {
        return known
            .iter()
            .copied()
            .find(|index| of(index).is_some_and(|other| other.message == new.message));
    }
    let alike = known.iter().copied().find(|index| of(index).is_some_and(|other| other.label == new.label));
    alike.or(known.first().copied())
}
