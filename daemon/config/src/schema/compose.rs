//! Tables made of lists that several have in common: what all checkers have, what all that connect have.

/// The lists one after the other; `N` is how many they hold together. What `all` has before is not kept.
pub(super) const fn concat<T: Copy, const N: usize>(mut all: [T; N], lists: &[&[T]]) -> [T; N] {
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

/// A list of keywords (or with `options:` of options of lines) that holds those of other lists, put together when this
/// is compiled.
macro_rules! compose {
    (options: $($list:expr),+ $(,)?) => {
        $crate::schema::compose::compose!($crate::schema::LineOption::EMPTY => $crate::schema::LineOption: $($list),+)
    };
    ($empty:expr => $kind:ty: $($list:expr),+) => {{
        const COUNT: usize = 0 $(+ $list.len())+;
        const ALL: [$kind; COUNT] = $crate::schema::compose::concat([$empty; COUNT], &[$($list),+]);
        &ALL
    }};
    ($($list:expr),+ $(,)?) => {
        $crate::schema::compose::compose!($crate::schema::Keyword::EMPTY => $crate::schema::Keyword: $($list),+)
    };
}

pub(super) use compose;
