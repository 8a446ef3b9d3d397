//! What a client accepts, in the headers of its request (RFC 9110 §12.5), and texts packed for those who take them so.

use std::io::Write;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, header};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A text as it is sent, packed by gzip or not; none where it can't be packed.
pub(crate) fn packed(text: String, gzip: bool) -> Option<Bytes> {
    if !gzip {
        return Some(text.into());
    }
    // Metrics and pages say the same over and over: the fastest level makes a tenth of them.
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text.as_bytes()).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether it takes an answer that is packed by gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let named = |range: &Range<'_>| ["gzip", "x-gzip"].iter().any(|n| range.value.eq_ignore_ascii_case(n));
    let any = best(headers, &header::ACCEPT_ENCODING, |range| range.value == "*");
    best(headers, &header::ACCEPT_ENCODING, named).or(any).is_some_and(|weight| weight > 0)
}

/// One element of a header that lists what is acceptable.
pub(crate) struct Range<'a> {
    pub(crate) value: &'a str,
    parameters: &'a str,
}

impl Range<'_> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
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
pub(crate) fn best(headers: &HeaderMap, name: &HeaderName, fits: impl Fn(&Range<'_>) -> bool) -> Option<u32> {
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
            assert_eq!(
                accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, accept.parse().unwrap())])),
                expected,
                "{accept}"
            );
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
