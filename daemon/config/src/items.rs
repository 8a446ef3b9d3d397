//! Lines cut at their braces.

use std::collections::VecDeque;

use crate::preprocess::{Context, Reader};
use crate::source::Span;
use crate::words::{Line, Unquoted};

/// What the tree is built of.
#[derive(Debug)]
pub(crate) enum Item {
    /// A line, or the part of one before or after a brace.
    Words(Line),
    /// `{`
    Open(Span),
    /// `}`
    Close(Span),
}

/// What is done about a wrong brace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A `}` is put in before the item.
    PutClose,
    /// A `{` is put in before the item.
    PutOpen,
    /// The item is taken out.
    TakeOut,
}

/// The items of a configuration, one after another, with a look at the next.
#[derive(Debug)]
pub(crate) struct Items {
    reader: Reader,
    /// What has been read and cut.
    queue: VecDeque<Item>,
    /// How many items were taken from there.
    taken: usize,
    /// What is done about wrong braces, by the number of the item.
    changes: VecDeque<(usize, Change)>,
    /// What comes next, once the changes are made.
    ready: VecDeque<Item>,
}

impl Items {
    /// The items that come out of a reader.
    pub(crate) fn new(reader: Reader) -> Self {
        Self::with_changes(reader, &[])
    }

    /// The same with some braces changed, in the order of the items.
    pub(crate) fn with_changes(reader: Reader, changes: &[(usize, Change)]) -> Self {
        Self {
            reader,
            queue: VecDeque::new(),
            taken: 0,
            changes: changes.iter().copied().collect(),
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn next(&mut self, context: &mut Context) -> Option<Item> {
        self.make_ready(context);
        self.ready.pop_front()
    }

    pub(crate) fn peek(&mut self, context: &mut Context) -> Option<&Item> {
        self.make_ready(context);
        self.ready.front()
    }

    fn make_ready(&mut self, context: &mut Context) {
        while self.ready.is_empty() {
            self.fill(context);
            let mut item = self.queue.pop_front();
            let ends = item.is_none();
            while let Some((number, change)) = self.changes.front().copied()
                && number == self.taken
            {
                self.changes.pop_front();
                match change {
                    Change::PutClose => self.ready.push_back(Item::Close(Span::default())),
                    Change::PutOpen => self.ready.push_back(Item::Open(Span::default())),
                    Change::TakeOut => item = None,
                }
            }
            self.ready.extend(item);
            self.taken += 1;
            if ends {
                return;
            }
        }
    }

    fn fill(&mut self, context: &mut Context) {
        while self.queue.is_empty() {
            let Some(line) = self.reader.next(context) else { return };
            self.cut(line);
        }
    }

    fn cut(&mut self, line: Line) {
        let mut from = 0;
        let mut cut_before = false;
        for (at, byte) in Unquoted::new(&line.text) {
            if !matches!(byte, b'{' | b'}') {
                continue;
            }
            self.push_words(&line, from, at);
            let span = line.span(at, at + 1);
            self.queue.push_back(if byte == b'{' { Item::Open(span) } else { Item::Close(span) });
            from = at + 1;
            cut_before = true;
        }
        if !cut_before {
            self.queue.push_back(Item::Words(line));
        } else {
            let end = line.text.len();
            self.push_words(&line, from, end);
        }
    }

    /// Queues a part of a line unless it is blank.
    fn push_words(&mut self, line: &Line, start: usize, end: usize) {
        let part = line.text.get(start..end).unwrap_or("");
        let trimmed = part.trim_start_matches([' ', '\t']);
        if trimmed.trim_end_matches([' ', '\t']).is_empty() {
            return;
        }
        let start = start + part.len() - trimmed.len();
        self.queue.push_back(Item::Words(line.part(start, end)));
    }
}
