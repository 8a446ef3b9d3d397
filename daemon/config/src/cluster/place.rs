//! Where something stands in a file that was read: looked for in its text, as places are only kept of instances.

use crate::diagnostics::Diagnostic;
use crate::load::Loaded;
use crate::model::Instance;
use crate::source::{SourceFile, SourceMap, Span};

use super::pair::Finding;

/// An instance in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) sources: &'a SourceMap,
    /// Its name, where the block begins.
    pub(super) span: Option<Span>,
}

impl<'a> Place<'a> {
    pub(super) fn of_instance(file: &'a Loaded, instance: &Instance) -> Self {
        let span = file.places.instances.get(&instance.name).copied();
        Self { sources: file.diagnostics.sources(), span }
    }

    /// Where a keyword of the instance stands; else the name of the instance.
    pub(super) fn of_keyword(self, keyword: &str) -> Option<Span> {
        let block = self.span?;
        let file = self.sources.file(block.file);
        let mut depth = 0;
        for (start, line) in lines(file, block.start as usize) {
            let words = line.trim_start();
            if depth == 1 && words.split_ascii_whitespace().next() == Some(keyword) {
                return Some(whole(block, start + line.len() - words.len(), words));
            }
            let count = |brace: char| line.chars().filter(|character| *character == brace).count();
            depth += count('{');
            depth = depth.saturating_sub(count('}'));
            if depth == 0 && line.contains('}') {
                break;
            }
        }
        Some(block)
    }
}

impl Finding {
    /// The finding, said at its keyword here, with the place there.
    pub(super) fn said_of(self, here: Place<'_>, there: Place<'_>) -> Diagnostic {
        let mut diagnostic = self.diagnostic;
        if let Some(span) = here.of_keyword(self.keyword) {
            diagnostic = diagnostic.at(span, "here");
        }
        if let Some(span) = there.of_keyword(self.keyword) {
            let place = there.sources.place(span);
            diagnostic =
                diagnostic.help(format!("the other one is at {}:{}", place.path.display(), place.line));
        }
        diagnostic
    }
}

/// The first line of a file that begins with a keyword.
pub(super) fn find(file: &Loaded, keyword: &str) -> Option<Span> {
    let sources = file.diagnostics.sources();
    let id = sources.first()?;
    lines(sources.file(id), 0).find_map(|(start, line)| {
        let words = line.trim_start();
        let begins = words.split_ascii_whitespace().next() == Some(keyword);
        begins.then(|| whole(SourceMap::span(id, 0, 0), start + line.len() - words.len(), words))
    })
}

/// The lines of a file without their comments, from the one that a byte is in, and where they begin.
fn lines(file: &SourceFile, from: usize) -> impl Iterator<Item = (usize, &str)> {
    let first = file.line_of(from as u32);
    let text = file.text.get(file.line_start(first)..).unwrap_or("");
    text.lines().scan(file.line_start(first), |start, line| {
        let begin = *start;
        *start += line.len() + 1;
        let code = line.find(['#', '!']).map_or(line, |comment| line.get(..comment).unwrap_or(""));
        Some((begin, code))
    })
}

fn whole(like: Span, start: usize, words: &str) -> Span {
    let end = start + words.trim_end_matches([' ', '\t', '\r', '{']).len();
    Span { start: start as u32, end: end as u32, ..like }
}
