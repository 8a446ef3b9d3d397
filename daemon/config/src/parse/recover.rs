//! What to make of a keyword or brace that does not fit.
//!
//! The rule: find the single mistake that explains what is seen, say it where it was made, and go on as if it had not
//! been made. A keyword that the block closed last knows, and this one does not: that block was closed too early. A
//! block's keyword that belongs to a block further out: a `}` is missing before it.

use super::suggest::{self, Meant};
use super::{Frame, Parser, Shape};
use crate::diagnostics::Diagnostic;
use crate::items::Item;
use crate::schema::{self, BlockId, Body, Found};
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

impl Parser<'_> {
    /// Decides what a word that is no keyword here is. Some when the right block is open now and knows it.
    pub(super) fn recover_unknown(&mut self, name: &Word, words: &[Word]) -> Option<Found> {
        if let Some(found) = self.reopen(name) {
            return Some(found);
        }
        let opens = matches!(self.items.peek(self.context), Some(Item::Open(_)));
        if let Some(found) = self.leave(name, opens) {
            return Some(found);
        }
        self.unknown(name, words, opens);
        self.closed.clear();
        if opens {
            let opened = match self.items.next(self.context) {
                Some(Item::Open(span)) => span,
                _ => name.span,
            };
            if self.stack.is_empty() {
                self.skipped_names.extend(words.get(1).map(|word| word.text.clone()));
            }
            self.stack.push(Frame { shape: Shape::Skipped, node: None, opened });
        }
        None
    }

    /// The block closed last knows the keyword: it was closed too early. Opens it again.
    fn reopen(&mut self, name: &Word) -> Option<Found> {
        let mut block = self.last_closed()?;
        let mut depth = 1;
        let found = loop {
            if let Some(found) = schema::find(block, &name.text) {
                break found;
            }
            if depth == self.closed.len() {
                return None;
            }
            // The block that was closed last inside of that one.
            block = self.closed_inside(depth)?;
            depth += 1;
        };
        let by = self.closed.iter().rev().nth(depth - 1)?.by;
        let mut opened = None;
        for _ in 0..depth {
            let node = match self.stack.last_mut().and_then(|frame| frame.node.as_mut()) {
                Some(parent) => parent.children.pop(),
                None => self.pending.take(),
            }?;
            let shape = match node.keyword.body {
                Body::Block(inner) => Shape::Keywords(inner),
                Body::Lines(_) | Body::None => Shape::Lines,
            };
            opened = Some(node.name.clone());
            self.stack.push(Frame { shape, opened: node.name.span, node: Some(node) });
        }
        self.closed.truncate(self.closed.len().saturating_sub(depth));
        if self.assumed_missing > 0 {
            self.assumed_missing -= 1;
            return Some(found);
        }
        let opened = opened?;
        self.assumed_surplus += depth;
        self.context.report(
            Diagnostic::error("surplus-brace", format!("this `}}` closes `{}` too early", opened.text))
                .at(by, "one `}` too many up to here")
                .also(opened.span, format!("`{}` begins here", opened.text))
                .also(name.span, format!("this `{}` belongs in it", name.text))
                .suggest(by, "", "take it out"),
        );
        Some(found)
    }

    fn last_closed(&self) -> Option<BlockId> {
        if self.closed.is_empty() {
            return None;
        }
        let node = match self.stack.last().and_then(|frame| frame.node.as_ref()) {
            Some(parent) => parent.children.last()?,
            None => self.pending.as_ref()?,
        };
        block_of(node)
    }

    /// The block that was closed last, `depth` levels below the current one.
    fn closed_inside(&self, depth: usize) -> Option<BlockId> {
        let mut node = match self.stack.last().and_then(|frame| frame.node.as_ref()) {
            Some(parent) => parent.children.last()?,
            None => self.pending.as_ref()?,
        };
        for _ in 0..depth {
            node = node.children.last()?;
        }
        block_of(node)
    }

    /// A block further out knows this block's keyword: a `}` is missing before it. Closes what is open inside of it.
    fn leave(&mut self, name: &Word, opens: bool) -> Option<Found> {
        let (level, found) = self.outer(name)?;
        let is_block = found.keyword.body != Body::None;
        if !is_block || !opens {
            return None;
        }
        let unclosed =
            self.stack.get(level).and_then(|frame| frame.node.as_ref()).map(|node| node.name.clone())?;
        let closes = self.stack.len() - level;
        while self.stack.len() > level {
            if let Some(node) = self.stack.pop().and_then(|frame| frame.node) {
                self.add(node);
            }
        }
        if self.assumed_surplus > 0 {
            // The keyword for whose sake the block was opened again only stood outside of it.
            self.assumed_surplus = self.assumed_surplus.saturating_sub(closes);
            return Some(found);
        }
        self.assumed_missing += closes;
        if self.misplaced {
            // What is missing here was said when the keyword before it did not fit.
            return Some(found);
        }
        self.report_missing_close(&unclosed, Some(name));
        Some(found)
    }

    fn report_missing_close(&mut self, unclosed: &Word, next: Option<&Word>) {
        let suspect = self.suspect.take().filter(|suspect| *suspect != unclosed.span);
        let mut diagnostic = Diagnostic::error("missing-brace", format!("`{}` is not closed", unclosed.text))
            .at(unclosed.span, "its `}` is missing");
        if let Some(next) = next {
            diagnostic = diagnostic.also(next.span, format!("`{}` cannot stand inside of it", next.text));
        }
        if let Some(suspect) = suspect {
            let what = self.context.sources.text(suspect).to_owned();
            diagnostic = diagnostic
                .also(suspect, "going by the indentation, this is the one that was not closed")
                .help(format!("a `}}` is probably missing at the end of `{what}`"));
        }
        self.context.report(diagnostic);
    }

    /// The innermost block around the current one that knows a keyword: its number of open frames, and the keyword.
    fn outer(&self, name: &Word) -> Option<(usize, Found)> {
        for level in (0..self.stack.len()).rev() {
            let block =
                match level.checked_sub(1).and_then(|outer| self.stack.get(outer)).map(|frame| frame.shape) {
                    Some(Shape::Keywords(block)) => block,
                    Some(Shape::Lines | Shape::Skipped) => continue,
                    None => BlockId::Root,
                };
            if let Some(found) = schema::find(block, &name.text) {
                return Some((level, found));
            }
        }
        None
    }

    /// Does this line of a block of lines in truth belong outside of it? Then the block is closed.
    pub(super) fn leaves_lines(&mut self, name: &Word) -> bool {
        let opens = matches!(self.items.peek(self.context), Some(Item::Open(_)));
        opens && self.leave(name, true).is_some()
    }

    fn unknown(&mut self, name: &Word, words: &[Word], opens: bool) {
        let block = self.block();
        let diagnostic =
            Diagnostic::error("unknown-keyword", format!("`{}` is no keyword of {block}", name.text));
        let diagnostic = match suggest::meant(block, words) {
            Some(meant) => with_meant(diagnostic, &meant, words),
            None => self.elsewhere(diagnostic, name),
        };
        let diagnostic = if opens { diagnostic.help("the whole block is left out") } else { diagnostic };
        self.context.report(diagnostic);
    }

    /// Says where else the keyword could stand.
    fn elsewhere(&mut self, diagnostic: Diagnostic, name: &Word) -> Diagnostic {
        let outer = self.outer(name).map(|(level, _)| level);
        if let Some(level) = outer {
            self.misplaced = true;
            let inner = self.stack.get(level).and_then(|frame| frame.node.as_ref());
            let inner_name = inner.map(|node| node.name.clone());
            let diagnostic = diagnostic.at(name.span, "does not belong here");
            return match inner_name {
                Some(inner) => diagnostic.also(inner.span, format!("`{}` begins here", inner.text)).help(
                    format!("it belongs outside of `{}`: move it, or close that block before it", inner.text),
                ),
                None => diagnostic,
            };
        }
        let blocks = schema::blocks_with(&name.text);
        let diagnostic = diagnostic.at(name.span, "not known here");
        if blocks.is_empty() {
            return diagnostic;
        }
        let titles: Vec<String> = blocks.iter().map(BlockId::to_string).collect();
        diagnostic.help(format!("it can stand in {}", titles.join(", ")))
    }

    /// A `{` that nothing asked for.
    pub(super) fn unexpected_open(&mut self, span: Span) {
        if !matches!(self.stack.last().map(|frame| frame.shape), Some(Shape::Skipped)) {
            self.context.report(
                Diagnostic::error("unexpected-brace", "nothing that opens a block stands before this `{`")
                    .at(span, "unexpected")
                    .help("what is inside is left out"),
            );
        }
        self.stack.push(Frame { shape: Shape::Skipped, node: None, opened: span });
    }

    /// A block's keyword without `{`: was it only forgotten? True when the block should be taken as opened.
    pub(super) fn assume_open(&mut self, node: &Node, shape: Shape) -> bool {
        let here = self.block();
        let inside = match self.items.peek(self.context) {
            Some(Item::Words(line)) => {
                let first = line.text.split_ascii_whitespace().next().unwrap_or("").to_owned();
                match shape {
                    Shape::Keywords(block) => schema::find(block, &first).is_some(),
                    Shape::Lines | Shape::Skipped => schema::find(here, &first).is_none(),
                }
            }
            Some(Item::Open(_) | Item::Close(..)) | None => false,
        };
        let after = node.span().after();
        let label = if inside { "`{` is missing here" } else { "a block should follow" };
        let diagnostic =
            Diagnostic::error("missing-brace", format!("`{}` has no `{{`", node.name.text)).at(after, label);
        let diagnostic = if inside { diagnostic.suggest(after, " {", "open the block") } else { diagnostic };
        self.context.report(diagnostic);
        inside
    }

    /// Reports the run of surplus braces that has just ended.
    pub(super) fn flush_surplus(&mut self) {
        let Some((first, last)) = self.surplus.take() else { return };
        let (message, label) = if first == last {
            ("this `}` closes nothing", "surplus")
        } else {
            ("these `}` close nothing", "surplus")
        };
        self.context.report(
            Diagnostic::error("surplus-brace", message)
                .at(first.to(last), label)
                .help("every block before it is closed already"),
        );
    }

    /// The end of the text: whatever is open was not closed.
    pub(super) fn end(&mut self) {
        let outermost =
            self.stack.first().map(|frame| (frame.opened, frame.node.as_ref().map(|node| node.name.clone())));
        while let Some(frame) = self.stack.pop() {
            if let Some(node) = frame.node {
                self.add(node);
            }
        }
        if self.misplaced || self.assumed_surplus > 0 {
            return;
        }
        match outermost {
            Some((_, Some(name))) => self.report_missing_close(&name, None),
            Some((opened, None)) => {
                self.context.report(
                    Diagnostic::error("missing-brace", "this `{` is never closed")
                        .at(opened, "its `}` is missing"),
                );
            }
            None => {}
        }
    }
}

fn block_of(node: &Node) -> Option<BlockId> {
    match node.keyword.body {
        Body::Block(block) => Some(block),
        Body::Lines(_) | Body::None => None,
    }
}

fn with_meant(diagnostic: Diagnostic, meant: &Meant, words: &[Word]) -> Diagnostic {
    let Some(first) = words.first() else { return diagnostic };
    let last = words.get(meant.words - 1).unwrap_or(first);
    let span = first.span.to(last.span);
    diagnostic.at(span, format!("expected a keyword such as `{}`", meant.keyword)).suggest(
        span,
        meant.replacement.clone(),
        meant.message.clone(),
    )
}
