//! Lines cut at their braces.

use std::collections::VecDeque;

use crate::diagnostics::Diagnostic;
use crate::preprocess::{Context, Reader, use_at};
use crate::source::Span;
use crate::words::Line;

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
    /// The reader has the rest of a line.
    gave_back: bool,
}

impl Items {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, queue: VecDeque::new(), gave_back: false }
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
            let is_rest = self.gave_back;
            self.gave_back = false;
            let Some(line) = self.reader.next(context) else { return };
            self.cut(line, is_rest, context);
        }
    }

    /// Takes a line up to its first brace, and with it; what follows goes back to the reader.
    fn cut(&mut self, line: Line, is_rest: bool, context: &mut Context) {
        let bytes = line.text.as_bytes();
        let mut quoted = false;
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => quoted = !quoted,
                b'{' if !quoted => match undefined(&line, at) {
                    Some((end, name)) => {
                        context.spoil(undefined_name(line.span(at - 1, end), name));
                        at = end;
                        continue;
                    }
                    None => return self.cut_at(&line, at, is_rest),
                },
                b'}' if !quoted => return self.cut_at(&line, at, is_rest),
                _ => {}
            }
            at += 1;
        }
        self.queue.push_back(Item::Words(line));
    }

    /// Cuts a line at the brace that is this byte.
    fn cut_at(&mut self, line: &Line, at: usize, is_rest: bool) {
        let before = line.text.get(..at).unwrap_or("").trim_end_matches([' ', '\t']);
        if !before.is_empty() {
            self.queue.push_back(Item::Words(line.part(0, before.len())));
        }
        let span = line.span(at, at + 1);
        self.queue.push_back(match line.text.as_bytes().get(at) {
            Some(b'{') => Item::Open(span),
            _ => Item::Close(span, before.is_empty() && !is_rest),
        });
        let after = line.text.get(at + 1..).unwrap_or("");
        let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
        if blanks < after.len() {
            self.reader.give_back(line.part(at + 1 + blanks, line.text.len()));
            self.gave_back = true;
        }
    }
}

/// `${NAME}` where this brace is, of a name that nothing has replaced: where it ends, and the name.
fn undefined(line: &Line, brace: usize) -> Option<(usize, &str)> {
    let dollar = brace.checked_sub(1).filter(|at| line.text.as_bytes().get(*at) == Some(&b'$'))?;
    use_at(&line.text, dollar).map(|usage| (usage.range.end, usage.name))
}

fn undefined_name(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("undefined-name", format!("`${name}` is not defined here"))
        .at(span, "stands for nothing")
        .help(format!("it is defined by a line `${name}=…` before its use; a value of several lines must come last on its line"))
}
