//! What is served: names in order, each with a value.
//!
//! [`Tree`] is what a session asks; [`Index`] is the tree that most agents want: a sorted table, built in one go
//! and then only read, so that a GetNext is a binary search.

use std::sync::Arc;

use bytes::Bytes;
use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBindValue;

use crate::wire::oid;

/// A lookup over names in lexicographic order.
pub trait Tree {
    /// The value of exactly this name: a value, `NoSuchInstance` or `NoSuchObject`.
    fn get(&self, context: Option<&Bytes>, name: &[u32]) -> VarBindValue;

    /// The first name that is after `start` (or `start` itself, when `include` is set), and its value.
    fn next(
        &self,
        context: Option<&Bytes>,
        start: &[u32],
        include: bool,
    ) -> Option<(ObjectIdentifier, VarBindValue)>;
}

/// A value of an [`Index`].
#[derive(Clone)]
pub enum Cell {
    /// Known when the index was built.
    Fixed(VarBindValue),
    /// Read when it is asked for: a counter that goes on while the index stays.
    Live(Arc<dyn Fn() -> VarBindValue + Send + Sync>),
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::Fixed(value) => write!(f, "Fixed({value:?})"),
            Cell::Live(_) => f.write_str("Live"),
        }
    }
}

impl Cell {
    fn read(&self) -> VarBindValue {
        match self {
            Cell::Fixed(value) => value.clone(),
            Cell::Live(read) => read(),
        }
    }
}

impl From<VarBindValue> for Cell {
    fn from(value: VarBindValue) -> Self {
        Cell::Fixed(value)
    }
}

/// A sorted table of names and values, in the default context.
///
/// The sub-identifiers of all names lie in one vector, so a table of a hundred thousand names is three allocations.
#[derive(Debug, Default)]
pub struct Index {
    arcs: Vec<u32>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    begin: usize,
    length: usize,
    cell: Cell,
}

impl Index {
    /// How many names there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn name(&self, row: &Row) -> &[u32] {
        self.arcs.get(row.begin..row.begin + row.length).unwrap_or_default()
    }

    fn find(&self, name: &[u32]) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| self.name(row).cmp(name))
    }
}

/// Collects the names of an [`Index`] in any order.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    index: Index,
}

impl IndexBuilder {
    /// Adds a name, given in two parts (a column and the row's index in it). Of two equal names the first counts.
    pub fn add(&mut self, column: &[u32], instance: &[u32], cell: impl Into<Cell>) {
        let begin = self.index.arcs.len();
        self.index.arcs.extend_from_slice(column);
        self.index.arcs.extend_from_slice(instance);
        let length = column.len() + instance.len();
        self.index.rows.push(Row { begin, length, cell: cell.into() });
    }

    /// Sorts them.
    pub fn build(self) -> Index {
        let Index { arcs, mut rows } = self.index;
        let name = |row: &Row| arcs.get(row.begin..row.begin + row.length).unwrap_or_default();
        rows.sort_by(|a, b| name(a).cmp(name(b)));
        rows.dedup_by(|b, a| name(a) == name(b));
        Index { arcs, rows }
    }
}

impl Tree for Index {
    fn get(&self, context: Option<&Bytes>, name: &[u32]) -> VarBindValue {
        if context.is_some() {
            return VarBindValue::NoSuchObject;
        }
        match self.find(name) {
            Ok(at) => self.rows.get(at).map_or(VarBindValue::NoSuchInstance, |row| row.cell.read()),
            // RFC 2741 7.2.3.1 lets a subagent answer noSuchInstance for a name below an object that it knows. An
            // index knows only instances: the object is there if a neighbour shares all but the last sub-identifier.
            Err(at) => {
                let parent = name.split_last().map_or(name, |(_, parent)| parent);
                let near = [at.checked_sub(1), Some(at)].into_iter().flatten();
                let known =
                    near.filter_map(|i| self.rows.get(i)).any(|row| self.name(row).starts_with(parent));
                if known { VarBindValue::NoSuchInstance } else { VarBindValue::NoSuchObject }
            }
        }
    }

    fn next(
        &self,
        context: Option<&Bytes>,
        start: &[u32],
        include: bool,
    ) -> Option<(ObjectIdentifier, VarBindValue)> {
        if context.is_some() {
            return None;
        }
        let at = match self.find(start) {
            Ok(at) if include => at,
            Ok(at) => at + 1,
            Err(at) => at,
        };
        self.rows.get(at).map(|row| (oid(self.name(row)), row.cell.read()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::integer;

    fn index() -> Index {
        let mut builder = IndexBuilder::default();
        for (column, instance, value) in
            [([1, 2], [10], 4), ([1, 2], [2], 3), ([1, 1], [0], 1), ([1, 1], [1], 2), ([1, 2], [2], 99)]
        {
            builder.add(&column, &instance, integer(value));
        }
        builder.build()
    }

    #[test]
    fn next_goes_through_the_names_in_order_and_ends() {
        let index = index();
        let (mut at, mut seen) = (oid(&[]), Vec::new());
        while let Some((name, value)) = index.next(None, &at, false) {
            seen.push((name.to_string(), value));
            at = name;
        }
        let want = [("1.1.0", 1), ("1.1.1", 2), ("1.2.2", 3), ("1.2.10", 4)];
        assert_eq!(seen, want.map(|(name, value)| (name.to_owned(), integer(value))));
    }

    #[test]
    fn include_lets_the_start_itself_be_the_answer() {
        let index = index();
        assert_eq!(index.next(None, &[1, 2, 2], true).unwrap().1, integer(3));
        assert_eq!(index.next(None, &[1, 2, 2], false).unwrap().1, integer(4));
    }

    #[test]
    fn get_tells_a_missing_instance_from_a_missing_object() {
        let index = index();
        assert_eq!(index.get(None, &[1, 2, 10]), integer(4));
        assert_eq!(index.get(None, &[1, 2, 5]), VarBindValue::NoSuchInstance);
        assert_eq!(index.get(None, &[7, 2, 5]), VarBindValue::NoSuchObject);
        assert_eq!(index.get(Some(&Bytes::from_static(b"other")), &[1, 2, 10]), VarBindValue::NoSuchObject);
    }
}
