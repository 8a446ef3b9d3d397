//! Settings of the kernel (sysctls) that macvlans need: of their own, of the interface below, and of all.

use std::collections::{BTreeSet, HashSet};

use keepwatch_bus::subject::{Family, Name};
use keepwatch_model::VmacKind;

use crate::runner::sysctls::Sysctls;
use crate::spec::{VmacPlan, is_mark, mark_and_memory};

use super::Vmacs;

impl Vmacs {
    /// How a macvlan and the interface below must answer: each for its own addresses, and only there. For all families that
    /// it has addresses of.
    pub(super) fn settle(&mut self, plan: &VmacPlan, name: &Name) {
        if matches!(plan.settings.kind, VmacKind::Ipvlan { .. }) {
            return;
        }
        let Some(kept) = self.kept.iter_mut().find(|kept| kept.name == *name) else { return };
        kept.settled.clone_from(&kept.families);
        let families = kept.families.clone();
        let own = |sysctl: &str, value: &str| {
            // They go with the interface, so there is nothing to restore.
            Sysctls::default().set(sysctl, value);
        };
        own(&format!("ipv4/conf/{name}/arp_ignore"), "1");
        own(&format!("ipv6/conf/{name}/addr_gen_mode"), "1");
        if let Some(without) = without_ipv6(&families) {
            own(&format!("ipv6/conf/{name}/disable_ipv6"), &without);
        }
        // What a router of the LAN tells is for the interface below. Here the kernel would ask for it with the virtual hardware
        // address, and make addresses of that: on a backup, too.
        own(&format!("ipv6/conf/{name}/accept_ra"), "0");
        if !families.contains(&Family::Inet) {
            return;
        }
        own(&format!("ipv4/conf/{name}/accept_local"), "1");
        own(&format!("ipv4/conf/{name}/promote_secondaries"), "1");
        for setting in bases(plan, &families) {
            // Where addresses of the macvlan are the source, the interface below does not tell of them in its questions.
            let value = if setting.ends_with("arp_announce") { "2" } else { "1" };
            self.sysctls.set(&setting, value);
        }
        // The stricter of the interface's and of `all` counts: what `all` says, every interface is to say by itself.
        if let Some(all) = Sysctls::get("ipv4/conf/all/rp_filter").filter(|all| all != "0") {
            let others =
                self.links.iter().map(|link| link.report.name.clone()).filter(|other| **other != **name);
            let names: Vec<Name> = others.chain([Name::from("default")]).collect();
            for other in names {
                let setting = format!("ipv4/conf/{other}/rp_filter");
                if Sysctls::get(&setting).is_some_and(|value| value < all) {
                    self.sysctls.set(&setting, &all);
                }
            }
            self.sysctls.set("ipv4/conf/all/rp_filter", "0");
        }
        own(&format!("ipv4/conf/{name}/rp_filter"), "0");
    }
}

impl Vmacs {
    /// What the run that made an interface had changed for it, if that was killed: it is restored as if this one had.
    pub(super) fn recall(&mut self, name: &Name) {
        let Some(alias) = self.links.by_name(name).and_then(|link| link.report.alias.clone()) else { return };
        if is_mark(&alias) {
            self.sysctls.recall(mark_and_memory(&alias).1);
        }
    }

    /// Settings that no VMAC needs any more are again what they were.
    pub(super) fn restore_settings(&mut self) {
        let needed: HashSet<String> =
            self.kept.iter().flat_map(|kept| bases(&kept.plan, &kept.families)).collect();
        self.sysctls
            .restore(|setting| needed.contains(setting) || !self.kept.is_empty() && is_rp_filter(setting));
    }
}

/// What `disable_ipv6` is to be: with addresses of IPv6, what new interfaces of this host get.
fn without_ipv6(families: &BTreeSet<Family>) -> Option<String> {
    match families.contains(&Family::Inet6) {
        true => Sysctls::get("ipv6/conf/default/disable_ipv6"),
        false => Some("1".to_owned()),
    }
}

/// What is changed of the interface below a macvlan that has addresses of IPv4.
fn bases(plan: &VmacPlan, families: &BTreeSet<Family>) -> Vec<String> {
    if !families.contains(&Family::Inet) || matches!(plan.settings.kind, VmacKind::Ipvlan { .. }) {
        return Vec::new();
    }
    ["arp_ignore", "arp_filter", "arp_announce"]
        .iter()
        .map(|setting| format!("ipv4/conf/{}/{setting}", plan.base))
        .collect()
}

/// Whether a setting is the filter by the way back.
fn is_rp_filter(setting: &str) -> bool {
    setting.ends_with("/rp_filter")
}
