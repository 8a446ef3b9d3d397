//! MIBs as tables: constants say which objects there are, functions read one cell when it is asked for.
//!
//! A [`Table`] has a name for its entry, a function that finds rows and a [`Column`] for each object; [`Scalars`] are
//! objects without rows. A [`Mib`](crate::Mib) serves them from the state of the moment.
//!
//! ```
//! use snmp_agentx::syntax::{DISPLAY_STRING, GAUGE32};
//! use snmp_agentx::{At, Column, Mib, Rows, Scalar, Scalars, Source, Start, Table, Tree, value};
//!
//! /// The program's own data: what is on the shelves, by number.
//! struct Shop { name: String, shelves: Vec<(String, u32)> }
//!
//! impl Source for Shop {
//!     type State<'s> = &'s Shop;
//!     type Change = ();
//! }
//!
//! /// A row of the table of shelves.
//! struct Shelf;
//!
//! impl Rows for Shelf {
//!     type Source = Shop;
//!     type Index = [u32; 1];
//!     type Row<'s> = &'s (String, u32);
//! }
//!
//! const SHELVES: Table<Shelf> = Table {
//!     name: "shopShelfEntry",
//!     entry: &[2, 1],
//!     index: &["shopShelfIndex"],
//!     // The first shelf with this number or a higher one: they count from 1.
//!     rows: |At(shop), start| {
//!         let [number] = start.numbers()?;
//!         let number = number.max(1);
//!         Some(([number], shop.shelves.get(number as usize - 1)?))
//!     },
//!     columns: &[
//!         Column::new(2, "shopShelfName", DISPLAY_STRING, |row| Some(value::text(&row.0))),
//!         Column::new(3, "shopShelfStock", GAUGE32, |row| Some(value::unsigned(row.1))),
//!     ],
//! };
//!
//! const SHOP: Scalars<Shop> = Scalars {
//!     parent: &[1],
//!     scalars: &[Scalar::new(1, "shopName", DISPLAY_STRING, |shop| Some(value::text(&shop.name)))],
//! };
//!
//! const ROOT: [u32; 9] = [1, 3, 6, 1, 4, 1, 8072, 9999, 9999];
//! let mib = Mib::new(&ROOT, &[&SHOP, &SHELVES]);
//! let shop = Shop { name: "corner".into(), shelves: vec![("tea".into(), 12), ("rice".into(), 7)] };
//! let tree = mib.over(&shop);
//! let (name, stock) = tree.next(None, &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 2, 1, 3, 1], false).unwrap();
//! assert_eq!(name.to_string(), "1.3.6.1.4.1.8072.9999.9999.2.1.3.2");
//! assert_eq!(stock, value::unsigned(7));
//! ```

use rasn_snmp::v2::VarBindValue;

use crate::pdu::ErrorStatus;
use crate::syntax::Syntax;

/// What objects are read from.
pub trait Source: 'static {
    /// The state at one moment, or a view of it: a reference for most.
    type State<'s>: Copy;
    /// What a Set asks the program to do, for those that let anything be set; `()` for all others.
    type Change;
}

/// The state that a source's objects are read from.
pub type State<'s, S> = <S as Source>::State<'s>;

/// A source's state, as a table's rows are found in it.
pub struct At<'s, S: Source>(pub State<'s, S>);

/// What the rows of a table are.
pub trait Rows: 'static {
    /// What they are found in.
    type Source: Source;
    /// The sub-identifiers of a row's index.
    type Index: AsRef<[u32]>;
    /// What a row's columns are read from.
    type Row<'s>;
}

/// Where a search for a row begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start<'a> {
    index: &'a [u32],
    include: bool,
}

impl<'a> Start<'a> {
    /// Before all rows.
    pub const FIRST: Start<'static> = Start { index: &[], include: true };

    /// At this index, so that its own row may be the answer.
    pub fn at(index: &'a [u32]) -> Self {
        Self { index, include: true }
    }

    /// After this index.
    pub fn after(index: &'a [u32]) -> Self {
        Self { index, include: false }
    }

    /// The index, which may be of any length, and whether its own row may be the answer.
    pub fn index(self) -> (&'a [u32], bool) {
        (self.index, self.include)
    }

