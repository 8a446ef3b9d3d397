//! What an interface that was made keeps for as long as it is there: the VRF of the interface below, and an ipvlan its address.

use std::net::IpAddr;

use keepwatch_bus::subject::Name;
use keepwatch_model::VmacKind;
use keepwatch_net::address::{AddressOperation, AddressSpec};
use keepwatch_net::link::LinkIndex;
use nix::errno::Errno;
use nix::libc;

use super::{Vmacs, request};
use crate::spec::VmacPlan;

impl Vmacs {
    /// Sees to one that is there, above an interface in this VRF or in none.
    pub(super) fn keep_right(
        &mut self,
        plan: &VmacPlan,
        name: &Name,
        vrf: Option<LinkIndex>,
    ) -> Result<(), Errno> {
        let Some(report) = self.links.by_name(name).map(|link| &link.report) else { return Ok(()) };
        let (index, master) = (report.index, report.master);
        // In a bridge, say, somebody wants it there.
        if master != vrf && master.is_none_or(|master| self.is_vrf(master)) {
            self.requests.push(libc::RTM_NEWLINK, 0, &request::in_vrf(index, vrf));
            self.one()?;
            self.hear();
        }
        self.address(plan, name)
    }

    /// The address of an ipvlan is there from the start, and put back if somebody removes it: without it nothing can be sent.
    pub(super) fn address(&mut self, plan: &VmacPlan, name: &Name) -> Result<(), Errno> {
        let VmacKind::Ipvlan { address: Some(prefix), .. } = &plan.settings.kind else { return Ok(()) };
        let Some(link) = self.links.by_name(name) else { return Ok(()) };
        if link.addresses.iter().any(|there| there.address == prefix.address) {
            return Ok(());
        }
        let mut spec = AddressSpec::new(prefix.address, prefix.length);
        if matches!(prefix.address, IpAddr::V6(_)) && prefix.length == 128 {
            spec.preferred_lifetime = Some(0);
        }
        self.requests.push_address(AddressOperation::Add, link.report.index, &spec);
        match self.one() {
            Err(Errno::EEXIST) => Ok(()),
            done => done,
        }
    }
}
