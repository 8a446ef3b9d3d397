//! `HTTP_GET` and `SSL_GET` as written.

use super::regex::RegexDraft;
use super::{Around, missing};
use crate::diagnostics::Diagnostic;
use crate::model::{Connection, Digest, HttpGet, HttpVersion, Name, StatusCodes, TlsUrl, Url};
use crate::preprocess::Context;
use crate::tree::Node;

/// An `HTTP_GET` or `SSL_GET` as written, but for its connection.
#[derive(Debug)]
pub(super) struct HttpDraft {
    tls: bool,
    version: HttpVersion,
    virtualhost: Option<Name>,
    enable_sni: bool,
    sni_name: Option<Name>,
    fast_recovery: bool,
    compliant: bool,
    urls: Vec<UrlDraft>,
}

#[derive(Debug)]
struct UrlDraft {
    path: Name,
    virtualhost: Option<Name>,
    digest: Option<Digest>,
    status: Vec<(u16, u16)>,
    regex: RegexDraft,
    compliant: bool,
}

impl HttpDraft {
    /// `None` when it has no page to fetch (reported).
    pub(super) fn new(node: &Node, own: &[&Node], context: &mut Context) -> Option<Self> {
        let mut draft = Self {
            tls: node.keyword.name == "SSL_GET",
            version: HttpVersion::default(),
            virtualhost: None,
            enable_sni: false,
            sni_name: None,
            fast_recovery: false,
            compliant: false,
            urls: Vec::new(),
        };
        let mut has_url = false;
        for child in own {
            match child.keyword.name {
                "http_protocol" => draft.version = version(child.arg(0)),
                "virtualhost" => draft.virtualhost = child.text(0),
                "enable_sni" => draft.enable_sni = child.on(),
                "sni_name" => {
                    if let Some(before) = &draft.sni_name {
                        named_before(before, child, context);
                    }
                    draft.sni_name = child.text(0).or(draft.sni_name);
                    draft.enable_sni = true;
                }
                "fast_recovery" => draft.fast_recovery = child.on(),
                "tls_compliant" => draft.compliant = child.on(),
                "url" => {
                    has_url = true;
                    draft.urls.extend(UrlDraft::new(child, context));
                }
                _ => {}
            }
        }
        if !has_url {
            missing(node, "url", context);
        }
        (!draft.urls.is_empty()).then_some(draft)
    }

    pub(super) fn resolve(self, connection: Connection, around: &Around<'_>) -> HttpGet {
        let Self { tls, version, fast_recovery, .. } = self;
        let virtualhost = self.virtualhost.as_ref();
        let urls = self.urls.into_iter().map(|url| {
            let named = url.virtualhost.as_ref().or(virtualhost);
            let server_name = self.sni_name.as_ref().or(named).or(around.outer_virtualhost);
            let tls = tls.then(|| TlsUrl {
                server_name: server_name.filter(|_| self.enable_sni).cloned(),
                compliant: self.compliant || url.compliant,
            });
            Url {
                host: named.or(around.virtualhost).cloned(),
                path: url.path,
                status: if url.status.is_empty() {
                    StatusCodes::default()
                } else {
                    StatusCodes::of(url.status)
                },
                digest: url.digest,
                regex: url.regex.resolve(),
                tls,
            }
        });
        HttpGet { urls: urls.collect(), connection, tls, version, fast_recovery }
    }
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

impl UrlDraft {
    /// `None` when it has no path (reported).
    fn new(node: &Node, context: &mut Context) -> Option<Self> {
        let mut path = None;
        let mut virtualhost = None;
        let mut digest = None;
        let mut status = Vec::new();
        let mut regex = RegexDraft::default();
        let mut compliant = false;
        // Of several status codes, those that are right count even if another is not.
        let counts = |child: &&Node| !child.bad || child.keyword.name == "status_code";
        for child in node.children.iter().filter(counts) {
            match child.keyword.name {
                "path" => {
                    path = child.text(0);
                    begins_with_slash(child, context);
                }
                "virtualhost" => virtualhost = child.text(0),
                "digest" => digest = child.arg(0).and_then(Digest::parse),
                "status_code" => {
                    status.extend(child.args.iter().filter_map(|word| crate::values::status(&word.text)))
                }
                "tls_compliant" => compliant = child.on(),
                _ => regex.take(child, context),
            }
        }
        if path.is_none() {
            missing(node, "path", context);
        }
        regex.check(context);
        Some(Self { path: path?, virtualhost, digest, status, regex, compliant })
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
