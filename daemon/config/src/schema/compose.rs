//! Blocks made of lists that several have in common: what all checkers have, what all that connect have.

use super::Keyword;

/// The lists one after the other; `N` is how many keywords they hold together.
pub(super) const fn concat<const N: usize>(lists: &[&[Keyword]]) -> [Keyword; N] {
    let mut all = [super::flag("", ""); N];
    let mut count = 0;
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            all[count] = lists[list][at];
            count += 1;
            at += 1;
        }
        list += 1;
    }
    assert!(count == N, "as many as were counted");
    all
}

/// A list of keywords that holds those of other lists, put together when this is compiled.
macro_rules! compose {
    ($($list:expr),+ $(,)?) => {{
        const COUNT: usize = 0 $(+ $list.len())+;
        const ALL: [$crate::schema::Keyword; COUNT] = $crate::schema::compose::concat(&[$($list),+]);
        &ALL
    }};
}

pub(super) use compose;
