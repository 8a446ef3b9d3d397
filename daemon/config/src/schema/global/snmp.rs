//! SNMP.

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::model::Name;
use crate::preprocess::Context;
use crate::schema::entry::Block;
use crate::schema::{Arg, Kind, flag, kw, one};
use crate::tree::Node;

const AGE: &[Arg] = &[one("SECONDS", Kind::Seconds(1000, 30_000_000))];

pub(super) const SNMP: Block<GlobalDraft> = Block(&[
    kw("snmp_socket", &[one("SOCKET", Kind::Word)], "Where the SNMP master agent listens.")
        .first_counts()
        .default("unix:/var/agentx/master")
        .exact()
        .example("snmp_socket tcp:192.0.2.4:705")
        .sets(|to, node, context| to.model.snmp.socket = socket(node, context)),
    flag("enable_snmp_vrrp", "Serve the VRRP part of KEEPALIVED-MIB.")
        .old(&["enable_snmp_keepalived"])
        .example("enable_snmp_vrrp")
        .sets(|to, _, _| to.model.snmp.vrrp = true),
    flag("enable_snmp_checker", "Serve the checker part of KEEPALIVED-MIB.")
        .example("enable_snmp_checker")
        .sets(|to, _, _| to.model.snmp.checker = true),
    flag("enable_snmp_rfc", "Serve VRRP-MIB and VRRPV3-MIB.").example("enable_snmp_rfc").sets(|to, _, _| {
        (to.model.snmp.rfc_v2, to.model.snmp.rfc_v3) = (true, true);
    }),
    flag("enable_snmp_rfcv2", "Serve VRRP-MIB (RFC 2787).")
        .example("enable_snmp_rfcv2")
        .sets(|to, _, _| to.model.snmp.rfc_v2 = true),
    flag("enable_snmp_rfcv3", "Serve VRRPV3-MIB (RFC 6527).")
        .example("enable_snmp_rfcv3")
        .sets(|to, _, _| to.model.snmp.rfc_v3 = true),
    flag("enable_traps", "Send SNMP traps.")
        .example("enable_traps")
        .sets(|to, _, _| to.model.snmp.traps = true),
    kw("snmp_vs_stats_update_interval", AGE, "How old virtual servers' figures may be.")
        .default("5")
        .example("snmp_vs_stats_update_interval 2.5")
        .sets(|to, node, _| {
            let interval = &mut to.model.snmp.vs_stats_interval;
            *interval = node.seconds(0).unwrap_or(*interval);
        }),
    kw("snmp_rs_stats_update_interval", AGE, "How old real servers' figures may be.")
        .default("snmp_vs_stats_update_interval")
        .example("snmp_rs_stats_update_interval 2.5")
        .sets(|to, node, _| to.rs_stats = node.seconds(0)),
]);

/// Where the master agent listens. AgentX needs a stream (RFC 2741 §8.1): over another transport, which keepalived's
/// manual page has as its example, nothing is reached, and the usual place is tried.
fn socket(node: &Node, context: &mut Context) -> Option<Name> {
    const NO_STREAM: &[&str] = &["udp:", "udp6:", "udpv6:", "udpipv6:", "dtlsudp:", "dtlsudp6:"];
    let text = node.text(0)?;
    let Some(address) = NO_STREAM.iter().find_map(|transport| text.strip_prefix(transport)) else {
        return is_address(&text, node, context).then_some(text);
    };
    let transport = text.split(':').next().unwrap_or("");
    let diagnostic = Diagnostic::warning("snmp-transport", format!("AgentX does not go over `{transport}`"))
        .at(node.arg_span(0), "expected `unix:PATH` or `tcp:HOST:PORT`; unix:/var/agentx/master is used");
    context.report(diagnostic.suggest(node.arg_span(0), format!("tcp:{address}"), "use TCP"));
    None
}

/// Is it what `--snmp-agent-socket` takes, too?
fn is_address(text: &str, node: &Node, context: &mut Context) -> bool {
    let is_address = text.parse::<snmp_agentx::Address>().is_ok();
    if !is_address {
        let message = format!("`{text}` is no address of an SNMP master agent");
        let label = "expected `unix:PATH`, `tcp:HOST:PORT` or `tcp:PORT`; unix:/var/agentx/master is used";
        context.report(Diagnostic::error("invalid-address", message).at(node.arg_span(0), label));
    }
    is_address
}
