//! Values: do the words after a keyword look as the schema says, and what do they mean.

pub(crate) mod command;
mod form;
pub(crate) mod mend;
mod number;
mod user;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use self::form::{LONGEST_INTERFACE, address, granularity, host, interface, status};
use self::form::{boolean, look};
use self::mend::With;
use self::number::nearest_whole;
pub(crate) use self::number::{decimal, exact, of_any_base, whole};
pub(crate) use self::user::user;
use crate::diagnostics::Diagnostic;
use crate::preprocess::Context;
use crate::schema::{self, Arg, Body, Keyword, Kind, Need};
use crate::source::{Placed, Span};
use crate::spelling::nearest;
use crate::tree::Node;
use crate::words::{Line, QuoteError, Word, quoted_words};

/// The words after a quoted keyword; `None` when its quotes don't match (reported).
pub(crate) fn quoted_arguments(
    line: &Line,
    name: &Word,
    keyword: &Keyword,
    context: &mut Context,
) -> Option<Vec<Word>> {
    // A command is cut into words once more; only then its escapes are read.
    let escapes = matches!(keyword.args.first(), Some(Arg { kind: Kind::Pattern, .. }));
    match quoted_words(&line.text, escapes) {
        Ok(words) => {
            let words = words.into_iter().skip(1);
            Some(
                words
                    .map(|(text, start, end)| Word { text: text.into(), span: line.span(start, end) })
                    .collect(),
            )
        }
        Err(error) => {
            let (at, message) = match error {
                QuoteError::Unterminated(_, at) => (at, "this quote is not closed on its line"),
                QuoteError::LoneBackslash(at) => (at, "nothing follows this `\\`"),
            };
            let diagnostic = Diagnostic::error("unterminated-quote", message)
                .at(line.span(at, at + 1), "here")
                .also(name.span, "in the value of this");
            context.report(diagnostic);
            None
        }
    }
}

/// Does a word of a line look as such a value does, or nearly?
pub(crate) fn looks_right(word: &str, kind: Kind) -> bool {
    let word = word.trim_matches('"');
    let choices = match kind {
        Kind::Choice(choices) | Kind::ChoiceNoCase(choices) => choices,
        _ => &[],
    };
    look(word, kind).is_ok() || nearest(word, choices.iter().copied()).is_some()
}

/// Checks the values of a keyword; false when one is wrong (reported).
pub(crate) fn check(node: &Node, context: &mut Context) -> bool {
    let mut index = 0;
    let mut right = true;
    for arg in node.keyword.args {
        let most = match arg.need {
            Need::One | Need::Optional => 1,
            Need::Any | Need::Some => usize::MAX,
        };
        let needed = matches!(arg.need, Need::One | Need::Some);
        let is_command = arg.kind == Kind::Script;
        let rest = node.args.get(index..).unwrap_or(&[]);
        if needed && rest.is_empty() {
            missing(node, arg, context);
            return false;
        }
        if is_command {
            return right;
        }
        for word in rest.iter().take(most) {
            index += 1;
            if let Err(problem) =
                look(&word.text, arg.kind).map_err(|problem| or_nearest(node, word, arg, problem))
            {
                let usable = problem.usable;
                report(node, arg, word, problem, context);
                if !usable {
                    right = false;
                    break;
                }
            } else if arg.kind == Kind::Host {
                say_what_is_lost(word, context);
            } else if arg.kind == Kind::Interface {
                doubt_interface(word, context);
            }
        }
        if arg.name == "PASSWORD"
            && let Some(last) = rest.first()
        {
            say_what_a_comment_cuts(last, context);
        }
    }
    let extra = node.args.get(index..).unwrap_or(&[]);
    if let (true, Some(first), Some(last)) = (right, extra.first(), extra.last()) {
        let keyword = node.keyword;
        let message = format!("`{}` takes no more than {} here", node.name.text, counted(index));
        let diagnostic = if keyword.exact {
            right = false;
            let what = if keyword.body == Body::None { "line" } else { "block" };
            Diagnostic::error("extra-words", message)
                .at(first.span.to(last.span), format!("the {what} is left out"))
        } else {
            Diagnostic::warning("extra-words", message).at(first.span.to(last.span), "has no effect")
        };
        // `preempt delay 300`: a keyword of two parts, written as two words; `vrrp_instance VI 1`: a name of two.
        let joined = format!("{}_{}", node.name.text, first.text);
        let is_name = matches!(keyword.body, Body::Block(_)) && index == 1 && extra.len() == 1;
        let diagnostic = if !schema::blocks_with(&joined).is_empty() {
            let message = format!("did you mean `{joined}`?");
            diagnostic.suggest(node.name.span.to(first.span), joined, message)
        } else if let Some(name) = node.args.first().filter(|_| is_name) {
            let meant = format!("{}_{}", name.text, first.text);
            diagnostic.suggest(name.span.to(last.span), meant, "a name is one word")
        } else {
            diagnostic.help(format!("it is written `{}`", keyword.syntax()))
        };
        // keepalived says so of every block of lines, and of keywords nowhere else.
        let is_said = matches!(keyword.body, Body::Lines(_)) && keyword.args.is_empty();
        context.report(if is_said { diagnostic.changes() } else { diagnostic });
    }
    right
}

