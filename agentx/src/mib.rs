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
        Served { mib: self, state, obey: None }
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
}

impl<'m, S: Source> Served<'m, '_, S> {
    /// Lets columns be set that are [settable](crate::Column::settable): `obey` is given what that means, one after the
    /// other, and must not block. It is not asked whether it succeeds: what could fail, the column should have found out.
    #[must_use]
    pub fn obeying(mut self, obey: &'m dyn Fn(S::Change)) -> Self {
        self.obey = Some(obey);
        self
    }

    /// What a Set means, and who is to be told.
    fn change(
        &self,
        context: Option<&Bytes>,
        name: &[u32],
        value: &VarBindValue,
    ) -> Result<(S::Change, Obey<'m, S>), ErrorStatus> {
        let (Some(obey), None) = (self.obey, context) else { return Err(ErrorStatus::NOT_WRITABLE) };
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
            Some((object, index)) if context.is_none() => {
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
        if context.is_some() {
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
mod tests {
    use super::*;
    use crate::syntax::{DISPLAY_STRING, GAUGE32, INTEGER32};
    use crate::value::{integer, text, unsigned};
    use crate::wire::oid;

    /// Houses by number, each with its windows by number; some houses have a name.
    type Street = [(u32, Option<&'static str>, u32)];

    struct Town;
    impl Source for Town {
        type State<'s> = &'s Street;
        type Change = (u32, VarBindValue);
    }

    struct House;
    impl Rows for House {
        type Source = Town;
        type Index = [u32; 1];
        type Row<'s> = &'s (u32, Option<&'static str>, u32);
    }

    struct Window;
    impl Rows for Window {
        type Source = Town;
        type Index = [u32; 2];
        type Row<'s> = u32;
    }

    const HOUSES: Table<House> = Table {
        name: "houseEntry",
        entry: &[3, 1],
        index: &["houseNumber"],
        rows: |At(street), start| {
            let [number] = start.numbers()?;
            street.iter().find(|house| house.0 >= number).map(|house| ([house.0], house))
        },
        columns: &[
            Column::<House>::new(2, "houseName", DISPLAY_STRING, |house| house.1.map(text)).settable(
                |house, name| match *name == text("palace") {
                    true => Err(ErrorStatus::WRONG_VALUE),
                    false => Ok((house.0, name.clone())),
                },
            ),
            Column::new(3, "houseWindows", GAUGE32, |house| Some(unsigned(house.2))),
        ],
    };

    const WINDOWS: Table<Window> = Table {
        name: "windowEntry",
        entry: &[1, 1],
        index: &["houseNumber", "windowNumber"],
        rows: |At(street), start| {
            let from = start.numbers::<2>()?;
            let all = street.iter().flat_map(|house| (1..=house.2).map(|window| [house.0, window]));
            all.into_iter().find(|index| *index >= from).map(|index| (index, index[1]))
        },
        columns: &[Column::new(1, "windowNumber", INTEGER32, |window| Some(integer(*window as i32)))],
    };

    const TOWN: Scalars<Town> = Scalars {
        parent: &[],
        scalars: &[
            Scalar::new(2, "houses", GAUGE32, |s| Some(unsigned(s.len() as u32))),
            Scalar::new(4, "mayor", DISPLAY_STRING, |s| s.first()?.1.map(text)),
        ],
    };

    fn mib() -> Mib<Town> {
        Mib::new(&[7], &[&HOUSES, &TOWN]).and(&[7], &[&WINDOWS])
    }

    fn walk(street: &Street) -> Vec<String> {
        let mib = mib();
        let (mut at, mut seen) = (oid(&[]), Vec::new());
        while let Some((name, _)) = mib.over(street).next(None, &at, false) {
            assert!(name > at, "{name} after {at}");
            seen.push(name.to_string());
            at = name;
        }
        seen
    }

    #[test]
    fn a_walk_goes_through_tables_and_scalars_by_name_and_leaves_out_what_is_not_there() {
        let street = [(1, None, 2), (7, Some("mill"), 0), (9, Some("inn"), 1)];
        let want = [
            "7.1.1.1.1.1",
            "7.1.1.1.1.2",
            "7.1.1.1.9.1",
            "7.2.0",
            "7.3.1.2.7",
            "7.3.1.2.9",
            "7.3.1.3.1",
            "7.3.1.3.7",
            "7.3.1.3.9",
        ];
        assert_eq!(walk(&street), want);
        assert_eq!(walk(&[]), ["7.2.0"]);
    }

    #[test]
    fn whether_there_is_an_object_does_not_depend_on_its_rows() {
        let (mib, street) = (mib(), [(7, Some("mill"), 0)]);
        for state in [&street[..], &[]] {
            let tree = mib.over(state);
            for object in
                [&[7, 3, 1, 2][..], &[7, 3, 1, 2, 8], &[7, 3, 1, 2, 7, 1], &[7, 1, 1, 1, 7], &[7, 4, 1]]
            {
                assert_eq!(tree.get(None, object), VarBindValue::NoSuchInstance, "{object:?}");
            }
            for container in
                [&[7][..], &[7, 3], &[7, 3, 1], &[7, 3, 1, 1, 7], &[7, 3, 1, 4, 7], &[7, 5, 0], &[8]]
            {
                assert_eq!(tree.get(None, container), VarBindValue::NoSuchObject, "{container:?}");
            }
        }
        assert_eq!(mib.over(&street).get(None, &[7, 3, 1, 2, 7]), text("mill"));
        assert_eq!(mib.over(&street).get(None, &[7, 4, 0]), text("mill"));
        let other = Bytes::from_static(b"other");
        assert_eq!(mib.over(&street).get(Some(&other), &[7, 2, 0]), VarBindValue::NoSuchObject);
        assert_eq!(mib.over(&street).next(Some(&other), &[7], true), None);
    }

    #[test]
    fn include_lets_the_start_itself_be_the_answer() {
        let (mib, street) = (mib(), [(1, None, 3), (7, None, 4)]);
        let tree = mib.over(&street);
        let next = |start: &[u32], include| tree.next(None, start, include).map(|(name, _)| name.to_string());
        assert_eq!(next(&[7, 3, 1, 3, 1], true).unwrap(), "7.3.1.3.1");
        assert_eq!(next(&[7, 3, 1, 3, 1], false).unwrap(), "7.3.1.3.7");
        assert_eq!(next(&[7, 2, 0], true).unwrap(), "7.2.0");
        assert_eq!(next(&[7, 2], false).unwrap(), "7.2.0");
        assert_eq!(next(&[7, 2, 0], false).unwrap(), "7.3.1.3.1");
        assert_eq!(next(&[7, 3, 1, 3, 7], false), None);
    }

    #[test]
    fn what_is_set_is_tested_and_then_given_to_whoever_obeys() {
        let (street, mib) = ([(1, None, 2), (7, Some("mill"), 0)], mib());
        let done = std::cell::RefCell::new(Vec::new());
        let obey = |change| done.borrow_mut().push(change);
        let tree = mib.over(&street[..]).obeying(&obey);
        let name = |house: u32| [7, 3, 1, 2, house];
        assert_eq!(tree.test(None, &name(7), &text("barn")), Ok(()));
        assert!(done.borrow().is_empty(), "a test changes nothing");
        assert_eq!(tree.set(None, &name(7), &text("barn")), Ok(()));
        assert_eq!(*done.borrow(), [(7, text("barn"))]);
        for (name, value, error) in [
            (name(7), text("palace"), ErrorStatus::WRONG_VALUE),
            (name(7), unsigned(3), ErrorStatus::WRONG_TYPE),
            (name(8), text("barn"), ErrorStatus::NOT_WRITABLE),
            (name(1), text("barn"), ErrorStatus::NOT_WRITABLE),
            ([7, 3, 1, 3, 7], unsigned(3), ErrorStatus::NOT_WRITABLE),
        ] {
            assert_eq!(tree.set(None, &name, &value), Err(error), "{name:?}");
        }
        let deaf = mib.over(&street[..]);
        assert_eq!(deaf.set(None, &name(7), &text("barn")), Err(ErrorStatus::NOT_WRITABLE));
        assert_eq!(done.borrow().len(), 1);
    }
}
