//! What comes from elsewhere: habits of other languages (`=` and `:` between a keyword and its value, `;` at the end of a
//! line, `//` for a comment), and the marks of a merge that nobody finished.

use super::{Parser, Reading, Statement};
use crate::diagnostics::Diagnostic;
use crate::items::Item;
use crate::schema::{Body, Found, Kind};
use crate::source::Span;
use crate::words::Word;

/// What begins a comment elsewhere.
const COMMENT_MARKS: &[&str] = &["//", "/*", "*/", "--", "<!--", ";"];

/// What version control puts between the sides of a merge that needs somebody to decide.
const MERGE_MARKS: &[&str] = &["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

impl Parser<'_> {
    /// Is this left from a merge? Says so once a merge.
    fn is_merge_mark(&mut self, name: &Word) -> bool {
        let Some(mark) = MERGE_MARKS.iter().find(|mark| **mark == &*name.text) else { return false };
        if self.merges == 0 {
            self.context.report(
                Diagnostic::error("foreign-syntax", "a merge was left unfinished here")
                    .at(name.span, "no keyword but a mark of version control")
                    .help("keep one side, and take out the other and the lines with `<<<<<<<`, `=======` and `>>>>>>>`"),
            );
        }
        self.merges = match *mark {
            "<<<<<<<" => self.merges + 1,
            ">>>>>>>" => self.merges.saturating_sub(1),
            _ => self.merges.max(1),
        };
        // Of the sides the first is read.
        if *mark == "=======" && self.pass_over(name.span, ">>>>>>>") {
            self.merges = self.merges.saturating_sub(1);
        }
        true
    }

    /// Is this the beginning of a comment of another language, or a mark of version control? Says so.
    pub(super) fn is_foreign(&mut self, words: &[Word]) -> bool {
        let Some(name) = words.first() else { return false };
        if self.is_merge_mark(name) {
            return true;
        }
        let Some(mark) = COMMENT_MARKS.iter().find(|mark| name.text.starts_with(**mark)) else {
            return false;
        };
        if &*name.text == ";" && words.len() == 1 {
            self.report_semicolon(name.span, false);
            return true;
        }
        let span = Span { end: name.span.start + mark.len() as u32, ..name.span };
        self.misspelt = true;
        let mut diagnostic = Diagnostic::error("foreign-syntax", format!("`{mark}` begins no comment"))
            .at(span, "comments begin with `#` or `!`")
            .suggest(span, "#", "write `#`");
        let ended = |end: &str| words.iter().any(|word| word.text.contains(end));
        if let Some(end) =
            [("/*", "*/"), ("<!--", "-->")].iter().find(|(begin, _)| begin == mark).map(|(_, end)| *end)
            && !ended(end)
        {
            self.pass_over(words.last().map_or(span, |last| last.span), end);
            diagnostic = diagnostic.help(format!("each line up to `{end}` needs one"));
        }
        self.context.report(diagnostic);
        true
    }

    /// Passes over what follows up to a mark, if there is one and the text is to be read as it was meant.
    fn pass_over(&mut self, from: Span, mark: &'static str) -> bool {
        let source = self.context.sources.file(from.file);
        let rest = source.text.get(from.end as usize..).unwrap_or("");
        let passes = self.reading == Reading::AsMeant && rest.contains(mark);
        self.passing_over = passes.then_some(mark);
        passes
    }

    /// Is this item passed over?
    pub(super) fn is_passed_over(&mut self, item: &Item) -> bool {
        let Some(mark) = self.passing_over else { return false };
        if let Item::Words(line) = item
            && line.text.contains(mark)
        {
            self.passing_over = None;
        }
        true
    }

    /// The statement without what other languages would have in it; each is reported.
    pub(super) fn without_foreign(&mut self, found: Found, name: Word, mut words: Vec<Word>) -> Statement {
        let mut misspelt = false;
        if let Some(sign) = words.get(1).filter(|word| matches!(&*word.text, "=" | ":" | ":=" | "=>"))
            && (!found.keyword.args.is_empty() || found.keyword.body != Body::None)
        {
            let sign = words.remove(words.iter().position(|word| word.span == sign.span).unwrap_or(1));
            // A block that takes no value is what it says; keepalived keeps it too.
            misspelt = !found.keyword.args.is_empty();
            self.context.report(
                Diagnostic::error(
                    "foreign-syntax",
                    format!("there is no `{}` between a keyword and its value", sign.text),
                )
                .at(sign.span, "only a blank stands here")
                .suggest(sign.span, "", "take it out"),
            );
        }
        if found.keyword.is_quoted() || found.keyword.body != Body::None {
            return Statement { found, name, words, misspelt };
        }
        if let Some(at) = words.iter().skip(1).position(|word| matches!(&*word.text, "//" | "/*")) {
            self.foreign_comment_after(&mut words, at + 1);
        }
        self.semicolon(found, &mut words);
        Statement { found, name, words, misspelt }
    }

    fn foreign_comment_after(&mut self, words: &mut Vec<Word>, at: usize) {
        self.misspelt = true;
        let Some(mark) = words.get(at) else { return };
        self.context.report(
            Diagnostic::warning("foreign-syntax", format!("`{}` begins no comment", mark.text))
                .at(mark.span, "comments begin with `#` or `!`")
                .suggest(mark.span, "#", "write `#`"),
        );
        if self.reading == Reading::AsMeant {
            words.truncate(at);
        }
    }

    /// `priority 100;`: the `;` is part of the value, and was hardly meant so.
    fn semicolon(&mut self, found: Found, words: &mut Vec<Word>) {
        let Some(last) = words.last_mut().filter(|last| last.text.ends_with(';')) else { return };
        // Of a password it may be part.
        if found.keyword.name == "auth_pass" {
            return;
        }
        let kind = found.keyword.args.first().map(|arg| arg.kind);
        let may_be_part =
            matches!(kind, Some(Kind::Word | Kind::Limited(_) | Kind::Interface | Kind::Options(_)));
        let text: Box<str> = last.text.trim_end_matches(';').into();
        let span =
            Span { start: last.span.end.saturating_sub((last.text.len() - text.len()) as u32), ..last.span };
        if self.reading == Reading::AsMeant {
            last.text = text;
            if last.text.is_empty() {
                words.pop();
            }
        }
        self.misspelt = true;
        self.report_semicolon(span, may_be_part);
    }

    fn report_semicolon(&mut self, span: Span, may_be_part: bool) {
        let new = if may_be_part { Diagnostic::warning } else { Diagnostic::error };
        let label = if may_be_part { "taken as part of the value" } else { "surplus" };
        self.context.report(
            new("foreign-syntax", "a line ends without `;`".to_owned()).at(span, label).suggest(
                span,
                "",
                "take it out",
            ),
        );
    }
}
