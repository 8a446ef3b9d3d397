//! The text of the MIB and the tables say the same: each accessible object of the one is in the other, with its place,
//! name, syntax, access and index; and what is served is what the syntax allows.

use std::collections::{BTreeMap, HashMap};

use rasn_smi::v2::{ObjectSyntax, SimpleSyntax};
use snmp_agentx::{Described, Objects, VarBindValue};

use crate::keepalived::{Parts, objects, tests};
use crate::rfc::{v2, v3};
use crate::source::Keepwatch;

const TEXT: &str = include_str!("../KEEPALIVED-MIB.txt");
const VRRP_MIB: &str = include_str!("../VRRP-MIB.txt");
const VRRPV3_MIB: &str = include_str!("../VRRPV3-MIB.txt");
const ALL: Parts = Parts::KEEPALIVED;

/// An OBJECT-TYPE, or a name for a place.
#[derive(Clone, Debug, Default)]
struct Object {
    parent: String,
    number: u32,
    /// The syntax up to the first bracket, and the numbers of its enumeration.
    syntax: String,
    labels: Vec<i64>,
    access: String,
    index: Vec<String>,
}

/// The words of the text, without comments and descriptions; brackets and commas are words.
fn words(text: &str) -> Vec<String> {
    let text: String = text.lines().map(|line| line.split("--").next().unwrap().to_owned() + " ").collect();
    // What stands between quotes is every second piece.
    let text: Vec<&str> = text.split('"').step_by(2).collect();
    let text = text.join(" ");
    let spaced = ['{', '}', '(', ')', ','].iter().fold(text, |text, c| text.replace(*c, &format!(" {c} ")));
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Every `NAME … ::= { parent number }` of the text.
fn written(text: &str) -> HashMap<String, Object> {
    let words = words(text);
    let mut objects = HashMap::new();
    let (mut name, mut object) = (None, Object::default());
    let list =
        |from: usize| words[from..].iter().skip(1).take_while(|word| *word != "}").filter(|w| *w != ",");
    for (at, word) in words.iter().enumerate() {
        match word.as_str() {
            "OBJECT-TYPE" | "OBJECT" | "MODULE-IDENTITY" | "NOTIFICATION-TYPE" if words[at + 1] != "," => {
                (name, object) = (Some(words[at - 1].clone()), Object::default());
            }
            "SYNTAX" => {
                object.syntax.clone_from(&words[at + 1]);
                if words[at + 2] == "{" {
                    object.labels = list(at + 2).filter_map(|word| word.parse().ok()).collect();
                }
            }
            "MAX-ACCESS" => object.access.clone_from(&words[at + 1]),
            // The same rows as of another entry.
            "AUGMENTS" => {
                let other: &Object = &objects[&words[at + 2]];
                object.index.clone_from(&other.index);
            }
            "INDEX" => object.index = list(at + 1).cloned().collect(),
            "::=" if words[at + 1] == "{" && words[at + 4] == "}" => {
                if let Some(name) = name.take() {
                    object.parent.clone_from(&words[at + 2]);
                    object.number = words[at + 3].parse().unwrap();
                    objects.insert(name, std::mem::take(&mut object));
                }
            }
            _ => {}
        }
    }
    objects
}

/// Where an object is below the module's root.
fn place(objects: &HashMap<String, Object>, name: &str) -> Option<Vec<u32>> {
    if ["keepalived", "vrrpMIB", "vrrpv3MIB"].contains(&name) {
        return Some(Vec::new());
    }
    let object = objects.get(name)?;
    let mut place = place(objects, &object.parent)?;
    place.push(object.number);
    Some(place)
}

/// Of an object: name, syntax, access, and for a column the name of the entry and its INDEX.
type Said = (String, String, String, Option<(String, Vec<String>)>);

#[test]
fn the_text_and_the_tables_say_the_same() {
    assert!(compare(TEXT, objects(ALL)) > 400);
    // What could be created by the RFCs' text can only be read.
    let described = |tables: &[&dyn Objects<Keepwatch>]| {
        tables.iter().flat_map(|table| table.describe()).collect::<Vec<_>>()
    };
    let readable = |text: &str| {
        // The key is not told, and the objects of notifications have no instance of their own.
        let hidden = text.replace(
            "OCTET STRING (SIZE (0..16))\n    MAX-ACCESS  read-create",
            "OCTET STRING\n    MAX-ACCESS  not-accessible",
        );
        ["read-create", "read-write"].iter().fold(hidden, |text, access| text.replace(access, "read-only"))
    };
    assert_eq!(compare(&readable(VRRP_MIB), described(v2::TABLES)), 2 + 13 + 1 + 3 + 12);
    assert_eq!(compare(&readable(VRRPV3_MIB), described(v3::TABLES)), 11 + 1 + 4 + 13);
}

/// Compares a text with tables, both ways; how many objects there are.
fn compare(text: &str, tables: impl IntoIterator<Item = Described>) -> usize {
    let text = written(text);
    let said = |(name, object): (&String, &Object)| -> Option<(Vec<u32>, Said)> {
        let index = text.get(&object.parent).map(|entry| entry.index.clone());
        let table = index.filter(|index| !index.is_empty()).map(|index| (object.parent.clone(), index));
        let said = (name.clone(), object.syntax.clone(), object.access.clone(), table);
        Some((place(&text, name)?, said))
    };
    let accessible =
        |object: &&Object| !["", "not-accessible", "accessible-for-notify"].contains(&&*object.access);
    let told: BTreeMap<_, _> =
        text.iter().filter(|(_, object)| accessible(object)).filter_map(said).collect();
    let served: BTreeMap<_, _> = tables
        .into_iter()
        .map(|object| {
            let index = |index: &[&str]| index.iter().map(|name| (*name).to_owned()).collect();
            let table = object.table.map(|(entry, names)| (entry.to_owned(), index(names)));
            let syntax = object.syntax.name.to_owned();
            let access = if object.settable { "read-write" } else { "read-only" };
            (object.place, (object.name.to_owned(), syntax, access.to_owned(), table))
        })
        .collect();
    for (place, said) in &told {
        assert_eq!(served.get(place), Some(said), "the tables at {place:?} are not what the text says");
    }
    for (place, said) in &served {
        assert_eq!(told.get(place), Some(said), "the text at {place:?} is not what the tables say");
    }
    told.len()
}

#[test]
fn what_is_served_is_of_its_syntax() {
    let text = written(TEXT);
    let described: BTreeMap<_, _> = objects(ALL).map(|object| (object.place.clone(), object)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for (name, value) in tests::walk(&tests::check_world(), ALL) {
        let object = described.range(..=name.clone()).next_back().unwrap().1;
        assert!(name.starts_with(&object.place), "{name:?} is no instance of {}", object.name);
        assert!(
            object.syntax.fits(&value),
            "{} is {}, and {value:?} is served",
            object.name,
            object.syntax.name
        );
        let labels = &text[object.name].labels;
        if let VarBindValue::Value(ObjectSyntax::Simple(SimpleSyntax::Integer(number))) = &value
            && !labels.is_empty()
        {
            let number = i64::try_from(number).unwrap();
            // keepalived's way to say that version 2 has no accept mode, and to tell its own protocol: by the kernel's
            // number and one, where the enumeration has another.
            let told = match object.name {
                "vrrpInstanceAccept" => number == 0,
                "vrrpRouteProtocol" | "vrrpRuleProtocol" => number == 19,
                _ => false,
            };
            assert!(told || labels.contains(&number), "{} is {number}, which has no name", object.name);
        }
        seen.insert(object.name);
    }
    assert!(seen.len() > 150, "only {} objects were looked at", seen.len());
}
