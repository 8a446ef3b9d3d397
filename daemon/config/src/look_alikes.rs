//! Characters that look like others: what word processors, web pages and other keyboards leave in a text.

use crate::diagnostics::Diagnostic;
use crate::words::{Line, Unquoted, is_blank};

/// What is found in place of what: how it is written, what was meant, what it is.
const LOOK_ALIKES: &[(&str, &str, &str)] = &[
    ("\u{a0}", " ", "a no-break space"),
    ("\u{202f}", " ", "a narrow no-break space"),
    ("\u{2007}", " ", "a figure space"),
    ("\u{2002}", " ", "an en space"),
    ("\u{2003}", " ", "an em space"),
    ("\u{2009}", " ", "a thin space"),
    ("\u{3000}", " ", "an ideographic space"),
    ("\u{200b}", "", "an invisible space of no width"),
    ("\u{200c}", "", "an invisible non-joiner"),
    ("\u{200d}", "", "an invisible joiner"),
    ("\u{2060}", "", "an invisible word joiner"),
    ("\u{feff}", "", "an invisible byte order mark"),
    ("\u{ad}", "", "a soft hyphen"),
    ("“", "\"", "a typographic quote"),
    ("”", "\"", "a typographic quote"),
    ("„", "\"", "a typographic quote"),
    ("«", "\"", "a typographic quote"),
    ("»", "\"", "a typographic quote"),
    ("＂", "\"", "a wide quote"),
    ("‘", "'", "a typographic quote"),
    ("’", "'", "a typographic quote"),
    ("｛", "{", "a wide brace"),
    ("｝", "}", "a wide brace"),
    ("&nbsp;", " ", "HTML for a space"),
    ("&quot;", "\"", "HTML for a quote"),
    ("&lt;", "<", "HTML for `<`"),
    ("&gt;", ">", "HTML for `>`"),
    ("&amp;", "&", "HTML for `&`"),
];

/// A line with look-alikes in it.
#[derive(Debug)]
pub(crate) struct Mended {
    /// The line as it was meant.
    pub(crate) line: Line,
    /// What to say about it.
    pub(crate) diagnostic: Diagnostic,
    /// A brace is among them.
    pub(crate) has_braces: bool,
}

/// Looks for characters outside of quotes that only look like those of the language.
pub(crate) fn mend(line: &Line) -> Option<Mended> {
    let text = &*line.text;
    if text.is_ascii() && !text.contains('&') {
        return None;
    }
    let mut mended = Line::empty(line.file(), line.expansion());
    let mut first = None;
    let (mut from, mut last, mut has_braces, mut only_quotes) = (0, 0, false, true);
    for (at, _) in Unquoted::new(text).filter(|(_, byte)| !byte.is_ascii() || *byte == b'&') {
        let Some((written, meant, what)) = found_at(text, at).filter(|_| at >= from) else { continue };
        mended.push_part(line, from, at);
        let span = line.span(at, at + written.len());
        mended.push_replaced(meant, span);
        from = at + written.len();
        last = mended.text.len();
        has_braces |= matches!(meant, "{" | "}");
        only_quotes &= matches!(meant, "\"" | "'");
        first.get_or_insert((at, what, mended.text.len() - meant.len()));
    }
    let (at, what, replaced_from) = first?;
    let replacement = mended.text.get(replaced_from..last).unwrap_or("").to_owned();
    let span = line.span(at, from);
    mended.push_part(line, from, text.len());
    let meant = match replacement.chars().next() {
        None => "nothing should stand here",
        Some(' ') => "expected an ordinary space",
        Some(_) => "looks like another character, but is none that counts here",
    };
    // In a value it is only part of the value.
    let new = if only_quotes { Diagnostic::warning } else { Diagnostic::error };
    let diagnostic = new("look-alike", format!("there is {what} here")).at(span, meant);
    let mend = if replacement.is_empty() { "take it out" } else { "write it with plain characters" };
    Some(Mended { line: mended, diagnostic: diagnostic.suggest(span, replacement, mend), has_braces })
}

/// The look-alike that begins at this byte. A quote is one only at the beginning or end of a word.
fn found_at(text: &str, at: usize) -> Option<(&'static str, &'static str, &'static str)> {
    let rest = text.get(at..)?;
    let found = LOOK_ALIKES.iter().copied().find(|(written, ..)| rest.starts_with(written))?;
    let (written, meant, _) = found;
    let blank = |byte: Option<&u8>| byte.is_none_or(|byte| is_blank(*byte));
    let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
    let outermost = blank(before) || blank(text.as_bytes().get(at + written.len()));
    (!matches!(meant, "\"" | "'") || outermost).then_some(found)
}
