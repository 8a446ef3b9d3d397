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
}

impl Keyword {
    /// What it does.
    pub(super) const fn sets<T>(self, set: Setter<T>) -> Entry<T> {
        Entry { keyword: self, set }
    }
}

/// The keywords of a block, of which a `T` is made.
pub(crate) struct Block<T: 'static>(pub(super) &'static [Entry<T>]);

impl<T> Block<T> {
    /// Takes the keywords in the braces of a node; those with a wrong value (reported) have no effect.
    pub(crate) fn read(&self, to: &mut T, node: &Node, context: &mut Context) {
        for child in node.children.iter().filter(|child| !child.bad) {
            self.take(to, child, context);
        }
    }

    /// Takes a keyword; false when it is none of these.
    pub(crate) fn take(&self, to: &mut T, node: &Node, context: &mut Context) -> bool {
        let Some(entry) = self.0.iter().find(|entry| entry.keyword.name == node.keyword.name) else {
            return false;
        };
        (entry.set)(to, node, context);
        true
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The keywords alone; `N` is how many there are.
    pub(super) const fn keywords<const N: usize>(&self) -> [Keyword; N] {
        let mut all = [super::flag("", ""); N];
        let mut at = 0;
        while at < N {
            all[at] = self.0[at].keyword;
            at += 1;
        }
        all
    }
}

/// The keywords of a [`Block`], as the table that everybody else reads.
macro_rules! keywords_of {
    ($block:expr) => {{
        const COUNT: usize = $block.len();
        const ALL: [$crate::schema::Keyword; COUNT] = $block.keywords();
        &ALL
    }};
}

pub(super) use keywords_of;
