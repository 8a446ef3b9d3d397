//! Whose an address is: the host's own, a virtual router's that is master with it, or nobody's any more.
//!
//! | the address bears | and | it is |
//! |---|---|---|
//! | the mark of keepalived and keepwatch | no master here has it | left by a run that ended badly: adopted, or taken off |
//! | no mark, on a kernel that keeps marks | | the host's own: never added, never removed |
//! | no mark, on one that keeps none (before Linux 5.18) | a master here had it put there | that master's |
//! | | its interface has another address of its kind to speak from | left by a run that ended badly |
//! | | it is the last (or the oldest of the last) such address | the host's own |
//!
//! An address that two routers have in common goes when the last of them that is master gives it up.

use std::net::IpAddr;

use keepwatch_bus::subject::Name;

use crate::ids::RouterId;

use super::{Link, Origin};

/// A virtual address of an interface.
#[derive(Debug, Default)]
pub(super) struct Virtual {
    /// The routers whose definition has it.
    claims: Vec<RouterId>,
    /// Those that are master with it, each with the prefix that it has there.
    holders: Vec<Holder>,
}

#[derive(Debug)]
struct Holder {
    router: RouterId,
    name: Name,
    prefix: u8,
}

/// What giving up an address comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has to be taken off.
    Goes,
    /// Another router, of this name, is master with it.
    StaysWith(Name),
    /// It is the host's own.
    Own,
}

impl Link {
    /// A router has this address in its definition.
    pub(crate) fn claim(&mut self, address: IpAddr, router: RouterId) {
        let claims = &mut self.virtuals.entry(address).or_default().claims;
        if !claims.contains(&router) {
            claims.push(router);
        }
        self.sort_plain(address);
    }

    /// A router has it no longer.
    pub(crate) fn disclaim(&mut self, address: IpAddr, router: RouterId) {
        let Some(known) = self.virtuals.get_mut(&address) else { return };
        known.claims.retain(|other| *other != router);
        self.forget_unused(address);
    }

    /// The routers whose definition has this address here.
    pub(crate) fn claimants(&self, address: &IpAddr) -> &[RouterId] {
        self.virtuals.get(address).map_or(&[], |known| known.claims.as_slice())
    }

    /// A router is master with this address from now on.
    pub(crate) fn hold(&mut self, address: IpAddr, prefix: u8, router: RouterId, name: &Name) {
        let holders = &mut self.virtuals.entry(address).or_default().holders;
        match holders.iter_mut().find(|holder| (holder.router, holder.prefix) == (router, prefix)) {
            Some(known) => known.name = name.clone(),
            None => {
                // Hardly ever there is another.
                holders.reserve_exact(1);
                holders.push(Holder { router, name: name.clone(), prefix });
            }
        }
    }

    /// It is no longer.
    pub(crate) fn release(&mut self, address: IpAddr, prefix: u8, router: RouterId) -> Fate {
        let own = self.is_own(&address);
        let Some(known) = self.virtuals.get_mut(&address) else {
            return if own { Fate::Own } else { Fate::Goes };
        };
        known.holders.retain(|holder| (holder.router, holder.prefix) != (router, prefix));
        let other = known.holders.iter().find(|holder| holder.prefix == prefix && holder.router != router);
        let fate = match other {
            _ if own => Fate::Own,
            Some(other) => Fate::StaysWith(other.name.clone()),
            None => Fate::Goes,
        };
        self.forget_unused(address);
        fate
    }

    pub(super) fn is_held(&self, address: IpAddr, prefix: u8) -> bool {
        self.virtuals
            .get(&address)
            .is_some_and(|known| known.holders.iter().any(|holder| holder.prefix == prefix))
    }

    /// Whether an address is there that a run that ended badly left: nobody here is master with it.
    pub(crate) fn is_left_over(&self, address: &IpAddr) -> bool {
        let held = self.virtuals.get(address).is_some_and(|known| !known.holders.is_empty());
        self.has(address) && !held && !self.is_own(address)
    }

    /// Whether an address is there and is the host's own.
    pub(crate) fn is_own(&self, address: &IpAddr) -> bool {
        self.present
            .get(address)
            .is_some_and(|present| present.copies.iter().any(|(_, origin)| *origin == Origin::Host))
    }

    /// Decides whose the claimed addresses are that the kernel could not mark; see the table above.
    pub(super) fn judge_unmarked(&mut self) {
        let unmarked = |link: &Self, address: &IpAddr| {
            link.present
                .get(address)
                .is_some_and(|present| present.copies.iter().any(|(_, o)| *o == Origin::Unmarked))
        };
        let mut open: Vec<IpAddr> =
            self.virtuals.keys().copied().filter(|address| unmarked(self, address)).collect();
        open.sort_by_key(|address| self.present.get(address).map(|present| present.number));
        for address in open {
            let origin = match self.plain.values().any(|other| kind(other) == kind(&address)) {
                true => Origin::Vrrp,
                false => Origin::Host,
            };
            if let Some(present) = self.present.get_mut(&address) {
                let copies = present.copies.iter_mut();
                copies.filter(|(_, o)| *o == Origin::Unmarked).for_each(|copy| copy.1 = origin);
            }
            self.sort_plain(address);
        }
    }

    fn forget_unused(&mut self, address: IpAddr) {
        let unused = self.virtuals.get(&address).is_some_and(|k| k.claims.is_empty() && k.holders.is_empty());
        if unused {
            self.virtuals.remove(&address);
            self.sort_plain(address);
        }
    }
}

/// Addresses of one kind can stand in for each other as a source.
fn kind(address: &IpAddr) -> (bool, bool) {
    match address {
        IpAddr::V4(_) => (true, false),
        IpAddr::V6(address) => (false, address.is_unicast_link_local()),
    }
}
