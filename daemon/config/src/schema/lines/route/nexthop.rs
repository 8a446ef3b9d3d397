//! Where packets go: `via`, `dev`, `onlink` and the like of a route, and its `nexthop …` parts.

use super::super::OptionLine;
use super::super::option::{Options, flag, option, options_of, set};
use super::encap;
use crate::diagnostics::Diagnostic;
use crate::model::{Family, NextHop, RouteHop};
use crate::schema::LineOption;
use crate::words::Word;

/// What a route and each `nexthop` of it may say.
pub(super) const HOP: Options<RouteHop> = Options(&[
    option("via", "[inet | inet6] ADDRESS", "The next router.").takes(via),
    option("dev", "INTERFACE", "Interface to go out of.")
        .takes(|to, line, word| set(&mut to.interface, line.interface(word))),
    flag("onlink", "The next router is on the link, whatever its address.").is(|to| to.on_link = true),
    option("encap", "TYPE …", "How packets are wrapped: mpls, ip, ip6 and the like.")
        .takes(|to, line, word| set(&mut to.encap, encap::read(line, word))),
    option("realms", "[FROM/]TO", "Realms of its packets; IPv4 only.").takes(|to, line, word| {
        set(&mut to.realms, line.realms(word))?;
        line.settle(Family::Inet, word)
    }),
]);

/// The options of [`HOP`].
pub(super) const OPTIONS: &[LineOption] = options_of!(HOP);

/// What only a `nexthop` may say.
const OF_ONE: Options<NextHop> = Options(&[
    option("weight", "NUMBER", "Its share of the packets.").takes(|to, line, word| {
        to.weight = line.number(word, 1, 256)?;
        Some(())
    }),
    option("as", "[to] ADDRESS", "Translation of addresses: nothing of the kernel any more.").takes(
        |_, line, word| {
            let message = "`as` (translation of addresses) is no option of a `nexthop`".into();
            line.refuse(word, "unknown-option", message, "this and what follows it has no effect")
        },
    ),
]);

/// `via [inet | inet6] ADDRESS`.
pub(super) fn via(hop: &mut RouteHop, line: &mut OptionLine, option: &Word) -> Option<()> {
    for (word, named) in [("inet", Family::Inet), ("inet6", Family::Inet6)] {
        if line.skip(word) {
            line.settle(named, option)?;
        }
    }
    let (address, value) = line.address(option)?;
    line.settle(Family::of(address), value)?;
    hop.via = Some(address);
    Some(())
}

/// Whether it says neither by whom nor where packets go out.
pub(super) fn leads_nowhere(hop: &RouteHop) -> bool {
    hop.via.is_none() && hop.interface.is_none()
}

/// The rest of a line after its first `nexthop`. A mistake leaves out that one and those after it.
pub(super) fn read_all(line: &mut OptionLine, first: &Word) -> Vec<NextHop> {
    let mut hops = Vec::new();
    let mut begin = first;
    while let Some(hop) = read_one(line) {
        if leads_nowhere(&hop.hop) {
            let message = "this `nexthop` has neither `via` nor `dev`";
            let diagnostic = Diagnostic::warning("missing-part", message);
            line.context.report(diagnostic.at(begin.span, "the kernel refuses the route"));
        }
        hops.push(hop);
        if let Some(word) = line.peek().filter(|word| word.text == first.text) {
            line.next();
            begin = word;
            continue;
        }
        if let Some(word) = line.next() {
            let message = format!("`{}` is no option of a `nexthop`", word.text);
            let diagnostic = Diagnostic::error("unknown-option", message);
            line.context.report(diagnostic.at(word.span, "this and what follows it has no effect"));
        }
        break;
    }
    line.end();
    hops
}

/// One `nexthop`, up to the first word that is no option of it.
fn read_one(line: &mut OptionLine) -> Option<NextHop> {
    let mut made = NextHop { hop: RouteHop::default(), weight: 1 };
    while let Some(option) = line.next() {
        if !OF_ONE.take(&mut made, line, option)? && !HOP.take(&mut made.hop, line, option)? {
            line.back();
            break;
        }
    }
    Some(made)
}
