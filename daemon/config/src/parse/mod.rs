//! From items to a tree, block by block of the top level.
//!
//! Goes in: [`Items`] and the schema. Comes out: one [`Node`] of the top level after another, and diagnostics for what
//! is not in the schema. Braces are the hard part: when something does not fit, [`repair`] finds the brace that is
//! missing, surplus or misplaced, and the text is read again with that mended, so that one wrong brace makes one
//! diagnostic. A misspelt keyword counts as [`Reading`] says.

mod beginning;
mod brace_report;
mod edit;
mod foreign;
mod lines;
mod outline;
mod recover;
mod repair;
mod suggest;

pub(crate) use self::repair::{Repair, repair};
use crate::diagnostics::Diagnostic;
use crate::items::{Item, Items};
use crate::preprocess::Context;
use crate::schema::{self, Again, BlockId, Body, Found};
use crate::source::Span;
use crate::tree::Node;
use crate::values;
use crate::words::{Line, Word};

/// How a keyword is taken whose likely meaning is clear although it is misspelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is left out, as keepalived does: this makes the model.
    AsWritten,
    /// As what it was probably meant for: this makes the diagnostics, so that nothing is said that only follows from it.
    AsMeant,
}

/// How many statements on one line are looked at; that they must begin lines of their own is said at the first.
const MOST_ON_A_LINE: usize = 100;

/// What a block on the stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Keywords(BlockId),
    Lines,
    /// Not understood: skipped to its closing brace.
    Skipped,
}

impl Shape {
    /// Of what stands in the braces of a keyword; `None` if it has none.
    fn of(body: Body) -> Option<Self> {
        match body {
            Body::None => None,
            Body::Block(inner) => Some(Self::Keywords(inner)),
            Body::Lines(_) => Some(Self::Lines),
        }
    }
}

/// A block that is open.
#[derive(Debug)]
struct Frame {
    shape: Shape,
    /// `None` for a `{` that stands for no block: what is in it belongs to the block around it.
    node: Option<Node>,
    opened: Span,
    /// The model does without it.
    left_out: bool,
}

/// A line that begins with a keyword.
#[derive(Debug)]
struct Statement {
    found: Found,
    name: Word,
    /// Its words, the keyword among them.
    words: Vec<Word>,
    /// The keyword is what was probably meant; the words are as if it had been written.
    misspelt: bool,
}

/// A keyword that was given.
#[derive(Clone, Copy, Debug)]
struct Given {
    block: BlockId,
    name: &'static str,
    has_value: bool,
    span: Span,
}

impl Given {
    fn of(block: BlockId, node: &Node) -> Self {
        Self { block, name: node.keyword.name, has_value: !node.args.is_empty(), span: node.name.span }
    }
}

