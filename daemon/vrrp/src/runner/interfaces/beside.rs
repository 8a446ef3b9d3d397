//! What is heard on macvlans of virtual routers. Their routers listen on the interface below, which the same frames reach;
//! but for those that come from the macvlan's own hardware address: of frames to a group, the kernel hands these to the
//! macvlan alone. Every router of one id that uses a VMAC has the same, so these are the adverts that a backup must not miss.

use keepwatch_bus::subject::Name;
use keepwatch_net::socket::{Carrier, VrrpReceiver};

use crate::Node;

use super::{Interfaces, Listener, Slot, family};

impl Interfaces {
    /// Learns which macvlans routers have, and listens no more on those that they had.
    pub(super) fn know_macvlans(&mut self, node: &Node) {
        let macvlan = |router: &crate::Router| {
            let spec = router.spec();
            Some((spec.heard_beside.clone()?, (spec.interface.clone()?, family(spec.family))))
        };
        self.macvlans = node.routers().filter_map(macvlan).collect();
        let known: Vec<_> = self.macvlans.keys().filter_map(|name| self.index(name)).collect();
        self.close(|listener| {
            listener.beside.is_some() && !listener.index.is_some_and(|at| known.contains(&at))
        });
    }

    /// Listens on the macvlan of this name, if it is one and there.
    pub(super) fn listen_beside(&mut self, name: &Name, node: &mut Node) {
        let Some((below, family)) = self.macvlans.get(name).cloned() else { return };
        let Some(report) = self.table.by_name(name).map(|link| &link.report) else { return };
        let (index, Some(hardware)) = (report.index, report.hardware) else { return };
        let open = |listener: &Listener| listener.index == Some(index) && listener.family == family;
        if self.listeners.iter().flatten().any(|one| open(one) && one.beside == Some(hardware)) {
            return;
        }
        self.close(open);
        match VrrpReceiver::open_beside(family, (index, name), hardware) {
            Ok(socket) => {
                let free = self.listeners.iter().position(Option::is_none).unwrap_or(self.listeners.len());
                self.listeners.resize_with(self.listeners.len().max(free + 1), || None);
                // To its router it came in at home.
                let (link, carrier) = (node.link(&below), Carrier::Plain);
                let listener = Listener {
                    link,
                    socket,
                    index: Some(index),
                    family,
                    carrier,
                    buffer: None,
                    beside: Some(hardware),
                };
                self.listeners[free] = Some(listener);
                self.fresh.push(Slot(free));
            }
            Err(_) => drop(self.deaf.insert((Some(below), family))),
        }
    }

    /// The same for all above this one.
    pub(super) fn listen_beside_above(&mut self, below: &Name, node: &mut Node) {
        let above = self.macvlans.iter().filter(|(_, (base, _))| base == below);
        for name in above.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.listen_beside(&name, node);
        }
    }

    fn index(&self, name: &Name) -> Option<keepwatch_net::link::LinkIndex> {
        self.table.by_name(name).map(|link| link.report.index)
    }
}
