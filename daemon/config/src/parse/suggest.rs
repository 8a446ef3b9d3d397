//! Which keyword was probably meant.

use crate::schema::{self, BlockId, Body, Keyword, Kind};
use crate::spelling::{has_another_part, shortened, slips};
use crate::words::Word;

/// What was probably meant, and what to write in place of which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meant {
    /// The keyword.
    pub(super) keyword: &'static str,
    /// What to write.
    pub(super) replacement: String,
    /// How many words that replaces.
    pub(super) words: usize,
    /// Words for it.
    pub(super) message: String,
}

/// The keyword of `block` that the words most likely mean; a `{` follows them if `opens`.
pub(super) fn meant(block: BlockId, words: &[Word], opens: bool) -> Option<Meant> {
    let first = &*words.first()?.text;
    let joined = words.get(1).map(|second| format!("{first}_{}", second.text));
    let of_two = |most: usize| {
        let (distance, meant) = nearest(block, joined.as_ref()?, 2, opens)?;
        (distance <= most).then_some(meant)
    };
    if let Some(meant) = of_two(0) {
        return Some(meant);
    }
    if !schema::blocks_with(first).is_empty() {
        // It is a keyword elsewhere: rather in the wrong place than misspelt.
        return nearest(block, first, 1, opens)
            .filter(|(distance, _)| *distance == 1)
            .map(|(_, meant)| meant);
    }
    missing_space(block, words, Grown::NoLetters)
        .or_else(|| missing_space(block, words, Grown::LikelyValue))
        .or_else(|| nearest(block, first, 1, opens).map(|(_, meant)| meant))
        .or_else(|| joined_name(block, words).filter(|_| opens))
        .or_else(|| of_two(usize::MAX))
        .or_else(|| missing_space(block, words, Grown::Anything))
        .or_else(|| long_form(block, first, opens))
        .or_else(|| by_value(block, words))
}

/// What may have grown on to a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grown {
    /// What cannot be part of a keyword: digits and signs.
    NoLetters,
    /// What looks like a value of this keyword, though it begins with a letter.
    LikelyValue,
    Anything,
}

impl Grown {
    fn fits(self, rest: &str, keyword: &Keyword) -> bool {
        // No value begins with `_`: that is rather another name.
        if rest.trim_end_matches([';', ',']).is_empty() || rest.starts_with('_') {
            return false;
        }
        let letter = |c: char| c.is_alphabetic() || c == '_' || c == '-';
        match self {
            Self::NoLetters => rest.starts_with(|first| !letter(first)),
            Self::LikelyValue => {
                let choice = keyword.args.first().is_some_and(|arg| match arg.kind {
                    Kind::Choice(choices) | Kind::ChoiceNoCase(choices) => choices.contains(&rest),
                    _ => false,
                });
                let named =
                    rest.starts_with(char::is_uppercase) || rest.contains(|c: char| c.is_ascii_digit());
                choice || (named && rest.len() > 1)
            }
            Self::Anything => !rest.starts_with('-'),
        }
    }
}

/// `smtp_server127.0.0.1`: a keyword with its value grown on, or with `=` or `:` between them.
fn missing_space(block: BlockId, words: &[Word], grown: Grown) -> Option<Meant> {
    let word = &*words.first()?.text;
    let fits = |(keyword, name): &(&Keyword, &'static str)| {
        let Some(rest) = word.strip_prefix(name) else { return false };
        // With a value of its own it needs no more.
        let value = rest.trim_start_matches(['=', ':']);
        let has_room = value.is_empty() || words.len() <= keyword.most_values();
        has_room && grown.fits(rest, keyword)
    };
    let with_values = schema::keywords(block).iter().filter(|keyword| !keyword.args.is_empty());
    let names = with_values.flat_map(|keyword| keyword.names().map(move |name| (keyword, name)));
    let (_, name) = names.filter(fits).max_by_key(|(_, name)| name.len())?;
    let rest = word.strip_prefix(name)?;
    let value = rest.trim_start_matches(['=', ':']);
    let message = match rest.chars().next() {
        Some(sign @ ('=' | ':')) => format!("there is no `{sign}` between a keyword and its value"),
        _ => format!("there is a space missing after `{name}`"),
    };
    // `priority: 100`, `priority= 100` and `priority =100` all have their value in the next word, or in this one.
    let replacement = if value.is_empty() { name.to_owned() } else { format!("{name} {value}") };
    Some(Meant { keyword: name, replacement, words: 1, message })
}

