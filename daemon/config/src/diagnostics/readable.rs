//! Words out of a configuration, as they can be shown to people: whatever bytes are in it, and however long they are.

use std::borrow::Cow;

use crate::encoding;

/// The longest word that is shown whole, in characters, and how much of a longer one is shown at both ends.
const LONGEST_WORD: usize = 200;
const WORD_ENDS: (usize, usize) = (120, 40);
/// The same for a whole sentence.
const LONGEST_SENTENCE: usize = 1000;
const SENTENCE_ENDS: (usize, usize) = (700, 200);

/// The text as it can be shown; borrowed if it can be as it is.
///
/// What is no character is told as one; a control character would tell the terminal something, so its picture stands for
/// it; of what is very long the middle is left out.
pub(super) fn readable(text: &str) -> Cow<'_, str> {
    let plain = text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control());
    if plain && text.len() <= LONGEST_WORD {
        return Cow::Borrowed(text);
    }
    let text = encoding::shown(text);
    let text: String = text.chars().map(picture).collect();
    let words: Vec<Cow<'_, str>> =
        text.split(' ').map(|word| without_middle(word, LONGEST_WORD, WORD_ENDS)).collect();
    Cow::Owned(without_middle(&words.join(" "), LONGEST_SENTENCE, SENTENCE_ENDS).into_owned())
}

/// A character that tells a terminal nothing.
fn picture(character: char) -> char {
    match character {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

fn without_middle(text: &str, longest: usize, (first, last): (usize, usize)) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= longest {
        return Cow::Borrowed(text);
    }
    let beginning: String = text.chars().take(first).collect();
    let end: String = text.chars().skip(length - last).collect();
    Cow::Owned(format!("{beginning}…{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_stays_as_it_is() {
        for text in ["", "`priority`: 300 is out of range", "`東京` has no virtual addresses"] {
            assert_eq!(readable(text), text);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(readable("a\u{1b}[31m\tb\nc\u{7f}\u{85}"), "a␛[31m␉b␊c␡\u{fffd}");
    }

    #[test]
    fn of_what_is_long_both_ends_are_shown() {
        let word = format!("`{}` is no keyword", "日".repeat(70_000));
        let shown = readable(&word);
        assert!(
            shown.starts_with("`日") && shown.contains('…') && shown.ends_with("日` is no keyword"),
            "{shown}"
        );
        assert!(shown.chars().count() < 200);
        assert!(readable(&"many words ".repeat(70_000)).chars().count() < 1000);
    }
}
