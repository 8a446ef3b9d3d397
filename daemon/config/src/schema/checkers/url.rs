//! `url` of HTTP_GET and SSL_GET: a page, and what is right about it.

use super::read::missing;
use crate::diagnostics::Diagnostic;
use crate::model::{Digest, MatcherStack, Name, RegexOption};
use crate::preprocess::Context;
use crate::schema::compose::compose;
use crate::schema::entry::{Block, keywords_of};
use crate::schema::{Keyword, Kind, any, flag, kw, one};
use crate::source::Span;
use crate::tree::Node;
use crate::values::status;

/// A page as written.
#[derive(Debug, Default)]
pub(crate) struct UrlDraft {
    pub(crate) path: Option<Name>,
    pub(crate) virtualhost: Option<Name>,
    pub(crate) digest: Option<Digest>,
    pub(crate) status: Vec<(u16, u16)>,
    pub(crate) regex: RegexDraft,
    pub(crate) compliant: bool,
}

/// A pattern as written.
#[derive(Debug, Default)]
pub(crate) struct RegexDraft {
    pub(crate) pattern: Option<(Name, Span)>,
    pub(crate) options: Vec<RegexOption>,
    pub(crate) no_match: bool,
    pub(crate) min_offset: Option<(u64, Span)>,
    pub(crate) max_offset: Option<(u64, Span)>,
    pub(crate) stack: Option<MatcherStack>,
    /// The first keyword that needs a pattern.
    pub(crate) needs_pattern: Option<Span>,
}

/// `HTTP_GET { url { … } }`.
pub(crate) const URL: Block<UrlDraft> = Block(&[
    kw("path", &[one("PATH", Kind::Word)], "Path of the page.")
        .last_counts()
        .example("path /index.html")
        .sets(|to, node, context| {
            to.path = node.text(0);
            begins_with_slash(node, context);
        }),
    kw("digest", &[one("DIGEST", Kind::Digest)], "Digest of its body, as genhash prints it.")
        .first_counts()
        .example("digest ec90a42b99ea9a2f5ecbe213ac9eba03")
        .sets(|to, node, _| to.digest = node.arg(0).and_then(Digest::parse)),
    kw("status_code", &[any("CODE | FROM-TO", Kind::Status)], "Status codes that are right.")
        .default("200-299")
        .repeats()
        .example("status_code 200")
        // Those that are right count even if another is not.
        .sets_or(UrlDraft::status_codes, UrlDraft::status_codes),
    kw("virtualhost", &[one("NAME", Kind::Word)], "Host header of this request.")
        .default("that of the checker")
        .last_counts()
        .example("virtualhost www.example.com")
        .sets(|to, node, _| to.virtualhost = node.text(0)),
    kw("regex", &[one("PATTERN", Kind::Pattern)], "Pattern (PCRE) that the body must match.")
        .exact()
        .last_counts()
        .example("regex \"Welcome\"")
        .sets(|to, node, _| to.regex.pattern = node.placed(node.text(0))),
    flag("regex_no_match", "The body must not match.")
        .example("regex_no_match")
        .sets(|to, node, _| to.regex.with(node).no_match = true),
    kw(
        "regex_options",
        &[any("OPTION", Kind::Options("regex"))],
        "Options of the pattern, as PCRE names them.",
    )
    .repeats()
    .example("regex_options caseless")
    .sets(|to, node, context| to.regex.with(node).options(node, context)),
    kw(
        "regex_min_offset",
        &[one("BYTES", Kind::Int(0, i64::MAX))],
        "Where a match may begin at the earliest.",
    )
    .default("0")
    .example("regex_min_offset 100")
    .sets(|to, node, _| to.regex.with(node).min_offset = node.placed(node.number(0))),
    kw("regex_max_offset", &[one("BYTES", Kind::Int(0, i64::MAX))], "Where a match may begin at the latest.")
        .default("anywhere")
        .example("regex_max_offset 1000")
        .sets(|to, node, _| to.regex.with(node).max_offset = node.placed(node.number(0))),
    kw(
        "regex_stack",
        &[one("START", Kind::Int(0, i64::MAX)), one("MAX", Kind::Int(0, i64::MAX))],
        "Sizes of the stack of the pattern matcher.",
    )
    .example("regex_stack 32768 524288")
    .sets(|to, node, context| to.regex.with(node).stack(node, context)),
]);

/// What `url` of SSL_GET has besides.
pub(crate) const OF_TLS: Block<UrlDraft> = Block(&[super::TLS_COMPLIANT
    .default("off, unless SSL_GET has it")
    .example("tls_compliant")
    .sets(|to, node, _| to.compliant = node.on())]);

/// `HTTP_GET { url { … } }`.
pub(in crate::schema) const HTTP_URL: &[Keyword] = keywords_of!(URL);

/// `SSL_GET { url { … } }`.
pub(in crate::schema) const SSL_URL: &[Keyword] = compose!(HTTP_URL, keywords_of!(OF_TLS));

impl UrlDraft {
    /// A page; `None` when it has no path (reported).
    pub(super) fn read(node: &Node, context: &mut Context) -> Option<Self> {
        let mut draft = Self::default();
        for child in &node.children {
            let _ = URL.take(&mut draft, child, context) || OF_TLS.take(&mut draft, child, context);
        }
        if draft.path.is_none() {
            missing(node, "path", context);
        }
        draft.regex.check(context);
        draft.path.is_some().then_some(draft)
    }

    fn status_codes(&mut self, node: &Node, _: &mut Context) {
        self.status.extend(node.args.iter().filter_map(|word| status(&word.text)));
    }
}

impl RegexDraft {
    /// Notes a keyword that is nothing without a pattern.
    fn with(&mut self, node: &Node) -> &mut Self {
        self.needs_pattern.get_or_insert(node.name.span);
        self
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

    fn stack(&mut self, node: &Node, context: &mut Context) {
        match (node.number(0), node.number(1)) {
            (Some(start), Some(max)) if start > max => context.report(
                Diagnostic::warning("conflict", "the stack cannot begin larger than it may become")
                    .at(node.arg_span(0).to(node.arg_span(1)), "has no effect"),
            ),
            (start, max) => self.stack = start.zip(max).map(|(start, max)| MatcherStack { start, max }),
        }
    }
}

/// A request asks for a path; what does not begin with `/` most servers refuse.
fn begins_with_slash(node: &Node, context: &mut Context) {
    let Some(word) = node.args.first().filter(|word| !word.text.starts_with('/')) else { return };
    let diagnostic =
        Diagnostic::warning("invalid-value", format!("the path `{}` does not begin with `/`", word.text))
            .at(word.span, "asked for as it stands");
    let path = word
        .text
        .split_once("://")
        .map_or(&*word.text, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let meant = format!("/{path}");
    let message = format!("did you mean `{meant}`?");
    context.report(diagnostic.suggest(word.span, meant, message));
}
