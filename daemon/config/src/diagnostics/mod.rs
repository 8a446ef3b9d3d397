//! What is wrong with a configuration, or worth saying about it.
//!
//! Goes in: [`Diagnostic`]s, each with a severity, a stable code, a place, and what to do about it. Comes out: text as
//! rustc writes it, JSON lines for programs, and the exit status of `-t`. One mistake makes one diagnostic: whoever
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

/// What a configuration with this diagnostic in it can do, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Runs as written.
    Runs,
    /// Runs, but something is left out or changed.
    RunsChanged,
    /// Runs, but a script may be unsafe to run.
    UnsafeScript,
    /// Cannot run.
    CannotRun,
    /// Cannot run, as a file that must be there is not, or can't be read.
    NoFile,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Runs, Self::RunsChanged, Self::UnsafeScript, Self::CannotRun, Self::NoFile];

    /// Exit status of `-t`: what keepalived's answers, which is not what its manual page says. What it would not run it
    /// calls changed, too; of a file that it was told to insist on (`includea`) it says 6.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Runs => 0,
            Self::RunsChanged | Self::CannotRun => 5,
            Self::UnsafeScript | Self::NoFile => 6,
        }
    }

    /// Can it run at all?
    pub fn runs(self) -> bool {
        match self {
            Self::Runs | Self::RunsChanged | Self::UnsafeScript => true,
            Self::CannotRun | Self::NoFile => false,
        }
    }
}

/// Every outcome that something in a configuration leads to: its exit status is that of one, and whether it runs may be
/// decided by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(u8);

impl Outcomes {
    fn add(&mut self, outcome: Outcome) {
        self.0 |= 1 << outcome as u8;
    }

    fn has(self, outcome: Outcome) -> bool {
        self.0 & (1 << outcome as u8) != 0
    }

    /// These and those.
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    fn each(self) -> impl Iterator<Item = Outcome> {
        Outcome::ALL.into_iter().filter(move |outcome| self.has(*outcome))
    }

    /// The worst of them.
    pub fn worst(self) -> Outcome {
        self.each().last().unwrap_or(Outcome::Runs)
    }

    /// Exit status of `-t`: 0 (runs as written), 5 (changed), 6 (script security, or a file is missing); of several the
    /// highest, as in keepalived.
    pub fn exit_status(self) -> u8 {
        self.each().map(Outcome::exit_status).max().unwrap_or(0)
    }

    /// In words, for the end of a summary.
    fn verdict(self) -> &'static str {
        match (self.worst(), self.has(Outcome::RunsChanged)) {
            (Outcome::Runs, _) => "the configuration runs",
            (Outcome::RunsChanged, _) => "the configuration runs after changes",
            (Outcome::UnsafeScript, false) => "the configuration runs, but a script may be unsafe",
            (Outcome::UnsafeScript, true) => {
                "the configuration runs after changes, and a script may be unsafe"
            }
            (Outcome::CannotRun | Outcome::NoFile, _) => "the configuration cannot run",
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

    /// A mistake that the daemon can run with, leaving something out.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Outcome::RunsChanged, code, message.into())
    }

    /// Something will not be as written. The exit status stays as it is unless [`Self::changes`] is called.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Outcome::Runs, code, message.into())
    }

    /// Worth knowing.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, Outcome::Runs, code, message.into())
    }

    /// Marks it as something that keepalived would run with after changing it.
    pub fn changes(mut self) -> Self {
        self.outcome = Outcome::RunsChanged;
        self
    }

    /// Marks it as something that cannot run.
    pub fn fatal(mut self) -> Self {
        self.outcome = Outcome::CannotRun;
        self
    }

    /// Marks it as a file that nothing runs without.
    pub(crate) fn no_file(mut self) -> Self {
        self.outcome = Outcome::NoFile;
        self
    }

    /// Marks it as a matter of script security.
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

    /// The secrets on the lines that it is about are in none of its words.
    fn hide_secrets(&mut self, sources: &SourceMap) {
        let places = self.span.into_iter().chain(self.related.iter().map(|(place, _)| *place));
        let places = places.chain(self.suggestion.iter().map(|mend| mend.span));
        let values = sources.secrets_at(places.flat_map(|place| {
            let asked_for = sources.chain(place).map(|step| step.at);
            std::iter::once(place).chain(asked_for).chain(sources.definitions(place))
        }));
        if values.is_empty() {
            return;
        }
        if let Some(mend) = &mut self.suggestion
            && let Some(hidden) = values.hidden_in_code(&mend.replacement)
        {
            mend.replacement = hidden;
        }
        let mend = self.suggestion.iter_mut().map(|mend| &mut mend.message);
        let related = self.related.iter_mut().map(|(_, label)| label);
        let own = [&mut self.message, &mut self.label];
        for text in own.into_iter().chain(related).chain(&mut self.notes).chain(mend) {
            if let Some(hidden) = values.hidden(text) {
                *text = hidden;
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
    outcomes: Outcomes,
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
        self.outcomes.add(diagnostic.outcome);
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
        self.outcomes.add(diagnostic.outcome);
        self.errors += 1;
        self.list.push(diagnostic);
    }

    pub(crate) fn leads_to(&mut self, outcome: Outcome) {
        self.outcomes.add(outcome);
    }

    /// Something else than the diagnostics say decides what the configuration can do.
    pub(crate) fn set_outcomes(&mut self, outcomes: Outcomes) {
        self.outcomes = outcomes;
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
        for diagnostic in &mut self.list {
            diagnostic.hide_secrets(&self.sources);
        }
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

    /// Everything that they lead to.
    pub fn outcomes(&self) -> Outcomes {
        self.outcomes
    }

    /// Exit status of `-t`: [`Outcomes::exit_status`].
    pub fn exit_status(&self) -> u8 {
        self.outcomes.exit_status()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_is_keepalived_s_and_the_verdict_tells_what_it_does_not() {
        use Outcome::*;
        let unsafe_script = "the configuration runs, but a script may be unsafe";
        let unsafe_too = "the configuration runs after changes, and a script may be unsafe";
        let cases: &[(&[Outcome], u8, &str)] = &[
            (&[], 0, "the configuration runs"),
            (&[Runs], 0, "the configuration runs"),
            (&[RunsChanged, Runs], 5, "the configuration runs after changes"),
            (&[UnsafeScript], 6, unsafe_script),
            (&[UnsafeScript, RunsChanged], 6, unsafe_too),
            (&[CannotRun, Runs], 5, "the configuration cannot run"),
            (&[UnsafeScript, CannotRun], 6, "the configuration cannot run"),
            (&[NoFile], 6, "the configuration cannot run"),
        ];
        for (found, status, verdict) in cases {
            let mut outcomes = Outcomes::default();
            found.iter().for_each(|outcome| outcomes.add(*outcome));
            assert_eq!((outcomes.exit_status(), outcomes.verdict()), (*status, *verdict), "{found:?}");
        }
    }
}
