//! `$NAME=value`, and its use as `$NAME` or `${NAME}`.
//!
//! A value is put in where it is used and may use others itself. A value that ends in `\` runs on over the following
//! lines; such a definition stands for several lines and must be the last thing on the line that uses it.

use std::ops::Range;
use std::sync::Arc;

use super::builtin::Built;
use super::{Context, Input, Reader};
use crate::diagnostics::Diagnostic;
use crate::source::{Expansion, Span};
use crate::words::{Line, Unquoted};

/// How often one line may be looked at again after a substitution.
pub(super) const MOST_ROUNDS: usize = 64;
/// How long a line may be or become, in bytes. (keepalived takes 1023.)
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Definition {
    /// A text, and where it was given.
    Value(Arc<str>, Span),
    /// Several lines.
    Lines(Arc<[Line]>),
    /// A name that is always there.
    Built(Built),
}

/// A definition over several lines that is being read.
#[derive(Debug)]
pub(super) struct OpenDefinition {
    name: Box<str>,
    lines: Vec<Line>,
    /// How many braces are open.
    depth: i64,
}

impl OpenDefinition {
    fn push(&mut self, line: Line) {
        if line.text.is_empty() {
            return;
        }
        let braces =
            Unquoted::new(&line.text).map(|(_, byte)| i64::from(byte == b'{') - i64::from(byte == b'}'));
        self.depth += braces.sum::<i64>();
        self.lines.push(line);
    }
}

/// A use of a definition in a line.
pub(crate) struct Use<'l> {
    pub(crate) name: &'l str,
    /// What stands after the name within the braces.
    pub(super) parameters: Vec<&'l str>,
    /// From the `$` to the end of the use.
    pub(crate) range: Range<usize>,
}

/// The use that begins with the `$` at this byte, if it has the form of one.
pub(crate) fn use_at(text: &str, dollar: usize) -> Option<Use<'_>> {
    let braces = text[dollar + 1..].starts_with('{');
    let start = dollar + 1 + usize::from(braces);
    let rest = text.get(start..)?;
    if !rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return None;
    }
    let length = rest.find(|next: char| !(next.is_ascii_alphanumeric() || next == '_')).unwrap_or(rest.len());
    let (name, after) = rest.split_at(length);
    if !braces {
        let ends = after.is_empty() || after.starts_with([' ', '\t', ',', ')']);
        return ends.then(|| Use { name, parameters: Vec::new(), range: dollar..start + length });
    }
    let close = after.find('}')?;
    let parameters = &after[..close];
    let allowed = |next: char| next.is_ascii_alphanumeric() || matches!(next, '_' | ' ' | '\t');
    if !parameters.chars().all(allowed) {
        return None;
    }
    let parameters = parameters.split_ascii_whitespace().collect();
    Some(Use { name, parameters, range: dollar..start + length + close + 1 })
}

/// Says that a line is too long to be taken.
pub(super) fn too_long(span: Span, context: &mut Context) {
    context.spoil(
        Diagnostic::error("line-too-long", format!("this line is longer than {LONGEST_LINE} bytes"))
            .at(span, "left out")
            .help("keepalived takes 1023; a definition over several lines, or several lines, can hold more"),
    );
}

impl Reader {
    /// Takes `$NAME=value`; false when the line is no definition.
    pub(super) fn define(&mut self, line: &Line, context: &mut Context) -> bool {
        let Some(equals) = line.text.find('=') else { return false };
        let name = &line.text[1..equals];
        let mut characters = name.chars();
        let first_fits = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
        if !first_fits || !characters.all(|next| next.is_ascii_alphanumeric() || next == '_') {
            return false;
        }
        if self.definitions.len() as u64 >= self.settings.line_limit {
            self.stop(line, context);
            return true;
        }
        let after = &line.text[equals + 1..];
        let value = after.trim_start_matches([' ', '\t']);
        let start = line.text.len() - value.len();
        match value.strip_suffix('\\') {
            None => {
                let at = line.span(0, equals);
                self.definitions.insert(name.into(), Definition::Value(value.into(), at));
            }
            Some(first) => {
                let end = start + first.trim_end_matches([' ', '\t']).len();
                let mut open = OpenDefinition { name: name.into(), lines: Vec::new(), depth: 0 };
                open.push(line.part(start, end));
                self.open_definition = Some(open);
            }
        }
        true
    }

    /// Takes one more line of the multi-line definition that is being read.
    pub(super) fn continue_definition(&mut self, line: Line, context: &mut Context) {
        let Some(open) = &mut self.open_definition else { return };
        let (end, ends) = match line.text.strip_suffix('\\') {
            Some(text) => (text.trim_end_matches([' ', '\t']).len(), false),
            None => (line.text.len(), !line.text.is_empty()),
        };
        open.push(line.part(0, end));
        if open.lines.len() as u64 > self.settings.line_limit {
            self.stop(&line, context);
        } else if ends {
            self.end_definition();
        }
    }

