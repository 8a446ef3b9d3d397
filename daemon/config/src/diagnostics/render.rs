//! Diagnostics as text, in rustc's manner.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Outcomes, Severity, Suggestion};
use crate::encoding;
use crate::secrets::MASK;
use crate::source::{FileId, SourceMap, Span};

/// Over how many lines a span is underlined.
const LINES_SHOWN: usize = 100;
/// The longest line that is shown whole with its mend, and how much of a longer one on both sides, in characters.
const LONGEST_MENDED: usize = 200;
const AROUND_MEND: usize = 60;
/// How many steps of an expansion chain are shown.
pub(super) const CHAIN_SHOWN: usize = 6;

impl Diagnostics {
    /// As text for people; with colours when `styled`. Mistakes come first, then warnings, each with the text that is
    /// meant; what is not acted on yet, and notes, are a line each after them. Ends with a newline unless empty.
    pub fn render_text(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for severity in [Severity::Error, Severity::Warning] {
            for diagnostic in self.list.iter().filter(|diagnostic| diagnostic.severity == severity) {
                if !is_remark(diagnostic) {
                    text.push_str(&renderer.render(&groups(diagnostic, &self.sources)));
                    text.push_str("\n\n");
                }
            }
        }
        for remark in self.list.iter().filter(|diagnostic| is_remark(diagnostic)) {
            text.push_str(&self.short(remark));
            text.push('\n');
        }
        if self.dropped > 0 {
            text.push_str(&format!("… and {} more\n", self.dropped));
        }
        text
    }

    /// Everything that was said about a configuration in one line, e.g. `2 errors, 1 warning; the configuration runs
    /// after changes`.
    pub fn summary<'a>(all: impl IntoIterator<Item = &'a Self> + Clone) -> String {
        let count = |severity: Severity, one: &str| {
            let each = all.clone().into_iter().map(|diagnostics| match severity {
                Severity::Error => diagnostics.errors,
                Severity::Warning | Severity::Note => {
                    diagnostics.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
                }
            });
            match each.sum::<usize>() {
                0 => None,
                1 => Some(format!("1 {one}")),
                more => Some(format!("{more} {one}s")),
            }
        };
        let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
        let counts: Vec<String> =
            counts.into_iter().filter_map(|(severity, one)| count(severity, one)).collect();
        let outcomes =
            all.into_iter().fold(Outcomes::default(), |sum, diagnostics| sum.and(diagnostics.outcomes));
        let verdict = outcomes.verdict();
        if counts.is_empty() { verdict.to_owned() } else { format!("{}; {verdict}", counts.join(", ")) }
    }

    /// One line each, `file:line:column: severity: message`, as for a log.
    pub fn render_short(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|diagnostic| self.short(diagnostic))
    }

    fn short(&self, diagnostic: &Diagnostic) -> String {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let text = format!("{severity}: {} [{}]", diagnostic.message, diagnostic.code);
        match diagnostic.span {
            None => text,
            Some(span) => {
                let place = self.sources.place(span);
                format!("{}:{}:{}: {text}", place.path.display(), place.line, place.column)
            }
        }
    }
}

/// Is one line enough to say it?
fn is_remark(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Note
}

/// The parts of one diagnostic: message with its places, the chain of expansions, the mend.
fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut main = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code));
    for (file, spans) in by_file(diagnostic, sources) {
        main = main.element(snippet(sources, file, &spans));
    }
    if let Some(span) = diagnostic.span {
        for step in sources.chain(span).take(CHAIN_SHOWN) {
            let place = sources.place(step.at);
            let text = format!(
                "in the expansion of {}, {}:{}",
                sources.told(step),
                place.path.display(),
                place.line
            );
            main = main.element(Level::NOTE.message(text));
        }
    }
    if diagnostic.repeated > 0 {
        let text = format!("the same in {} more expansions of this text", diagnostic.repeated);
        main = main.element(Level::NOTE.message(text));
    }
    for note in &diagnostic.notes {
        main = main.element(Level::HELP.message(note.as_str()));
    }
    let mut groups = vec![main];
    groups.extend(diagnostic.suggestion.as_ref().map(|suggestion| mend(suggestion, sources)));
    groups
}

/// What to put in place of what, with the lines as they would be; of very long text only what to do.
fn mend<'a>(suggestion: &'a Suggestion, sources: &'a SourceMap) -> Group<'a> {
    let span = suggestion.span;
    let title = Level::HELP.secondary_title(suggestion.message.as_str());
    if (span.end - span.start) as usize > LONGEST_MENDED {
        return Group::with_title(title).element(snippet(sources, span.file, &[(span, "", false)]));
    }
    let window = Window::around(sources, span.file, [span]).near(span);
    Group::with_title(title).element(
        Snippet::source(window.text.clone())
            .path(window.path.clone())
            .line_start(window.line)
            .patch(Patch::new(window.range(span), suggestion.replacement.as_str())),
    )
}

/// Said of the definition of a name that a diagnostic underlines.
pub(super) const DEFINED_HERE: &str = "defined here";

/// Where the names that are underlined got their values.
pub(super) fn definitions(diagnostic: &Diagnostic, sources: &SourceMap) -> impl Iterator<Item = Span> {
    diagnostic.span.into_iter().flat_map(|span| sources.definitions(span))
}

/// A place, its words, and whether it is the main one.
type Labelled<'a> = (Span, &'a str, bool);

