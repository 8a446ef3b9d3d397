//! Diagnostics as text, in rustc's manner, and as JSON lines.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use serde::Serialize;

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::{FileId, SourceMap, Span};

/// Over how many lines a span is underlined.
const LINES_SHOWN: usize = 100;
/// How many steps of an expansion chain are shown.
const CHAIN_SHOWN: usize = 6;

/// One diagnostic for programs.
#[derive(Serialize)]
struct Line<'a> {
    severity: Severity,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related>,
    #[serde(skip_serializing_if = "is_zero")]
    repeated: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Another place of a diagnostic for programs.
#[derive(Serialize)]
struct Related {
    file: String,
    line: usize,
    column: usize,
    message: String,
}

impl Diagnostics {
    /// As text for people; with colours when `styled`. Mistakes and warnings come with the text that is meant, notes
    /// as a line each after them. Ends with a newline unless empty.
    pub fn render_text(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for diagnostic in self.list.iter().filter(|diagnostic| diagnostic.severity > Severity::Note) {
            text.push_str(&renderer.render(&groups(diagnostic, &self.sources)));
            text.push_str("\n\n");
        }
        for note in self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Note) {
            text.push_str(&self.short(note));
            text.push('\n');
        }
        if self.dropped > 0 {
            text.push_str(&format!("… and {} more\n", self.dropped));
        }
        text
    }

    /// As JSON, one object a line.
    pub fn render_json(&self) -> String {
        let mut text = String::new();
        for diagnostic in &self.list {
            if let Ok(line) = serde_json::to_string(&self.line(diagnostic)) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
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

    fn line<'a>(&'a self, diagnostic: &'a Diagnostic) -> Line<'a> {
        let place = diagnostic.span.map(|span| self.sources.place(span));
        let end = diagnostic.span.map(|span| self.sources.place(span.after()));
        let suggestion = diagnostic.suggestion.as_ref();
        let helps: Vec<&str> = suggestion
            .map(|s| s.message.as_str())
            .into_iter()
            .chain(diagnostic.notes.iter().map(String::as_str))
            .collect();
        let chain = diagnostic.span.into_iter().flat_map(|span| self.sources.chain(span)).take(CHAIN_SHOWN);
        let related = diagnostic
            .related
            .iter()
            .map(|(span, message)| (*span, message.clone()))
            .chain(definitions(diagnostic, &self.sources).map(|span| (span, DEFINED_HERE.to_owned())))
            .chain(chain.map(|step| (step.at, format!("in the expansion of {}", step.what))))
            .map(|(span, message)| {
                let place = self.sources.place(span);
                Related {
                    file: place.path.display().to_string(),
                    line: place.line,
                    column: place.column,
                    message,
                }
            })
            .collect();
        Line {
            severity: diagnostic.severity,
            code: diagnostic.code,
            message: &diagnostic.message,
            file: place.as_ref().map(|place| place.path.display().to_string()),
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            end_line: end.as_ref().map(|place| place.line),
            end_column: end.as_ref().map(|place| place.column),
            label: &diagnostic.label,
            help: (!helps.is_empty()).then(|| helps.join("; ")),
            replacement: suggestion.map(|s| s.replacement.as_str()),
            related,
            repeated: diagnostic.repeated,
        }
    }
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
            let text = format!("in the expansion of {}, {}:{}", step.what, place.path.display(), place.line);
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
    if let Some(suggestion) = &diagnostic.suggestion {
        let window = Window::around(sources, suggestion.span.file, [suggestion.span]);
        groups.push(
            Group::with_title(Level::HELP.secondary_title(suggestion.message.as_str())).element(
                Snippet::source(window.text)
                    .path(window.path.clone())
                    .line_start(window.line)
                    .patch(Patch::new(window.range(suggestion.span), suggestion.replacement.as_str())),
            ),
        );
    }
    groups
}

/// Said of the definition of a name that a diagnostic underlines.
const DEFINED_HERE: &str = "defined here";

/// Where the names that are underlined got their values.
fn definitions(diagnostic: &Diagnostic, sources: &SourceMap) -> impl Iterator<Item = Span> {
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
        Snippet::source(window.text).path(window.path.clone()).line_start(window.line).fold(true),
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
    text: &'a str,
    path: String,
    line: usize,
    start: usize,
}

impl<'a> Window<'a> {
    fn around(sources: &'a SourceMap, file: FileId, spans: impl IntoIterator<Item = Span> + Clone) -> Self {
        let source = sources.file(file);
        let first = spans.clone().into_iter().map(|span| span.start).min().unwrap_or(0);
        let last = spans.into_iter().map(|span| span.end).max().unwrap_or(0);
        let line = source.line_of(first);
        let start = source.line_start(line);
        let end = source.line_start(source.line_of(last) + 1);
        Self {
            text: source.text.get(start..end).unwrap_or(""),
            path: source.path.display().to_string(),
            line: line + 1,
            start,
        }
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let start = (span.start as usize).saturating_sub(self.start).min(self.text.len());
        let end = (span.end as usize).saturating_sub(self.start).min(self.text.len());
        start..end.max(start)
    }
}
