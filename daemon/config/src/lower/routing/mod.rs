//! Lines of addresses, routes and rules, static ones and those of instances: each is read by its words (`option_line`),
//! with what is known so far (`state`).

pub(super) mod address;
mod entries;
mod iproute_names;
mod option_line;
pub(super) mod route;
pub(super) mod rule;
mod state;

pub(super) use entries::resolve;
pub(super) use iproute_names::{IprouteNames, NameKind};
pub(super) use state::{Block, Routing};
