//! The outline of a configuration: its braces and the first word of each line, and how well they fit the schema.
//!
//! Goes in: [`Items`]. Comes out: [`Outline`], which can be run through from any place, as it is or with one brace put
//! in, taken out or moved ([`Edit`]), to count what does not fit then. [`super::repair`] looks for the edits that make
//! it fit.

use std::collections::HashMap;

use super::Shape;
use super::beginning::Beginning;
use super::edit::Edit;
use super::suggest;
use crate::items::{Item, Items};
use crate::preprocess::Context;
use crate::schema::{self, BlockId, Body};
use crate::source::Span;
use crate::words::Word;

/// How many words of a line it takes to see which keyword was meant.
const MEANT_BY: usize = 2;
/// A keyword that does not fit.
const UNKNOWN: u32 = 100;
/// One that cannot but stand elsewhere: a block of the block around this one, or a line of a block of lines.
const DISPLACED: u32 = 180;
/// A keyword of an unrelated block among the lines of a block: it may be a name.
const MISPLACED_LINE: u32 = 50;
/// A keyword that is misspelt: no reason to doubt the braces.
pub(super) const MISSPELT: u32 = 10;
/// A brace that does not fit; by itself reason enough for an edit.
const BRACE: u32 = 160;
/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A line that begins with the word of this number.
    Line(u32),
    Open,
    Close,
}

/// A brace, or a line of words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) token: Token,
    /// Number of the item, or of the one that a brace was put in before.
    pub(super) item: usize,
    pub(super) span: Span,
    /// How far it is indented; `None` unless it is the first on its line.
    indent: Option<u32>,
    /// Of a line with several statements on it, the last keyword that opens a block.
    opener: Option<u32>,
}

/// A block that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    shape: Shape,
    /// The line that opens it.
    pub(super) line: usize,
    indent: Option<u32>,
    /// How far what is in it is indented.
    inside: Option<u32>,
}

/// What the first word of a line is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Statement,
    Opens(Shape),
    /// Misspelt, but it is clear what was meant.
    Misspelt(Option<Shape>),
    Unknown,
}

/// How badly an outline fits: what does not fit, then how often the indentation says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Misfit {
    pub(super) cost: u32,
    pub(super) indentation: u32,
}

impl Misfit {
    pub(super) fn add(&mut self, other: Self) {
        self.cost = self.cost.saturating_add(other.cost);
        self.indentation = self.indentation.saturating_add(other.indentation);
    }
}

/// The outline.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) entries: Vec<Entry>,
    /// The beginning of each line that is different.
    beginnings: Vec<Beginning>,
    numbers: HashMap<String, u32>,
    meanings: HashMap<(BlockId, u32, bool), Meaning>,
    /// How many items there are.
    items: usize,
    /// The text goes on after the last entry.
    cut: bool,
    /// How many steps were taken.
    steps: u64,
}

impl Outline {
    /// Of at most so many items; what follows them is left alone.
    const MOST: usize = 200_000;
    /// After so many steps it is not worth looking any further: about a second.
    const MOST_STEPS: u64 = 20_000_000;
    /// So many blocks in one another are no configuration. The schema has four.
    const DEEPEST: usize = 32;

    /// Reads the outline of a configuration.
    pub(super) fn read(mut items: Items, context: &mut Context) -> Self {
        let mut outline = Self::default();
        let mut last_line = None;
        while let Some(item) = items.next(context) {
            let (token, span, opener) = match item {
                Item::Open(span) => (Token::Open, span, None),
                Item::Close(span) => (Token::Close, span, None),
                Item::Words(line) => {
                    let words = line.words().0;
                    let span = words.first().map_or(line.whole(), |word| word.span);
                    let opener = words.iter().skip(1).rfind(|word| opens_a_block(&word.text));
                    let opener = opener.map(|word| outline.number(std::slice::from_ref(word)));
                    let number = outline.number(words.get(..MEANT_BY).unwrap_or(&words));
                    (Token::Line(number), span, opener)
                }
            };
            let file = context.sources.file(span.file);
            let line = (span.file, span.expansion, file.line_of(span.start));
            let indent = (last_line != Some(line)).then(|| indentation(file, span.start));
            last_line = Some(line);
            outline.entries.push(Entry { token, item: outline.items, span, indent, opener });
            outline.items += 1;
            if outline.entries.len() == Self::MOST {
                outline.cut = items.next(context).is_some();
                break;
            }
        }
        outline
    }

    /// The number of a beginning of lines.
    fn number(&mut self, words: &[Word]) -> u32 {
        let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
        *self.numbers.entry(texts.join(" ")).or_insert_with(|| {
            self.beginnings.push(Beginning::new(words));
            self.beginnings.len() as u32 - 1
        })
    }

    /// The first word of a line.
    pub(super) fn word(&self, at: usize) -> Option<&str> {
        match self.entries.get(at)?.token {
            Token::Line(number) => self.beginning(number)?.first(),
            Token::Open | Token::Close => None,
        }
    }

    fn beginning(&self, number: u32) -> Option<&Beginning> {
        self.beginnings.get(number as usize)
    }

