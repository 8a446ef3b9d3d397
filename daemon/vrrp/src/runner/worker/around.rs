//! What the thread does around addresses: interfaces that routers stand on, packets that are dropped, routes, rules, and
//! settings of the kernel. Each has its keeper; this says which of them does what, and when.

use std::collections::HashSet;
use std::time::Instant;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{LinkFact, VrrpFact};
use keepwatch_bus::subject::Name;
use keepwatch_net::link::LinkIndex;

use crate::Definitions;
use crate::spec::VmacPlan;

use super::Worker;
use crate::runner::firewall::{Firewall, Reporter};
use crate::runner::outgoing::Change;
use crate::runner::routing::{self, Owner, Routing, Wish};
use crate::runner::vmacs::{self, Vmacs};

impl Worker {
    /// Routes and rules come after what is announced: that must not wait for them.
    pub(super) fn see_to_routing(&mut self) {
        while self.wishes.front().is_some_and(|(after, _)| *after <= self.answered)
            && let Some((_, wish)) = self.wishes.pop_front()
        {
            self.fulfil(wish);
        }
        while let Some((router, cause)) = self.lifts.next(self.answered) {
            if let Some(firewall) = &mut self.firewall {
                firewall.lift(router, Some(cause));
            }
        }
        if let Some(vmacs) = &mut self.vmacs {
            let call = self.beat.begin("makes interfaces");
            let changed = vmacs.work(Instant::now());
            drop(call);
            if changed {
                self.move_reports(None);
            }
        }
        if let Some(routing) = &mut self.routing {
            let _call = self.beat.begin("changes routes and rules");
            let now = Instant::now();
            routing.hear(now);
            routing.work(now);
        }
    }

    /// The interfaces that an earlier run may have left, if they have not been looked for, and no router has one made.
    pub(super) fn strays(&self, definitions: &Definitions) -> Option<Vec<VmacPlan>> {
        let wanted = !self.shadow && !self.strays_swept && definitions.vmacs.is_empty();
        wanted.then(|| vmacs::strays(definitions))
    }

    /// Looks for them and removes them. Where that can't be done there is nobody to tell: no router wants one; the next
    /// reload looks again.
    pub(super) fn sweep_strays(&mut self, strays: &[VmacPlan], cause: Option<EventId>) {
        let _call = self.beat.begin("removes interfaces");
        if let Ok(mut vmacs) = Vmacs::open(self.bus.clone()) {
            self.strays_swept = true;
            self.strange = vmacs.sweep_strays(strays, cause);
        }
    }

    /// Interfaces are there before the routers that have them made.
    pub(super) fn prepare_vmacs(&mut self, definitions: &mut Definitions, cause: Option<EventId>) {
        if self.shadow {
            return;
        }
        let first = !std::mem::replace(&mut self.strays_swept, true);
        if self.vmacs.is_none() && !definitions.vmacs.is_empty() {
            match Vmacs::open(self.bus.clone()) {
                Ok(vmacs) => self.vmacs = Some(Box::new(vmacs)),
                Err(error) => vmacs::refuse_all(&self.bus, &definitions.vmacs, &error, cause),
            }
        }
        if let Some(vmacs) = &mut self.vmacs {
            let _call = self.beat.begin("makes interfaces");
            vmacs.prepare(definitions, cause);
            if first {
                self.strange = vmacs.sweep_strays(&vmacs::strays(definitions), cause);
            }
        }
        self.move_reports(cause);
    }

    /// What the kernel reports of the groups of macvlans leaves by the interfaces below, of those that are there now.
    pub(super) fn move_reports(&mut self, cause: Option<EventId>) {
        let Some(reporters) = self.vmacs.as_ref().map(|vmacs| vmacs.reporters()) else { return };
        if reporters.is_empty() && self.firewall.is_none() {
            return;
        }
        match self.firewall() {
            Ok(firewall) => firewall.move_reports(reporters, cause),
            Err(error) => {
                for Reporter { name: interface, .. } in reporters {
                    let error = error.to_string();
                    self.bus.publish(cause, LinkFact::ReportsNotMoved { interface, error });
                }
            }
        }
    }

