//! Which of some words was meant by one that is none of them.

/// How many slips of the pen a word of that many letters may have and still be known for what it is.
fn allowed(letters: usize) -> usize {
    match letters {
        0..=1 => 0,
        2..=5 => 1,
        6..=9 => 2,
        _ => 3,
    }
}

/// What other programs, and people, call what has another name here.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("SLAVE", "BACKUP"),
    ("SECONDARY", "BACKUP"),
    ("STANDBY", "BACKUP"),
    ("PRIMARY", "MASTER"),
    ("ACTIVE", "MASTER"),
    ("ICMP_CHECK", "PING_CHECK"),
    ("HTTP_CHECK", "HTTP_GET"),
    ("HTTPS_CHECK", "SSL_GET"),
    ("HTTPS_GET", "SSL_GET"),
    ("roundrobin", "rr"),
    ("leastconn", "lc"),
    ("masquerade", "NAT"),
    ("tunnel", "TUN"),
    ("direct", "DR"),
];

/// How many slips of the pen lie between what was written and a word, whatever the case; `None` if it is another word.
pub(crate) fn slips(written: &str, word: &str) -> Option<usize> {
    let is_pair = |(other, name): &(&str, &str)| *name == word && other.eq_ignore_ascii_case(written);
    if OTHER_NAMES.iter().any(is_pair) {
        return Some(0);
    }
    let allowed = allowed(written.chars().count());
    // A cheap look first: this runs for every unknown word of a file, and each known one.
    if word.len() < 2 || word.len().abs_diff(written.len()) > allowed {
        return None;
    }
    let distance = strsim::osa_distance(&written.to_ascii_lowercase(), &word.to_ascii_lowercase());
    (distance <= allowed && distance < word.chars().count()).then_some(distance)
}

/// The word that was most likely meant.
pub(crate) fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = words.into_iter().filter_map(|word| Some((slips(written, word)?, word)));
    near.min().map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_known_for_what_it_is() {
        let words = ["rr", "wrr", "label", "priority", "connect_timeout", "VI_1"];
        for (written, meant) in [
            ("rrr", Some("rr")),
            ("lable", Some("label")),
            ("prioritty", Some("priority")),
            ("conect_timout", Some("connect_timeout")),
            ("vi_1", Some("VI_1")),
            ("x", None),
            ("wl", None),
            ("interface", None),
            ("RoundRobin", Some("rr")),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
    }
}
