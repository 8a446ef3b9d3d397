//! Canonical layout: four spaces a level, one statement a line, `{` at the end of its line, comments kept.
//!
//! Works on the text itself, before definitions and includes, so that nothing is expanded. The meaning does not
//! change: only blanks between words, and line breaks beside braces, are touched, and neither where they count: lines
//! with `@`, `$`, `~` or `include` at their begin or behind a brace, and the lines of a definition, stay whole.

use crate::preprocess::begins_anew;
use crate::words::Unquoted;

/// One level of indentation.
const INDENT: &str = "    ";

/// The text in canonical layout. Formatting twice changes nothing more.
pub fn format(text: &str) -> String {
    let mut writer = Writer::default();
    // The braces that a definition over several lines has open, while one is being read.
    let mut definition: Option<i64> = None;
    for raw in text.lines() {
        let (untrimmed, comment) = split_comment(raw);
        let code = untrimmed.trim_matches(blank);
        if raw.trim_end_matches('\r').is_empty() && definition == Some(0) {
            // An empty line ends it, but not inside of its braces; one with a comment does not.
            definition = None;
        }
        let mut unquoted = Unquoted::new(code);
        unquoted.by_ref().for_each(drop);
        // A condition, a definition, a sequence or an include counts behind a brace as at the begin of a line.
        let anew = std::iter::once(0)
            .chain(braces(code).into_iter().map(|brace| brace + 1))
            .map(|at| code[at..].trim_start_matches(blank))
            .find(|piece| begins_anew(piece));
        let whole = definition.is_some()
            || anew.is_some()
            // What a quote that is not closed would take in must not change.
            || unquoted.open.is_some();
        if !code.is_empty() {
            let piece = if definition.is_some() { code } else { anew.unwrap_or_default() };
            let begins = piece.starts_with(['$', '@']);
            let count = |wanted: u8| piece.bytes().filter(|byte| *byte == wanted).count() as i64;
            let open = definition.or(begins.then_some(0)).map(|open| open + count(b'{') - count(b'}'));
            // It goes on while its lines end in `\`.
            definition = open.filter(|_| code.ends_with('\\'));
        }
        if code.is_empty() {
            match comment {
                Some(comment) => writer.comment(comment),
                // Within a definition an empty line may mean its end: a line of blanks must not become one.
                None if definition.is_some() => {}
                None => writer.blank(),
            }
        } else if whole {
            writer.whole(code, comment);
        } else {
            writer.code(untrimmed.trim_start_matches(blank), comment);
        }
    }
    writer.finish()
}

fn blank(character: char) -> bool {
    character == ' ' || character == '\t' || character == '\r'
}

/// Code, and the comment after it with its mark.
fn split_comment(line: &str) -> (&str, Option<&str>) {
    for (at, byte) in Unquoted::new(line) {
        if matches!(byte, b'#' | b'!') {
            return (&line[..at], Some(line[at..].trim_end_matches(blank)));
        }
    }
    (line, None)
}

/// A line of output.
struct Out {
    depth: usize,
    code: String,
    comment: Option<String>,
    /// Line breaks beside its braces count: nothing may be joined to it.
    whole: bool,
}

#[derive(Default)]
struct Writer {
    lines: Vec<Out>,
    depth: usize,
}

impl Writer {
    fn push(&mut self, depth: usize, code: String, comment: Option<&str>, whole: bool) {
        self.lines.push(Out { depth, code, comment: comment.map(str::to_owned), whole });
    }

    fn blank(&mut self) {
        if !self.lines.last().is_none_or(|last| last.code.is_empty() && last.comment.is_none()) {
            self.push(0, String::new(), None, true);
        }
    }

    fn comment(&mut self, comment: &str) {
        self.push(self.depth, String::new(), Some(comment), true);
    }

    /// A line that must stay one line.
    fn whole(&mut self, code: &str, comment: Option<&str>) {
        let mut lowest = 0i64;
        let mut level = 0i64;
        for brace in braces(code) {
            level += if code.as_bytes().get(brace) == Some(&b'{') { 1 } else { -1 };
            lowest = lowest.min(level);
        }
        let depth = self.depth.saturating_add_signed(lowest as isize);
        self.push(depth, code.to_owned(), comment, true);
        self.depth = self.depth.saturating_add_signed(level as isize);
    }

