//! Interfaces.

use std::time::Duration;

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_seconds};
use crate::model::{DynamicInterfaces, InterfaceDelays, LinkbeatInterface, LinkbeatMethod};
use crate::preprocess::Context;
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one, opt};
use crate::tree::Node;
use crate::words::Word;

pub(super) const LINKS: Block<GlobalDraft> = Block(&[
    kw(
        "dynamic_interfaces",
        &[opt("allow_if_changes", Kind::Word)],
        "Interfaces may appear later; with the option even as another type, or on another interface.",
    )
    .example("dynamic_interfaces")
    .sets(dynamic_interfaces),
    kw("default_interface", &[one("INTERFACE", Kind::Interface)], "Interface of addresses that name none.")
        .default("eth0")
        .example("default_interface eth0")
        .sets(|to, node, _| to.model.default_interface = node.text(0)),
    flag("disable_local_igmp", "The kernel reports no membership of groups of the link.")
        .example("disable_local_igmp")
        .sets(|to, _, _| to.model.disable_local_igmp = true),
    kw("vmac_prefix", &[one("PREFIX", Kind::Word)], "What names of VMAC interfaces begin with.")
        .first_counts()
        .default("vrrp")
        .example("vmac_prefix vmac")
        .sets(|to, node, _| to.model.vmac_prefixes.instances = node.text(0).unwrap_or_default()),
    kw("vmac_addr_prefix", &[one("PREFIX", Kind::Word)], "The same for VMACs of single addresses.")
        .first_counts()
        .default("vmac_prefix")
        .example("vmac_addr_prefix vip")
        .sets(|to, node, _| to.vmac_address_prefix = node.text(0)),
]);

fn dynamic_interfaces(to: &mut GlobalDraft, node: &Node, context: &mut Context) {
    let dynamic = &mut to.model.dynamic_interfaces;
    let may_change = match node.arg(0) {
        None => false,
        Some("allow_if_changes") => true,
        Some(other) => {
            context.report(
                Diagnostic::error("invalid-value", format!("`{other}` is not known"))
                    .at(node.arg_span(0), "expected `allow_if_changes` or nothing")
                    .help("interfaces may come and go with or without it"),
            );
            *dynamic == DynamicInterfaces::MayChange
        }
    };
    *dynamic = if may_change { DynamicInterfaces::MayChange } else { DynamicInterfaces::Allowed };
}

/// A line of `interface_up_down_delays`: an interface and one or two times.
pub(super) fn delays(words: &[Word], context: &mut Context) -> Option<InterfaceDelays> {
    const MOST_MICROS: u64 = 255_000_000;
    let (interface, delays) = words.split_first()?;
    let name = line_interface(interface, "interface_up_down_delays", context)?;
    let Some((down, up)) = delays.split_first() else {
        let diagnostic = Diagnostic::warning(
            "missing-value",
            "`interface_up_down_delays` needs a time after the interface",
        );
        context.report(diagnostic.at(interface.span.after(), "missing here"));
        return None;
    };
    if let Some(more) = up.get(1) {
        context.report(
            Diagnostic::warning("extra-words", "`interface_up_down_delays` takes no more than two times")
                .at(more.span, "has no effect"),
        );
    }
    let down = line_seconds(down, MOST_MICROS, context)?;
    let up = match up.first() {
        Some(up) => line_seconds(up, MOST_MICROS, context)?,
        None => Duration::ZERO,
    };
    Some(InterfaceDelays { interface: name, down, up })
}

/// A line of `linkbeat_interfaces`: an interface and how it is asked.
pub(super) fn linkbeat(words: &[Word], context: &mut Context) -> Option<LinkbeatInterface> {
    let interface = line_interface(words.first()?, "linkbeat_interfaces", context)?;
    let method = match words.get(1).map(|word| &*word.text) {
        Some("MII") => Some(LinkbeatMethod::Mii),
        Some("ETHTOOL") => Some(LinkbeatMethod::Ethtool),
        Some("IOCTL") => Some(LinkbeatMethod::Ioctl),
        Some(_) | None => None,
    };
    let understood = 1 + usize::from(method.is_some());
    if let Some(word) = words.get(understood) {
        context.report(
            Diagnostic::error("unknown-option", format!("`{}` is not understood here", word.text))
                .at(word.span, "has no effect")
                .help("after the interface there may be one of MII, ETHTOOL, IOCTL"),
        );
    }
    Some(LinkbeatInterface { interface, method })
}