/// Of some keywords a number out of range is not lost.
fn or_nearest(node: &Node, word: &Word, arg: &Arg, problem: Problem) -> Problem {
    match arg.kind {
        Kind::Int(least, most) if node.keyword.nearest && problem.code == "out-of-range" => Problem {
            expected: format!("{} is used", nearest_whole(&word.text, least, most)),
            usable: true,
            ..problem
        },
        _ => problem,
    }
}

/// An interface may have nearly any name, but hardly one of these.
fn doubt_interface(word: &Word, context: &mut Context) {
    let text = &*word.text;
    let message = if host(text).is_some() {
        format!("`{text}` is an address, not the name of an interface")
    } else if text.contains(['<', '>', '(', ')', '[', ']', '&', ',', '*', '|']) {
        format!("`{text}` is hardly the name of an interface")
    } else {
        return;
    };
    context.report(
        Diagnostic::warning("invalid-value", message)
            .at(word.span, "expected an interface, as `ip link` names it"),
    );
}

/// A comment may begin anywhere, also in the middle of a password.
fn say_what_a_comment_cuts(word: &Word, context: &mut Context) {
    let source = context.sources.file(word.span.file);
    let rest = source.text.get(word.span.end as usize..).unwrap_or("");
    let Some(sign) = rest.chars().next().filter(|sign| matches!(sign, '#' | '!')) else { return };
    let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
    if length == 1 {
        return;
    }
    let whole = format!("\"{}{}\"", word.text, rest.get(..length).unwrap_or(""));
    let cut = Span { start: word.span.end, end: word.span.end + length as u32, ..word.span };
    context.report(
        Diagnostic::note("comment-in-value", format!("the value ends here: `{sign}` begins a comment"))
            .at(cut, "a comment")
            .suggest(
                Span { end: cut.end, ..word.span },
                whole,
                "put the value in quotes if all of it is meant",
            ),
    );
}

/// What stands after the address of a host is no part of it; keepalived does not say so.
pub(crate) fn say_what_is_lost(word: &Word, context: &mut Context) {
    let Some(at) = word.text.find(['/', '-']) else { return };
    let (host, lost) = word.text.split_at(at);
    let diagnostic = if lost.starts_with('/') {
        Diagnostic::note("no-effect", format!("the prefix length of `{}` has no effect", word.text))
    } else {
        Diagnostic::warning("no-effect", format!("`{}` is not one address", word.text))
    };
    let diagnostic = diagnostic.at(word.span, format!("only {host} is used"));
    context.report(diagnostic.suggest_address(word, With::Nothing));
}

fn counted(values: usize) -> String {
    match values {
        0 => "itself".into(),
        1 => "one value".into(),
        more => format!("{more} values"),
    }
}

fn missing(node: &Node, arg: &Arg, context: &mut Context) {
    let after = node.span().after();
    context.report(
        Diagnostic::error("missing-value", format!("`{}` needs a value: {}", node.name.text, arg.name))
            .at(after, format!("{} is missing here", arg.name))
            .help(format!(
                "for example: `{}`",
                node.keyword.example.split_whitespace().collect::<Vec<_>>().join(" ")
            )),
    );
}

/// What is wrong with a value.
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) expected: String,
    replacement: Option<String>,
    /// A value can be taken all the same.
    pub(crate) usable: bool,
}

impl Problem {
    fn new(code: &'static str, message: String, expected: impl Into<String>) -> Self {
        Self { code, message, expected: expected.into(), replacement: None, usable: false }
    }

    /// As a diagnostic of what a word in a line stands for.
    pub(crate) fn of(self, what: &str, word: &Word) -> Diagnostic {
        let message = if what.is_empty() { self.message } else { format!("{what}: {}", self.message) };
        let diagnostic = of_code(self.code, message, word).at(word.span, self.expected);
        match self.replacement {
            Some(meant) => diagnostic.suggest(word.span, meant.clone(), format!("did you mean `{meant}`?")),
            None => diagnostic,
        }
    }
}

