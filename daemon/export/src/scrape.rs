//! `/metrics`: in the format and the encoding that the client asks for (RFC 9110 §12.5).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use crate::accept::{Range, accepts_gzip, best};
use crate::fresh::Fresh;
use crate::metrics::{self, Exposition, Format};
use crate::packed::Packer;
use crate::routes::Shared;

/// The last answer in each format, as text and packed.
#[derive(Default)]
pub(crate) struct Scrapes([Answers; 2]);

/// Those of one format.
#[derive(Default)]
struct Answers {
    text: Fresh,
    packed: Fresh,
    packer: Arc<Mutex<Packer>>,
}

/// `/metrics`.
pub(crate) async fn answer(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let reader = shared.reader.clone();
    shared.scrapes.respond(&headers, move |format| metrics::exposition(&reader, format)).await
}

impl Scrapes {
    /// The answer to a request with these headers: what was written lately, or what `exposition` writes.
    pub(crate) async fn respond(
        &self,
        headers: &HeaderMap,
        exposition: impl FnOnce(Format) -> Exposition + Send + 'static,
    ) -> Response {
        let format = format(headers);
        let gzip = accepts_gzip(headers);
        let [text, open] = &self.0;
        let answers = if format == Format::OpenMetrics { open } else { text };
        let packer = answers.packer.clone();
        let body = match gzip {
            true => answers.packed.get(move || packer.lock().pack(&exposition(format))).await,
            false => answers.text.get(move || Some(exposition(format).into_text().into())).await,
        };
        response(body, format, gzip)
    }
}

fn response(body: Option<Bytes>, format: Format, gzip: bool) -> Response {
    let Some(body) = body else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the metrics can not be written\n").into_response();
    };
    let mut response = body.into_response();
    let mut set = |name: HeaderName, value: &'static str| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, format.content_type());
    set(header::VARY, "accept, accept-encoding");
    if gzip {
        set(header::CONTENT_ENCODING, "gzip");
    }
    response
}

/// OpenMetrics where it is wanted at least as much as plain text.
fn format(headers: &HeaderMap) -> Format {
    let weight = |kind: &str, version: &str| {
        let fits = |range: &Range<'_>| {
            range.value.eq_ignore_ascii_case(kind)
                && range.parameter("version").is_none_or(|asked| asked == version)
        };
        best(headers, &header::ACCEPT, fits)
    };
    let open = weight("application/openmetrics-text", "1.0.0");
    let any = best(headers, &header::ACCEPT, |range| matches!(range.value, "*/*" | "text/*"));
    let text = weight("text/plain", "0.0.4").or(any);
    match (open, text) {
        (Some(open), text) if open > 0 && text.is_none_or(|text| open >= text) => Format::OpenMetrics,
        _ => Format::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_format_is_what_is_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                          q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let old = "application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5";
        for (accept, expected) in [
            (prometheus, Format::OpenMetrics),
            (old, Format::Text),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; q=0", Format::Text),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.5", Format::Text),
            ("application/openmetrics-text;q=0.4,*/*;q=0.5", Format::Text),
            ("application/openmetrics-text;q=nonsense", Format::Text),
            (
                "text/plain;version=0.0.4;q=0.5,application/openmetrics-text; version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
        ] {
            assert_eq!(format(&headers(header::ACCEPT, accept)), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
    }
}