    fn meaning(&mut self, block: BlockId, number: u32, opens: bool) -> Meaning {
        if let Some(known) = self.meanings.get(&(block, number, opens)) {
            return *known;
        }
        let Some(beginning) = self.beginning(number) else { return Meaning::Statement };
        let Some(word) = beginning.first() else { return Meaning::Statement };
        let meaning = match schema::find(block, word) {
            Some(found) => Shape::of(found.keyword.body).map_or(Meaning::Statement, Meaning::Opens),
            None => suggest::meant(block, &beginning.words, opens)
                .and_then(|meant| schema::find(block, meant.keyword))
                .map_or(Meaning::Unknown, |found| Meaning::Misspelt(Shape::of(found.keyword.body))),
        };
        self.meanings.insert((block, number, opens), meaning);
        meaning
    }

    /// Has it been looked at for long enough? What [`Self::run`] says then means nothing.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps >= Self::MOST_STEPS
    }

    /// Is this the end of the text?
    pub(super) fn is_end(&self, at: usize) -> bool {
        at >= self.entries.len() && !self.cut
    }

    /// Takes one entry, or a line and its `{`, with a brace changed: what does not fit about it, and how many entries
    /// it takes.
    pub(super) fn step(&mut self, at: usize, edit: Option<Edit>, stack: &mut Vec<Open>) -> (Misfit, usize) {
        self.steps += if stack.len() > Self::DEEPEST { Self::MOST_STEPS } else { 1 };
        let mut misfit = Misfit::default();
        if edit.is_some_and(|edit| edit.closes_before(at)) && stack.pop().is_none() {
            misfit.cost += BRACE;
        }
        let Some(entry) = self.entries.get(at).copied() else { return (misfit, 1) };
        if edit.is_some_and(|edit| edit.takes(at)) {
            return (misfit, 1);
        }
        match entry.token {
            Token::Close => {
                misfit.indentation += indented_otherwise(entry, stack);
                misfit.cost += if stack.pop().is_some() { 0 } else { BRACE };
                (misfit, 1)
            }
            // One that belongs to a line is taken with the line.
            Token::Open => {
                let shape = stack.last().map_or(Shape::Keywords(BlockId::Root), |open| open.shape);
                stack.push(Open { shape, line: at, indent: entry.indent, inside: None });
                misfit.cost += if shape == Shape::Skipped { 0 } else { BRACE };
                (misfit, 1)
            }
            Token::Line(number) => {
                misfit.indentation += indented_otherwise(entry, stack);
                let follows = self.is_followed_by_open(at) && !edit.is_some_and(|edit| edit.takes(at + 1));
                let statement = self.is_statement(number, stack);
                let opener =
                    entry.opener.filter(|opener| follows && statement && self.is_opened(*opener, stack));
                let opens = (follows || edit == Some(Edit::PutOpen(at))) && (!statement || opener.is_some());
                let number = opener.unwrap_or(number);
                misfit.cost += self.line(at, number, opens, stack);
                (misfit, if follows && opens { 2 } else { 1 })
            }
        }
    }

    fn line(&mut self, at: usize, number: u32, opens: bool, stack: &mut Vec<Open>) -> u32 {
        let indent = self.entries.get(at).and_then(|entry| entry.indent);
        let open = |shape| Open { shape, line: at, indent, inside: None };
        let block = match stack.last().map(|open| open.shape) {
            None => BlockId::Root,
            Some(Shape::Keywords(block)) => block,
            Some(Shape::Skipped) => {
                if opens {
                    stack.push(open(Shape::Skipped));
                }
                return 0;
            }
            Some(Shape::Lines) => {
                let cost = match (self.is_of_block_around(number, stack), opens) {
                    (true, true) => DISPLACED,
                    (true, false) | (false, true) => UNKNOWN,
                    (false, false) if self.beginning(number).is_some_and(|line| line.is_keyword) => {
                        MISPLACED_LINE
                    }
                    (false, false) => 0,
                };
                if opens {
                    stack.push(open(self.beginning(number).map_or(Shape::Skipped, |line| line.elsewhere)));
                }
                return cost;
            }
        };
        let (shape, cost) = match (self.meaning(block, number, opens), opens) {
            (Meaning::Statement, _) => (None, 0),
            (Meaning::Opens(shape), true) => (Some(shape), 0),
            (Meaning::Opens(_), false) => (None, BRACE),
            (Meaning::Misspelt(Some(shape)), true) => (Some(shape), MISSPELT),
            (Meaning::Misspelt(None) | Meaning::Unknown, true) => {
                let shape = self.beginning(number).map_or(Shape::Skipped, |line| line.elsewhere);
                (Some(shape), if self.is_of_block_around(number, stack) { DISPLACED } else { UNKNOWN })
            }
            (Meaning::Misspelt(_), false) => (None, MISSPELT),
            (Meaning::Unknown, false) => (
                None,
                if self.beginning(number).is_some_and(|line| line.is_value) { DISPLACED } else { UNKNOWN },
            ),
        };
        stack.extend(shape.map(open));
        cost
    }

    /// Is this word a keyword of a block around the current one?
    fn is_of_block_around(&mut self, number: u32, stack: &[Open]) -> bool {
        let Some((_, around)) = stack.split_last() else { return false };
        let blocks = around.iter().filter_map(|open| match open.shape {
            Shape::Keywords(block) => Some(block),
            Shape::Lines | Shape::Skipped => None,
        });
        let mut blocks: Vec<BlockId> = blocks.collect();
        blocks.push(BlockId::Root);
        blocks.into_iter().any(|block| match self.meaning(block, number, false) {
            Meaning::Statement | Meaning::Opens(_) | Meaning::Misspelt(_) => true,
            Meaning::Unknown => false,
        })
    }

    /// Does a `{` follow this line?
    pub(super) fn is_followed_by_open(&self, at: usize) -> bool {
        matches!(self.entries.get(at).map(|entry| entry.token), Some(Token::Line(_)))
            && matches!(self.entries.get(at + 1).map(|entry| entry.token), Some(Token::Open))
    }

    /// Is this word a keyword that opens nothing, so that a `{` after it is one too many?
    fn is_statement(&mut self, number: u32, stack: &[Open]) -> bool {
        match stack.last().map_or(Shape::Keywords(BlockId::Root), |open| open.shape) {
            Shape::Keywords(block) => self.meaning(block, number, true) == Meaning::Statement,
            Shape::Lines | Shape::Skipped => false,
        }
    }

    /// Does this word open a block here?
    fn is_opened(&mut self, number: u32, stack: &[Open]) -> bool {
        match stack.last().map_or(Shape::Keywords(BlockId::Root), |open| open.shape) {
            Shape::Keywords(block) => matches!(self.meaning(block, number, true), Meaning::Opens(_)),
            Shape::Lines | Shape::Skipped => false,
        }
    }

    /// Is this word a keyword that opens a block, here or elsewhere, or was one meant? No `{` is missing after others.
    pub(super) fn may_open(&mut self, number: u32, stack: &[Open]) -> bool {
        let here = match stack.last().map_or(Shape::Keywords(BlockId::Root), |open| open.shape) {
            Shape::Keywords(block) => {
                matches!(self.meaning(block, number, true), Meaning::Opens(_) | Meaning::Misspelt(Some(_)))
            }
            Shape::Lines | Shape::Skipped => false,
        };
        here || self.beginning(number).map_or(Shape::Skipped, |line| line.elsewhere) != Shape::Skipped
    }

    /// Runs from an entry on to `end`, with one brace changed. Gives up when the cost is above `most`.
    pub(super) fn run(
        &mut self,
        from: usize,
        end: usize,
        mut stack: Vec<Open>,
        edit: Option<Edit>,
        most: u32,
    ) -> Misfit {
        let mut sum = Misfit::default();
        let mut at = from;
        while at < end && sum.cost <= most && !self.is_exhausted() {
            let (misfit, taken) = self.step(at, edit, &mut stack);
            sum.add(misfit);
            at += taken;
        }
        if self.is_end(at) {
            // The end of the text is a place where a brace can be put in, too.
            let (misfit, _) = self.step(self.entries.len(), edit, &mut stack);
            sum.add(misfit);
            sum.cost += BRACE * stack.len() as u32;
        }
        sum
    }

    /// Puts a brace in before an entry.
    pub(super) fn put(&mut self, at: usize, token: Token) {
        let (item, span) = match self.entries.get(at).or(self.entries.last()) {
            Some(entry) => (self.item(at), entry.span),
            None => return,
        };
        self.entries.insert(at, Entry { token, item, span, indent: None, opener: None });
    }

    /// Number of the item of an entry; beyond the last, that of the end of the text.
    pub(super) fn item(&self, at: usize) -> usize {
        match self.entries.get(at) {
            Some(entry) => entry.item,
            None => self.items,
        }
    }
}

