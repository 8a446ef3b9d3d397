//! Options that carry what they do: the table of a kind of line is what it is read by.

use std::borrow::Cow;

use super::{OptionLine, Place};
use crate::words::Word;

/// An option of a line, mostly as iproute2 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOption {
    /// Its name.
    pub name: &'static str,
    /// Other names that are as good.
    pub aliases: &'static [&'static str],
    /// The form of its value; empty when it has none.
    pub value: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// In lines of the other place it is not known.
    only: Option<Place>,
}

impl LineOption {
    pub(in crate::schema) const EMPTY: Self = option("", "", "");

    pub(in crate::schema) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(in crate::schema) const fn only(mut self, place: Place) -> Self {
        self.only = Some(place);
        self
    }

    /// It stands alone, and does this.
    pub(in crate::schema) const fn is<T>(self, act: fn(&mut T)) -> OptionEntry<T> {
        OptionEntry { option: self, act: Act::Is(act) }
    }

    /// What it does, taking its value from the line.
    pub(in crate::schema) const fn takes<T>(self, act: Take<T>) -> OptionEntry<T> {
        OptionEntry { option: self, act: Act::Takes(act) }
    }

    /// Every name that it is known by, its own first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// How it is written by one of its names.
    pub(crate) fn written_as(&self, name: &str) -> String {
        format!("{name} {}", self.value).trim_end().to_owned()
    }

    /// Each of its names, and what that says.
    pub(crate) fn explained(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> + use<> {
        let (name, help) = (self.name, self.help);
        let same = move |alias: &&'static str| (*alias, format!("The same as `{name}`.").into());
        std::iter::once((name, help.into())).chain(self.aliases.iter().map(same))
    }
}

/// An option with a value of this form.
pub(in crate::schema) const fn option(
    name: &'static str,
    value: &'static str,
    help: &'static str,
) -> LineOption {
    LineOption { name, aliases: &[], value, help, only: None }
}

/// An option that stands alone.
pub(in crate::schema) const fn flag(name: &'static str, help: &'static str) -> LineOption {
    option(name, "", help)
}

/// Takes the value of an option from the line; `None` when the line is left out (reported).
pub(in crate::schema) type Take<T> = fn(&mut T, &mut OptionLine, &Word) -> Option<()>;

enum Act<T> {
    Is(fn(&mut T)),
    Takes(Take<T>),
}

/// An option and what it does.
pub(in crate::schema) struct OptionEntry<T: 'static> {
    option: LineOption,
    act: Act<T>,
}

/// The options of a kind of line, of which a `T` is made.
pub(in crate::schema) struct Options<T: 'static>(pub(in crate::schema) &'static [OptionEntry<T>]);

impl<T> Options<T> {
    fn find(&self, name: &str) -> Option<&OptionEntry<T>> {
        self.0.iter().find(|entry| entry.option.names().any(|known| known == name))
    }

    /// Is it one of these, wherever it may stand?
    pub(in crate::schema) fn knows(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Takes an option, of which this word is the name; false when it is none of these, `None` when the line is left
    /// out (reported).
    pub(in crate::schema) fn take(&self, to: &mut T, line: &mut OptionLine, word: &Word) -> Option<bool> {
        let entry = self.find(&word.text);
        let entry = entry.filter(|entry| entry.option.only.is_none_or(|only| line.place == Some(only)));
        match entry.map(|entry| &entry.act) {
            None => return Some(false),
            Some(Act::Is(act)) => act(to),
            Some(Act::Takes(act)) => act(to, line, word)?,
        }
        Some(true)
    }

    /// How many there are.
    pub(in crate::schema) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The options alone; `N` is how many there are.
    pub(in crate::schema) const fn options<const N: usize>(&self) -> [LineOption; N] {
        let mut all = [LineOption::EMPTY; N];
        let mut at = 0;
        while at < N {
            all[at] = self.0[at].option;
            at += 1;
        }
        all
    }
}

/// The options of an [`Options`], as the table that everybody else reads.
macro_rules! options_of {
    ($options:expr) => {{
        const COUNT: usize = $options.len();
        const ALL: [$crate::schema::LineOption; COUNT] = $options.options();
        &ALL
    }};
}

pub(in crate::schema) use options_of;

/// Sets what was read; `None` when it was not right (reported).
pub(in crate::schema) fn set<V>(slot: &mut Option<V>, value: Option<V>) -> Option<()> {
    *slot = Some(value?);
    Some(())
}