    /// An empty line ends a definition, as in keepalived; but not inside of its braces, where people leave one for
    /// looks (as the manual page itself does).
    pub(super) fn end_balanced_definition(&mut self) {
        if self.open_definition.as_ref().is_some_and(|open| open.depth <= 0) {
            self.end_definition();
        }
    }

    /// Ends the multi-line definition that is being read.
    pub(super) fn end_definition(&mut self) {
        if let Some(open) = self.open_definition.take() {
            self.definitions.insert(open.name, Definition::Lines(open.lines.into()));
        }
    }

    /// Puts definitions in their places. The outer `None` drops the line (an error was reported); the inner one says
    /// that nothing was there to replace.
    pub(super) fn substitute(&mut self, line: &Line, context: &mut Context) -> Option<Option<Line>> {
        let mut current = line.clone();
        let mut changed = false;
        let mut at = 0;
        // The definitions whose values are being looked through, each with how far from the end of the line it ends.
        let mut within: Vec<(Box<str>, usize)> = Vec::new();
        while let Some((usage, definition)) = self.next_use(&current.text, &mut at) {
            let span = current.span(usage.range.start, usage.range.end);
            let rest = current.text.len() - usage.range.end;
            within.retain(|(_, end)| rest >= *end && current.text.len() - *end > usage.range.start);
            if within.iter().any(|(name, _)| **name == *usage.name) {
                context.spoil(
                    Diagnostic::error(
                        "endless-expansion",
                        "the definitions on this line never come to an end",
                    )
                    .at(line.whole(), "expanded again and again")
                    .help("a definition that uses itself, directly or by way of others, has no value"),
                );
                return None;
            }
            within.push((usage.name.into(), rest));
            if !self.spend(&current, context) {
                return None;
            }
            let value: Arc<str> = match definition {
                Definition::Value(value, defined_at) => {
                    context.sources.note_use(span, defined_at);
                    value
                }
                Definition::Lines(lines) => {
                    let (name, prefix) = (usage.name.to_owned(), current.part(0, usage.range.start));
                    return self.begin_lines(&name, lines, prefix, span, context).map(Some);
                }
                Definition::Built(built) => self.built(built, &usage, span, context).into(),
            };
            if current.text.len() + value.len() > LONGEST_LINE {
                too_long(line.whole(), context);
                return None;
            }
            at = usage.range.start;
            let mut next = current.part(0, usage.range.start);
            next.push_replaced(&value, span);
            next.push_part(&current, usage.range.end, current.text.len());
            current = next;
            changed = true;
            if current.text.starts_with('~') {
                break;
            }
        }
        Some(changed.then_some(current))
    }

    /// The next name from byte `at` on that stands for something.
    fn next_use<'l>(&self, text: &'l str, at: &mut usize) -> Option<(Use<'l>, Definition)> {
        loop {
            let dollar = *at + text.get(*at..)?.find('$')?;
            *at = dollar + 1;
            let Some(usage) = use_at(text, dollar) else { continue };
            let last = usage.range.end == text.len();
            let definition = match self.definitions.get(usage.name) {
                Some(Definition::Lines(_)) if !last => None,
                Some(Definition::Lines(_) | Definition::Value(..)) if !usage.parameters.is_empty() => None,
                found => found,
            };
            if let Some(definition) = definition {
                return Some((usage, definition.clone()));
            }
        }
    }

    /// Begins a multi-line definition: its first line takes the place of its use, the others follow.
    fn begin_lines(
        &mut self,
        name: &str,
        lines: Arc<[Line]>,
        prefix: Line,
        span: Span,
        context: &mut Context,
    ) -> Option<Line> {
        let inside = self.inputs.iter().any(|input| match input {
            Input::Definition { lines: open, .. } => Arc::ptr_eq(open, &lines),
            Input::Main(_) | Input::File { .. } | Input::Queue(_) | Input::Sequence(_) => false,
        });
        if inside && !lines.is_empty() {
            context.spoil(
                Diagnostic::error("endless-expansion", format!("the definition `${name}` uses itself"))
                    .at(span, "used again here"),
            );
            return None;
        }
        let expansion = context.sources.add_expansion(Expansion { what: self.shared_title(name), at: span });
        let first = match lines.first() {
            None => prefix,
            Some(first) if prefix.text.is_empty() => first.clone().with_expansion(expansion),
            Some(first) => {
                context.sources.note_use(span, first.whole());
                let mut line = prefix;
                line.push_replaced(&first.text, span);
                line
            }
        };
        self.inputs.push(Input::Definition { lines, next: 1, expansion });
        self.count(first, context)
    }

    /// `` `$NAME` ``, made once for each name: there may be very many uses.
    fn shared_title(&mut self, name: &str) -> Arc<str> {
        if let Some(title) = self.titles.get(name) {
            return title.clone();
        }
        let title: Arc<str> = format!("`${name}`").into();
        self.titles.insert(name.into(), title.clone());
        title
    }
}
