//! From items to a tree, block by block of the top level.
//!
//! Goes in: [`Items`] and the schema. Comes out: one [`Node`] of the top level after another, and diagnostics for what
//! is not in the schema. Braces are the hard part: what follows a brace that is missing, surplus or misplaced tells
//! where it should have been ([`recover`]), and the tree is built as it was meant, so that one wrong brace makes one
//! diagnostic.

mod recover;
mod suggest;

use crate::diagnostics::Diagnostic;
use crate::items::{Item, Items};
use crate::preprocess::Context;
use crate::schema::{self, Again, BlockId, Body, Found, unbuilt};
use crate::source::Span;
use crate::tree::Node;
use crate::values;
use crate::words::{Line, Word};

/// What a block on the stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Keywords(BlockId),
    Lines,
    /// Not understood: skipped to its closing brace.
    Skipped,
}

/// A block that is open.
#[derive(Debug)]
struct Frame {
    shape: Shape,
    node: Option<Node>,
    opened: Span,
}

/// A block that was closed last, with what is needed to open it again.
#[derive(Debug)]
struct Closed {
    by: Span,
}

/// Builds the tree.
pub(crate) struct Parser<'a> {
    items: Items,
    context: &'a mut Context,
    stack: Vec<Frame>,
    /// The last node of the top level: not handed on before it is certain that it was closed where it should be.
    pending: Option<Node>,
    /// The braces that closed blocks since the last keyword, innermost first.
    closed: Vec<Closed>,
    /// Braces that were taken to be missing in the current block of the top level.
    assumed_missing: usize,
    /// Braces that were taken to be surplus in the current block of the top level.
    assumed_surplus: usize,
    /// A keyword that stands in the wrong block, reported, in the current block of the top level.
    misplaced: bool,
    /// A block whose closing brace stands further left than its keyword.
    suspect: Option<Span>,
    /// Surplus braces in a row: the diagnostic waits for the last.
    surplus: Option<(Span, Span)>,
    said_unbuilt: Vec<(BlockId, &'static str)>,
    said_old: Vec<Box<str>>,
    /// What counts once in the blocks that are one wherever they stand, the top level and `global_defs`, and was given.
    given: Vec<(BlockId, &'static str, Span)>,
    /// Names of blocks that were not understood; nobody should complain that they are missing.
    pub(crate) skipped_names: Vec<Box<str>>,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(items: Items, context: &'a mut Context) -> Self {
        Self {
            items,
            context,
            stack: Vec::new(),
            pending: None,
            closed: Vec::new(),
            assumed_missing: 0,
            assumed_surplus: 0,
            misplaced: false,
            suspect: None,
            surplus: None,
            said_unbuilt: Vec::new(),
            said_old: Vec::new(),
            given: Vec::new(),
            skipped_names: Vec::new(),
        }
    }

    /// Builds everything, handing each node of the top level to `sink`.
    pub(crate) fn run(&mut self, sink: &mut dyn FnMut(Node, &mut Context)) {
        while let Some(item) = self.items.next(self.context) {
            match item {
                Item::Close(span, first) => self.close(span, first),
                Item::Open(span) => {
                    self.flush_surplus();
                    self.unexpected_open(span);
                }
                Item::Words(line) => {
                    self.flush_surplus();
                    self.words(line, sink);
                }
            }
        }
        self.flush_surplus();
        self.end();
        if let Some(node) = self.pending.take() {
            sink(node, self.context);
        }
    }

    /// The block that keywords are looked for in.
    fn block(&self) -> BlockId {
        match self.stack.last().map(|frame| frame.shape) {
            Some(Shape::Keywords(block)) => block,
            Some(Shape::Lines | Shape::Skipped) | None => BlockId::Root,
        }
    }

    fn words(&mut self, line: Line, sink: &mut dyn FnMut(Node, &mut Context)) {
        let (words, unclosed) = line.words();
        let Some(name) = words.first().cloned() else {
            if let Some(span) = unclosed {
                self.context.report(unclosed_quote(span));
            }
            return;
        };
        match self.stack.last().map(|frame| frame.shape) {
            Some(Shape::Skipped) => return,
            Some(Shape::Lines) => {
                if !self.leaves_lines(&name) {
                    self.closed.clear();
                    if let Some(node) = self.stack.last_mut().and_then(|frame| frame.node.as_mut()) {
                        // Without room to spare: there may be very many lines.
                        let mut words = words;
                        words.shrink_to_fit();
                        node.lines.push(words);
                    }
                    return;
                }
            }
            Some(Shape::Keywords(_)) | None => {}
        }
        let found = match schema::find(self.block(), &name.text) {
            Some(found) => {
                if self.stack.is_empty() {
                    self.assumed_missing = 0;
                    self.assumed_surplus = 0;
                }
                found
            }
            None => match self.recover_unknown(&name, &words) {
                Some(found) => found,
                None => return,
            },
        };
        if self.stack.is_empty() {
            if let Some(node) = self.pending.take() {
                sink(node, self.context);
            }
            self.misplaced = false;
            self.suspect = None;
        }
        self.closed.clear();
        self.keyword(found, name, words, &line);
    }

    fn keyword(&mut self, found: Found, name: Word, words: Vec<Word>, line: &Line) {
        let Found { keyword, old_spelling } = found;
        let block = self.block();
        self.say_once(block, found, &name, old_spelling);
        let (args, mut bad) = if keyword.is_quoted() {
            match values::quoted_arguments(line, &name, keyword, self.context) {
                Some(args) => (args, false),
                None => (Vec::new(), true),
            }
        } else {
            (words.into_iter().skip(1).collect(), false)
        };
        let mut node = Node { keyword, name, args, bad: false, children: Vec::new(), lines: Vec::new() };
        bad = bad || !values::check(&node, self.context);
        node.bad = bad;
        let shape = match keyword.body {
            Body::None => {
                self.add(node);
                return;
            }
            Body::Block(inner) => Shape::Keywords(inner),
            Body::Lines(_) => Shape::Lines,
        };
        let brace = match self.items.peek(self.context) {
            Some(Item::Open(span)) => Some(*span),
            Some(Item::Words(_) | Item::Close(..)) | None => None,
        };
        let opened = match brace {
            Some(span) => {
                self.items.next(self.context);
                span
            }
            None if self.assume_open(&node, shape) => node.name.span,
            None => {
                self.add(node);
                return;
            }
        };
        self.stack.push(Frame { shape, node: Some(node), opened });
    }

    /// Puts a finished node where it belongs, unless only the first of its kind counts and this one is not.
    fn add(&mut self, node: Node) {
        if self.is_left_out(&node) {
            return;
        }
        match self.stack.last_mut().and_then(|frame| frame.node.as_mut()) {
            Some(parent) => parent.children.push(node),
            None => self.pending = Some(node),
        }
    }

    /// Says so when a keyword that counts once was given before; true when this one has no effect.
    fn is_left_out(&mut self, node: &Node) -> bool {
        let label = match node.keyword.again {
            Again::Replaces | Again::Adds => return false,
            Again::LastCounts => "this one counts",
            Again::FirstCounts => "this one is left out",
        };
        let block = self.block();
        let name = node.keyword.name;
        let before = match block {
            BlockId::Root | BlockId::Global => {
                let before = self.given.iter().find(|(b, n, _)| (*b, *n) == (block, name));
                before.map(|(_, _, span)| *span)
            }
            _ => {
                let siblings =
                    self.stack.last().and_then(|frame| frame.node.as_ref()).map(|node| &node.children);
                siblings
                    .and_then(|all| all.iter().find(|other| other.keyword.name == name && !other.bad))
                    .map(|other| other.name.span)
            }
        };
        let Some(before) = before else {
            if matches!(block, BlockId::Root | BlockId::Global) && !node.bad {
                self.given.push((block, name, node.name.span));
            }
            return false;
        };
        self.context.report(
            Diagnostic::error("duplicate-keyword", format!("`{name}` was given before"))
                .at(node.name.span, label)
                .also(before, "here"),
        );
        node.keyword.again == Again::FirstCounts
    }

    fn close(&mut self, span: Span, first: bool) {
        let Some(frame) = self.stack.pop() else {
            if self.assumed_missing > 0 {
                // The brace that was taken to be missing: the keyword before it stood in the wrong block.
                self.assumed_missing -= 1;
                return;
            }
            let start = self.surplus.map_or(span, |(start, _)| start);
            self.surplus = Some((start, span));
            return;
        };
        if let Some(node) = frame.node {
            if first && self.suspect.is_none() {
                let opened = self.context.sources.place(node.name.span).column;
                if self.context.sources.place(span).column < opened {
                    self.suspect = Some(node.name.span);
                }
            }
            self.add(node);
            self.closed.push(Closed { by: span });
        }
    }

    /// Says once that a keyword is not acted on, or was written in an old spelling.
    fn say_once(&mut self, block: BlockId, found: Found, name: &Word, old_spelling: bool) {
        let keyword = found.keyword;
        if old_spelling && !self.said_old.contains(&name.text) {
            self.said_old.push(name.text.clone());
            self.context.report(
                Diagnostic::note(
                    "deprecated-spelling",
                    format!("`{}` is an old spelling of `{}`", name.text, keyword.name),
                )
                .at(name.span, "still understood")
                .suggest(name.span, keyword.name, format!("write `{}`", keyword.name)),
            );
        }
        if self.said_unbuilt.contains(&(block, keyword.name)) {
            return;
        }
        if unbuilt::is_unbuilt(block, keyword.name) {
            self.said_unbuilt.push((block, keyword.name));
            self.context.report(
                Diagnostic::warning(
                    "not-acted-on",
                    format!("`{}` is understood, not acted on yet", keyword.name),
                )
                .at(name.span, "has no effect yet"),
            );
        } else if keyword.replaced_by == "nothing" {
            self.said_unbuilt.push((block, keyword.name));
            self.context.report(
                Diagnostic::note("no-effect", format!("`{}` has no effect", keyword.name))
                    .at(name.span, "only for Linux 2.2; can be left out"),
            );
        } else if !keyword.replaced_by.is_empty() {
            self.said_unbuilt.push((block, keyword.name));
            self.context.report(
                Diagnostic::warning("deprecated-keyword", format!("`{}` is old", keyword.name))
                    .changes()
                    .at(name.span, format!("use {} in place of it", keyword.replaced_by)),
            );
        }
    }
}

fn unclosed_quote(span: Span) -> Diagnostic {
    Diagnostic::error("unterminated-quote", "this quote is not closed on its line").at(span, "opened here")
}
