//! Where a word stands in a file that was read: looked for in its text, as places are only kept of instances.

use std::net::IpAddr;
use std::ops::Range;

use crate::diagnostics::Diagnostic;
use crate::load::Loaded;
use crate::model::Instance;
use crate::source::{SourceFile, SourceMap, Span};

/// An instance in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) sources: &'a SourceMap,
    /// Its name, where the block begins.
    pub(crate) span: Option<Span>,
}

impl<'a> Place<'a> {
    pub(crate) fn of_instance(file: &'a Loaded, instance: &Instance) -> Self {
        let span = file.places.instances.get(&instance.name).copied();
        Self { sources: file.diagnostics.sources(), span }
    }

    /// The lines of its block, each with its depth in it, from 0 for the one with its name, and where it begins.
    fn lines(self) -> impl Iterator<Item = (usize, usize, &'a str)> {
        let file = self.span.map(|block| (self.sources.file(block.file), block));
        let mut depth = 0usize;
        let mut ended = false;
        file.into_iter().flat_map(|(file, block)| lines(file, block.start as usize)).map_while(
            move |(start, line)| {
                if ended {
                    return None;
                }
                let before = depth;
                let count = |brace: char| line.chars().filter(|character| *character == brace).count();
                depth = (depth + count('{')).saturating_sub(count('}'));
                ended = depth == 0 && line.contains('}');
                Some((before, start, line))
            },
        )
    }

    /// Where a word stands in the instance; else the name of the instance.
    pub(crate) fn of_word(self, word: &str) -> Option<Span> {
        let block = self.span?;
        let found = self.lines().filter(|(depth, _, _)| *depth > 0).find_map(|(_, start, line)| {
            word_in(line, word).map(|at| Span {
                start: (start + at) as u32,
                end: (start + at + word.len()) as u32,
                ..block
            })
        });
        found.or(Some(block))
    }

    /// Where an address stands in the instance behind one of these keywords: as a value, or in its block.
    pub(crate) fn of_address(self, address: IpAddr, keywords: &[&str]) -> Option<Span> {
        let block = self.span?;
        let mut within = "";
        self.lines().filter(|(depth, _, _)| *depth > 0).find_map(|(depth, start, line)| {
            if depth == 1 {
                within = line
                    .split(|c: char| c.is_whitespace() || c == '{')
                    .find(|word| !word.is_empty())
                    .unwrap_or("");
            }
            let found = keywords.contains(&within).then(|| address_in(line, address)).flatten()?;
            Some(Span { start: (start + found.start) as u32, end: (start + found.end) as u32, ..block })
        })
    }

    /// Says it there, else where the instance begins.
    pub(crate) fn mark(self, diagnostic: Diagnostic, at: Option<Span>, label: &str) -> Diagnostic {
        match at.or(self.span) {
            Some(at) => diagnostic.at(at, label),
            None => diagnostic,
        }
    }
}

/// Where an address stands in a line, whatever its prefix.
fn address_in(line: &str, address: IpAddr) -> Option<Range<usize>> {
    let words = line.split(|c: char| c.is_whitespace() || matches!(c, '{' | '}'));
    let mut words = words.filter(|word| !word.is_empty());
    let word = words.find(|word| crate::values::host(word) == Some(address))?;
    let start = word.as_ptr() as usize - line.as_ptr() as usize;
    Some(start..start + word.len())
}

/// Where a word stands in a line.
fn word_in(line: &str, word: &str) -> Option<usize> {
    let part_of_word =
        |c: Option<char>| c.is_some_and(|c| !(c.is_whitespace() || matches!(c, '{' | '}' | '"' | ',')));
    line.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        !part_of_word(before) && !part_of_word(after)
    })
}

/// Where a word first stands in a file, outside of comments.
pub(crate) fn find_word(file: &Loaded, word: &str) -> Option<Span> {
    let sources = file.diagnostics.sources();
    let id = sources.first()?;
    lines(sources.file(id), 0).find_map(|(start, line)| {
        word_in(line, word).map(|at| SourceMap::span(id, start + at, start + at + word.len()))
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
