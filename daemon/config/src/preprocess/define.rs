//! `$NAME=value`, and its use as `$NAME` or `${NAME}`.
//!
//! A value is put in where it is used and may use others itself. A value that ends in `\` runs on over the following
//! lines; such a definition stands for several lines and must be the last thing on the line that uses it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Context, Input, Reader};
use crate::diagnostics::Diagnostic;
use crate::source::{Expansion, Span};
use crate::words::Line;

/// How often one line may be looked at again after a substitution.
pub(super) const MOST_ROUNDS: usize = 64;
/// How many substitutions one line may need.
const MOST_SUBSTITUTIONS: usize = 4096;
/// How much substituting the limit of lines allows for each of them, in steps of 64 bytes.
const WORK_PER_LINE: u64 = 64;
/// How long a line may become, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Definition {
    /// A text.
    Value(Arc<str>),
    /// Several lines.
    Lines(Arc<[Line]>),
    /// A name that is always there.
    Built(Built),
}

/// The names that are always there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Built {
    Pwd,
    Instance,
    Random,
    Env,
    Hash,
    Bang,
}

impl Definition {
    pub(super) fn value(text: String) -> Self {
        Self::Value(text.into())
    }
}

/// The names that are always there.
pub(super) fn predefined() -> HashMap<Box<str>, Definition> {
    [
        ("_PWD", Built::Pwd),
        ("_INSTANCE", Built::Instance),
        ("_RANDOM", Built::Random),
        ("_ENV", Built::Env),
        ("_HASH", Built::Hash),
        ("_BANG", Built::Bang),
    ]
    .into_iter()
    .map(|(name, built)| (name.into(), Definition::Built(built)))
    .collect()
}

/// The numbers of `${_RANDOM}`: splitmix64, repeatable with `random_seed`.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn within(&mut self, least: u64, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        match (most - least).checked_add(1) {
            Some(size) => least + mixed % size,
            None => mixed,
        }
    }
}

/// A seed that differs from run to run.
pub(crate) fn random_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

/// A use of a definition in a line.
struct Use<'l> {
    name: &'l str,
    parameters: Vec<&'l str>,
    /// From the `$` to the end of the use.
    range: Range<usize>,
}

/// The use that begins with the `$` at this byte, if it has the form of one.
fn use_at(text: &str, dollar: usize) -> Option<Use<'_>> {
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

impl Reader {
    /// Takes `$NAME=value`; false when the line is no definition.
    pub(super) fn define(&mut self, line: &Line) -> bool {
        let Some(equals) = line.text.find('=') else { return false };
        let name = &line.text[1..equals];
        let mut characters = name.chars();
        let first_fits = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
        if !first_fits || !characters.all(|next| next.is_ascii_alphanumeric() || next == '_') {
            return false;
        }
        let after = &line.text[equals + 1..];
        let value = after.trim_start_matches([' ', '\t']);
        let start = line.text.len() - value.len();
        match value.strip_suffix('\\') {
            None => {
                self.definitions.insert(name.into(), Definition::Value(value.into()));
            }
            Some(first) => {
                let end = start + first.trim_end_matches([' ', '\t']).len();
                let mut lines = Vec::new();
                if end > start {
                    lines.push(line.part(start, end));
                }
                self.open_definition = Some((name.into(), lines));
            }
        }
        true
    }

    /// Takes one more line of the multi-line definition that is being read.
    pub(super) fn continue_definition(&mut self, line: Line) {
        let Some((_, lines)) = &mut self.open_definition else { return };
        let (end, ends) = match line.text.strip_suffix('\\') {
            Some(text) => (text.trim_end_matches([' ', '\t']).len(), false),
            None => (line.text.len(), !line.text.is_empty()),
        };
        if end > 0 {
            lines.push(line.part(0, end));
        }
        if ends {
            self.end_definition();
        }
    }

    /// An empty line ends a definition, as in keepalived; but not inside of its braces, where people leave one for
    /// looks (as the manual page itself does).
    pub(super) fn end_balanced_definition(&mut self) {
        let Some((_, lines)) = &self.open_definition else { return };
        let count = |wanted: u8| {
            lines.iter().flat_map(|line| line.text.bytes()).filter(|byte| *byte == wanted).count()
        };
        if count(b'{') == count(b'}') {
            self.end_definition();
        }
    }

