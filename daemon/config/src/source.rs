//! The source map: every text that was read, and how to say where something stands in it.
//!
//! Goes in: texts with their names. Comes out: [`FileId`]s, and for each [`Span`] its file, line and column. A span
//! also remembers the expansion (`$NAME`, `~SEQ`, `include`) that it came out of, so that a diagnostic can show the
//! whole chain.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::secrets::{Secrets, Values};

/// Number of a file in the [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

/// Number of an expansion in the [`SourceMap`]; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExpansionId(u32);

impl ExpansionId {
    /// Text that stands in the file as it was read.
    pub const NONE: Self = Self(0);
}

/// A stretch of a file, in bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What this text was expanded by.
    pub expansion: ExpansionId,
}

impl Span {
    /// From the start of this span to the end of another of the same file.
    pub fn to(self, other: Self) -> Self {
        if self.file == other.file && other.end >= self.start {
            Self { end: other.end, ..self }
        } else {
            self
        }
    }

    /// The empty span just after this one.
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }
}

/// A value and where it is written.
pub(crate) type Placed<T> = Option<(T, Span)>;

/// Why a text stands where it does: a definition was used there, a sequence or list was run through, or a file was
/// included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// For people, e.g. `` `$VI` `` or `` `~SEQ` with `I` = 7 ``.
    pub what: Arc<str>,
    /// Where it was asked for.
    pub at: Span,
}

/// A text and where its lines begin.
#[derive(Debug)]
pub struct SourceFile {
    /// As the user would name it.
    pub path: PathBuf,
    /// The text; bytes that are not UTF-8 have been replaced.
    pub text: String,
    line_starts: Vec<u32>,
}

impl SourceFile {
    fn new(path: PathBuf, text: String) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self { path, text, line_starts }
    }

    /// Number of the line (from 0) that a byte is in.
    pub(crate) fn line_of(&self, offset: u32) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The lines that a stretch touches, in bytes.
    pub(crate) fn lines_of(&self, span: Span) -> Range<usize> {
        self.line_start(self.line_of(span.start))..self.line_start(self.line_of(span.end.max(span.start)) + 1)
    }

    /// First byte of a line (from 0); the end of the text for lines beyond it.
    pub(crate) fn line_start(&self, line: usize) -> usize {
        self.line_starts.get(line).map_or(self.text.len(), |start| *start as usize)
    }
}

/// A place for people: file, line and column from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file.
    pub path: &'a Path,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// How far the numbers of a map's files and expansions moved when another map took them over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    files: u32,
    expansions: u32,
}

impl Shift {
    /// The same stretch of the same text, in the map that took it over.
    pub(crate) fn span(self, span: Span) -> Span {
        let expansion = match span.expansion {
            ExpansionId::NONE => ExpansionId::NONE,
            ExpansionId(number) => ExpansionId(number + self.expansions),
        };
        Span { file: FileId(span.file.0 + self.files), expansion, ..span }
    }
}

/// All texts of one configuration, and all expansions in them.
#[derive(Debug, Default)]
pub struct SourceMap {
    files: Vec<Arc<SourceFile>>,
    expansions: Vec<Expansion>,
    /// Where what is used in a place was defined, by the place's file and first byte.
    uses: HashMap<(FileId, u32), Vec<Span>>,
    /// Found when something is to be shown.
    secrets: OnceLock<Secrets>,
}

impl SourceMap {
    /// Longest text that is taken, in bytes: spans count in 32 bits.
    pub(crate) const MAX_TEXT: usize = u32::MAX as usize - 1;

    /// How many definitions of a name are remembered for one use of it.
    const DEFINITIONS_KEPT: usize = 3;

