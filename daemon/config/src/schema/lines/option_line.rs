//! A line of options and values, as `ip route` and `ip rule` take them: going through its words.

use std::net::IpAddr;

use super::Place;
use crate::diagnostics::Diagnostic;
use crate::iproute_names::NameKind;
use crate::line_values::{line_interface, line_number, line_value};
use crate::model::{Family, Name, Realms};
use crate::preprocess::Context;
use crate::schema::LineOption;
use crate::words::Word;

/// The words of a line, and how far they are read. What a method does not like it reports; then it returns `None`, and
/// the line is left out.
pub(in crate::schema) struct OptionLine<'a> {
    words: &'a [Word],
    at: usize,
    /// What the line says, for messages: `address`, `route`, `rule`.
    pub(in crate::schema) what: &'static str,
    /// Where it stands, if that makes a difference.
    pub(in crate::schema) place: Option<Place>,
    /// Its family, once a word of it has said it.
    pub(in crate::schema) family: Option<Family>,
    pub(in crate::schema) context: &'a mut Context,
}

impl<'a> OptionLine<'a> {
    pub(in crate::schema) fn new(words: &'a [Word], what: &'static str, context: &'a mut Context) -> Self {
        Self { words, at: 0, what, place: None, family: None, context }
    }

    /// It stands there.
    pub(in crate::schema) fn standing(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// All its words.
    pub(in crate::schema) fn words(&self) -> &'a [Word] {
        self.words
    }

    /// How many of them are taken.
    pub(in crate::schema) fn taken(&self) -> usize {
        self.at
    }

    /// The next word.
    pub(in crate::schema) fn next(&mut self) -> Option<&'a Word> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// Gives the last word back.
    pub(in crate::schema) fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    /// Passes over what is left.
    pub(in crate::schema) fn end(&mut self) {
        self.at = self.words.len();
    }

    /// The next word, which stays.
    pub(in crate::schema) fn peek(&self) -> Option<&'a Word> {
        self.words.get(self.at)
    }

    /// Takes the next word if it is this one.
    pub(in crate::schema) fn skip(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|word| *word.text == *text);
        self.at += usize::from(found);
        found
    }

    /// The value of an option.
    pub(in crate::schema) fn value(&mut self, option: &Word) -> Option<&'a Word> {
        let value = self.next();
        line_value(option, value, self.context)
    }

    /// Reports a problem with a word.
    pub(in crate::schema) fn refuse<T>(
        &mut self,
        word: &Word,
        code: &'static str,
        message: String,
        label: impl Into<String>,
    ) -> Option<T> {
        self.context.report(Diagnostic::error(code, message).at(word.span, label));
        None
    }

    /// A whole number.
    pub(in crate::schema) fn number<T: TryFrom<i64>>(
        &mut self,
        option: &Word,
        least: i64,
        most: i64,
    ) -> Option<T> {
        let value = self.value(option)?;
        line_number(value, least, most, &format!("`{}`", option.text), self.context)
    }

    /// A number of 32 bits.
    pub(in crate::schema) fn u32(&mut self, option: &Word) -> Option<u32> {
        self.number(option, 0, i64::from(u32::MAX))
    }

    /// A number of 64 bits.
    pub(in crate::schema) fn u64(&mut self, option: &Word) -> Option<u64> {
        let value = self.value(option)?;
        match value.text.trim_start().parse() {
            Ok(number) => Some(number),
            Err(_) => {
                let message = format!("`{}`: `{}` is no number of 64 bits", option.text, value.text);
                self.refuse(value, "invalid-number", message, "expected a whole number")
            }
        }
    }

    /// 0 or 1.
    pub(in crate::schema) fn bit(&mut self, option: &Word) -> Option<bool> {
        self.number::<u8>(option, 0, 1).map(|number| number != 0)
    }

    /// An interface.
    pub(in crate::schema) fn interface(&mut self, option: &Word) -> Option<Name> {
        let value = self.value(option)?;
        line_interface(value, &format!("`{}`", option.text), self.context)
    }

    /// An address without prefix.
    pub(in crate::schema) fn address(&mut self, option: &Word) -> Option<(IpAddr, &'a Word)> {
        let value = self.value(option)?;
        match value.text.parse() {
            Ok(address) => Some((address, value)),
            Err(_) => {
                let message = format!("`{}`: `{}` is no address", option.text, value.text);
                self.refuse(value, "invalid-address", message, "expected an address without prefix length")
            }
        }
    }

    /// A name of iproute2's files, or its number.
    pub(in crate::schema) fn named(&mut self, option: &Word, kind: NameKind) -> Option<u32> {
        let value = self.value(option)?;
        let found = self.context.known.iproute.find(kind, &value.text);
        if found.is_none() {
            return self.unknown_name(option, value);
        }
        found
    }

    /// A name or number of 8 bits.
    pub(in crate::schema) fn named_byte(&mut self, option: &Word, kind: NameKind) -> Option<u8> {
        self.named(option, kind).and_then(|number| u8::try_from(number).ok())
    }

    fn unknown_name<T>(&mut self, option: &Word, value: &Word) -> Option<T> {
        let message = format!("`{}`: `{}` is not known", option.text, value.text);
        self.refuse(value, "invalid-value", message, "expected a number, or a name of iproute2's files")
    }

    /// `[FROM/]TO`.
    pub(in crate::schema) fn realms(&mut self, option: &Word) -> Option<Realms> {
        let value = self.value(option)?;
        let (from, to) = match value.text.split_once('/') {
            Some((from, to)) => (Some(from), to),
            None => (None, &*value.text),
        };
        let mut find = |text| {
            self.context
                .known
                .iproute
                .find(NameKind::Realm, text)
                .and_then(|number| u8::try_from(number).ok())
        };
        let realms = match (from.map(&mut find), find(to)) {
            (None, Some(to)) => Some(Realms { from: None, to }),
            (Some(Some(from)), Some(to)) => Some(Realms { from: Some(from), to }),
            (Some(None), _) | (_, None) => None,
        };
        if realms.is_none() {
            return self.unknown_name(option, value);
        }
        realms
    }

    /// Settles the family of the line, or finds that it is another.
    pub(in crate::schema) fn settle(&mut self, found: Family, word: &Word) -> Option<()> {
        match *self.family.get_or_insert(found) == found {
            true => Some(()),
            false => {
                let message = format!("this {} mixes IPv4 and IPv6", self.what);
                self.refuse(word, "family-mix", message, format!("this is of {found}; left out"))
            }
        }
    }

    /// A word that is no option.
    pub(in crate::schema) fn unknown<T>(&mut self, word: &Word, options: &[LineOption]) -> Option<T> {
        let diagnostic =
            Diagnostic::error("unknown-option", format!("`{}` is no option of a {}", word.text, self.what))
                .at(word.span, format!("the {} is left out", self.what));
        self.context.report(diagnostic.suggest_nearest(word, options.iter().flat_map(LineOption::names)));
        None
    }
}
