//! What is said about a wrong brace.

use super::edit::Edit;
use super::outline::{Open, Outline};
use super::repair::{Repair, Trouble};
use crate::diagnostics::Diagnostic;
use crate::items::Change;
use crate::preprocess::Context;
use crate::schema;
use crate::source::Span;

/// Says that a brace is wrong, once for several in a row.
pub(super) fn report(
    outline: &Outline,
    edit: Edit,
    trouble: &Trouble,
    repair: &mut Repair,
    context: &Context,
) {
    let diagnostic = match edit {
        Edit::PutClose(at) => {
            if repair.changes.last() == Some(&(outline.item(at), Change::PutClose)) {
                return;
            }
            not_closed(outline, at, trouble, context)
        }
        Edit::TakeClose(at) => closed_too_early(outline, at, trouble),
        Edit::PutOpen(at) => not_opened(outline, at, context),
        Edit::TakeOpen(at) => opened_for_nothing(outline, at),
        Edit::MoveClose(from, to) => moved(outline, from, to, trouble),
    };
    repair.diagnostics.extend(diagnostic);
}

/// The word that a block begins with.
fn opener<'o>(outline: &'o Outline, open: &Open) -> Option<(&'o str, Span)> {
    Some((outline.word(open.line).unwrap_or("{"), outline.entries.get(open.line)?.span))
}

/// The entry that did not fit, if it is a line.
fn misfit<'o>(outline: &'o Outline, trouble: &Trouble) -> Option<(&'o str, Span)> {
    Some((outline.word(trouble.at)?, outline.entries.get(trouble.at)?.span))
}

fn not_closed(outline: &Outline, at: usize, trouble: &Trouble, context: &Context) -> Option<Diagnostic> {
    let (name, opened) = opener(outline, trouble.open_before(at).last()?)?;
    let mut diagnostic = Diagnostic::error("missing-brace", format!("`{name}` is not closed"))
        .at(opened, "its `}` is missing");
    if let Some((word, span)) = misfit(outline, trouble) {
        diagnostic = diagnostic.also(span, format!("`{word}` cannot stand inside of it"));
    }
    let last = outline.entries.get(at.checked_sub(1)?)?.span;
    let source = context.sources.file(last.file);
    if last.file != opened.file || last.expansion != opened.expansion {
        return Some(diagnostic);
    }
    let line = source.line_of(last.start);
    let end = source.line_start(line + 1);
    let text = source.text.get(source.line_start(line)..end).unwrap_or("");
    let end = (source.line_start(line) + text.trim_end().len()) as u32;
    let from = source.line_start(source.line_of(opened.start));
    let indent: String = source
        .text
        .get(from..opened.start as usize)
        .unwrap_or("")
        .chars()
        .take_while(|character| character.is_whitespace())
        .collect();
    let place = Span { start: end, end, ..last };
    Some(diagnostic.suggest(place, format!("\n{indent}}}"), "probably here"))
}

fn closed_too_early(outline: &Outline, at: usize, trouble: &Trouble) -> Option<Diagnostic> {
    let brace = outline.entries.get(at)?.span;
    let (name, opened) = opener(outline, trouble.open_before(at).last()?)?;
    let diagnostic = match misfit(outline, trouble) {
        Some((word, span)) => {
            Diagnostic::error("surplus-brace", format!("this `}}` closes `{name}` too early"))
                .at(brace, "one `}` too many up to here")
                .also(opened, format!("`{name}` begins here"))
                .also(span, format!("this `{word}` belongs in it"))
        }
        None => Diagnostic::error("surplus-brace", "there is one `}` too many")
            .at(brace, "probably this one")
            .also(opened, format!("it closes `{name}`, which begins here")),
    };
    Some(diagnostic.suggest(brace, "", "take it out"))
}

fn not_opened(outline: &Outline, at: usize, context: &Context) -> Option<Diagnostic> {
    let name = outline.word(at)?;
    let span = outline.entries.get(at)?.span;
    let source = context.sources.file(span.file);
    let line = source.line_of(span.start);
    let text = source.text.get(span.start as usize..source.line_start(line + 1)).unwrap_or("");
    // A name belongs before the brace, but not what should stand in the block.
    let code = match takes_values(name) {
        true => text.find(['#', '!', '}']).map_or(text, |end| &text[..end]).trim_end(),
        false => name,
    };
    let end = span.start + code.len() as u32;
    let after = Span { start: end, end, ..span };
    let diagnostic = Diagnostic::error("missing-brace", format!("`{name}` has no `{{`"));
    Some(diagnostic.at(after, "`{` is missing here").suggest(after, " {", "open the block"))
}

/// Has this keyword of a block values before its `{`?
fn takes_values(name: &str) -> bool {
    let blocks = schema::blocks_with(name).iter();
    let mut found = blocks.filter_map(|block| schema::find(*block, name)).peekable();
    found.peek().is_none() || found.any(|found| !found.keyword.args.is_empty())
}

fn opened_for_nothing(outline: &Outline, at: usize) -> Option<Diagnostic> {
    let brace = outline.entries.get(at)?.span;
    Some(
        Diagnostic::error("unexpected-brace", "nothing that opens a block stands before this `{`")
            .at(brace, "opens nothing")
            .suggest(brace, "", "take it out"),
    )
}

fn moved(outline: &Outline, from: usize, to: usize, trouble: &Trouble) -> Option<Diagnostic> {
    let brace = outline.entries.get(from)?.span;
    let (name, opened) = opener(outline, trouble.open_before(from.min(to)).last()?)?;
    let diagnostic = Diagnostic::error("misplaced-brace", format!("the `}}` of `{name}` is misplaced"))
        .also(opened, format!("`{name}` begins here"));
    if to < from {
        let next = outline.entries.get(to)?.span;
        Some(diagnostic.at(brace, "this `}` comes too late").also(next, "it should stand before this line"))
    } else {
        let last = outline.entries.get(to - 1)?.span;
        Some(diagnostic.at(brace, "this `}` comes too early").also(last, "it should stand after this line"))
    }
}
