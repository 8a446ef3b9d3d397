//! `HTTP_GET` and `SSL_GET`.

use rustls_pki_types::DnsName;

use super::read::missing;
use super::url::UrlDraft;
use super::{TLS_COMPLIANT, connection};
use crate::diagnostics::Diagnostic;
use crate::model::{HttpVersion, Name};
use crate::preprocess::Context;
use crate::schema::compose::compose;
use crate::schema::entry::{Block, keywords_of};
use crate::schema::{BlockId, Keyword, Kind, kw, one, opt, switch, timing};
use crate::tree::Node;

/// An `HTTP_GET` or `SSL_GET` as written, but for its connection.
#[derive(Debug, Default)]
pub(crate) struct HttpDraft {
    pub(crate) tls: bool,
    pub(crate) version: HttpVersion,
    pub(crate) virtualhost: Option<Name>,
    pub(crate) enable_sni: bool,
    pub(crate) sni_name: Option<Name>,
    pub(crate) fast_recovery: bool,
    pub(crate) compliant: bool,
    pub(crate) urls: Vec<UrlDraft>,
    /// There is a page, whether it is right or not.
    has_url: bool,
}

/// What is asked of a server of pages.
const PAGES: Block<HttpDraft> = Block(&[
    kw("virtualhost", &[one("NAME", Kind::Word)], "Host header of requests.")
        .default("the real server's, the virtual server's, the address")
        .last_counts()
        .example("virtualhost www.example.com")
        .sets(|to, node, _| to.virtualhost = node.text(0)),
    kw(
        "http_protocol",
        &[one("VERSION", Kind::Choice(&["1.0", "1.1", "1.0C", "1.0c"]))],
        "Version of HTTP; 1.0C is 1.0 with `Connection: close`.",
    )
    .default("1.0")
    .example("http_protocol 1.1")
    .sets(|to, node, _| to.version = version(node.arg(0))),
    switch("enable_sni", "Send the host name in the TLS handshake.")
        .default("off")
        .example("enable_sni")
        .sets(|to, node, _| to.enable_sni = node.on()),
    kw(
        "sni_name",
        &[opt("NAME", Kind::Word)],
        "Name to send in the TLS handshake; without one, as `enable_sni`.",
    )
    // It says more of a second one itself.
    .repeats()
    .example("sni_name www.example.com")
    .sets(HttpDraft::sni_name),
    switch("fast_recovery", "A failed checker asks for its URLs without a pause between them.")
        .default("off")
        .example("fast_recovery")
        .sets(|to, node, _| to.fast_recovery = node.on()),
]);

const PAGE: Keyword = kw("url", &[], "A page to fetch; all of them must be right.")
    .repeats()
    .example("url {\n    path /\n    status_code 200\n}");

/// The pages of HTTP_GET.
const OF_HTTP: Block<HttpDraft> = Block(&[PAGE.block(BlockId::Url).sets(HttpDraft::url)]);

/// What SSL_GET has besides, and its pages.
const OF_TLS: Block<HttpDraft> = Block(&[
    TLS_COMPLIANT.default("off").example("tls_compliant").sets(|to, node, _| to.compliant = node.on()),
    PAGE.block(BlockId::SslUrl).sets(HttpDraft::url),
]);

/// `HTTP_GET { … }`.
pub(in crate::schema) const HTTP_GET: &[Keyword] = compose!(
    connection::OF_ALL_THAT_CONNECT,
    timing::OF_ALL_CHECKERS,
    keywords_of!(PAGES),
    keywords_of!(OF_HTTP),
);

/// `SSL_GET { … }`.
pub(in crate::schema) const SSL_GET: &[Keyword] = compose!(
    connection::OF_ALL_THAT_CONNECT,
    timing::OF_ALL_CHECKERS,
    keywords_of!(PAGES),
    keywords_of!(OF_TLS),
);

impl HttpDraft {
    /// `None` when it has no page to fetch (reported).
    pub(super) fn read(tls: bool, node: &Node, context: &mut Context) -> Option<Self> {
        let mut draft = Self { tls, ..Self::default() };
        let pages = if tls { &OF_TLS } else { &OF_HTTP };
        for child in &node.children {
            let _ = PAGES.take(&mut draft, child, context) || pages.take(&mut draft, child, context);
        }
        if !draft.has_url {
            missing(node, "url", context);
        }
        (!draft.urls.is_empty()).then_some(draft)
    }

    fn url(&mut self, node: &Node, context: &mut Context) {
        self.has_url = true;
        self.urls.extend(UrlDraft::read(node, context));
    }

    fn sni_name(&mut self, node: &Node, context: &mut Context) {
        if let Some(before) = &self.sni_name {
            named_before(before, node, context);
        }
        no_dns_name(node, context);
        self.sni_name = node.text(0).or(self.sni_name.take());
        self.enable_sni = true;
    }
}

/// In a TLS handshake only names of the DNS can be sent.
fn no_dns_name(node: &Node, context: &mut Context) {
    let Some(word) = node.args.first().filter(|word| DnsName::try_from(&*word.text).is_err()) else { return };
    context.report(
        Diagnostic::warning("invalid-value", format!("`{}` is no DNS name", word.text))
            .at(word.span, "not sent as it stands; what is sent is the host in it, or no name"),
    );
}

/// A second `sni_name`: the last name counts; one without a name changes nothing.
fn named_before(before: &Name, node: &Node, context: &mut Context) {
    let label = if node.args.is_empty() { "has no effect" } else { "this one counts" };
    context.report(
        Diagnostic::error("duplicate-keyword", format!("`sni_name` was given before, as `{before}`"))
            .at(node.span(), label),
    );
}

fn version(text: Option<&str>) -> HttpVersion {
    match text {
        Some("1.1") => HttpVersion::Http11,
        Some("1.0C" | "1.0c") => HttpVersion::Http10Close,
        _ => HttpVersion::Http10,
    }
}