/// `vrrp_script_check {`: a block and its name, joined by the sign that joins the words of keywords.
fn joined_name(block: BlockId, words: &[Word]) -> Option<Meant> {
    let [word] = words else { return None };
    let named = schema::keywords(block).iter().filter(|keyword| {
        keyword.body != Body::None && keyword.args.first().is_some_and(|arg| arg.kind == Kind::Word)
    });
    let parts = named
        .filter_map(|keyword| Some((keyword.name, word.text.strip_prefix(keyword.name)?.strip_prefix('_')?)));
    let (keyword, name) =
        parts.filter(|(_, name)| !name.is_empty()).max_by_key(|(keyword, _)| keyword.len())?;
    let message = format!("there is a space missing after `{keyword}`");
    Some(Meant { keyword, replacement: format!("{keyword} {name}"), words: 1, message })
}

/// `lvs_kind DR`: the keyword that this value is one of, if it has a part of the name.
fn by_value(block: BlockId, words: &[Word]) -> Option<Meant> {
    let (first, value) = (words.first()?, &*words.get(1)?.text);
    let has = |keyword: &&Keyword| match keyword.args.first().map(|arg| arg.kind) {
        Some(Kind::Choice(choices) | Kind::ChoiceNoCase(choices)) => choices.contains(&value),
        _ => false,
    };
    let shares_a_part =
        |name: &&str| name.split('_').any(|part| first.text.split('_').any(|other| part == other));
    let mut names = schema::keywords(block).iter().filter(has).flat_map(Keyword::names).filter(shares_a_part);
    let name = names.next()?;
    Some(Meant {
        keyword: name,
        replacement: name.to_owned(),
        words: 1,
        message: format!("did you mean `{name}`?"),
    })
}

/// `vrid`, `iface`, `advert_interval`: the keyword that this is short for, or drawn out from.
fn long_form(block: BlockId, written: &str, opens: bool) -> Option<Meant> {
    let names = || {
        let keywords = schema::keywords(block).iter();
        let fitting = keywords.filter(move |keyword| (keyword.body != Body::None) == opens);
        fitting.flat_map(Keyword::names).filter_map(move |name| Some((shortened(written, name)?, name)))
    };
    let (how, name) = names().min_by_key(|(how, name)| (*how, name.len()))?;
    // Among several, one must be the beginning of all.
    names().all(|(other, longer)| other != how || longer.starts_with(name)).then(|| Meant {
        keyword: name,
        replacement: name.to_owned(),
        words: 1,
        message: format!("did you mean `{name}`?"),
    })
}

/// `interface_name`: a keyword with another word grown on, which may be what was meant.
pub(super) fn begins_with(block: BlockId, written: &str) -> Option<&'static str> {
    let names = schema::keywords(block).iter().flat_map(Keyword::names);
    let fits = |name: &&str| written.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
    names.filter(fits).max_by_key(|name| name.len())
}

fn nearest(block: BlockId, written: &str, words: usize, opens: bool) -> Option<(usize, Meant)> {
    let (distance, _, _, name) = schema::keywords(block)
        .iter()
        .flat_map(|keyword| keyword.names().map(move |name| (name, (keyword.body != Body::None) != opens)))
        .filter_map(|(name, unfit)| {
            let slips = slips(written, name)?;
            let another = slips > 0 && has_another_part(written, name, schema::is_part);
            (!another).then_some((slips, unfit, name.len().abs_diff(written.len()), name))
        })
        .min()?;
    let message = format!("did you mean `{name}`?");
    Some((distance, Meant { keyword: name, replacement: name.to_owned(), words, message }))
}