    /// Ends the multi-line definition that is being read.
    pub(super) fn end_definition(&mut self) {
        if let Some((name, lines)) = self.open_definition.take() {
            self.definitions.insert(name, Definition::Lines(lines.into()));
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
        for _ in 0..MOST_SUBSTITUTIONS {
            let Some(dollar) = current.text.get(at..).and_then(|rest| rest.find('$')).map(|found| at + found)
            else {
                return Some(changed.then_some(current));
            };
            let Some(usage) = use_at(&current.text, dollar) else {
                at = dollar + 1;
                continue;
            };
            let last = usage.range.end == current.text.len();
            let definition = match self.definitions.get(usage.name) {
                Some(Definition::Lines(_)) if !last => None,
                found => found.cloned(),
            };
            let Some(definition) = definition else {
                at = dollar + 1;
                continue;
            };
            let span = current.span(usage.range.start, usage.range.end);
            let rest = current.text.len() - usage.range.end;
            within.retain(|(_, end)| rest >= *end && current.text.len() - *end > usage.range.start);
            if within.iter().any(|(name, _)| **name == *usage.name) {
                break;
            }
            within.push((usage.name.into(), rest));
            self.work += 1 + current.text.len() as u64 / 64;
            if self.work > self.settings.line_limit.saturating_mul(WORK_PER_LINE) {
                self.stop(&current, context);
                return None;
            }
            let value: Arc<str> = match definition {
                Definition::Value(value) => value,
                Definition::Lines(lines) => {
                    let (name, prefix) = (usage.name.to_owned(), current.part(0, dollar));
                    return self.begin_lines(&name, lines, prefix, span, context).map(Some);
                }
                Definition::Built(built) => self.built(built, &usage, span, context).into(),
            };
            if current.text.len() + value.len() > LONGEST_LINE {
                break;
            }
            let mut next = current.part(0, usage.range.start);
            next.push_replaced(&value, span);
            next.push_part(&current, usage.range.end, current.text.len());
            let begins_sequence = next.text.starts_with('~');
            current = next;
            changed = true;
            at = dollar;
            if begins_sequence {
                return Some(Some(current));
            }
        }
        context.report(
            Diagnostic::error("endless-expansion", "the definitions on this line never come to an end")
                .at(line.whole(), "expanded again and again")
                .help("a definition that uses itself, directly or by way of others, has no value"),
        );
        None
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
            Input::File { .. } | Input::Queue(_) | Input::Sequence(_) => false,
        });
        if inside && !lines.is_empty() {
            context.report(
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

    fn built(&mut self, built: Built, usage: &Use<'_>, span: Span, context: &mut Context) -> String {
        let most = match built {
            Built::Random => 2,
            Built::Env => 1,
            Built::Pwd | Built::Instance | Built::Hash | Built::Bang => 0,
        };
        if usage.parameters.len() > most {
            context.report(
                Diagnostic::error(
                    "bad-definition",
                    format!("`${{{}}}` takes at most {most} parameters", usage.name),
                )
                .at(span, "too many here"),
            );
        }
        match built {
            Built::Hash => "#".into(),
            Built::Bang => "!".into(),
            Built::Instance => self.settings.config_id.clone().unwrap_or_default(),
            Built::Pwd => self.directory().display().to_string(),
            Built::Env => match usage.parameters.first() {
                Some(name) if self.settings.environment => std::env::var(name).unwrap_or_default(),
                Some(_) => String::new(),
                None => {
                    context.report(
                        Diagnostic::error("bad-definition", "`${_ENV}` needs the name of a variable")
                            .at(span, "no name here"),
                    );
                    String::new()
                }
            },
            Built::Random => {
                let bound = |index: usize, default: u64| match usage.parameters.get(index) {
                    None => Ok(default),
                    Some(text) => text.parse::<u64>().map_err(|_| ()),
                };
                match (bound(0, 0), bound(1, 32767)) {
                    (Ok(least), Ok(most)) if least <= most => self.random.within(least, most).to_string(),
                    _ => {
                        context.report(
                            Diagnostic::error(
                                "bad-definition",
                                "`${_RANDOM MIN MAX}` needs two numbers, MIN not above MAX",
                            )
                            .at(span, "no such range"),
                        );
                        String::new()
                    }
                }
            }
        }
    }
}