/// Builds the tree.
pub(crate) struct Parser<'a> {
    items: Items,
    reading: Reading,
    context: &'a mut Context,
    stack: Vec<Frame>,
    /// The block that was closed last, if nothing came after it: what it was, its name and the brace.
    closed: Option<(BlockId, Word, Span)>,
    /// Surplus braces in a row: the diagnostic waits for the last.
    surplus: Option<(Span, Span)>,
    /// Where the sync group begins of which it was said that its members don't stand in `group`.
    stray_members_of: Option<Span>,
    /// How many unfinished merges, in one another, these lines are of.
    merges: u32,
    said_keywords: Vec<(BlockId, &'static str)>,
    said_old: Vec<Box<str>>,
    /// What counts once in the blocks that are one wherever they stand, the top level and `global_defs`, and was given.
    given: Vec<Given>,
    /// Names of blocks that were not understood; nobody should complain that they are missing.
    pub(crate) skipped_names: Vec<Box<str>>,
    /// Keywords that stand where they have nothing to do, or have a wrong value (and that is reported): nobody should
    /// complain that they are missing.
    pub(crate) lost_keywords: Vec<&'static str>,
    /// A keyword was found to be misspelt, so that the two readings differ.
    pub(crate) misspelt: bool,
    /// Something does not fit that a wrong brace may be behind.
    pub(crate) braces_in_doubt: bool,
    /// What follows is passed over up to a line with this mark.
    passing_over: Option<&'static str>,
    /// Where a line with several statements on it was reported last.
    run_on: Option<Span>,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(items: Items, reading: Reading, context: &'a mut Context) -> Self {
        Self {
            items,
            reading,
            context,
            stack: Vec::new(),
            closed: None,
            surplus: None,
            stray_members_of: None,
            merges: 0,
            said_keywords: Vec::new(),
            said_old: Vec::new(),
            given: Vec::new(),
            skipped_names: Vec::new(),
            lost_keywords: Vec::new(),
            misspelt: false,
            braces_in_doubt: false,
            passing_over: None,
            run_on: None,
        }
    }

    /// Builds everything, handing each node of the top level to `sink`.
    pub(crate) fn run(&mut self, sink: &mut dyn FnMut(Node, &mut Context)) {
        while let Some(item) = self.items.next(self.context) {
            if self.is_passed_over(&item) {
                continue;
            }
            match item {
                Item::Close(span) => self.close(span, sink),
                Item::Open(span) => {
                    self.flush_surplus();
                    self.unexpected_open(span);
                }
                Item::Words(line) => {
                    self.flush_surplus();
                    let mut rest = self.words(&line, false, sink);
                    for _ in 0..MOST_ON_A_LINE {
                        let Some(line) = rest else { break };
                        rest = self.words(&line, true, sink);
                    }
                }
            }
        }
        self.flush_surplus();
        self.end(sink);
    }

    /// The block that keywords are looked for in.
    fn block(&self) -> BlockId {
        match self.stack.last().map(|frame| frame.shape) {
            Some(Shape::Keywords(block)) => block,
            Some(Shape::Lines | Shape::Skipped) | None => BlockId::Root,
        }
    }

    /// Takes a line, or the part of one that runs on after another statement; what runs on after this one.
    fn words(
        &mut self,
        line: &Line,
        runs_on: bool,
        sink: &mut dyn FnMut(Node, &mut Context),
    ) -> Option<Line> {
        let (mut words, unclosed) = line.words();
        let Some(name) = words.first().cloned() else {
            if let Some(span) = unclosed {
                self.context.report(unclosed_quote(span));
            }
            return None;
        };
        match self.stack.last().map(|frame| frame.shape) {
            Some(Shape::Skipped) => {
                if matches!(self.items.peek(self.context), Some(Item::Open(_))) {
                    self.skip_block(name.span);
                }
            }
            Some(Shape::Lines) => self.line_of_block(&name, words),
            Some(Shape::Keywords(_)) | None => {
                let known = schema::find(self.block(), &name.text);
                let somewhere = known.is_some() || !schema::blocks_with(&name.text).is_empty();
                self.context.count_keyword(name.span, known.is_some(), somewhere);
                let rest = known.and_then(|found| self.next_statement(found, &mut words, line));
                let statement = match known {
                    Some(found) => Some(self.without_foreign(found, name, words)),
                    None => self.recover_unknown(&name, &words),
                };
                self.closed = None;
                if let Some(mut statement) = statement {
                    // Those with quoted values look for themselves what is not closed.
                    if let Some(span) = unclosed.filter(|_| !statement.found.keyword.is_quoted()) {
                        self.context.spoil(unclosed_quote(span));
                    }
                    statement.misspelt |= runs_on;
                    self.keyword(statement, line, sink);
                }
                return rest;
            }
        }
        None
    }

    fn keyword(&mut self, statement: Statement, line: &Line, sink: &mut dyn FnMut(Node, &mut Context)) {
        let Statement { found, name, words, misspelt } = statement;
        let keyword = found.keyword;
        self.misspelt |= misspelt;
        let left_out = misspelt && self.reading == Reading::AsWritten;
        if !left_out {
            self.say_once(self.block(), found, &name);
        }
        let quoted = if keyword.is_quoted() && !misspelt {
            values::quoted_arguments(line, &name, keyword, self.context)
        } else {
            Some(words.into_iter().skip(1).collect())
        };
        let bad = left_out || quoted.is_none();
        let args = quoted.unwrap_or_default();
        let mut node = Node { keyword, name, args, bad, children: Vec::new(), lines: Vec::new() };
        let Some(shape) = Shape::of(keyword.body) else {
            self.check_values(&mut node);
            if !left_out {
                self.add(node, sink);
            }
            return;
        };
        match self.items.peek(self.context) {
            Some(Item::Open(span)) => {
                let opened = *span;
                self.items.next(self.context);
                if opened == Span::default() {
                    self.with_lines_beside(&mut node);
                }
                self.check_values(&mut node);
                self.stack.push(Frame { shape, node: Some(node), opened, left_out });
            }
            Some(Item::Words(_) | Item::Close(_)) | None => {
                self.no_block(&mut node);
                self.check_values(&mut node);
                // Nobody should complain of what is missing in it, nor of its name.
                self.skipped_names.extend(node.args.first().map(|word| word.text.clone()));
                if node.lines.is_empty() {
                    node.bad = true;
                }
                self.add(node, sink);
            }
        }
    }

    fn check_values(&mut self, node: &mut Node) {
        // Of what is left out nothing more is said.
        node.bad = node.bad || !values::check(node, self.context);
        // A name of two words was meant for one: nobody should complain that it is missing.
        if matches!(node.keyword.body, Body::Block(_))
            && node.keyword.most_values() == 1
            && node.args.len() == 2
        {
            let both: Vec<&str> = node.args.iter().map(|arg| &*arg.text).collect();
            self.skipped_names.extend(["_", "-", "", " "].map(|between| both.join(between).into()));
        }
        if node.bad {
            self.lost_keywords.push(node.keyword.name);
        }
    }

    /// The node of the innermost block that is understood.
    fn node(&mut self) -> Option<&mut Node> {
        self.stack.iter_mut().rev().find_map(|frame| frame.node.as_mut())
    }

    /// Puts a finished node where it belongs, unless only the first of its kind counts and this one is not.
    fn add(&mut self, node: Node, sink: &mut dyn FnMut(Node, &mut Context)) {
        if self.is_left_out(&node) {
            return;
        }
        match self.node() {
            Some(parent) => parent.children.push(node),
            None => sink(node, self.context),
        }
    }

    /// Says so when a keyword that counts once was given before; true when this one has no effect.
    fn is_left_out(&mut self, node: &Node) -> bool {
        let again = node.keyword.again;
        // What stands alone says the same twice, and what is in braces is put together.
        let nothing_lost = node.keyword.args.is_empty() || node.keyword.body != Body::None;
        if again == Again::Adds || again == Again::Replaces && (nothing_lost || node.bad) {
            return false;
        }
        let block = self.block();
        let name = node.keyword.name;
        let before = match block {
            BlockId::Root | BlockId::Global => {
                self.given.iter().find(|given| (given.block, given.name) == (block, name)).copied()
            }
            _ => {
                let same = |other: &&Node| other.keyword.name == name && !other.bad;
                let siblings = self.node().map(|parent| &parent.children);
                siblings.and_then(|all| all.iter().rfind(same)).map(|other| Given::of(block, other))
            }
        };
        let in_one = matches!(block, BlockId::Root | BlockId::Global);
        if in_one && !node.bad && (before.is_none() || again != Again::FirstCounts) {
            // The next one is told of beside this one.
            self.given.retain(|given| (given.block, given.name) != (block, name));
            self.given.push(Given::of(block, node));
        }
        let Some(before) = before else { return false };
        let message = format!("`{name}` was given before");
        let diagnostic = match again {
            // A switch, as often as one likes.
            Again::Replaces if !before.has_value && node.args.is_empty() => return false,
            Again::Adds => return false,
            Again::Replaces => {
                Diagnostic::warning("duplicate-keyword", message).at(node.name.span, "this one counts")
            }
            Again::LastCounts => {
                Diagnostic::error("duplicate-keyword", message).at(node.name.span, "this one counts")
            }
            Again::FirstCounts => {
                Diagnostic::error("duplicate-keyword", message).at(node.name.span, "this one is left out")
            }
        };
        self.context.report(diagnostic.also(before.span, "here"));
        again == Again::FirstCounts
    }

    fn close(&mut self, span: Span, sink: &mut dyn FnMut(Node, &mut Context)) {
        let Some(frame) = self.stack.pop() else {
            self.braces_in_doubt = true;
            let start = self.surplus.map_or(span, |(start, _)| start);
            self.surplus = Some((start, span));
            return;
        };
        let Some(node) = frame.node else { return };
        self.closed = match frame.shape {
            Shape::Keywords(block) => Some((block, node.name.clone(), span)),
            Shape::Lines | Shape::Skipped => None,
        };
        if !frame.left_out {
            self.add(node, sink);
        }
    }

    /// Says once that a keyword is old or has no effect, or was written in an old spelling.
    fn say_once(&mut self, block: BlockId, found: Found, name: &Word) {
        let keyword = found.keyword;
        if found.old_spelling && !self.said_old.contains(&name.text) {
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
        if self.said_keywords.contains(&(block, keyword.name)) {
            return;
        }
        if keyword.replaced_by == "nothing" {
            self.said_keywords.push((block, keyword.name));
            self.context.report(
                Diagnostic::note("no-effect", format!("`{}` has no effect", keyword.name))
                    .at(name.span, "only for Linux 2.2; can be left out"),
            );
        } else if keyword.still_acts {
            self.said_keywords.push((block, keyword.name));
            if !found.old_spelling {
                self.context.report(
                    Diagnostic::note("deprecated-keyword", format!("`{}` is old", keyword.name))
                        .at(name.span, format!("still understood; {} says more", keyword.replaced_by)),
                );
            }
        } else if !keyword.replaced_by.is_empty() {
            self.said_keywords.push((block, keyword.name));
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
