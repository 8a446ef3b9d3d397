//! What to make of a keyword or brace that does not fit.
//!
//! The rule: say it once, where it stands, with what was probably meant, and go on so that nothing follows from it.

use super::suggest::{self, Meant};
use super::{Frame, Parser, Reading, Shape, Statement};
use crate::diagnostics::Diagnostic;
use crate::items::Item;
use crate::preprocess::{self, Context};
use crate::schema::{self, BlockId, Body, Found};
use crate::source::Span;
use crate::tree::Node;
use crate::values;
use crate::words::{Line, Word};

impl Parser<'_> {
    /// Decides what a word that is no keyword here is. Some when it is clear what was meant.
    pub(super) fn recover_unknown(&mut self, name: &Word, words: &[Word]) -> Option<Statement> {
        let opens = matches!(self.items.peek(self.context), Some(Item::Open(_)));
        if !opens && (self.is_foreign(words) || self.is_stray_member(name, words)) {
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
            None => match definition(words) {
                Some((defined, place, mend)) => {
                    self.context.lost_names.push(defined);
                    let message = format!("did you mean `{mend}`?");
                    diagnostic
                        .at(place, "a definition is written `$NAME=VALUE`, without blanks")
                        .suggest(place, mend, message)
                }
                None => {
                    self.braces_in_doubt = true;
                    self.elsewhere(diagnostic, name)
                }
            },
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
            if let Some(meant) = preprocess::directive_like(&name.text) {
                if *name.text == *meant {
                    // With a name behind it, it would have been followed.
                    let message = format!("`{meant}` does not say which file");
                    let missing = Diagnostic::error("missing-value", message)
                        .at(name.span.after(), "PATTERN is missing here");
                    return missing.help(format!("for example: `{meant} conf.d/*.conf`"));
                }
                return diagnostic.suggest(name.span, meant, format!("did you mean `{meant}`?"));
            }
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
        let mut titles: Vec<String> = Vec::new();
        for title in blocks.iter().map(BlockId::to_string) {
            // Blocks of one name may have other keywords.
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
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

    /// A block's keyword without `{`: what stands beside it was perhaps meant for a line in it.
    pub(super) fn no_block(&mut self, node: &mut Node) {
        self.braces_in_doubt = true;
        let name = &node.name;
        let diagnostic = Diagnostic::error("missing-brace", format!("`{}` has no `{{`", name.text));
        let most = node.keyword.most_values();
        let (Some(first), Some(last)) = (node.args.get(most), node.args.last()) else {
            self.context.report(diagnostic.at(node.span().after(), "a block should follow"));
            return;
        };
        let span = first.span.to(last.span);
        let diagnostic = diagnostic.at(span, "this should stand in a block");
        let lines = matches!(node.keyword.body, Body::Lines(_)).then(|| lines_beside(&node.args[most..]));
        let diagnostic = match &lines {
            Some(lines) => {
                let texts: Vec<String> = lines.iter().map(|line| join(line)).collect();
                let (begin, end) = if texts.len() > 1 { ("{\n", "\n}") } else { ("{ ", " }") };
                diagnostic.suggest(span, format!("{begin}{}{end}", texts.join("\n")), "put it in braces")
            }
            None => diagnostic.help(format!("it is written `{}`", node.keyword.syntax())),
        };
        self.context.report(diagnostic);
        node.args.truncate(most);
        self.misspelt = true;
        if self.reading == Reading::AsMeant {
            node.lines = lines.unwrap_or_default();
        }
    }

    /// Takes what stands beside the keyword of a block for a line in it: its `{` was put in.
    pub(super) fn with_lines_beside(&mut self, node: &mut Node) {
        let surplus = node.args.split_off(node.keyword.most_values().min(node.args.len()));
        if matches!(node.keyword.body, Body::Lines(_)) && !surplus.is_empty() {
            node.lines.push(surplus);
        }
    }

    /// Cuts off the next statement of a line that has several, which is reported once a line.
    pub(super) fn next_statement(
        &mut self,
        found: Found,
        words: &mut Vec<Word>,
        line: &Line,
    ) -> Option<Line> {
        let block = self.block();
        let most = found.keyword.most_values();
        let begins = |at: &usize| {
            let ends = |before: &Word| before.text.ends_with(';');
            let after = *at > most || words.get(at - 1).is_some_and(ends);
            after && words.get(*at).is_some_and(|word| schema::find(block, &word.text).is_some())
        };
        let at = (1..words.len()).find(begins)?;
        let rest = line.part_from_word(at)?;
        let (before, next) = (words.get(at - 1)?, words.get(at)?);
        let source = self.context.sources.file(next.span.file);
        let start = source.line_start(source.line_of(next.span.start)) as u32;
        let here = Span { start, end: start, ..next.span };
        if self.run_on != Some(here) {
            self.run_on = Some(here);
            let diagnostic = Diagnostic::warning("extra-words", format!("`{}` must begin a line", next.text))
                .at(next.span, "another keyword on the same line has no effect");
            let diagnostic = diagnostic.suggest_new_line(before.span.end, next, &self.context.sources);
            // A keyword that is lost is a surplus word, but a block that is lost is a change.
            let found = schema::find(block, &next.text);
            let block = found.is_some_and(|found| !matches!(found.keyword.body, Body::None));
            self.context.report(if block { diagnostic.changes() } else { diagnostic });
        }
        words.truncate(at);
        if let Some(last) = words.last_mut().filter(|last| last.text.ends_with(';')) {
            last.text = last.text.trim_end_matches(';').into();
        }
        self.misspelt = true;
        Some(rest)
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

/// A definition as other languages write it: the name, its place, and how it is written here.
fn definition(words: &[Word]) -> Option<(Box<str>, Span, String)> {
    let skipped = usize::from(matches!(&*words.first()?.text, "export" | "set" | "let" | "define"));
    let words = words.get(skipped..)?;
    let first = words.first()?;
    let (name, glued) =
        first.text.split_once('=').map_or((&*first.text, None), |(name, rest)| (name, Some(rest)));
    let name = name.strip_prefix('$').unwrap_or(name);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || !name.chars().all(fits) {
        return None;
    }
    let (value, last) = match (glued, words.get(1)) {
        (Some(""), Some(second)) => (&*second.text, second),
        (Some(value), _) => (value, first),
        (None, Some(second)) => match (second.text.strip_prefix('=')?, words.get(2)) {
            ("", Some(third)) => (&*third.text, third),
            (value, _) => (value, second),
        },
        (None, None) => return None,
    };
    Some((name.into(), first.span.to(last.span), format!("${name}={value}")))
}

/// The lines that the words beside a keyword were meant for: several addresses are a line each.
fn lines_beside(words: &[Word]) -> Vec<Vec<Word>> {
    let is_address = |word: &Word| values::host(&word.text).is_some();
    if words.iter().all(is_address) {
        return words.iter().map(|word| vec![word.clone()]).collect();
    }
    vec![words.to_vec()]
}

fn join(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    texts.join(" ")
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
