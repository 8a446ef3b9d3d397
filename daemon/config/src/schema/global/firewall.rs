//! The packet filter.

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::model::{FwMark, Name, Nftables, NftablesIpvs};
use crate::preprocess::Context;
use crate::schema::bounds::{I32, U32};
use crate::schema::entry::Block;
use crate::schema::{Arg, Kind, flag, kw, one, opt, some};
use crate::tree::Node;

const PRIORITY: &[Arg] = &[one("PRIORITY", Kind::Int(i32::MIN as i64, I32))];
const TABLE: &[Arg] = &[opt("TABLE", Kind::Limited(254))];

pub(super) const FIREWALL: Block<GlobalDraft> = Block(&[
    kw("nftables", TABLE, "nftables table that drops packets to unaccepted addresses.")
        .first_counts()
        .default("keepalived, once an instance needs it")
        .example("nftables keepalived")
        .sets(|to, node, context| {
            let Nftables { table, priority } = &mut to.model.firewall.nftables;
            if let Some(name) = named(node, Nftables::TABLE, context) {
                again(*priority != Nftables::default().priority, node, context);
                (*table, *priority) = (Some(name), Nftables::default().priority);
            }
        }),
    kw("nftables_priority", PRIORITY, "Priority of its chains.")
        .default("-1")
        .example("nftables_priority -2")
        .sets(|to, node, _| number(&mut to.model.firewall.nftables.priority, node)),
    // The sets hold the numbers of interfaces in any case: names would not do for a master that renames one.
    flag("nftables_ifindex", "Use interface indexes in it, as is done anyway.")
        .example("nftables_ifindex")
        .sets_nothing(),
    kw("nftables_ipvs", TABLE, "nftables table that marks packets of virtual server groups.")
        .first_counts()
        .default("none; keepalived_ipvs when it stands alone")
        .example("nftables_ipvs keepalived_ipvs")
        .sets(|to, node, context| {
            let ipvs = &mut to.model.firewall.ipvs;
            if let Some(name) = named(node, NftablesIpvs::TABLE, context) {
                again(*ipvs != NftablesIpvs::default(), node, context);
                *ipvs = NftablesIpvs { table: Some(name), ..NftablesIpvs::default() };
            }
        }),
    kw("nftables_ipvs_priority", PRIORITY, "Priority of its chains.")
        .default("-1")
        .example("nftables_ipvs_priority -2")
        .sets(|to, node, _| number(&mut to.model.firewall.ipvs.priority, node)),
    kw("nftables_ipvs_start_fwmark", &[one("MARK", Kind::Int(1, U32))], "First mark that it uses.")
        .default("1000")
        .example("nftables_ipvs_start_fwmark 2000")
        .sets(|to, node, _| {
            let first = &mut to.model.firewall.ipvs.first_mark;
            *first = node.number(0).map_or(*first, FwMark);
        }),
    flag("nftables_counters", "Count packets in both tables.")
        .example("nftables_counters")
        .sets(|to, _, _| to.model.firewall.counters = true),
    kw(
        "vrrp_iptables",
        &[opt("INPUT", Kind::Limited(27)), opt("OUTPUT", Kind::Limited(27))],
        "An old word for `nftables`: no chain of iptables is touched.",
    )
    .first_counts()
    .default("none")
    .example("vrrp_iptables keepalived")
    .sets(|to, node, context| replaced(&mut to.model.firewall.nftables.table, node, context)),
    kw(
        "vrrp_ipsets",
        &[some("IPV4 [IPV6 [INTERFACE_IPV6 [IGMP [MLD [ND]]]]]", Kind::Limited(30))],
        "Sets that went with `vrrp_iptables`: the table of nftables has its own.",
    )
    .default("none")
    .example("vrrp_ipsets keepalived")
    .sets(|_, node, context| no_sets(node, context)),
]);

/// The name of a table, which this is unless given; `None` for an empty one (reported).
fn named(node: &Node, unless_given: &str, context: &mut Context) -> Option<Name> {
    if node.args.iter().any(|word| word.text.is_empty()) {
        context.report(
            Diagnostic::error("missing-value", format!("`{}` has an empty name", node.keyword.name))
                .at(node.arg_span(0), "left out"),
        );
        return None;
    }
    Some(node.text(0).unwrap_or_else(|| unless_given.into()))
}

fn number(slot: &mut i32, node: &Node) {
    *slot = node.number(0).unwrap_or(*slot);
}

/// Naming the table sets what was written of it before back to the default, as in keepalived.
fn again(written: bool, node: &Node, context: &mut Context) {
    let name = node.keyword.name;
    if written {
        context.report(
            Diagnostic::warning(
                "no-effect",
                format!("what stands before `{name}` about its table is forgotten"),
            )
            .at(node.name.span, "begins with defaults")
            .help(format!("write `{name}` before `{name}_priority`")),
        );
    }
}

/// The chains and sets of iptables' time mean the table of nftables, which drops the same packets: as keepalived 2.4.3 has
/// it where it is built without iptables.
fn replaced(table: &mut Option<Name>, node: &Node, context: &mut Context) {
    table.get_or_insert_with(|| Nftables::TABLE.into());
    let message = "iptables is not used: a table of nftables drops the packets, and no chain is touched";
    let diagnostic = Diagnostic::warning("no-effect", message).at(node.name.span, "means `nftables`");
    context
        .report(diagnostic.help("write `nftables`, and nothing for `vrrp_ipsets`: the table has its sets"));
}

/// Sets of the program `ipset`.
fn no_sets(node: &Node, context: &mut Context) {
    let diagnostic =
        Diagnostic::warning("no-effect", "the table of nftables has its own sets: no ipset is made");
    context.report(diagnostic.at(node.name.span, "has no effect").help("leave it out"));
}
