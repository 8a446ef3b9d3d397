//! One thing to say of a configuration: how bad it is, where it is, and what to do about it.

use std::borrow::Cow;

use super::{Outcome, Severity, readable};
use crate::encoding;
use crate::source::{SourceMap, Span};
use crate::spelling::nearest;
use crate::words::Word;

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
    /// The name that is used and not defined, without its `$`, if that is what it says.
    pub(crate) undefined: Option<Box<str>>,
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
            undefined: None,
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

    /// A name is used that is not defined.
    pub(crate) fn undefined(message: impl Into<String>, name: Option<&str>) -> Self {
        Self { undefined: name.map(Into::into), ..Self::error("undefined-name", message) }
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
    pub(super) fn make_readable(&mut self) {
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
    pub(super) fn hide_secrets(&mut self, sources: &SourceMap) {
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
