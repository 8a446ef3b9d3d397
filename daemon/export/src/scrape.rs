//! `/metrics`: in the format and the encoding that the client asks for (RFC 9110 §12.5).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

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

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let named = |range: &Range<'_>| ["gzip", "x-gzip"].iter().any(|n| range.value.eq_ignore_ascii_case(n));
    let any = best(headers, &header::ACCEPT_ENCODING, |range| range.value == "*");
    best(headers, &header::ACCEPT_ENCODING, named).or(any).is_some_and(|weight| weight > 0)
}

/// One element of a header that lists what is acceptable.
struct Range<'a> {
    value: &'a str,
    parameters: &'a str,
}

impl Range<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
        })
    }

    /// In thousandths; one that can't be read counts as not wanted.
    fn weight(&self) -> u32 {
        let Some(text) = self.parameter("q") else { return 1000 };
        let weight = text.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1000")]
        let thousandths = (weight * 1000.0).round() as u32;
        thousandths
    }
}

/// The greatest weight of all elements that fit; none if there is none.
fn best(headers: &HeaderMap, name: &HeaderName, fits: impl Fn(&Range<'_>) -> bool) -> Option<u32> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|element| {
            let (value, parameters) = element.split_once(';').unwrap_or((element, ""));
            Range { value: value.trim(), parameters }
        })
        .filter(|range| fits(range))
        .map(|range| range.weight())
        .max()
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

    #[test]
    fn gzip_is_used_where_it_is_wanted() {
        for (accept, expected) in [
            ("gzip", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("GZIP", true),
            ("*", true),
            ("gzip;q=0", false),
            ("*, gzip;q=0", false),
            ("br", false),
            ("identity", false),
        ] {
            assert_eq!(accepts_gzip(&headers(header::ACCEPT_ENCODING, accept)), expected, "{accept}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
