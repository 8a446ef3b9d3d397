//! Keywords that carry what they do: the table of a block is what it is read by.

use super::Keyword;
use crate::preprocess::Context;
use crate::tree::Node;

/// What a keyword, whose values are right, does to what its block comes to.
pub(crate) type Setter<T> = fn(&mut T, &Node, &mut Context);

/// A keyword and what it does.
pub(crate) struct Entry<T: 'static> {
    keyword: Keyword,
    set: Setter<T>,
    /// What it does when one of its values is wrong (reported).
    set_wrong: Option<Setter<T>>,
}

impl Keyword {
    /// What it does; a line with a wrong value has no effect.
    pub(super) const fn sets<T>(self, set: Setter<T>) -> Entry<T> {
        Entry { keyword: self, set, set_wrong: None }
    }

    /// Nothing comes of it, or somebody else acts by it.
    pub(super) const fn sets_nothing<T>(self) -> Entry<T> {
        self.sets(|_, _, _| ())
    }

    /// What it does, and what with a wrong value.
    pub(super) const fn sets_or<T>(self, set: Setter<T>, set_wrong: Setter<T>) -> Entry<T> {
        Entry { keyword: self, set, set_wrong: Some(set_wrong) }
    }
}

/// The keywords of a block, of which a `T` is made.
pub(crate) struct Block<T: 'static>(pub(super) &'static [Entry<T>]);

impl<T> Block<T> {
    /// Takes the keywords in the braces of a node.
    pub(crate) fn read(&self, to: &mut T, node: &Node, context: &mut Context) {
        for child in &node.children {
            self.take(to, child, context);
        }
    }

    /// Takes a keyword; false when it is none of these. One with a wrong value (reported) mostly has no effect.
    pub(crate) fn take(&self, to: &mut T, node: &Node, context: &mut Context) -> bool {
        let Some(entry) = self.0.iter().find(|entry| entry.keyword.name == node.keyword.name) else {
            return false;
        };
        let set = if node.bad { entry.set_wrong } else { Some(entry.set) };
        if let Some(set) = set {
            set(to, node, context);
        }
        true
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// How many several blocks have.
    pub(super) const fn count(blocks: &[Self]) -> usize {
        let (mut count, mut block) = (0, 0);
        while block < blocks.len() {
            count += blocks[block].len();
            block += 1;
        }
        count
    }

    /// The keywords of several blocks; `N` is how many they have.
    pub(super) const fn all<const N: usize>(blocks: &[Self]) -> [Keyword; N] {
        let mut all = [Keyword::EMPTY; N];
        let (mut count, mut block) = (0, 0);
        while block < blocks.len() {
            let mut at = 0;
            while at < blocks[block].len() {
                all[count] = blocks[block].0[at].keyword;
                count += 1;
                at += 1;
            }
            block += 1;
        }
        all
    }
}

/// The keywords of a [`Block`], as the table that everybody else reads.
macro_rules! keywords_of {
    ($block:expr) => {{
        const COUNT: usize = $block.len();
        const ALL: [$crate::schema::Keyword; COUNT] = $crate::schema::entry::Block::all(&[$block]);
        &ALL
    }};
}

pub(super) use keywords_of;
