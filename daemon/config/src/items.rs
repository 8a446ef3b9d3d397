//! Lines cut at their braces.

use std::collections::VecDeque;

use crate::diagnostics::Diagnostic;
use crate::preprocess::{Context, Reader, begins_anew, use_at};
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
    /// How many blocks are open that were opened with another bracket than `{`.
    other_brackets: usize,
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
            other_brackets: 0,
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
            self.cut(line, context);
        }
    }

    /// Cuts a line at its braces. What the reader has to look at again goes back to it: after a brace a condition, a
    /// definition or a sequence may begin.
    fn cut(&mut self, line: Line, context: &mut Context) {
        if self.other_bracket(&line, context) {
            return;
        }
        let mut unquoted = Unquoted::new(&line.text);
        let mut from = 0;
        while let Some((at, byte)) = unquoted.next() {
            if let Some(end) = template(&line.text, at) {
                context.spoil(unfilled_template(line.span(at, end)));
                if line.text.get(at..).is_some_and(|rest| rest.starts_with("{%")) {
                    return;
                }
                unquoted.pass(end - at - 1);
                continue;
            }
            if !matches!(byte, b'{' | b'}') {
                continue;
            }
            if let Some((end, name)) = undefined(&line, at) {
                context.spoil(undefined_name(line.span(at - 1, end), name));
                unquoted.pass(end - at - 1);
                continue;
            }
            if let Some(end) = unclosed_use(&line.text, at) {
                context.spoil(unclosed_name(line.span(at - 1, end)));
                unquoted.pass(end - at - 1);
                continue;
            }
            self.push_words(&line, from, at);
            let span = line.span(at, at + 1);
            self.queue.push_back(if byte == b'{' { Item::Open(span) } else { Item::Close(span) });
            from = at + 1 + blanks(&line, at + 1);
            if line.text.get(from..).is_some_and(begins_anew) {
                self.reader.give_back(line.part(from, line.text.len()));
                return;
            }
        }
        if from == 0 {
            self.queue.push_back(Item::Words(line));
        } else {
            self.push_words(&line, from, line.text.len());
        }
    }

    /// Takes `unicast_peer [` and `]` for what they are meant to be; false if the line is neither.
    fn other_bracket(&mut self, line: &Line, context: &mut Context) -> bool {
        let text = line.text.trim_end();
        let end = text.len();
        let Some(last) = text.chars().next_back() else { return false };
        let meant = match last {
            '(' | '[' | '｛' => "{",
            ')' | ']' | '｝' => "}",
            _ => return false,
        };
        let begin = end - last.len_utf8();
        let opens = meant == "{";
        let before = text.get(..begin).unwrap_or("");
        let mut unquoted = Unquoted::new(text);
        let is_word = if opens { before.ends_with([' ', '\t']) } else { before.is_empty() };
        if !is_word
            || unquoted.by_ref().last().is_none_or(|(at, _)| at + 1 != end)
            || before.contains(['{', '}'])
        {
            return false;
        }
        let span = line.span(begin, end);
        self.push_words(line, 0, before.trim_end().len());
        self.queue.push_back(if opens { Item::Open(span) } else { Item::Close(span) });
        let verb = if opens { "opened" } else { "closed" };
        if opens || self.other_brackets == 0 {
            let message = format!("a block is {verb} with `{meant}`, not with `{last}`");
            let diagnostic =
                Diagnostic::error("foreign-syntax", message).at(span, format!("expected `{meant}`"));
            context.report(diagnostic.suggest(span, meant, format!("write `{meant}`")));
        }
        self.other_brackets =
            if opens { self.other_brackets + 1 } else { self.other_brackets.saturating_sub(1) };
        true
    }

    /// Queues a part of a line unless it is blank.
    fn push_words(&mut self, line: &Line, start: usize, end: usize) {
        let start = (start + blanks(line, start)).min(end);
        if start < end {
            self.queue.push_back(Item::Words(line.part(start, end)));
        }
    }
}

/// How many blanks there are at this byte.
fn blanks(line: &Line, at: usize) -> usize {
    let rest = line.text.get(at..).unwrap_or("");
    rest.len() - rest.trim_start_matches([' ', '\t']).len()
}

/// `${NAME}` whose `{` is this byte, of a name that nothing has replaced: where it ends, and the name.
fn undefined(line: &Line, brace: usize) -> Option<(usize, &str)> {
    let dollar =
        brace.checked_sub(1).filter(|at| line.text.get(*at..).is_some_and(|rest| rest.starts_with("${")))?;
    use_at(&line.text, dollar).map(|usage| (usage.range.end, usage.name))
}

fn undefined_name(span: Span, name: &str) -> Diagnostic {
    Diagnostic::undefined(format!("`${name}` is not defined here"), Some(name))
        .at(span, "stands for nothing")
        .help(format!("it is defined by a line `${name}=…` before its use; a value of several lines must come last on its line"))
}

/// The end of the `${NAME` that this `{` belongs to, if nothing closes it.
fn unclosed_use(text: &str, brace: usize) -> Option<usize> {
    let rest = text.get(brace + 1..)?;
    let begins =
        text.get(..brace)?.ends_with('$') && rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    (begins && !rest.contains('}')).then_some(brace + 1 + length)
}

fn unclosed_name(span: Span) -> Diagnostic {
    let after = Span { start: span.end, ..span };
    Diagnostic::undefined("this `${` has no `}`", None)
        .at(span, "stands for nothing")
        .suggest(after, "}", "close it")
}

/// What a template engine would have filled in, and which begins at this byte: where it ends.
fn template(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let (_, end) =
        [("{{", "}}"), ("{%", "%}"), ("<%", "%>")].into_iter().find(|(begin, _)| rest.starts_with(begin))?;
    rest.find(end).map(|length| at + length + end.len())
}

fn unfilled_template(span: Span) -> Diagnostic {
    Diagnostic::error("unfilled-template", "this is part of a template that nobody filled in")
        .at(span, "stands for nothing here")
        .help("run the tool that makes the configuration from its template, or write the value")
}
