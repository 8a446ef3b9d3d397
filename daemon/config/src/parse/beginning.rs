//! What lines begin with, and what can be said of that wherever it stands.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::Shape;
use crate::schema::{self, BlockId, Body};
use crate::words::Word;

/// The first words of a line, as many as it takes to see which keyword was meant.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) words: Vec<Word>,
    /// A keyword of some block, and none that lines of blocks of lines begin with.
    pub(super) is_keyword: bool,
    /// It looks like no keyword but like an address, a number or the like.
    pub(super) is_value: bool,
    /// What a block of it is where it is known; skipped if that is nowhere.
    pub(super) elsewhere: Shape,
}

impl Beginning {
    pub(super) fn new(words: &[Word]) -> Self {
        let first = words.first().map_or("", |word| &*word.text);
        let blocks = schema::blocks_with(first);
        let shape = |block: &BlockId| Shape::of(schema::find(*block, first)?.keyword.body);
        Self {
            words: words.to_vec(),
            is_keyword: !blocks.is_empty() && !words_of_lines().contains(first),
            is_value: first.starts_with(|first: char| first.is_ascii_digit())
                || first.contains([':', '@', '/']),
            elsewhere: blocks.iter().find_map(shape).unwrap_or(Shape::Skipped),
        }
    }

    /// The first word.
    pub(super) fn first(&self) -> Option<&str> {
        self.words.first().map(|word| &*word.text)
    }
}

/// The words that the lines of blocks of lines may have in them.
fn words_of_lines() -> &'static HashSet<&'static str> {
    static WORDS: OnceLock<HashSet<&'static str>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let keywords = BlockId::ALL.iter().flat_map(|block| schema::keywords(*block));
        let forms = keywords.filter_map(|keyword| match keyword.body {
            Body::Lines(form) => Some(form),
            Body::None | Body::Block(_) => None,
        });
        forms.flat_map(|form| form.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))).collect()
    })
}
