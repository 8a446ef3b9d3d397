//! Interfaces.

use crate::schema::{Keyword, Kind, flag, kw, one, opt};

pub(super) const LINKS: &[Keyword] = &[
    kw(
        "dynamic_interfaces",
        &[opt("allow_if_changes", Kind::Word)],
        "Interfaces may appear later; with the option even as another type, or on another interface.",
    )
    .example("dynamic_interfaces"),
    kw("default_interface", &[one("INTERFACE", Kind::Interface)], "Interface of addresses that name none.")
        .default("eth0")
        .example("default_interface eth0"),
    flag("disable_local_igmp", "The kernel reports no membership of groups of the link.")
        .example("disable_local_igmp"),
    kw("vmac_prefix", &[one("PREFIX", Kind::Word)], "What names of VMAC interfaces begin with.")
        .first_counts()
        .default("vrrp")
        .example("vmac_prefix vmac"),
    kw("vmac_addr_prefix", &[one("PREFIX", Kind::Word)], "The same for VMACs of single addresses.")
        .first_counts()
        .default("vmac_prefix")
        .example("vmac_addr_prefix vip"),
];