    /// A line that may be cut at its braces.
    fn code(&mut self, code: &str, comment: Option<&str>) {
        let first = self.lines.len();
        let mut joined = false;
        let mut from = 0;
        for brace in braces(code) {
            let before = tidy(&code[from..brace]);
            if code.as_bytes().get(brace) == Some(&b'{') {
                joined |= self.open(before) && from == 0;
                self.depth += 1;
            } else {
                if !before.is_empty() {
                    self.push(self.depth, before, None, false);
                }
                self.drop_blank();
                self.depth = self.depth.saturating_sub(1);
                self.push(self.depth, "}".into(), None, true);
            }
            from = brace + 1;
        }
        let rest = tidy(&code[from..]);
        if !rest.is_empty() {
            self.push(self.depth, rest, None, false);
        }
        let Some(comment) = comment else { return };
        // The comment goes with the first line that came of this one, or on a line of its own. One in the middle of a word
        // stays there: it may have been meant for part of the word.
        let only = self.lines.len() == first + 1;
        let glued = only && !code.ends_with([' ', '\t', '{', '}']);
        match self.lines.get_mut(first) {
            Some(line) if glued && !line.code.is_empty() && !joined => {
                line.code.push_str(comment);
                // A brace that is joined would be in the comment.
                line.whole = true;
            }
            Some(line) if line.comment.is_none() && !joined => line.comment = Some(comment.to_owned()),
            _ => self.push(self.depth, String::new(), Some(comment), true),
        }
    }

    /// Writes `before {`, or joins a `{` that stands alone to the statement before it; true when it joined.
    fn open(&mut self, before: String) -> bool {
        if !before.is_empty() {
            self.push(self.depth, before + " {", None, true);
            return false;
        }
        let last_code = self.lines.iter().rposition(|line| !line.code.is_empty() || line.comment.is_some());
        if let Some(index) = last_code
            && let Some(line) = self.lines.get_mut(index)
            && !line.whole
            && !line.code.is_empty()
        {
            line.code.push_str(" {");
            line.whole = true;
            self.lines.truncate(index + 1);
            return true;
        }
        self.push(self.depth, "{".into(), None, true);
        false
    }

    /// No blank line before a closing brace.
    fn drop_blank(&mut self) {
        if self.lines.last().is_some_and(|last| last.code.is_empty() && last.comment.is_none()) {
            self.lines.pop();
        }
    }

    fn finish(mut self) -> String {
        self.drop_blank();
        let mut text = String::new();
        let mut after_open = true;
        for line in self.lines {
            let empty = line.code.is_empty() && line.comment.is_none();
            if empty && after_open {
                continue;
            }
            after_open = line.code.ends_with('{');
            if !empty {
                for _ in 0..line.depth {
                    text.push_str(INDENT);
                }
            }
            text.push_str(&line.code);
            if let Some(comment) = line.comment {
                if !line.code.is_empty() {
                    text.push_str("  ");
                }
                text.push_str(&comment);
            }
            text.push('\n');
        }
        text
    }
}

/// Where the braces of a line are: outside of double quotes, and no part of `${NAME}`.
fn braces(code: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut unquoted = Unquoted::new(code);
    while let Some((at, byte)) = unquoted.next() {
        match byte {
            b'$' => unquoted.pass(usage(code, at)),
            b'{' | b'}' => found.push(at),
            _ => {}
        }
    }
    found
}

/// How many bytes the `{NAME}` after a `$` takes, with its parameters; 0 if that is no use of a definition.
fn usage(code: &str, dollar: usize) -> usize {
    let Some(inside) = code.get(dollar + 1..).and_then(|rest| rest.strip_prefix('{')) else { return 0 };
    let Some(close) = inside.find('}') else { return 0 };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '\t');
    if close > 0 && inside[..close].chars().all(fits) { close + 2 } else { 0 }
}

/// One blank between words; what is in quotes of either kind stays.
fn tidy(code: &str) -> String {
    let mut text = String::with_capacity(code.len());
    let mut quote = None;
    let mut escaped = false;
    for character in code.trim_matches(blank).chars() {
        match quote {
            _ if escaped => {}
            Some(open) if open == character => quote = None,
            None if character == '"' || character == '\'' => quote = Some(character),
            _ => {}
        }
        escaped = !escaped && character == '\\';
        if quote.is_none() && blank(character) {
            if !text.ends_with(' ') {
                text.push(' ');
            }
        } else {
            text.push(character);
        }
    }
    text
}
