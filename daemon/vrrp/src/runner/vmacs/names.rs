//! What interfaces of virtual routers are called, and which of those that are there already they are.

use keepwatch_bus::subject::{Family, Name};
use keepwatch_model::VmacKind;
use keepwatch_net::link::{Link, LinkKind, MACVLAN_MODE_PRIVATE};
use nix::libc;

use crate::spec::{VmacPlan, is_mark, mark_and_memory};

use super::Vmacs;
use super::request::{hardware, ipvlan_flags};

impl Vmacs {
    /// What an interface is to be called: as configured, else after the virtual router; the next such name where there is
    /// another interface of that one. A macvlan of its hardware address that is there keeps its name: there can be no
    /// second one.
    pub(super) fn name(&self, plan: &VmacPlan) -> Name {
        if let Some(there) = self.stray(plan, |link| self.may_adopt(link, plan)) {
            return there;
        }
        let vrid = plan.vrid.0;
        let prefix = &plan.prefix;
        let first = usual_name(plan);
        let second = (plan.family == Family::Inet6).then(|| format!("{prefix}6.{vrid}"));
        let more = (1..=u8::MAX).map(|number| format!("{prefix}{number}.{vrid}"));
        let configured = plan.settings.interface.as_ref().map(ToString::to_string);
        let mut names = configured.into_iter().chain([first.clone()]).chain(second).chain(more);
        let free = |name: &String| {
            let taken = self.kept.iter().any(|kept| *kept.name == **name);
            let fits = self
                .links
                .by_name(name)
                .is_none_or(|link| self.fits(link, plan) && self.may_adopt(link, plan));
            !taken && fits && name.len() < libc::IFNAMSIZ
        };
        names.find(free).unwrap_or(first).into()
    }

    /// Whether an interface that is what a plan wants may become its interface, which goes with the daemon: not one that
    /// somebody made for addresses or virtual routers of the configuration, which name it.
    fn may_adopt(&self, link: &Link, plan: &VmacPlan) -> bool {
        let name = &link.report.name;
        let own = plan.settings.interface.as_ref() == Some(name) || usual_name(plan) == **name;
        own || is_marked(link) || !self.named.contains(name)
    }

    /// A macvlan that is what a plan wants, nobody's here so far, and as `suits` says.
    pub(super) fn stray(&self, plan: &VmacPlan, suits: impl Fn(&Link) -> bool) -> Option<Name> {
        let is_macvlan = |link: &&Link| matches!(link.report.kind, LinkKind::Macvlan { .. });
        let is_ours =
            |name: &Name| self.leaving.contains_key(name) || self.kept.iter().any(|kept| kept.name == *name);
        let mut fitting = self.links.iter().filter(is_macvlan).filter(|link| self.fits(link, plan));
        fitting.find(|link| !is_ours(&link.report.name) && suits(link)).map(|link| link.report.name.clone())
    }

    /// Whether an interface is what a plan wants: left by a run that ended badly, or made by hand.
    pub(super) fn fits(&self, link: &Link, plan: &VmacPlan) -> bool {
        let base = self.links.by_name(&plan.base).map(|base| base.report.index);
        match (&plan.settings.kind, link.report.kind) {
            (VmacKind::Macvlan { .. }, LinkKind::Macvlan { below, mode }) => {
                Some(below) == base
                    && mode == MACVLAN_MODE_PRIVATE
                    && link.report.hardware == Some(hardware(plan))
            }
            (VmacKind::Ipvlan { mode, .. }, LinkKind::Ipvlan { below, flags, .. }) => {
                Some(below) == base && flags == ipvlan_flags(*mode)
            }
            _ => false,
        }
    }
}

/// Whether a run of keepwatch has made an interface.
pub(super) fn is_marked(link: &Link) -> bool {
    link.report.alias.as_deref().is_some_and(is_mark)
}

/// Whether the run that made an interface made it for the virtual router of this mark.
pub(super) fn bears(link: &Link, mark: &str) -> bool {
    link.report.alias.as_deref().is_some_and(|alias| mark_and_memory(alias).0 == mark)
}

/// What an interface is called that has no name of its own, if nothing else is.
pub(super) fn usual_name(plan: &VmacPlan) -> String {
    format!("{}.{}", plan.prefix, plan.vrid.0)
}
