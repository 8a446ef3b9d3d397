//! `regex` of a URL as written, and the keywords that go with it.

use crate::diagnostics::Diagnostic;
use crate::model::{BodyRegex, MatcherStack, Name, RegexOption};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::words::place_in_quoted;

/// A pattern as written.
#[derive(Debug, Default)]
pub(super) struct RegexDraft {
    pattern: Option<(Name, Span)>,
    options: Vec<RegexOption>,
    no_match: bool,
    min_offset: Option<(u64, Span)>,
    max_offset: Option<(u64, Span)>,
    stack: Option<MatcherStack>,
    /// The first keyword that needs a pattern.
    needs_pattern: Option<Span>,
}

impl RegexDraft {
    /// Takes a keyword of a URL; leaves alone what is none of its own.
    pub(super) fn take(&mut self, node: &Node, context: &mut Context) {
        let number = |index| node.number::<u64>(index);
        match node.keyword.name {
            "regex" => {
                self.pattern = node.text(0).map(|pattern| (pattern, node.arg_span(0)));
                return;
            }
            "regex_options" => self.options(node, context),
            "regex_no_match" => self.no_match = true,
            "regex_min_offset" => self.min_offset = number(0).map(|value| (value, node.arg_span(0))),
            "regex_max_offset" => self.max_offset = number(0).map(|value| (value, node.arg_span(0))),
            "regex_stack" => match (number(0), number(1)) {
                (Some(start), Some(max)) if start > max => context.report(
                    Diagnostic::warning("conflict", "the stack cannot begin larger than it may become")
                        .at(node.arg_span(0).to(node.arg_span(1)), "has no effect"),
                ),
                (start, max) => self.stack = start.zip(max).map(|(start, max)| MatcherStack { start, max }),
            },
            _ => return,
        }
        self.needs_pattern = self.needs_pattern.or(Some(node.name.span));
    }

    fn options(&mut self, node: &Node, context: &mut Context) {
        for word in &node.args {
            match RegexOption::NAMES.iter().find(|(name, _)| *name == &*word.text) {
                Some((_, option)) => self.options.push(*option),
                None => context.report(
                    Diagnostic::warning(
                        "unknown-option",
                        format!("`{}` is no option of a pattern", word.text),
                    )
                    .at(word.span, "has no effect"),
                ),
            }
        }
        self.options.sort_unstable();
        self.options.dedup();
    }

    /// What does not go together is left out, as keepalived does, which does not count it as a mistake.
    pub(super) fn check(&mut self, context: &mut Context) {
        if let Some(span) = self.needs_pattern.filter(|_| self.pattern.is_none()) {
            context.report(
                Diagnostic::warning("conflict", "there is no `regex` that this could belong to")
                    .at(span, "has no effect"),
            );
        } else if let (Some((least, span)), Some((most, _))) = (self.min_offset, self.max_offset)
            && least > most
        {
            context.report(
                Diagnostic::warning(
                    "conflict",
                    format!("a match cannot begin at byte {least} or later and at {most} or before"),
                )
                .at(span, "both offsets have no effect"),
            );
            (self.min_offset, self.max_offset) = (None, None);
        }
        self.compile(context);
    }

    /// A pattern that does not compile is left out. keepalived says so only when it runs, and its checkers then crash.
    fn compile(&mut self, context: &mut Context) {
        let Some((pattern, span)) = &self.pattern else { return };
        let Some(mistake) = context.patterns.mistake(pattern, &self.options) else { return };
        let place = mistake.at.and_then(|at| place_of(pattern, at, *span, context));
        let mut diagnostic = Diagnostic::error("invalid-pattern", format!("`regex`: {}", mistake.message))
            .at(place.unwrap_or(*span), "the body is not looked at");
        if let (None, Some(at)) = (place, mistake.at) {
            diagnostic = diagnostic.help(before(pattern, at));
        }
        context.report(diagnostic);
        self.pattern = None;
    }

    pub(super) fn resolve(self) -> Option<BodyRegex> {
        Some(BodyRegex {
            pattern: self.pattern?.0,
            options: self.options,
            no_match: self.no_match,
            min_offset: self.min_offset.map_or(0, |(offset, _)| offset),
            max_offset: self.max_offset.map(|(offset, _)| offset),
            stack: self.stack,
        })
    }
}

/// Where a byte of a pattern was written, if the file has it as it is; its end is one place more.
fn place_of(pattern: &str, at: usize, span: Span, context: &Context) -> Option<Span> {
    let written = context.sources.text(span);
    let from = place_in_quoted(written, pattern, at)?;
    let length = written.get(from..)?.chars().next().map_or(0, char::len_utf8);
    let start = span.start + u32::try_from(from).ok()?;
    Some(Span { start, end: start + u32::try_from(length).ok()?, ..span })
}

/// What a pattern that was made of definitions has before a byte of it.
fn before(pattern: &str, at: usize) -> String {
    const SHOWN: usize = 30;
    let before: Vec<char> = pattern.get(..at).unwrap_or(pattern).chars().collect();
    let shown: String = before.iter().skip(before.len().saturating_sub(SHOWN)).collect();
    let cut = if before.len() > SHOWN { "…" } else { "" };
    match before.is_empty() {
        true => "at the beginning of the pattern that this stands for".into(),
        false => format!("in the pattern that this stands for, after `{cut}{shown}`"),
    }
}
