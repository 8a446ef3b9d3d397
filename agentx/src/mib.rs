//! Tables and scalars put in the order of their names, once, and served from whatever state there is when a request
//! comes: nothing is built when that changes, and what it takes does not grow with the number of rows.

use bytes::Bytes;
use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBindValue;

use crate::pdu::ErrorStatus;
use crate::syntax::Syntax;
use crate::table::{At, Column, Rows, Scalar, Scalars, Source, Start, State, Table};
use crate::tree::Tree;

/// What a MIB's text has to say of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its place below the root of the MIB.
    pub place: Vec<u32>,
    /// Its descriptor.
    pub name: &'static str,
    /// Its syntax.
    pub syntax: Syntax,
    /// Of a column, the name of its entry, and the names in its INDEX clause.
    pub table: Option<(&'static str, &'static [&'static str])>,
    /// Whether it can be set.
    pub settable: bool,
}

/// A [`Table`] or [`Scalars`]: objects of one MIB.
pub trait Objects<S: Source>: Sync {
    /// What each is, by rising place.
    fn describe(&self) -> Vec<Described>;

    /// The value of an instance of the object at `at` among the described ones.
    fn get(&self, at: usize, state: State<'_, S>, index: &[u32]) -> Option<VarBindValue>;

    /// The first instance from the start on. Its index is put behind `name`.
    fn next(
        &self,
        at: usize,
        state: State<'_, S>,
        start: Start<'_>,
        name: &mut Vec<u32>,
    ) -> Option<VarBindValue>;

    /// What giving an instance of the object at `at` this value means.
    ///
    /// # Errors
    /// Why it can't be given.
    fn set(
        &self,
        at: usize,
        state: State<'_, S>,
        index: &[u32],
        value: &VarBindValue,
    ) -> Result<S::Change, ErrorStatus> {
        let _ = (at, state, index, value);
        Err(ErrorStatus::NOT_WRITABLE)
    }
}

impl<R: Rows> Objects<R::Source> for Table<R> {
    fn describe(&self) -> Vec<Described> {
        let described = |column: &Column<R>| Described {
            place: [self.entry, &[column.number]].concat(),
            name: column.name,
            syntax: column.syntax,
            table: Some((self.name, self.index)),
            settable: column.set.is_some(),
        };
        self.columns.iter().map(described).collect()
    }

    fn get(&self, at: usize, state: State<'_, R::Source>, index: &[u32]) -> Option<VarBindValue> {
        let column = self.columns.get(at)?;
        let (found, row) = (self.rows)(At(state), Start::at(index))?;
        (found.as_ref() == index).then(|| (column.get)(&row)).flatten()
    }

    fn next(
        &self,
        at: usize,
        state: State<'_, R::Source>,
        start: Start<'_>,
        name: &mut Vec<u32>,
    ) -> Option<VarBindValue> {
        let column = self.columns.get(at)?;
        let (mut index, mut row) = (self.rows)(At(state), start)?;
        loop {
            if let Some(value) = (column.get)(&row) {
                name.extend_from_slice(index.as_ref());
                return Some(value);
            }
            (index, row) = (self.rows)(At(state), Start::after(index.as_ref()))?;
        }
    }

    fn set(
        &self,
        at: usize,
        state: State<'_, R::Source>,
        index: &[u32],
        value: &VarBindValue,
    ) -> Result<<R::Source as Source>::Change, ErrorStatus> {
        let column = self.columns.get(at).ok_or(ErrorStatus::NOT_WRITABLE)?;
        let set = column.set.ok_or(ErrorStatus::NOT_WRITABLE)?;
        let found = (self.rows)(At(state), Start::at(index));
        let (_, row) = found.filter(|(found, _)| found.as_ref() == index).ok_or(ErrorStatus::NOT_WRITABLE)?;
        // A row without this cell has nothing to be set.
        (column.get)(&row).ok_or(ErrorStatus::NOT_WRITABLE)?;
        if !column.syntax.fits(value) {
            return Err(ErrorStatus::WRONG_TYPE);
        }
        set(&row, value)
    }
}

impl<S: Source> Objects<S> for Scalars<S> {
    fn describe(&self) -> Vec<Described> {
        let described = |scalar: &Scalar<S>| Described {
            place: [self.parent, &[scalar.number]].concat(),
            name: scalar.name,
            syntax: scalar.syntax,
            table: None,
            settable: false,
        };
        self.scalars.iter().map(described).collect()
    }

    fn get(&self, at: usize, state: State<'_, S>, index: &[u32]) -> Option<VarBindValue> {
        let scalar = self.scalars.get(at)?;
        (index == [0]).then(|| (scalar.get)(state)).flatten()
    }

    fn next(
        &self,
        at: usize,
        state: State<'_, S>,
        start: Start<'_>,
        name: &mut Vec<u32>,
    ) -> Option<VarBindValue> {
        let value = (start.numbers() == Some([0])).then(|| (self.scalars.get(at)?.get)(state)).flatten()?;
        name.push(0);
        Some(value)
    }
}

/// Objects in the order of their names, to be served from any state.
pub struct Mib<S: Source> {
    objects: Vec<Object<S>>,
}

struct Object<S: Source> {
    name: Vec<u32>,
    of: &'static dyn Objects<S>,
    at: usize,
}

impl<S: Source> Default for Mib<S> {
    fn default() -> Self {
        Self { objects: Vec::new() }
    }
}

impl<S: Source> Mib<S> {
    /// These objects below this root.
    pub fn new(root: &[u32], objects: &[&'static dyn Objects<S>]) -> Self {
        Self::default().and(root, objects)
    }

    /// These too. No object's name may be the beginning of another's.
    #[must_use]
    pub fn and(mut self, root: &[u32], objects: &[&'static dyn Objects<S>]) -> Self {
        for of in objects {
            let described = of.describe().into_iter().enumerate();
            let named = |(at, described): (usize, Described)| Object {
                name: [root, &described.place].concat(),
                of: *of,
                at,
            };
            self.objects.extend(described.map(named));
        }
        self.objects.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }

    /// Serves them from this state.
    pub fn over<'m, 's>(&'m self, state: State<'s, S>) -> Served<'m, 's, S> {
        Served { mib: self, state, obey: None, context: None }
    }

    /// How many objects are not after `name`.
    fn before(&self, name: &[u32]) -> usize {
        self.objects.partition_point(|object| object.name.as_slice() <= name)
    }

    /// The object that `name` is an instance of, and the instance's index. `before` as above.
    fn own<'n>(&self, before: usize, name: &'n [u32]) -> Option<(&Object<S>, &'n [u32])> {
        let object = self.objects.get(before.checked_sub(1)?)?;
        Some((object, name.strip_prefix(object.name.as_slice())?))
    }
}

/// Who is given what a Set means.
type Obey<'m, S> = &'m dyn Fn(<S as Source>::Change);

/// A [`Mib`] over the state of the moment.
pub struct Served<'m, 's, S: Source> {
    mib: &'m Mib<S>,
    state: State<'s, S>,
    obey: Option<Obey<'m, S>>,
    context: Option<&'m [u8]>,
}

impl<'m, S: Source> Served<'m, '_, S> {
    /// Lets columns be set that are [settable](crate::Column::settable): `obey` is given what that means, one after the
    /// other, and must not block. It is not asked whether it succeeds: what could fail, the column should have found out.
    #[must_use]
    pub fn obeying(mut self, obey: &'m dyn Fn(S::Change)) -> Self {
        self.obey = Some(obey);
        self
    }

    /// Serves what is asked in this context rather than in the default one: that of the session's
    /// [`Settings`](crate::Settings).
    #[must_use]
    pub fn in_context(mut self, context: &'m [u8]) -> Self {
        self.context = Some(context);
        self
    }

    /// Whether what is asked in this context is ours.
    fn serves(&self, context: Option<&Bytes>) -> bool {
        context.map(|context| &**context) == self.context
    }

    /// What a Set means, and who is to be told.
    fn change(
        &self,
        context: Option<&Bytes>,
        name: &[u32],
        value: &VarBindValue,
    ) -> Result<(S::Change, Obey<'m, S>), ErrorStatus> {
        let obey = self.obey.filter(|_| self.serves(context)).ok_or(ErrorStatus::NOT_WRITABLE)?;
        let (object, index) = self.mib.own(self.mib.before(name), name).ok_or(ErrorStatus::NOT_WRITABLE)?;
        Ok((object.of.set(object.at, self.state, index, value)?, obey))
    }
}

impl<S: Source> Served<'_, '_, S> {
    fn next_of(&self, object: &Object<S>, start: Start<'_>) -> Option<(ObjectIdentifier, VarBindValue)> {
        let mut name = Vec::with_capacity(object.name.len() + 4);
        name.extend_from_slice(&object.name);
        let value = object.of.next(object.at, self.state, start, &mut name)?;
        Some((ObjectIdentifier::new_unchecked(name.into()), value))
    }
}

impl<S: Source> Tree for Served<'_, '_, S> {
    /// RFC 2741 section 7.2.3.1: whether there is such an object is the MIB's affair, not that of its rows.
    fn get(&self, context: Option<&Bytes>, name: &[u32]) -> VarBindValue {
        match self.mib.own(self.mib.before(name), name) {
            Some((object, index)) if self.serves(context) => {
                object.of.get(object.at, self.state, index).unwrap_or(VarBindValue::NoSuchInstance)
            }
            _ => VarBindValue::NoSuchObject,
        }
    }

    fn next(
        &self,
        context: Option<&Bytes>,
        start: &[u32],
        include: bool,
    ) -> Option<(ObjectIdentifier, VarBindValue)> {
        if !self.serves(context) {
            return None;
        }
        let before = self.mib.before(start);
        let own = self.mib.own(before, start).and_then(|(object, index)| {
            self.next_of(object, if include { Start::at(index) } else { Start::after(index) })
        });
        let mut after = self.mib.objects.iter().skip(before);
        own.or_else(|| after.find_map(|object| self.next_of(object, Start::FIRST)))
    }

    fn test(&self, context: Option<&Bytes>, name: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        self.change(context, name, value).map(|_| ())
    }

    fn set(&self, context: Option<&Bytes>, name: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        let (change, obey) = self.change(context, name, value)?;
        obey(change);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
