//! What to make of a keyword or brace that does not fit.
//!
//! The rule: say it once, where it stands, with what was probably meant, and go on so that nothing follows from it.

use super::suggest::{self, Meant};
use super::{Frame, Parser, Reading, Shape, Statement};
use crate::diagnostics::Diagnostic;
use crate::items::Item;
use crate::preprocess::Context;
use crate::schema::{self, BlockId, Body};
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

impl Parser<'_> {
    /// Decides what a word that is no keyword here is. Some when it is clear what was meant.
    pub(super) fn recover_unknown(&mut self, name: &Word, words: &[Word]) -> Option<Statement> {
        let opens = matches!(self.items.peek(self.context), Some(Item::Open(_)));
        if !opens && (self.is_foreign(name) || self.is_stray_member(name, words)) {
            return None;
        }
        let meant = self.unknown(name, words, opens);
        if let Some(statement) = meant.and_then(|meant| self.as_meant(&meant, name, words, opens)) {
            return Some(statement);
        }
        if opens {
            if self.stack.is_empty() {
                self.skipped_names.extend(words.get(1).map(|word| word.text.clone()));
            }
            self.skip_block(name.span);
        }
        None
    }

    /// Takes the `{` that follows, and skips what is in it.
    pub(super) fn skip_block(&mut self, opened: Span) {
        self.items.next(self.context);
        self.stack.push(Frame { shape: Shape::Skipped, node: None, opened, left_out: false });
    }

    /// Says that a keyword is not known; what was probably meant.
    fn unknown(&mut self, name: &Word, words: &[Word], opens: bool) -> Option<Meant> {
        let block = self.block();
        let diagnostic =
            Diagnostic::error("unknown-keyword", format!("`{}` is no keyword of {block}", name.text));
        let meant = suggest::meant(block, words, opens);
        let diagnostic = match &meant {
            Some(meant) => with_meant(diagnostic, meant, words),
            None => {
                self.braces_in_doubt = true;
                self.elsewhere(diagnostic, name)
            }
        };
        let diagnostic = if opens { diagnostic.help("the whole block is left out") } else { diagnostic };
        self.context.report(diagnostic);
        meant
    }

    /// The statement that was probably meant; `None` if what follows does not fit it.
    fn as_meant(&mut self, meant: &Meant, name: &Word, words: &[Word], opens: bool) -> Option<Statement> {
        let found = schema::find(self.block(), meant.keyword)?;
        if opens != (found.keyword.body != Body::None) {
            self.braces_in_doubt = true;
            return None;
        }
        let replaced = meant.replacement.split(' ').map(|text| Word { text: text.into(), span: name.span });
        let words: Vec<Word> = replaced.chain(words.iter().skip(meant.words).cloned()).collect();
        if self.stack.is_empty() && self.reading == Reading::AsWritten {
            self.skipped_names.extend(words.get(1).map(|word| word.text.clone()));
        }
        Some(Statement { found, name: words.first()?.clone(), words, misspelt: true })
    }

    /// Is this the name of an instance that stands in a sync group itself, not in its `group`? Says so once a group.
    fn is_stray_member(&mut self, name: &Word, words: &[Word]) -> bool {
        let Some(opened) = self.stack.last().map(|frame| frame.opened) else { return false };
        if self.block() != BlockId::SyncGroup
            || words.len() > 1
            || !schema::blocks_with(&name.text).is_empty()
            || suggest::meant(BlockId::SyncGroup, words, false).is_some()
        {
            return false;
        }
        if self.stray_members_of == Some(opened) {
            return true;
        }
        self.stray_members_of = Some(opened);
        self.lost_keywords.push("group");
        let message = format!("`{}` is no keyword of {}", name.text, BlockId::SyncGroup);
        self.context.report(
            Diagnostic::error("unknown-keyword", message)
                .at(name.span, "not in `group`")
                .help("put the names of the members into `group { … }`"),
        );
        true
    }

    /// Says where the keyword could stand.
    fn elsewhere(&mut self, diagnostic: Diagnostic, name: &Word) -> Diagnostic {
        let blocks = schema::blocks_with(&name.text);
        self.lost_keywords.extend(
            blocks
                .iter()
                .filter_map(|block| schema::find(*block, &name.text))
                .map(|found| found.keyword.name),
        );
        if blocks.is_empty() {
            let diagnostic = diagnostic.at(name.span, "not known");
            return match suggest::begins_with(self.block(), &name.text) {
                Some(keyword) => diagnostic.help(format!("perhaps `{keyword}` is meant")),
                None => diagnostic,
            };
        }
        let diagnostic = diagnostic.at(name.span, "does not belong here");
        if let Some((block, closed, brace)) = &self.closed
            && schema::find(*block, &name.text).is_some()
        {
            return diagnostic
                .also(*brace, format!("`{}` is closed here", closed.text))
                .help(format!("it belongs in {block}: move it before that `}}`"));
        }
        if let Some((outside, inner)) = self.around(&name.text) {
            return diagnostic.also(inner.span, format!("`{}` begins here", inner.text)).help(format!(
                "it belongs in {outside}, outside of `{}`: move it, or close that block before it",
                inner.text
            ));
        }
        let titles: Vec<String> = blocks.iter().map(BlockId::to_string).collect();
        diagnostic.help(format!("it can stand in {}", titles.join(", ")))
    }

    /// The innermost block around the current one that knows a keyword, and the name of the block in it that is open.
    fn around(&self, keyword: &str) -> Option<(BlockId, Word)> {
        (0..self.stack.len()).rev().find_map(|level| {
            let block = match level.checked_sub(1).and_then(|outer| self.stack.get(outer)) {
                Some(Frame { shape: Shape::Keywords(block), .. }) => *block,
                Some(Frame { shape: Shape::Lines | Shape::Skipped, .. }) => return None,
                None => BlockId::Root,
            };
            schema::find(block, keyword)?;
            Some((block, self.stack.get(level)?.node.as_ref()?.name.clone()))
        })
    }

    /// A block stands among the lines of another: skips it.
    pub(super) fn block_among_lines(&mut self, name: &Word) {
        self.braces_in_doubt = true;
        let around = self.stack.last().and_then(|frame| frame.node.as_ref());
        let inside = around.map_or(String::new(), |around| format!(" of `{}`", around.name.text));
        let diagnostic = Diagnostic::error("unknown-keyword", format!("`{}` is no line{inside}", name.text));
        let diagnostic = self.elsewhere(diagnostic, name).help("the whole block is left out");
        self.context.report(diagnostic);
        self.skip_block(name.span);
    }

    /// Does a line of a block of lines begin with a keyword of the block around it? Then it probably stands in there by
    /// mistake; the model has it nevertheless, for it may be a name.
    pub(super) fn is_keyword_among_lines(&mut self, name: &Word) -> bool {
        let Some((outside, inner)) = self.around(&name.text) else { return false };
        self.braces_in_doubt = true;
        self.misspelt = true;
        let diagnostic = Diagnostic::warning(
            "unknown-keyword",
            format!("`{}` is a keyword of {outside}, but stands in `{}`", name.text, inner.text),
        );
        self.context.report(
            diagnostic
                .at(name.span, "taken as it stands")
                .also(inner.span, format!("`{}` begins here", inner.text))
                .help(format!("move it out of `{}`, or close that block before it", inner.text)),
        );
        self.reading == Reading::AsMeant
    }

    /// A `{` that nothing asked for: what is in it is taken as if it were not there.
    pub(super) fn unexpected_open(&mut self, span: Span) {
        let shape = self.stack.last().map_or(Shape::Keywords(BlockId::Root), |frame| frame.shape);
        if shape != Shape::Skipped {
            self.braces_in_doubt = true;
            self.context.report(
                Diagnostic::error("unexpected-brace", "nothing that opens a block stands before this `{`")
                    .at(span, "opens nothing")
                    .help("take it out, and the `}` that belongs to it"),
            );
        }
        self.stack.push(Frame { shape, node: None, opened: span, left_out: false });
    }

    /// A block's keyword without `{`.
    pub(super) fn no_block(&mut self, node: &Node) {
        self.braces_in_doubt = true;
        self.context.report(
            Diagnostic::error("missing-brace", format!("`{}` has no `{{`", node.name.text))
                .at(node.span().after(), "a block should follow"),
        );
    }

    /// Reports the run of surplus braces that has just ended.
    pub(super) fn flush_surplus(&mut self) {
        let Some((first, last)) = self.surplus.take() else { return };
        let message = if first == last { "this `}` closes nothing" } else { "these `}` close nothing" };
        self.context.report(
            Diagnostic::error("surplus-brace", message)
                .at(first.to(last), "surplus")
                .help("every block before it is closed already"),
        );
    }

    /// The end of the text: whatever is open was not closed.
    pub(super) fn end(&mut self, sink: &mut dyn FnMut(Node, &mut Context)) {
        if let Some(frame) = self.stack.first() {
            self.braces_in_doubt = true;
            let (name, span) = match &frame.node {
                Some(node) => (&*node.name.text, node.name.span),
                None => ("{", frame.opened),
            };
            let diagnostic = Diagnostic::error("missing-brace", format!("`{name}` is not closed"));
            self.context.report(diagnostic.at(span, "its `}` is missing"));
        }
        while let Some(frame) = self.stack.pop() {
            if let (Some(node), false) = (frame.node, frame.left_out) {
                self.add(node, sink);
            }
        }
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
