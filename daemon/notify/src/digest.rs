//! Many letters as one: what a switch that dies does to two hundred servers is one piece of news. Pure.

use std::fmt::Write;

use crate::Letter;

/// What is in the subject of each letter that was made of several.
const MARK: &str = " notices, the first: ";

/// Whether a letter was made of several: it is not put into another, where what it lists would be lost.
pub(crate) fn is_one(letter: &Letter) -> bool {
    letter.subject.contains(MARK)
}

/// One letter that says what these say; they are not empty, and in the order in which they came.
pub(crate) fn of(letters: &[Letter]) -> Option<Letter> {
    let (first, last) = (letters.first()?, letters.last()?);
    let subject = format!("{}{MARK}{}", letters.len(), first.subject);
    let mut body = format!("=> {} notices in one <=\n\n", letters.len());
    for letter in letters {
        let line = letter.body.lines().next().unwrap_or("");
        // Writing to a String can't fail.
        let _ = writeln!(body, "  {}  {}  {line}", letter.event, letter.subject);
    }
    if let Some((_, reason)) = first.body.split_once('\n').filter(|(_, reason)| !reason.trim().is_empty()) {
        let _ = write!(body, "\nThe first, {}:\n{reason}", first.subject);
    }
    Some(Letter { subject, body, event: last.event, at: last.at })
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
}
