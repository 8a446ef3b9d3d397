//! VMAC and ipvlan of an instance: what they are called, and the model of them.

use std::collections::HashSet;

use crate::diagnostics::Diagnostic;
use crate::model::{Name, Vmac, VmacKind};
use crate::preprocess::Context;
use crate::schema::instance::{InstanceDraft, KindDraft, VmacDraft};

/// The interface of an instance is there before any instance makes one: a VMAC cannot have its name.
#[allow(clippy::vec_box)] // as in the draft
pub(super) fn drop_taken_names(instances: &mut [Box<InstanceDraft>], context: &mut Context) {
    let is_named = |draft: &InstanceDraft| draft.vmac.as_ref().is_some_and(|vmac| vmac.interface.is_some());
    if !instances.iter().any(|draft| is_named(draft)) {
        return;
    }
    let taken: HashSet<Name> = instances.iter().filter_map(|draft| draft.interface.clone()).collect();
    for draft in instances {
        let Some(vmac) = &mut draft.vmac else { continue };
        if let Some((name, at)) = vmac.interface.take_if(|(name, _)| taken.contains(name)) {
            let message = format!("`{name}` is the interface of an instance, and no name for another one");
            let label = "a name is made of the VRID";
            context.report(Diagnostic::error("duplicate-name", message).at(at, label));
        }
    }
}

impl VmacDraft {
    pub(super) fn finish(self, vrid: u8, xmit_base: bool) -> Vmac {
        let kind = match self.kind {
            KindDraft::Macvlan { mac, netlink_notify } => VmacKind::Macvlan {
                mac: mac.map(|mac| {
                    let [a, b, c, d, e, f] = mac.bytes;
                    [a, b, c, d, e, if mac.ends_in_vrid { vrid } else { f }]
                }),
                netlink_notify,
                xmit_base,
            },
            KindDraft::Ipvlan { mode, address, .. } => {
                VmacKind::Ipvlan { mode: mode.unwrap_or_default(), address }
            }
        };
        Vmac { interface: self.interface.map(|(name, _)| name), group: self.group, kind }
    }
}
