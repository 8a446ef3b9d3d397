//! `regex` of a URL and the keywords that go with it: do they go together, and does the pattern compile?

use super::url::RegexDraft;
use crate::diagnostics::Diagnostic;
use crate::preprocess::Context;
use crate::source::Span;
use crate::words::place_in_quoted;

impl RegexDraft {
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
