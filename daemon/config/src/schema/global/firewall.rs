//! The packet filter.

use crate::schema::bounds::{I32, U32};
use crate::schema::{Arg, Keyword, Kind, flag, kw, one, opt, some};

const PRIORITY: &[Arg] = &[one("PRIORITY", Kind::Int(i32::MIN as i64, I32))];
const TABLE: &[Arg] = &[opt("TABLE", Kind::Limited(254))];

pub(super) const FIREWALL: &[Keyword] = &[
    kw("nftables", TABLE, "nftables table that drops packets to unaccepted addresses.")
        .first_counts()
        .default("keepalived, once an instance needs it")
        .example("nftables keepalived"),
    kw("nftables_priority", PRIORITY, "Priority of its chains.")
        .default("-1")
        .example("nftables_priority -2"),
    flag("nftables_ifindex", "Use interface indexes in it, as is done anyway.").example("nftables_ifindex"),
    kw("nftables_ipvs", TABLE, "nftables table that marks packets of virtual server groups.")
        .first_counts()
        .default("none; keepalived_ipvs when it stands alone")
        .example("nftables_ipvs keepalived_ipvs"),
    kw("nftables_ipvs_priority", PRIORITY, "Priority of its chains.")
        .default("-1")
        .example("nftables_ipvs_priority -2"),
    kw("nftables_ipvs_start_fwmark", &[one("MARK", Kind::Int(1, U32))], "First mark that it uses.")
        .default("1000")
        .example("nftables_ipvs_start_fwmark 2000"),
    flag("nftables_counters", "Count packets in both tables.").example("nftables_counters"),
    kw(
        "vrrp_iptables",
        &[opt("INPUT", Kind::Limited(27)), opt("OUTPUT", Kind::Limited(27))],
        "An old word for `nftables`: no chain of iptables is touched.",
    )
    .first_counts()
    .default("none")
    .example("vrrp_iptables keepalived"),
    kw(
        "vrrp_ipsets",
        &[some("IPV4 [IPV6 [INTERFACE_IPV6 [IGMP [MLD [ND]]]]]", Kind::Limited(30))],
        "Sets that went with `vrrp_iptables`: the table of nftables has its own.",
    )
    .default("none")
    .example("vrrp_ipsets keepalived"),
];
