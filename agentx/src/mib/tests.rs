//! A town: houses by number, each with its windows.

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
        for object in [&[7, 3, 1, 2][..], &[7, 3, 1, 2, 8], &[7, 3, 1, 2, 7, 1], &[7, 1, 1, 1, 7], &[7, 4, 1]]
        {
            assert_eq!(tree.get(None, object), VarBindValue::NoSuchInstance, "{object:?}");
        }
        for container in [&[7][..], &[7, 3], &[7, 3, 1], &[7, 3, 1, 1, 7], &[7, 3, 1, 4, 7], &[7, 5, 0], &[8]]
        {
            assert_eq!(tree.get(None, container), VarBindValue::NoSuchObject, "{container:?}");
        }
    }
    assert_eq!(mib.over(&street).get(None, &[7, 3, 1, 2, 7]), text("mill"));
    assert_eq!(mib.over(&street).get(None, &[7, 4, 0]), text("mill"));
    let other = Bytes::from_static(b"other");
    assert_eq!(mib.over(&street).get(Some(&other), &[7, 2, 0]), VarBindValue::NoSuchObject);
    assert_eq!(mib.over(&street).next(Some(&other), &[7], true), None);
    let elsewhere = mib.over(&street).in_context(b"other");
    assert_eq!(elsewhere.get(Some(&other), &[7, 2, 0]), unsigned(1));
    assert!(elsewhere.next(Some(&other), &[7], true).is_some());
    assert_eq!(elsewhere.get(None, &[7, 2, 0]), VarBindValue::NoSuchObject);
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
