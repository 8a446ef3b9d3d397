//! Secrets in an address of the web, or of a server with an account before it.

use std::ops::Range;

/// Who signs in and the query of each URL in a word, and the password of `USER:PASSWORD@HOST`.
pub(super) fn secrets(word: &str) -> impl Iterator<Item = Range<usize>> {
    let ends = |c: char| c.is_whitespace() || "\"'<>`;|".contains(c);
    let mut from = 0;
    let pieces = word.split_inclusive(ends).map(move |piece| {
        let at = from;
        from += piece.len();
        (at, piece.trim_end_matches(ends))
    });
    pieces.flat_map(|(at, piece)| {
        in_piece(piece).into_iter().flatten().map(move |range| at + range.start..at + range.end)
    })
}

fn in_piece(text: &str) -> [Option<Range<usize>>; 2] {
    let scheme = text.find("://").map(|at| at + "://".len());
    let start = scheme.unwrap_or(0);
    let rest = text.get(start..).unwrap_or("");
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let query = scheme.and(rest.find('?')).map(|at| start + at + 1..text.len());
    // A password may have a slash in it.
    let end = rest.get(..authority).and_then(|authority| authority.rfind('@'));
    let end = end.or_else(|| rest.rfind('@').filter(|_| query.is_none()));
    let account = end.and_then(|end| {
        let colon = rest.get(..end)?.find(':').filter(|colon| *colon > 0);
        let begin = match (colon, scheme) {
            (Some(colon), _) => colon + 1,
            (None, Some(_)) => 0,
            (None, None) => return None,
        };
        Some(start + begin..start + end)
    });
    [account, query].map(|range| range.filter(|range| !range.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_queries_are_found() {
        for (text, expected) in [
            ("https://u:abc@x/", "https://u:*@x/"),
            ("https://token@x/y", "https://*@x/y"),
            ("https://u:a/b@x", "https://u:*@x"),
            ("https://x/y?token=abc&z=1", "https://x/y?*"),
            ("u:abc@10.0.0.1", "u:*@10.0.0.1"),
            ("\"/bin/curl https://u:abc@x/ http://y?t=1\"", "\"/bin/curl https://u:*@x/ http://y?*\""),
            ("admin@example.com", "admin@example.com"),
            ("git@host:path", "git@host:path"),
            ("https://x:443/y", "https://x:443/y"),
            ("/index.html?x=1", "/index.html?x=1"),
            ("fe80::1", "fe80::1"),
            ("@one", "@one"),
        ] {
            let mut masked = text.to_owned();
            let found: Vec<_> = secrets(text).collect();
            for range in found.into_iter().rev() {
                masked.replace_range(range, "*");
            }
            assert_eq!(masked, expected);
        }
    }
}
