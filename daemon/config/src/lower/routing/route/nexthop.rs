//! Where packets go: `via`, `dev`, `onlink` and the like of a route, and its `nexthop …` parts.

use super::super::option_line::OptionLine;
use super::encap;
use crate::diagnostics::Diagnostic;
use crate::model::{Family, NextHop, RouteHop};
use crate::words::Word;

/// The options that [`read`] takes.
pub(super) const OPTIONS: &[&str] = &["via", "dev", "onlink", "encap", "realms"];

/// Takes an option if it says where packets go; `None` when its value is wrong (reported), else whether it did.
pub(super) fn read(
    hop: &mut RouteHop,
    family: &mut Option<Family>,
    line: &mut OptionLine,
    option: &Word,
) -> Option<bool> {
    match &*option.text {
        "via" => via(hop, family, line, option)?,
        "dev" => hop.interface = Some(line.interface(option)?),
        "onlink" => hop.on_link = true,
        "encap" => hop.encap = Some(encap::read(line, option)?),
        "realms" => {
            hop.realms = Some(line.realms(option)?);
            line.settle(family, Family::Inet, option)?;
        }
        _ => return Some(false),
    }
    Some(true)
}

/// `via [inet | inet6] ADDRESS`.
pub(super) fn via(
    hop: &mut RouteHop,
    family: &mut Option<Family>,
    line: &mut OptionLine,
    option: &Word,
) -> Option<()> {
    for (word, named) in [("inet", Family::Inet), ("inet6", Family::Inet6)] {
        if line.skip(word) {
            line.settle(family, named, option)?;
        }
    }
    let (address, value) = line.address(option)?;
    line.settle(family, Family::of(address), value)?;
    hop.via = Some(address);
    Some(())
}

/// The rest of a line from its first `nexthop` on. A mistake leaves out that one and those after it.
pub(super) fn read_all(line: &mut OptionLine, family: &mut Option<Family>) -> Vec<NextHop> {
    let mut hops = Vec::new();
    while line.skip("nexthop") {
        match read_one(line, family) {
            Some(hop) => hops.push(hop),
            None => return hops,
        }
    }
    if let Some(word) = line.peek() {
        let message = format!("`{}` is no option of a `nexthop`", word.text);
        let diagnostic = Diagnostic::error("unknown-option", message);
        line.context.report(diagnostic.at(word.span, "this and what follows it has no effect"));
    }
    hops
}

fn read_one(line: &mut OptionLine, family: &mut Option<Family>) -> Option<NextHop> {
    let mut made = NextHop { hop: RouteHop::default(), weight: 1 };
    while let Some(option) = line.peek() {
        match &*option.text {
            "weight" => {
                line.next();
                made.weight = line.number(option, 1, 256)?;
            }
            "as" => {
                return line.refuse(
                    option,
                    "unknown-option",
                    "`as` (translation of addresses) is no option of a `nexthop`".into(),
                    "this and what follows it has no effect",
                );
            }
            name if OPTIONS.contains(&name) => {
                line.next();
                read(&mut made.hop, family, line, option)?;
            }
            _ => break,
        }
    }
    Some(made)
}
