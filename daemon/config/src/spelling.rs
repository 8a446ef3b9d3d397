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
    if word.len() < 2 || word.len().abs_diff(written.len()) > allowed || differ_more(written, word, allowed) {
        return None;
    }
    let (written, word) = (written.to_ascii_lowercase(), word.to_ascii_lowercase());
    let distance = strsim::osa_distance(&written, &word);
    (distance <= allowed && distance < word.chars().count()).then_some(distance)
}

/// Has one of them more letters that the other has not than so many slips make? Each slip brings or takes one at most.
fn differ_more(one: &str, other: &str, slips: usize) -> bool {
    // One bit a letter; where two letters share one, the words only look more alike.
    let letters = |text: &str| {
        text.chars()
            .fold(0_u64, |all, letter| all | 1 << (u32::from(letter.to_ascii_lowercase()) % u64::BITS))
    };
    let (one, other) = (letters(one), letters(other));
    (one & !other).count_ones().max((other & !one).count_ones()) as usize > slips
}

/// The parts of a word such as `virtual_router_id`.
fn parts(word: &str) -> impl Iterator<Item = &str> + Clone {
    word.split(['_', '-'])
}

/// Is one of the parts of these words quite another in each, and known as such, so that nobody slips from one to the
/// other (`lb_method`, `lvs_method`)?
pub(crate) fn has_another_part(written: &str, word: &str, is_known: impl Fn(&str) -> bool) -> bool {
    let (written, word) = (written.to_ascii_lowercase(), word.to_ascii_lowercase());
    let another = |(one, other): (&str, &str)| {
        let distance = strsim::osa_distance(one, other);
        distance > 1 && distance * 2 >= one.len().max(other.len()) && is_known(one)
    };
    parts(&written).count() == parts(&word).count() && parts(&written).zip(parts(&word)).any(another)
}

/// How a word may be shortened or drawn out, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shortened {
    /// `prio` and `virtual_ip`: only its beginning.
    Beginning,
    /// `advert_interval`: more than there is of it.
    DrawnOut,
    /// `notification_from`: without some of its parts.
    PartsLeftOut,
    /// `vrid`: of each of its parts the first letters.
    Initials,
    /// `iface`: without some of its letters.
    LettersLeftOut,
}

/// How `written` is short for a word, or drawn out from it.
pub(crate) fn shortened(written: &str, word: &str) -> Option<Shortened> {
    let (written, word) = (written.to_ascii_lowercase(), word.to_ascii_lowercase());
    let length = written.len();
    if length < 3 || written == word {
        return None;
    }
    let mut rest = parts(&word);
    let has_parts = parts(&written).count() > 1
        && parts(&written).all(|part| !part.is_empty() && rest.any(|next| next.starts_with(part)));
    if length > 3 && word.starts_with(&written) {
        Some(Shortened::Beginning)
    } else if word.len() > 5 && written.strip_prefix(&*word).is_some_and(|rest| !rest.starts_with(['_', '-']))
    {
        Some(Shortened::DrawnOut)
    } else if has_parts {
        Some(Shortened::PartsLeftOut)
    } else if word.contains('_') && is_of_initials(&written, parts(&word)) {
        Some(Shortened::Initials)
    } else if length > 3 && length * 2 > word.len() && is_of_letters(&written, &word) {
        Some(Shortened::LettersLeftOut)
    } else {
        None
    }
}

/// Is a text put together from the beginnings of all these parts?
fn is_of_initials<'a>(text: &str, mut parts: impl Iterator<Item = &'a str> + Clone) -> bool {
    let Some(part) = parts.next() else { return text.is_empty() };
    let common = text.bytes().zip(part.bytes()).take_while(|(one, other)| one == other).count();
    (1..=common).any(|length| text.get(length..).is_some_and(|rest| is_of_initials(rest, parts.clone())))
}

/// Are these letters of the word, in its order, the first and the last among them?
fn is_of_letters(letters: &str, word: &str) -> bool {
    let mut rest = word.bytes();
    letters.as_bytes().first() == word.as_bytes().first()
        && letters.as_bytes().last() == word.as_bytes().last()
        && letters.bytes().all(|letter| rest.any(|next| next == letter))
}

/// The word that was most likely meant.
pub(crate) fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let words: Vec<&str> = words.into_iter().collect();
    let near = words.iter().filter_map(|word| Some((slips(written, word)?, *word)));
    near.min().map(|(_, word)| word).or_else(|| long_form(written, &words))
}

/// The only one of some words that another is short for, or drawn out from.
fn long_form<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let beginning = |word: &&&str| {
        let (one, other) = (written.to_ascii_lowercase(), word.to_ascii_lowercase());
        let rest = one.strip_prefix(&*other).or_else(|| other.strip_prefix(&*one));
        one.len().min(other.len()) > 2
            && rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    let mut found = words.iter().filter(beginning);
    let word = found.next()?;
    found.next().is_none().then_some(*word)
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
            ("prio", Some("priority")),
            ("labelling", Some("label")),
            ("label=eth0", None),
            ("RoundRobin", Some("rr")),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
    }

    #[test]
    fn the_cheap_look_never_hides_what_is_near() {
        let words =
            ["priority", "prioritty", "rpiority", "label", "lb_algo", "é1", "e1", "x", "VI_1", "interface"];
        for (one, other) in words.iter().flat_map(|one| words.iter().map(move |other| (one, other))) {
            let distance = strsim::osa_distance(&one.to_ascii_lowercase(), &other.to_ascii_lowercase());
            assert!(!differ_more(one, other, distance), "{one} {other}");
        }
    }

    #[test]
    fn a_part_that_is_another_is_no_slip_of_the_pen() {
        let is_known = |part: &str| ["lb", "http", "vrrp"].contains(&part);
        for (written, word, another) in [
            ("lb_method", "lvs_method", true),
            ("HTTP_CHECK", "SMTP_CHECK", true),
            ("vrrp_group", "garp_group", true),
            ("ls_method", "lvs_method", false),
            ("vrpr_goup", "vrrp_group", false),
        ] {
            assert_eq!(has_another_part(written, word, is_known), another, "{written}");
        }
    }

    #[test]
    fn short_forms_are_known_for_what_they_stand_for() {
        for (written, word, how) in [
            ("prio", "priority", Some(Shortened::Beginning)),
            ("virtual_ip", "virtual_ipaddress", Some(Shortened::Beginning)),
            ("advert_interval", "advert_int", Some(Shortened::DrawnOut)),
            ("notification_from", "notification_email_from", Some(Shortened::PartsLeftOut)),
            ("vrrp_group", "vrrp_sync_group", Some(Shortened::PartsLeftOut)),
            ("vrid", "virtual_router_id", Some(Shortened::Initials)),
            ("vip", "virtual_ipaddress", Some(Shortened::Initials)),
            ("iface", "interface", Some(Shortened::LettersLeftOut)),
            ("face", "interface", None),
            ("vr", "virtual_router_id", None),
            ("", "interface", None),
        ] {
            assert_eq!(shortened(written, word), how, "{written}");
        }
    }
}
