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
    /// `}`, and whether it is the first on its line.
    Close(Span, bool),
}

/// The items of a configuration, one after another, with a look at the next.
#[derive(Debug)]
pub(crate) struct Items {
    reader: Reader,
    queue: VecDeque<Item>,
}

impl Items {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, queue: VecDeque::new() }
    }

    pub(crate) fn next(&mut self, context: &mut Context) -> Option<Item> {
        self.fill(context);
        self.queue.pop_front()
    }

    pub(crate) fn peek(&mut self, context: &mut Context) -> Option<&Item> {
        self.fill(context);
        self.queue.front()
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
            let first = self.push_words(&line, from, at);
            let span = line.span(at, at + 1);
            self.queue.push_back(if byte == b'{' {
                Item::Open(span)
            } else {
                Item::Close(span, first && !cut_before)
            });
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

    /// Queues a part of a line unless it is blank; true when it was.
    fn push_words(&mut self, line: &Line, start: usize, end: usize) -> bool {
        let part = line.text.get(start..end).unwrap_or("");
        let trimmed = part.trim_start_matches([' ', '\t']);
        if trimmed.trim_end_matches([' ', '\t']).is_empty() {
            return true;
        }
        let start = start + part.len() - trimmed.len();
        self.queue.push_back(Item::Words(line.part(start, end)));
        false
    }
}