    /// For tables whose index is `N` numbers: the lowest that is not before the start. None when there is none.
    pub fn numbers<const N: usize>(self) -> Option<[u32; N]> {
        let mut numbers = [0; N];
        numbers.iter_mut().zip(self.index).for_each(|(number, given)| *number = *given);
        // A shorter index is before all that begin with it; a longer one is after the one that it begins with.
        if self.index.len() < N || (self.index.len() == N && self.include) {
            return Some(numbers);
        }
        for number in numbers.iter_mut().rev() {
            match number.checked_add(1) {
                Some(next) => {
                    *number = next;
                    return Some(numbers);
                }
                None => *number = 0,
            }
        }
        None
    }
}

/// How rows are found: the first row at or after the start, and its index.
pub type FindRow<R> =
    for<'s> fn(At<'s, <R as Rows>::Source>, Start<'_>) -> Option<(<R as Rows>::Index, <R as Rows>::Row<'s>)>;

/// A conceptual table (RFC 2578 section 7.1.12).
pub struct Table<R: Rows> {
    /// The name of its entry.
    pub name: &'static str,
    /// The entry's place below the root of the MIB.
    pub entry: &'static [u32],
    /// The names of the objects in its INDEX clause.
    pub index: &'static [&'static str],
    /// Finds a row.
    pub rows: FindRow<R>,
    /// Its accessible columns, by rising number.
    pub columns: &'static [Column<R>],
}

/// A column of a table.
pub struct Column<R: Rows> {
    /// The last sub-identifier of its name.
    pub number: u32,
    /// Its descriptor.
    pub name: &'static str,
    /// Its syntax.
    pub syntax: Syntax,
    /// Reads it from a row; none where this row has no such cell.
    pub get: for<'r, 's> fn(&'r R::Row<'s>) -> Option<VarBindValue>,
    /// What a Set of it means, if it can be set: see [`Column::settable`].
    pub set: Option<SetCell<R>>,
}

/// What giving a cell of this row a value means, or why it can't be given. Changes nothing itself.
pub type SetCell<R> = for<'r, 's> fn(
    &'r <R as Rows>::Row<'s>,
    &VarBindValue,
) -> Result<<<R as Rows>::Source as Source>::Change, ErrorStatus>;

impl<R: Rows> Column<R> {
    /// A column, from what its fields say.
    pub const fn new(
        number: u32,
        name: &'static str,
        syntax: Syntax,
        get: for<'r, 's> fn(&'r R::Row<'s>) -> Option<VarBindValue>,
    ) -> Self {
        Self { number, name, syntax, get, set: None }
    }

    /// The same column, but a Set of it means what `set` says. What comes of it is given to whoever serves the table
    /// with [`Served::obeying`](crate::Served::obeying), once all that is set together has been found possible.
    #[must_use]
    pub const fn settable(self, set: SetCell<R>) -> Self {
        Self { number: self.number, name: self.name, syntax: self.syntax, get: self.get, set: Some(set) }
    }
}

/// Objects that are there once.
pub struct Scalars<S: Source> {
    /// The place of their common parent below the root of the MIB.
    pub parent: &'static [u32],
    /// They themselves, by rising number.
    pub scalars: &'static [Scalar<S>],
}

/// An object that is there once, as instance 0.
pub struct Scalar<S: Source> {
    /// The last sub-identifier of its name.
    pub number: u32,
    /// Its descriptor.
    pub name: &'static str,
    /// Its syntax.
    pub syntax: Syntax,
    /// Reads it; none where there is no such instance now.
    pub get: for<'s> fn(State<'s, S>) -> Option<VarBindValue>,
}

impl<S: Source> Scalar<S> {
    /// A scalar, from what its fields say.
    pub const fn new(
        number: u32,
        name: &'static str,
        syntax: Syntax,
        get: for<'s> fn(State<'s, S>) -> Option<VarBindValue>,
    ) -> Self {
        Self { number, name, syntax, get }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_index_that_is_not_before_a_start() {
        assert_eq!(Start::FIRST.numbers(), Some([0, 0]));
        assert_eq!(Start::at(&[3]).numbers(), Some([3, 0]));
        assert_eq!(Start::after(&[3]).numbers(), Some([3, 0]));
        assert_eq!(Start::at(&[3, 4]).numbers(), Some([3, 4]));
        assert_eq!(Start::after(&[3, 4]).numbers(), Some([3, 5]));
        assert_eq!(Start::at(&[3, 4, 0]).numbers(), Some([3, 5]));
        assert_eq!(Start::after(&[3, u32::MAX]).numbers(), Some([4, 0]));
        assert_eq!(Start::after(&[u32::MAX, u32::MAX]).numbers::<2>(), None);
    }
}
