//! The packet filter: `nftables…`, `vrrp_iptables`, `vrrp_ipsets`.

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::model::{FwMark, Name, Nftables, NftablesIpvs};
use crate::preprocess::Context;
use crate::tree::Node;

impl GlobalDraft {
    pub(super) fn firewall(&mut self, node: &Node, context: &mut Context) -> bool {
        let firewall = &mut self.model.firewall;
        let Nftables { table, priority } = &mut firewall.nftables;
        let ipvs = &mut firewall.ipvs;
        let named = matches!(node.keyword.name, "nftables" | "nftables_ipvs");
        if named && node.args.iter().any(|word| word.text.is_empty()) {
            context.report(
                Diagnostic::error("missing-value", format!("`{}` has an empty name", node.keyword.name))
                    .at(node.arg_span(0), "left out"),
            );
            return true;
        }
        match node.keyword.name {
            "nftables" => {
                again(*priority != Nftables::default().priority, "nftables", node, context);
                *table = Some(node.text(0).unwrap_or_else(|| Nftables::TABLE.into()));
                *priority = Nftables::default().priority;
            }
            "nftables_priority" => *priority = number(node, *priority),
            // The sets hold the numbers of interfaces in any case: names would not do for a master that renames one.
            "nftables_ifindex" => {}
            "nftables_ipvs" => {
                again(*ipvs != NftablesIpvs::default(), "nftables_ipvs", node, context);
                let table = Some(node.text(0).unwrap_or_else(|| NftablesIpvs::TABLE.into()));
                *ipvs = NftablesIpvs { table, ..NftablesIpvs::default() };
            }
            "nftables_ipvs_priority" => ipvs.priority = number(node, ipvs.priority),
            "nftables_ipvs_start_fwmark" => ipvs.first_mark = node.number(0).map_or(ipvs.first_mark, FwMark),
            "nftables_counters" => firewall.counters = true,
            "vrrp_iptables" => replaced(table, node, context),
            "vrrp_ipsets" => no_sets(node, context),
            _ => return false,
        }
        true
    }
}

fn number(node: &Node, otherwise: i32) -> i32 {
    node.number::<i32>(0).unwrap_or(otherwise)
}

/// Naming the table sets what was written of it before back to the default, as in keepalived.
fn again(written: bool, name: &str, node: &Node, context: &mut Context) {
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
