//! Many letters as one: what a switch that dies does to two hundred servers is one piece of news. Pure.

use std::fmt::Write;

use crate::Letter;

/// What is in the subject of each letter that was made of several.
const MARK: &str = " notices, the first: ";

/// Letters that are listed in one; of more, their number is said.
const LISTED: usize = 200;
/// Bytes of a line at most,
const LINE: usize = 300;
/// and of what led to the first.
const REASON: usize = 16 * 1024;

/// Whether a letter was made of several: it is not put into another, where what it lists would be lost.
pub(crate) fn is_one(letter: &Letter) -> bool {
    letter.subject.contains(MARK)
}

/// One letter that says what these say, none if there are none; they are in the order in which they came. However many
/// they are, it is not long.
pub(crate) fn of(letters: &[Letter]) -> Option<Letter> {
    let (first, last) = (letters.first()?, letters.last()?);
    let subject = format!("{}{MARK}{}", letters.len(), first.subject);
    let mut body = format!("=> {} notices in one <=\n\n", letters.len());
    for letter in letters.iter().take(LISTED) {
        let line = letter.body.lines().next().unwrap_or("");
        let line = format!("  {}  {}  {line}", letter.event, letter.subject);
        // Writing to a String can't fail.
        let _ = writeln!(body, "{}", cut(&line, LINE));
    }
    if let Some(more) = letters.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(body, "  and {more} more, the last: {}  {}", last.event, cut(&last.subject, LINE));
    }
    if let Some((_, reason)) = first.body.split_once('\n').filter(|(_, reason)| !reason.trim().is_empty()) {
        let _ = write!(body, "\nThe first, {}:\n{}", first.subject, cut(reason, REASON));
    }
    Some(Letter { subject, body, event: last.event, at: last.at })
}

/// As much of a text as fits into so many bytes.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    if text.len() <= most { text } else { &text[..end] }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::EventId;

    use super::*;

    #[test]
    fn every_subject_and_the_reason_of_the_first_are_in_it() {
        let letter = |n: u64| Letter {
            subject: format!("Realserver {n} - DOWN"),
            body: format!("=> TCP CHECK failed on service <=\n\nWhat led to it:\n  why {n}\n"),
            event: EventId(n),
            at: i128::from(n),
        };
        let letters: Vec<_> = (1..=200).map(letter).collect();
        let digest = of(&letters).unwrap();
        assert_eq!(digest.subject, "200 notices, the first: Realserver 1 - DOWN");
        assert!((1..=200).all(|n| digest.body.contains(&format!("#{n}  Realserver {n} - DOWN  => TCP"))));
        assert!(digest.body.contains("why 1\n") && !digest.body.contains("why 2\n"));
        assert_eq!((digest.event, digest.at), (EventId(200), 200));
        assert!(is_one(&digest) && !letters.iter().any(is_one));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn one_of_very_many_lists_the_first_and_counts_the_rest() {
        let letter = |n: u64| Letter {
            subject: format!("Realserver {n} - DOWN"),
            body: format!("=> {} <=\n\n{}", "\u{e9}".repeat(10_000), "why ".repeat(100_000)),
            event: EventId(n),
            at: i128::from(n),
        };
        let digest = of(&(1..=201).map(letter).collect::<Vec<_>>()).unwrap();
        assert!(digest.body.contains("\n  and 1 more, the last: #201  Realserver 201 - DOWN\n"));
        assert!(!of(&(1..=200).map(letter).collect::<Vec<_>>()).unwrap().body.contains("more, the last"));
        let digest =
            of(&(1..=100_000).map(|n| Letter { body: "=> x <=".into(), ..letter(n) }).collect::<Vec<_>>());
        let digest = digest.unwrap();
        assert_eq!(digest.subject, "100000 notices, the first: Realserver 1 - DOWN");
        assert!(digest.body.contains("Realserver 200 -") && !digest.body.contains("Realserver 201 -"));
        let long =
            of(&(1..=5000).map(|n| Letter { body: "x".repeat(1000), ..letter(n) }).collect::<Vec<_>>());
        assert!(long.unwrap().body.len() < 100 * 1024);
    }
}
