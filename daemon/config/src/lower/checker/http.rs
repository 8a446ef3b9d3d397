//! `HTTP_GET` and `SSL_GET`: what their pages inherit.

use super::Around;
use crate::model::{BodyRegex, Connection, HttpGet, StatusCodes, TlsUrl, Url};
use crate::schema::checkers::http::HttpDraft;
use crate::schema::checkers::url::RegexDraft;

impl HttpDraft {
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

impl RegexDraft {
    fn resolve(self) -> Option<BodyRegex> {
        Some(BodyRegex {
            pattern: self.pattern?.0,
            options: self.options,
            no_match: self.no_match,
            min_offset: self.min_offset.map_or(0, |(offset, _)| offset),
            max_offset: self.max_offset.map(|(offset, _)| offset),
            stack: self.stack,
        })
    }
}