/// A mistake in a word.
fn of_code(code: &'static str, message: String, word: &Word) -> Diagnostic {
    match code {
        "undefined-name" => Diagnostic::undefined(message, word.text.strip_prefix('$')),
        code => Diagnostic::error(code, message),
    }
}

fn report(node: &Node, arg: &Arg, word: &Word, problem: Problem, context: &mut Context) {
    let replacement = likely(node, arg, word, &problem).or(problem.replacement);
    let message = format!("`{}`: {}", node.name.text, problem.message);
    let diagnostic = of_code(problem.code, message, word).at(word.span, problem.expected);
    let diagnostic = if let Some(replacement) = replacement {
        let message = format!("did you mean `{replacement}`?");
        diagnostic.suggest(word.span, replacement, message)
    } else if problem.code == "invalid-address" {
        diagnostic.suggest_address(word, With::Nothing)
    } else if problem.code == "undefined-name" {
        diagnostic.help("it is defined by a line `$NAME=VALUE` before its use")
    } else if !arg.name.chars().any(char::is_lowercase) && node.keyword.default.is_empty() {
        diagnostic.help(format!("it is written `{}`", node.keyword.syntax()))
    } else {
        diagnostic
    };
    context.report(diagnostic);
}

/// What was likely meant by a value that says more than it should.
fn likely(node: &Node, arg: &Arg, word: &Word, problem: &Problem) -> Option<String> {
    let text = &*word.text;
    match (problem.code, arg.kind) {
        ("invalid-address", Kind::Host) if node.keyword.args.len() > 1 && node.args.len() == 1 => {
            mend::address(text, With::Port)
        }
        ("invalid-address", _) => mend::address(text, With::Nothing),
        ("invalid-number", Kind::Millis(..)) => mend::without_unit(text, true),
        ("invalid-number", Kind::Seconds(..)) => mend::without_unit(text, false),
        ("invalid-number", Kind::Int(..)) if arg.name == "SECONDS" => mend::without_unit(text, false),
        _ => None,
    }
    // The right value is in range, too.
    .filter(|meant| look(meant, arg.kind).is_ok() || meant.contains(' '))
}

/// Meanings of a node's values; right by [`check`], so a `None` is a value that was left out.
impl Node {
    /// The value as a number.
    pub(crate) fn int(&self, index: usize) -> Option<i64> {
        let text = self.arg(index)?;
        match self.keyword.args.get(index).map(|arg| arg.kind) {
            Some(Kind::Int(least, most)) if self.keyword.nearest => Some(nearest_whole(text, least, most)),
            _ => text.trim().parse().ok(),
        }
    }

    /// The value as a number of a type that it fits.
    pub(crate) fn number<T: TryFrom<i64>>(&self, index: usize) -> Option<T> {
        self.int(index).and_then(|value| T::try_from(value).ok())
    }

    /// The value as seconds with decimals.
    pub(crate) fn seconds(&self, index: usize) -> Option<Duration> {
        decimal(self.arg(index)?, 6, 0, u64::MAX, "seconds").ok().map(Duration::from_micros)
    }

    /// The value as milliseconds with decimals.
    pub(crate) fn millis(&self, index: usize) -> Option<Duration> {
        decimal(self.arg(index)?, 3, 0, u64::MAX, "milliseconds").ok().map(Duration::from_micros)
    }

    /// The value as whole seconds.
    pub(crate) fn whole_seconds(&self, index: usize) -> Option<Duration> {
        self.number::<u64>(index).map(Duration::from_secs)
    }

    /// The first value as a path.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.arg(0).map(PathBuf::from)
    }

    /// What the first value means, with its place.
    pub(crate) fn placed<T>(&self, value: Option<T>) -> Placed<T> {
        value.map(|value| (value, self.arg_span(0)))
    }

    /// The value as a boolean; true when the keyword stands alone.
    pub(crate) fn on(&self) -> bool {
        self.arg(0).and_then(boolean).unwrap_or(true)
    }

    /// The value as an address.
    pub(crate) fn address(&self, index: usize) -> Option<IpAddr> {
        address(self.arg(index)?)
    }

    /// The value as an address of a server.
    pub(crate) fn host(&self, index: usize) -> Option<IpAddr> {
        host(self.arg(index)?)
    }

    /// The value as a name.
    pub(crate) fn text(&self, index: usize) -> Option<crate::model::Name> {
        self.arg(index).map(crate::model::Name::from)
    }
}