/// The places of a diagnostic, file by file, the main file first.
fn by_file<'a>(diagnostic: &'a Diagnostic, sources: &SourceMap) -> Vec<(FileId, Vec<Labelled<'a>>)> {
    let main = diagnostic.span.map(|span| (span, diagnostic.label.as_str(), true));
    let related = diagnostic.related.iter().map(|(span, label)| (*span, label.as_str(), false));
    let definitions = definitions(diagnostic, sources).map(|span| (span, DEFINED_HERE, false));
    let mut files: Vec<(FileId, Vec<Labelled<'a>>)> = Vec::new();
    for labelled in main.into_iter().chain(related).chain(definitions) {
        match files.iter_mut().find(|(file, _)| *file == labelled.0.file) {
            Some((_, list)) => list.push(labelled),
            None => files.push((labelled.0.file, vec![labelled])),
        }
    }
    files
}

fn snippet<'a>(sources: &'a SourceMap, file: FileId, spans: &[Labelled<'a>]) -> Snippet<'a, Annotation<'a>> {
    let spans: Vec<Labelled<'a>> =
        spans.iter().map(|(span, label, primary)| (shown(sources, *span), *label, *primary)).collect();
    let window = Window::around(sources, file, spans.iter().map(|labelled| labelled.0));
    spans.iter().fold(
        Snippet::source(window.text.clone()).path(window.path.clone()).line_start(window.line).fold(true),
        |snippet, (span, label, primary)| {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(window.range(*span));
            snippet.annotation(if label.is_empty() { annotation } else { annotation.label(*label) })
        },
    )
}

/// As much of a span as is underlined: of one over very many lines the first.
fn shown(sources: &SourceMap, span: Span) -> Span {
    let source = sources.file(span.file);
    let first = source.line_of(span.start);
    if source.line_of(span.end) - first <= LINES_SHOWN {
        return span;
    }
    let end = (source.line_start(first + 1) as u32).saturating_sub(1);
    Span { end: end.max(span.start), ..span }
}

/// The lines of a file that some spans are in; big files are not scanned from the start for each diagnostic.
struct Window<'a> {
    text: Cow<'a, str>,
    path: String,
    line: usize,
    /// First byte of the file that is in it.
    start: usize,
    /// Secrets, in bytes of the file, each of which a mask stands for.
    masked: Vec<Range<usize>>,
    /// How far the text was moved when its beginning was left out.
    moved: usize,
}

impl<'a> Window<'a> {
    fn around(sources: &'a SourceMap, file: FileId, spans: impl IntoIterator<Item = Span> + Clone) -> Self {
        let source = sources.file(file);
        let first = spans.clone().into_iter().map(|span| span.start).min().unwrap_or(0);
        let last = spans.into_iter().map(|span| span.end).max().unwrap_or(0);
        let line = source.line_of(first);
        let start = source.line_start(line);
        let end = source.line_start(source.line_of(last) + 1);
        let masked: Vec<Range<usize>> = sources.secrets().within(file, start..end).collect();
        let mut text = encoding::shown(source.text.get(start..end).unwrap_or(""));
        for secret in masked.iter().rev() {
            let here = secret.start.max(start) - start..secret.end.min(end) - start;
            text.to_mut().replace_range(here, MASK);
        }
        Self { text, path: source.path.display().to_string(), line: line + 1, start, masked, moved: 0 }
    }

    /// Where in the text a byte of the file is. Of what is in the middle of a secret all of its mask is meant.
    fn place(&self, offset: usize, is_end: bool) -> usize {
        let mut place = offset.saturating_sub(self.start);
        for secret in self.masked.iter().take_while(|secret| secret.start < offset) {
            let hidden = secret.end.min(offset).saturating_sub(secret.start.max(self.start));
            let mask = if offset >= secret.end || is_end { MASK.len() } else { 0 };
            place = (place + mask).saturating_sub(hidden);
        }
        place.saturating_sub(self.moved)
    }

    /// Where in the window a span is, whole characters of it: half of one cannot be underlined.
    /// Only what is near to a span, if its line is long: a mend is shown with its whole line otherwise.
    fn near(self, span: Span) -> Self {
        let range = self.range(span);
        let within = |text: &str| text.trim_end_matches(['\n', '\r']).contains('\n');
        if self.text.len() <= LONGEST_MENDED || within(&self.text) {
            return self;
        }
        let (before, rest) = self.text.split_at(range.start.min(self.text.len()));
        let (mended, after) = rest.split_at(range.len().min(rest.len()));
        let first = before.char_indices().rev().take(AROUND_MEND).last().map_or(0, |(at, _)| at);
        // Places are told by how far they are from the start, so what stands for the rest may not be longer than it.
        let first = if first < "…".len() { 0 } else { first };
        let after = after.trim_end_matches(['\n', '\r']);
        let end = after.char_indices().nth(AROUND_MEND).map_or(after.len(), |(at, _)| at);
        let dots = |left_out: bool| if left_out { "…" } else { "" };
        let beginning = dots(first > 0);
        let shown = before.get(first..).unwrap_or("");
        let text = format!(
            "{beginning}{shown}{mended}{}{}",
            after.get(..end).unwrap_or(""),
            dots(end < after.len())
        );
        let moved = self.moved + first - beginning.len();
        Self { text: Cow::Owned(text), moved, ..self }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let within = |offset: u32, is_end| self.place(offset as usize, is_end).min(self.text.len());
        let is_empty = span.start == span.end;
        let whole = |at: &usize| self.text.is_char_boundary(*at);
        let start = (0..=within(span.start, is_empty)).rev().find(whole).unwrap_or(0);
        let end = (within(span.end, true)..self.text.len()).find(whole).unwrap_or(self.text.len());
        start..end.max(start)
    }
}
