//! Which keyword was probably meant.

use crate::schema::{self, BlockId, Keyword};
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

/// The keyword of `block` that the words most likely mean.
pub(super) fn meant(block: BlockId, words: &[Word]) -> Option<Meant> {
    let first = &*words.first()?.text;
    missing_space(block, first, false)
        .or_else(|| nearest(block, first, 1))
        .or_else(|| {
            let second = words.get(1)?;
            nearest(block, &format!("{first}_{}", second.text), 2)
        })
        .or_else(|| missing_space(block, first, true))
}

/// `smtp_server127.0.0.1`: a keyword with its value grown on. Letters after the keyword count only if `letters`.
fn missing_space(block: BlockId, word: &str, letters: bool) -> Option<Meant> {
    let fits = |keyword: &&'static Keyword| {
        let rest = word.strip_prefix(keyword.name).and_then(|rest| rest.chars().next());
        !keyword.args.is_empty()
            && rest.is_some_and(|next| letters || !(next.is_alphabetic() || next == '_' || next == '-'))
    };
    let keyword = schema::keywords(block).iter().filter(fits).max_by_key(|keyword| keyword.name.len())?;
    let rest = word.strip_prefix(keyword.name)?;
    Some(Meant {
        keyword: keyword.name,
        replacement: format!("{} {rest}", keyword.name),
        words: 1,
        message: format!("there is a space missing after `{}`", keyword.name),
    })
}

fn nearest(block: BlockId, written: &str, words: usize) -> Option<Meant> {
    let allowed = match written.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    let lower = written.to_ascii_lowercase();
    let (distance, name) = schema::keywords(block)
        .iter()
        .flat_map(Keyword::names)
        // A cheap look first: this runs for every unknown word of a file.
        .filter(|name| name.len().abs_diff(lower.len()) <= allowed)
        .map(|name| (strsim::osa_distance(&lower, &name.to_ascii_lowercase()), name))
        .min_by_key(|(distance, name)| (*distance, name.len().abs_diff(written.len())))?;
    (distance <= allowed).then(|| Meant {
        keyword: name,
        replacement: name.to_owned(),
        words,
        message: format!("did you mean `{name}`?"),
    })
}