    /// Adds a text; what is beyond [`Self::MAX_TEXT`] is cut off.
    pub(crate) fn add(&mut self, path: PathBuf, mut text: String) -> FileId {
        if text.len() > Self::MAX_TEXT {
            let end = (0..=Self::MAX_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
        }
        let id = FileId(self.files.len() as u32);
        self.files.push(Arc::new(SourceFile::new(path, text)));
        id
    }

    /// Adds an expansion.
    pub(crate) fn add_expansion(&mut self, expansion: Expansion) -> ExpansionId {
        self.expansions.push(expansion);
        ExpansionId(self.expansions.len() as u32)
    }

    /// Remembers that what stands at `used` was put in for a definition at `defined`.
    pub(crate) fn note_use(&mut self, used: Span, defined: Span) {
        let known = self.uses.entry((used.file, used.start)).or_default();
        let same = |span: &Span| (span.file, span.start) == (defined.file, defined.start);
        if known.len() < Self::DEFINITIONS_KEPT && !known.iter().any(same) {
            known.push(defined);
        }
    }

    /// Where the definitions are that the text at this span uses, a few of them at most.
    pub(crate) fn definitions(&self, span: Span) -> impl Iterator<Item = Span> {
        let from = span.start as usize;
        let dollars = self.text(span).match_indices('$').map(move |(at, _)| (from + at) as u32);
        let uses = dollars.filter_map(move |at| self.uses.get(&(span.file, at)));
        uses.flatten().copied().take(Self::DEFINITIONS_KEPT)
    }

    /// The expansions that led to a span, innermost first.
    pub(crate) fn chain(&self, span: Span) -> impl Iterator<Item = &Expansion> {
        let mut next = span.expansion;
        std::iter::from_fn(move || {
            let expansion = self.expansions.get(next.0.checked_sub(1)? as usize)?;
            next = expansion.at.expansion;
            Some(expansion)
        })
    }

    /// The words of all secrets on the lines of these places.
    pub(crate) fn secrets_at(&self, places: impl IntoIterator<Item = Span>) -> Values {
        let mut values = Values::default();
        for place in places {
            let file = self.file(place.file);
            for secret in self.secrets().within(place.file, file.lines_of(place)) {
                values.add(file.text.get(secret).unwrap_or(""));
            }
        }
        values
    }

    /// What an expansion is, for people: without secrets.
    pub(crate) fn told(&self, expansion: &Expansion) -> String {
        let hidden = self.secrets_at([expansion.at]).hidden_in_code(&expansion.what);
        hidden.unwrap_or_else(|| expansion.what.to_string())
    }

    /// Where the file that everything began with asks for what stands at a span: the span itself unless expanded.
    pub(crate) fn outermost(&self, span: Span) -> Span {
        self.chain(span).last().map_or(span, |expansion| expansion.at)
    }

    /// The file of this number.
    pub(crate) fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The file that everything began with.
    pub(crate) fn first(&self) -> Option<FileId> {
        (!self.files.is_empty()).then_some(FileId(0))
    }

    /// Every file, in the order of reading.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().map(Arc::as_ref)
    }

    /// Every file with its number.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(number, file)| (FileId(number as u32), file.as_ref()))
    }

    /// What nobody may be shown of the texts; there is nothing to add to the map after it is asked for.
    pub(crate) fn secrets(&self) -> &Secrets {
        self.secrets.get_or_init(|| Secrets::of(self))
    }

    /// Adds all that another map has. What is said of its texts can be said of them here, once shifted.
    pub(crate) fn join(&mut self, other: &Self) -> Shift {
        let shift = Shift { files: self.files.len() as u32, expansions: self.expansions.len() as u32 };
        self.files.extend(other.files.iter().cloned());
        self.expansions.extend(
            other.expansions.iter().map(|one| Expansion { what: one.what.clone(), at: shift.span(one.at) }),
        );
        for ((file, start), defined) in &other.uses {
            let defined = defined.iter().map(|span| shift.span(*span)).collect();
            self.uses.insert((FileId(file.0 + shift.files), *start), defined);
        }
        shift
    }

    /// Span of a stretch of a file, not expanded from anything.
    pub(crate) fn span(file: FileId, start: usize, end: usize) -> Span {
        Span { file, start: start as u32, end: end as u32, expansion: ExpansionId::NONE }
    }

    /// What stands at a span.
    pub(crate) fn text(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Where a span begins.
    pub fn place(&self, span: Span) -> Place<'_> {
        let file = self.file(span.file);
        let line = file.line_of(span.start);
        let before = file.text.get(file.line_start(line)..span.start as usize).unwrap_or("");
        let before = before.trim_start_matches('\u{feff}');
        Place { path: &file.path, line: line + 1, column: before.chars().count() + 1 }
    }
}
