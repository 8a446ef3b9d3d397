//! What an instance sends on: its interface, VMAC or VRF, and whether it is unicast.

use crate::diagnostics::{Diagnostic, Outcome};
use crate::link_local::is_link_local;
use crate::model::{ConfigFault, Family, LinkTarget, Name};
use crate::preprocess::Context;
use crate::schema::instance::{InstanceDraft, KindDraft, VmacDraft};

/// The interface; `None` outside when the instance cannot run without one (reported).
pub(super) fn interface(draft: &mut InstanceDraft, context: &mut Context) -> Option<Option<Name>> {
    let interface = draft.interface.take();
    let unicast_source = match draft.path.source {
        Some((source, _)) => draft.path.unicast_keyword.is_some() && !is_link_local(source),
        None => false,
    };
    if interface.is_some() || unicast_source {
        return Some(interface);
    }
    if draft.bad.contains(&"interface") {
        context.leads_to(Outcome::CannotRun);
        return None;
    }
    context.report(
        Diagnostic::error("missing-interface", format!("`{}` has no `interface`", draft.name))
            .fatal()
            .at(draft.at, "this instance cannot run")
            .help(
                "for example: `interface eth0`; only a unicast instance needs none, if it has a source address \
                 that is not link-local",
            ),
    );
    None
}

/// Unicast as far as it may be; `None` outside when the instance cannot run (reported), inside why it stays in FAULT.
pub(super) fn unicast(
    draft: &mut InstanceDraft,
    strict: bool,
    has_interface: bool,
    context: &mut Context,
) -> Option<Option<ConfigFault>> {
    let Some(keyword) = draft.path.unicast_keyword else { return Some(None) };
    if let Some((_, at)) = draft.path.peers.first() {
        if strict && has_interface {
            let message = "strict mode does not go with `unicast_peer`";
            context.report(Diagnostic::error("strict", message).fatal().at(*at, "this instance cannot run"));
            return None;
        }
        return Some(None);
    }
    if draft.path.fault_without_peers {
        return Some(Some(ConfigFault::UnicastWithoutPeers));
    }
    // Of `unicast_ttl` that is said where it is settled.
    if !draft.path.peers_written && draft.path.unicast_ttl.is_none() {
        let message = format!("`{}` has settings of unicast but no peers", draft.name);
        let diagnostic = Diagnostic::warning("unicast-without-peers", message).changes();
        context.report(diagnostic.at(keyword, "adverts go to the multicast group"));
    }
    Some(None)
}

/// `vrf`, which is for unicast without interface.
pub(super) fn vrf(draft: &mut InstanceDraft, has_interface: bool, context: &mut Context) -> Option<Name> {
    let (vrf, at) = draft.path.vrf.clone()?;
    let message = match (has_interface, draft.path.peers.is_empty()) {
        (true, _) => "`vrf` is for instances without `interface`",
        (false, true) => "`vrf` is for unicast instances",
        (false, false) => return Some(vrf),
    };
    context.report(Diagnostic::error("conflict", message).at(at, "has no effect"));
    None
}

/// VMAC and ipvlan beside unicast and strict mode.
pub(super) fn check_vmac(draft: &mut InstanceDraft, strict: bool, context: &mut Context) {
    let mut say = |code: &'static str, message: &str, at, label: &str| {
        context.report(Diagnostic::error(code, message).at(at, label.to_owned()));
    };
    let unicast = draft.path.unicast_keyword.is_some();
    if let Some(vmac) = draft.vmac.take_if(|_| unicast && draft.interface.is_none()) {
        say("conflict", "a VMAC needs an `interface` below it", vmac.at, "has no effect");
    }
    let Some(vmac) = &mut draft.vmac else {
        if let Some(at) = draft.vmac_xmit_base.take() {
            say("conflict", "`vmac_xmit_base` needs `use_vmac`", at, "has no effect");
        }
        return;
    };
    if let Some(at) = draft.promote_secondaries.take() {
        say("conflict", "`promote_secondaries` is set on every VMAC", at, "has no effect");
    }
    match &mut vmac.kind {
        KindDraft::Macvlan { mac, .. } => {
            if strict && let Some(mac) = mac.take() {
                say("strict", "strict mode does not go with a hardware address", mac.at, "has no effect");
            }
            if unicast && draft.vmac_xmit_base.is_none() {
                say("conflict", "unicast with `use_vmac` needs `vmac_xmit_base`", vmac.at, "it is set");
                draft.vmac_xmit_base = Some(vmac.at);
            }
            if strict && let Some(at) = draft.vmac_xmit_base.take() {
                say("strict", "strict mode does not go with `vmac_xmit_base`", at, "has no effect");
            }
        }
        KindDraft::Ipvlan { .. } => {
            if let Some(at) = draft.vmac_xmit_base.take() {
                say("conflict", "`vmac_xmit_base` needs `use_vmac`", at, "has no effect");
            }
        }
    }
}

/// Addresses that have no interface to go on, not even `default_interface`, are left out; a VMAC is said only once.
pub(super) fn place_addresses(
    draft: &mut InstanceDraft,
    family: Family,
    (interface, default): (Option<&Name>, Option<&Name>),
    context: &mut Context,
) {
    let InstanceDraft { addresses, excluded, vmac, vmac_addr, .. } = draft;
    let on_vmac = vmac.as_ref().is_some_and(|vmac| matches!(vmac.kind, KindDraft::Macvlan { .. }));
    for list in [addresses, excluded] {
        list.retain_mut(|(address, at)| {
            if let (None, Some(default), LinkTarget::Instance) = (interface, default, &address.link) {
                address.link = LinkTarget::Named(default.clone());
            }
            let own = match &address.link {
                LinkTarget::Instance => true,
                LinkTarget::Named(name) => Some(name) == interface,
            };
            if own && vmac.is_some() {
                // `dev` of the interface below is no other place: keepalived puts it on the VMAC as well.
                address.link = LinkTarget::Instance;
            }
            if interface.is_none() && own {
                let message = format!("{address} has no interface to go on");
                let diagnostic = Diagnostic::error("missing-interface", message).at(*at, "left out");
                context
                    .report(diagnostic.help(
                        "say `dev INTERFACE` after it, or name a `default_interface` in `global_defs`",
                    ));
                return false;
            }
            let same_family = Family::of(address.address) == family;
            let by = match (on_vmac && own && same_family, *vmac_addr && !(own && same_family)) {
                (true, _) => Some("use_vmac"),
                (false, true) => Some("use_vmac_addr"),
                (false, false) => None,
            };
            if let (true, Some(by)) = (address.use_vmac, by) {
                let message = format!("{address} goes on a VMAC by `{by}` of the instance");
                context.report(
                    Diagnostic::error("conflict", message).at(*at, "its own `use_vmac` has no effect"),
                );
                address.use_vmac = false;
            }
            true
        });
    }
}

/// An ipvlan over IPv4 needs an address of its own.
pub(super) fn ipvlan_fault(
    vmac: &Option<Box<VmacDraft>>,
    family: Family,
    context: &mut Context,
) -> Option<ConfigFault> {
    let vmac = vmac.as_ref()?;
    let KindDraft::Ipvlan { address: None, address_written, .. } = vmac.kind else { return None };
    if family == Family::Inet6 {
        return None;
    }
    // What is wrong with one that is written was said.
    if !address_written {
        let diagnostic = Diagnostic::error("missing-value", "`use_ipvlan` over IPv4 needs an address");
        context.report(diagnostic.at(vmac.at, "the instance stays in FAULT"));
    }
    Some(ConfigFault::IpvlanWithoutAddress)
}