/// Is this a keyword that opens a block?
fn opens_a_block(word: &str) -> bool {
    let opens =
        |block: &BlockId| schema::find(*block, word).is_some_and(|found| found.keyword.body != Body::None);
    schema::blocks_with(word).iter().any(opens)
}

/// Does the indentation of an entry speak against its standing here? Keeps in mind how what is in a block is indented.
fn indented_otherwise(entry: Entry, stack: &mut [Open]) -> u32 {
    let Some(indent) = entry.indent else { return 0 };
    match (entry.token, stack.last_mut()) {
        (Token::Close, Some(open)) => u32::from(open.indent.is_some_and(|of_block| of_block != indent)),
        (_, Some(open)) => {
            let beside = *open.inside.get_or_insert(indent) != indent;
            let outside = open.indent.is_some_and(|of_block| indent <= of_block);
            u32::from(beside) + u32::from(outside)
        }
        (_, None) => u32::from(indent > 0),
    }
}

/// How far a line is indented; tabs count as eight, as they mostly look.
fn indentation(file: &crate::source::SourceFile, offset: u32) -> u32 {
    let line = file.line_start(file.line_of(offset));
    let before = file.text.get(line..offset as usize).unwrap_or("");
    before.chars().map(|character| if character == '\t' { 8 } else { 1 }).sum()
}
