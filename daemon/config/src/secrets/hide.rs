//! Secrets out of what is said: messages quote words, and a word may be a secret.

use std::borrow::Cow;

use crate::encoding;

/// What stands in place of a secret, however long it is.
pub(crate) const MASK: &str = "********";

/// Shorter ones are hidden only where they are a quoted word of their own: they are part of many words.
const LONG_ENOUGH: usize = 4;
/// Of a longer one, what is said may hold only its beginning and its end.
const MAY_BE_CUT: usize = 100;

/// Secrets that what is said must not hold.
#[derive(Debug, Default)]
pub(crate) struct Values(Vec<String>);

impl Values {
    /// Adds the words of a stretch of text.
    pub(crate) fn add(&mut self, text: &str) {
        let words = text.split([' ', '\t', ',', '{', '}', '"']);
        // What begins a comment has cut it.
        let cut = text.split(['#', '!', ' ', '"']);
        let all = std::iter::once(text).chain(words).chain(cut);
        // What binds it to its keyword, or ends its line, is no part of it.
        let bare = |word: &str| word.trim_matches(['=', ':', ';', '"', '\u{a0}', '“', '”']).to_owned();
        self.0.extend(all.flat_map(|word| [word.to_owned(), bare(word)]));
        // A byte that is no UTF-8 is told as a number, and as the letter that it may be.
        let foreign = text.chars().filter_map(encoding::byte_of);
        self.0.extend(foreign.flat_map(|byte| [format!("0x{byte:02x}"), char::from(byte).to_string()]));
        self.0.retain(|value| !value.is_empty());
        self.0.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        self.0.dedup();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A sentence without them; `None` if they are not in it. What it quotes stands between backticks.
    pub(crate) fn hidden(&self, sentence: &str) -> Option<String> {
        let mut parts: Vec<Cow<'_, str>> = sentence.split('`').map(Cow::Borrowed).collect();
        let last = parts.len() - 1;
        for (index, part) in parts.iter_mut().enumerate() {
            let hidden = match index % 2 == 1 && index < last {
                true => self.hidden_in_code(part),
                false => self.hidden_in_words(part),
            };
            if let Some(hidden) = hidden {
                *part = Cow::Owned(hidden);
            }
        }
        let changed = parts.iter().any(|part| matches!(part, Cow::Owned(_)));
        changed.then(|| parts.join("`"))
    }

    /// Part of a configuration without them; `None` if they are not in it.
    pub(crate) fn hidden_in_code(&self, code: &str) -> Option<String> {
        if !crate::schema::blocks_with(code).is_empty() {
            return None;
        }
        let is_cut = |value: &&String| value.len() > MAY_BE_CUT && code.contains('…');
        if self.0.iter().filter(is_cut).any(|value| starts_alike(code, value)) {
            return Some(MASK.to_owned());
        }
        let mut hidden = Cow::Borrowed(code);
        for value in &self.0 {
            if value.len() >= LONG_ENOUGH {
                if hidden.contains(value.as_str()) {
                    hidden = Cow::Owned(hidden.replace(value.as_str(), MASK));
                }
            } else if let Some(replaced) = replace_words(&hidden, value) {
                hidden = Cow::Owned(replaced);
            }
        }
        match hidden {
            Cow::Owned(hidden) => Some(hidden),
            Cow::Borrowed(_) => None,
        }
    }

    fn hidden_in_words(&self, words: &str) -> Option<String> {
        let long = self.0.iter().filter(|value| value.len() >= LONG_ENOUGH);
        let hidden = long.fold(Cow::Borrowed(words), |words, value| match replace_words(&words, value) {
            Some(replaced) => Cow::Owned(replaced),
            None => words,
        });
        match hidden {
            Cow::Owned(hidden) => Some(hidden),
            Cow::Borrowed(_) => None,
        }
    }
}

/// Is the beginning of a value, that was cut, in a text?
fn starts_alike(text: &str, value: &str) -> bool {
    let beginning: String = value.chars().take(MAY_BE_CUT / 4).collect();
    text.contains(&beginning)
}

/// Replaces a value where it is no part of a longer word.
fn replace_words(text: &str, value: &str) -> Option<String> {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut replaced = String::new();
    let mut from = 0;
    for (at, _) in text.match_indices(value) {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + value.len()..).and_then(|after| after.chars().next());
        if !part_of_word(before) && !part_of_word(after) {
            replaced.push_str(text.get(from..at).unwrap_or(""));
            replaced.push_str(MASK);
            from = at + value.len();
        }
    }
    (from > 0).then(|| replaced + text.get(from..).unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_holds_no_secret() {
        let mut values = Values::default();
        values.add("s3#cret1 \"two words\"");
        for (said, hidden) in [
            ("`auth_pass` needs a value", None),
            ("`two` is no keyword", Some("`********` is no keyword")),
            ("did you mean `auth_pass s3#cret1`?", Some("did you mean `auth_pass ********`?")),
            ("`auth_passcret1` is no keyword", Some("`auth_pass********` is no keyword")),
            ("cret1 is used", Some("******** is used")),
            ("s3 is used of two", None),
        ] {
            assert_eq!(values.hidden(said).as_deref(), hidden, "{said}");
        }
    }

    #[test]
    fn of_a_long_one_no_end_is_left() {
        let long = "abcdefghij".repeat(30);
        let mut values = Values::default();
        values.add(&long);
        let cut = format!("`{}…{}` is no keyword", &long[..119], &long[261..]);
        assert_eq!(values.hidden(&cut).as_deref(), Some("`********` is no keyword"));
    }
}
