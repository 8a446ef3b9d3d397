//! Lines of blocks of lines: what one may say is a table too (`option`), by which it is read (`option_line`), explained
//! and mended. Addresses, routes and rules are read as iproute2 would read them.

pub(crate) mod address;
mod option;
mod option_line;
pub(crate) mod route;
pub(crate) mod rule;
mod track_group;

pub use option::LineOption;
pub(in crate::schema) use option::{Options, flag, option, options_of};
pub(in crate::schema) use option_line::OptionLine;

/// Where a line of addresses, routes or rules stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In `static_ipaddress` and the like, of the top level.
    Static,
    /// In `virtual_ipaddress` and the like, of an instance.
    Virtual,
}