    /// Before an address is there, packets to it are dropped.
    pub(super) fn drop_first(&mut self, change: &Change, links: &[Option<LinkIndex>]) {
        let addresses = change.addresses.iter().zip(links);
        let dropped = addresses.map(|(address, link)| (address.address, link.map(|link| link.0))).collect();
        let (router, instance) = (change.router, &change.spec.name);
        self.lifts.forget(router);
        // If there is no firewall, the wish that follows a takeover says so.
        if let Ok(firewall) = self.firewall() {
            firewall.drop_more(router, instance, dropped, Some(change.cause));
        }
    }

    fn firewall(&mut self) -> keepwatch_net::Result<&mut Firewall> {
        let firewall = match self.firewall.take() {
            Some(firewall) => firewall,
            None => Firewall::open(self.bus.clone(), self.firewall_settings.clone(), self.shadow)?,
        };
        Ok(self.firewall.insert(firewall))
    }

    pub(super) fn configure_firewall(&mut self, definitions: &Definitions) {
        self.firewall_settings = definitions.firewall.clone();
        if let Some(firewall) = &mut self.firewall {
            firewall.configure(&definitions.firewall);
        }
    }

    /// What is dropped for a router follows its wish; when it wants nothing, that is lifted only when its addresses are off.
    fn follow_drops(&mut self, wish: &Wish) {
        let (Owner::Router(router), Some(instance)) = (wish.owner, &wish.instance) else { return };
        if !wish.wanted {
            return;
        }
        let index = |name: &Option<Name>| nix::net::if_::if_nametoindex(&**name.as_ref()?).ok();
        let dropped: Vec<_> = wish.dropped.iter().map(|(address, name)| (*address, index(name))).collect();
        let known = self.firewall.as_ref().is_some_and(|firewall| firewall.has(router));
        if !dropped.is_empty() || known {
            let cause = wish.cause;
            match self.firewall() {
                Ok(firewall) => firewall.drop_only(router, instance, dropped, cause),
                Err(error) => {
                    let (instance, error) = (instance.clone(), error.to_string());
                    self.bus.publish(cause, VrrpFact::DropFailed { instance, error });
                }
            }
        }
    }

    pub(super) fn fulfil(&mut self, wish: Wish) {
        self.follow_drops(&wish);
        let _call = self.beat.begin("changes routes and rules");
        if self.routing.is_none() && !wish.entries.is_empty() {
            // Without a socket nothing can be kept; the next wish tries again.
            match Routing::open(self.bus.clone(), self.shadow) {
                Ok(routing) => self.routing = Some(Box::new(routing)),
                Err(error) if wish.wanted => {
                    routing::refuse(&self.bus, &wish, &error);
                    self.unrouted.insert(wish.owner);
                }
                Err(_) => {}
            }
        }
        if !wish.wanted && self.unrouted.remove(&wish.owner) {
            routing::renounce(&self.bus, &wish);
        }
        if let Some(routing) = &mut self.routing {
            self.unrouted.remove(&wish.owner);
            routing.fulfil(wish);
        }
    }

    /// What is the same for all routers.
    pub(super) fn configure(&mut self, definitions: &Definitions) {
        self.garp_groups = definitions.garp_groups.clone();
        if self.shadow {
            return;
        }
        self.promoting = definitions.promoting.iter().cloned().collect();
        let wanted: HashSet<String> = self.promoting.iter().map(promotion).collect();
        self.sysctls.restore(|setting| wanted.contains(setting));
        wanted.iter().for_each(|setting| self.sysctls.set(setting, "1"));
    }

    /// Once what was taken off is off, settings are what they were; but for those that the configuration has otherwise.
    pub(super) fn lower_shield(&mut self) {
        let Self { shield: (until, held), answered, promoting, .. } = self;
        if *until <= *answered && !held.is_empty() {
            held.release(|interface| promoting.contains(interface));
        }
    }

    /// An interface may have come, or have been made again, since that was set.
    pub(super) fn promote(&mut self, change: &Change) {
        let names = change.addresses.iter().filter_map(|address| change.spec.interface_of(address));
        let names: HashSet<&Name> = names.filter(|name| self.promoting.contains(*name)).collect();
        names.into_iter().for_each(|name| self.sysctls.set(&promotion(name), "1"));
    }
}

/// The setting by which the next address of an interface takes the place of a primary one that is taken off.
fn promotion(interface: &Name) -> String {
    format!("ipv4/conf/{interface}/promote_secondaries")
}
