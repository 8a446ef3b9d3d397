//! `HTTP_GET` and `SSL_GET`: are their pages whole, and what they inherit.

use super::{Around, missing};
use crate::model::{Connection, HttpGet, StatusCodes, TlsUrl, Url};
use crate::preprocess::Context;
use crate::schema::checkers::http::{self, HttpDraft, PAGES};
use crate::schema::checkers::url::{self, URL, UrlDraft};
use crate::tree::Node;

impl HttpDraft {
    /// `None` when it has no page to fetch (reported).
    pub(super) fn read(node: &Node, own: &[&Node], context: &mut Context) -> Option<Self> {
        let mut draft = Self { tls: node.keyword.name == "SSL_GET", ..Self::default() };
        let mut has_url = false;
        for child in own {
            if child.keyword.name == "url" {
                has_url = true;
                draft.urls.extend(page(child, context));
            } else if !PAGES.take(&mut draft, child, context) {
                http::OF_TLS.take(&mut draft, child, context);
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
        let urls = self.urls.into_iter().filter_map(|url| {
            let named = url.virtualhost.as_ref().or(virtualhost);
            let server_name = self.sni_name.as_ref().or(named).or(around.outer_virtualhost);
            let tls = tls.then(|| TlsUrl {
                server_name: server_name.filter(|_| self.enable_sni).cloned(),
                compliant: self.compliant || url.compliant,
            });
            Some(Url {
                host: named.or(around.virtualhost).cloned(),
                path: url.path?,
                status: if url.status.is_empty() {
                    StatusCodes::default()
                } else {
                    StatusCodes::of(url.status)
                },
                digest: url.digest,
                regex: url.regex.resolve(),
                tls,
            })
        });
        HttpGet { urls: urls.collect(), connection, tls, version, fast_recovery }
    }
}

/// A page; `None` when it has no path (reported).
fn page(node: &Node, context: &mut Context) -> Option<UrlDraft> {
    let mut draft = UrlDraft::default();
    // Of several status codes, those that are right count even if another is not.
    let counts = |child: &&Node| !child.bad || child.keyword.name == "status_code";
    for child in node.children.iter().filter(counts) {
        if !URL.take(&mut draft, child, context) {
            url::OF_TLS.take(&mut draft, child, context);
        }
    }
    if draft.path.is_none() {
        missing(node, "path", context);
    }
    draft.regex.check(context);
    draft.path.is_some().then_some(draft)
}
