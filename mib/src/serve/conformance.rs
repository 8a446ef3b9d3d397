//! What is served has a name in the text of the MIB, and the syntax that stands there.

use std::collections::HashMap;

use rasn_smi::v2::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
use snmp_agentx::VarBindValue;

use super::tests::{check_world, walk};
use crate::oids::below;

const TEXT: &str = include_str!("../../KEEPALIVED-MIB.txt");

/// An object of the text: where it is, and its syntax up to the first bracket.
struct Object {
    parent: String,
    number: u32,
    syntax: String,
}

/// Every `NAME … ::= { parent number }` of the text.
fn objects() -> HashMap<String, Object> {
    let text: String =
        TEXT.lines().map(|line| line.split("--").next().unwrap_or_default().to_owned() + "\n").collect();
    let mut objects = HashMap::new();
    let mut name = "";
    let mut syntax = String::new();
    let lines: Vec<&str> = text.lines().collect();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [first, "OBJECT-TYPE" | "MODULE-IDENTITY", ..] => name = first,
            [first, "OBJECT", "IDENTIFIER", ..] => name = first,
            // Notifications, groups and compliances are in other parts of the tree.
            [_, kind] if kind.contains('-') && kind.chars().all(|c| c.is_ascii_uppercase() || c == '-') => {
                name = "";
            }
            ["SYNTAX", first, ..] => syntax = (*first).to_owned(),
            _ => {}
        }
        let Some((_, place)) = line.split_once("::= { ") else { continue };
        if let [parent, number, "}"] = place.split_whitespace().collect::<Vec<_>>().as_slice()
            && let Ok(number) = number.parse()
            && !name.is_empty()
        {
            let syntax = std::mem::take(&mut syntax);
            objects.insert(name.to_owned(), Object { parent: (*parent).to_owned(), number, syntax });
        }
    }
    objects
}

fn place(objects: &HashMap<String, Object>, name: &str) -> Vec<u32> {
    match objects.get(name) {
        Some(object) if name != "keepalived" => {
            let mut place = place(objects, &object.parent);
            place.push(object.number);
            place
        }
        _ => below(&[]),
    }
}

/// The syntaxes that a value of this kind may have in the text.
fn syntaxes(value: &VarBindValue) -> &'static [&'static str] {
    let VarBindValue::Value(value) = value else { return &[] };
    match value {
        ObjectSyntax::Simple(SimpleSyntax::Integer(_)) => &[
            "INTEGER",
            "Integer32",
            "TruthValue",
            "VrrpState",
            "InetAddressType",
            "InetScopeType",
            "InterfaceIndex",
        ],
        ObjectSyntax::Simple(SimpleSyntax::String(_)) => &["DisplayString", "InetAddress"],
        ObjectSyntax::ApplicationWide(ApplicationSyntax::Unsigned(_)) => {
            &["Unsigned32", "Gauge32", "InetPortNumber", "InetAddressPrefixLength"]
        }
        ObjectSyntax::ApplicationWide(ApplicationSyntax::Counter(_)) => &["Counter32"],
        ObjectSyntax::ApplicationWide(ApplicationSyntax::BigCounter(_)) => &["Counter64"],
        _ => &[],
    }
}

#[test]
fn everything_served_is_in_the_text_with_its_syntax() {
    let objects = objects();
    let places: HashMap<Vec<u32>, &String> =
        objects.keys().map(|name| (place(&objects, name), name)).collect();
    let world = check_world();
    let mut seen = std::collections::HashSet::new();
    for part in [1, 2, 3] {
        for (tail, value) in walk(&world, part) {
            let name = below(&[[part].as_slice(), &tail].concat());
            let object = (1..name.len()).rev().find_map(|length| {
                let known = places.get(&name[..length])?;
                Some((*known, &objects[*known].syntax)).filter(|(_, syntax)| !syntax.is_empty())
            });
            let (object, syntax) = object.unwrap_or_else(|| panic!("{name:?} is not in the text"));
            assert!(
                syntaxes(&value).contains(&syntax.as_str()),
                "{object} is {syntax} in the text, and {value:?} is served"
            );
            seen.insert(object);
        }
    }
    assert!(seen.len() > 150, "only {} objects were looked at", seen.len());
}
