//! The packet filter: `nftables…`, `vrrp_iptables`, `vrrp_ipsets`.

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::model::{FwMark, IpSets, Iptables, Name, Nftables, NftablesIpvs};
use crate::preprocess::Context;
use crate::tree::Node;

impl GlobalDraft {
    pub(super) fn firewall(&mut self, node: &Node, context: &mut Context) -> bool {
        let firewall = &mut self.model.firewall;
        let Nftables { table, priority, interface_index } = &mut firewall.nftables;
        let ipvs = &mut firewall.ipvs;
        let named =
            matches!(node.keyword.name, "nftables" | "nftables_ipvs" | "vrrp_iptables" | "vrrp_ipsets");
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
            "nftables_ifindex" => *interface_index = true,
            "nftables_ipvs" => {
                again(*ipvs != NftablesIpvs::default(), "nftables_ipvs", node, context);
                let table = Some(node.text(0).unwrap_or_else(|| NftablesIpvs::TABLE.into()));
                *ipvs = NftablesIpvs { table, ..NftablesIpvs::default() };
            }
            "nftables_ipvs_priority" => ipvs.priority = number(node, ipvs.priority),
            "nftables_ipvs_start_fwmark" => ipvs.first_mark = node.number(0).map_or(ipvs.first_mark, FwMark),
            "nftables_counters" => firewall.counters = true,
            "vrrp_iptables" => firewall.iptables = chains(node, context),
            "vrrp_ipsets" => firewall.ipsets = sets(node, context),
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

/// `INPUT` and `OUTPUT`, or those given, which must differ.
fn chains(node: &Node, context: &mut Context) -> Option<Iptables> {
    let Some(input) = node.text(0) else {
        return Some(Iptables { input: "INPUT".into(), output: Some("OUTPUT".into()) });
    };
    let output = node.text(1);
    if output.as_ref() == Some(&input) {
        context.report(
            Diagnostic::warning("conflict", "`vrrp_iptables` needs two chains, not one twice")
                .at(node.arg_span(1), "no chains are used"),
        );
        return None;
    }
    Some(Iptables { input, output })
}

/// Longest name of a set, in bytes (the kernel's `IPSET_MAXNAMELEN` less its end mark).
const LONGEST_SET: usize = 31;

fn sets(node: &Node, context: &mut Context) -> Option<IpSets> {
    let addresses = node.text(0)?;
    let given = |index: usize, from: &str, suffix: &str| -> Name {
        node.text(index).unwrap_or_else(|| {
            format!("{}{suffix}", super::cut(from, LONGEST_SET.saturating_sub(suffix.len()))).into()
        })
    };
    let addresses6 = given(1, &addresses, "6");
    let stem = addresses6.strip_suffix('6').unwrap_or(&addresses6);
    let sets = IpSets {
        interface_addresses6: given(2, stem, "_if6"),
        igmp: given(3, &addresses, "_igmp"),
        mld: given(4, &addresses, "_mld"),
        neighbour_discovery: given(5, &addresses, "_nd"),
        addresses,
        addresses6,
    };
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = sets.names().into_iter().find(|name| !seen.insert((*name).clone())) {
        context.report(
            Diagnostic::error("duplicate-name", format!("two sets would be called `{twice}`"))
                .at(node.span(), "no sets are used"),
        );
        return None;
    }
    Some(sets)
}
