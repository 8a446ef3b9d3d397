//! The addresses of two routers of one virtual router: a takeover must move all of them, as they were.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::pair::Pair;
use crate::diagnostics::Diagnostic;
use crate::model::InterfaceAddress;

/// Where addresses stand.
const ADVERTISED: &[&str] = &["virtual_ipaddress"];
const EXCLUDED: &[&str] = &["virtual_ipaddress_excluded"];
/// Most addresses that one message names.
const SHOWN: usize = 4;

/// Addresses that are only in one of two files, and those whose netmask differs.
pub(super) fn compare(pair: Pair<'_>) -> Vec<Diagnostic> {
    let (here, there) = (pair.here.instance, pair.there.instance);
    let lists = [
        (ADVERTISED, &here.addresses, &there.addresses),
        (EXCLUDED, &here.excluded_addresses, &there.excluded_addresses),
    ];
    let mut found = Vec::new();
    for (keywords, here, there) in lists {
        let (here, there) = (by_address(here), by_address(there));
        found.extend(missing(pair, keywords, &here, &there));
        found.extend(netmasks(pair, keywords, &here, &there));
    }
    found.retain(|_| !pair.here.block.is_bad(ADVERTISED) && !pair.there.block.is_bad(ADVERTISED));
    found
}

type ByAddress<'a> = BTreeMap<IpAddr, &'a InterfaceAddress>;

fn by_address(list: &[InterfaceAddress]) -> ByAddress<'_> {
    list.iter().map(|address| (address.address, address)).collect()
}

fn missing(
    pair: Pair<'_>,
    keywords: &'static [&'static str],
    here: &ByAddress<'_>,
    there: &ByAddress<'_>,
) -> Option<Diagnostic> {
    let only = |one: &ByAddress<'_>, other: &ByAddress<'_>| -> Vec<IpAddr> {
        one.keys().filter(|address| !other.contains_key(*address)).copied().collect()
    };
    let (only_here, only_there) = (only(here, there), only(there, here));
    let (name, file) = (&pair.here.instance.name, pair.other_file());
    let message = match (only_here.as_slice(), only_there.as_slice()) {
        ([], []) => return None,
        (here, []) => format!("`{name}` has {} here but not in {file}", list(here)),
        ([], there) => format!("`{name}` lacks {}, which it has in {file}", list(there)),
        (here, there) => format!("`{name}` has {} here and {} in {file}", list(here), list(there)),
    };
    let nothing_shared = here.len() == only_here.len() && there.len() == only_there.len();
    let help = match nothing_shared && !only_here.is_empty() && !only_there.is_empty() {
        true => "routers of one virtual router need the same addresses; different ones need different ids",
        false => "a takeover loses an address that the other router does not have",
    };
    let diagnostic = Diagnostic::error("cluster-addresses", message).help(help);
    let (block, other) = (pair.here.block, pair.there.block);
    let mut spots = only_here.iter().take(SHOWN).filter_map(|address| block.address(keywords, *address));
    let mut diagnostic = match spots.next() {
        Some(first) => diagnostic.at(first, "only here"),
        None => diagnostic.at(
            block.keyword(keywords).unwrap_or_else(|| block.head()),
            "not all that are in the other file",
        ),
    };
    for more in spots {
        diagnostic = diagnostic.also(more, "only here");
    }
    for address in only_there.iter().take(SHOWN) {
        if let Some(span) = other.address(keywords, *address) {
            diagnostic = diagnostic.also(span, "only in the other file");
        }
    }
    if only_there.is_empty() {
        let span = other.keyword(keywords).unwrap_or_else(|| other.head());
        diagnostic = diagnostic.also(span, "not among these");
    }
    Some(diagnostic)
}

fn list(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().take(SHOWN).map(IpAddr::to_string).collect();
    match addresses.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn netmasks(
    pair: Pair<'_>,
    keywords: &'static [&'static str],
    here: &ByAddress<'_>,
    there: &ByAddress<'_>,
) -> Vec<Diagnostic> {
    let differing = here.iter().filter_map(|(address, here)| {
        let there = there.get(address).filter(|there| there.prefix_len != here.prefix_len)?;
        let message = format!(
            "`{}` has {address}/{} here and /{} in {}",
            pair.here.instance.name,
            here.prefix_len,
            there.prefix_len,
            pair.other_file()
        );
        let diagnostic = Diagnostic::warning("cluster-netmask", message)
            .help("the route to its network comes and goes with the takeover, or does not");
        let at =
            |block: super::file::Block<'_>| block.address(keywords, *address).unwrap_or_else(|| block.head());
        Some(diagnostic.at(at(pair.here.block), "here").also(at(pair.there.block), "in the other file"))
    });
    differing.collect()
}
