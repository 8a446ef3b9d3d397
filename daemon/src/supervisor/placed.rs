//! The virtual addresses that are on this host's interfaces, as the workers told; and how they come off when there is
//! no worker to do it. In: reports. Out: requests to the kernel's routing socket, in the network that the worker lived
//! in. IPVS entries stay: a director that is not master gets no packets for them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use keepwatch_bus::subject::{Name, VirtualAddress};
use keepwatch_net::address::{AddressOperation, AddressSpec, PROTOCOL_KEEPALIVED, PresentAddress};
use keepwatch_net::link::{Link, LinkKind, LinkTable};
use keepwatch_net::netlink::{AddressSocket, Monitor};
use keepwatch_net::promotion::{Promotion, would_take_along};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::network::Network;

/// What the kernel may take: another may hold its lock for the whole of a large change.
const WITHIN: Duration = Duration::from_secs(2);
/// Requests in one write.
const PER_WRITE: usize = 64;

/// What is where.
#[derive(Default)]
pub(super) struct Placed {
    addresses: BTreeMap<(Name, IpAddr), VirtualAddress>,
    /// What may be there too: a worker that is killed has no time to tell of what it has just put there.
    possible: Vec<VirtualAddress>,
    /// That of the workers; none before one has put an address anywhere.
    network: Option<Network>,
}

/// What came of taking addresses off.
#[derive(Debug, Default)]
pub(super) struct TakenOff {
    /// Those that are off now.
    pub(super) off: usize,
    /// Why others may still be there.
    pub(super) error: Option<String>,
}

/// Which of the addresses come off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Every one.
    All,
    /// Those that bear the mark of VRRP: a worker that ended well left the others on purpose, for they have become the
    /// host's own meanwhile.
    Marked,
}

impl Which {
    fn has(self, present: &PresentAddress) -> bool {
        self == Self::All || present.protocol == PROTOCOL_KEEPALIVED
    }
}

impl Placed {
    /// Whether nothing can be there.
    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.possible.is_empty()
    }

    /// A worker may put an address there; none: no other ones.
    pub(super) fn may(&mut self, worker: u32, at: Option<VirtualAddress>) {
        match at {
            Some(at) => {
                self.live_in(worker);
                self.possible.push(at);
            }
            None => self.told_all(),
        }
    }

    /// The worker ended well: there is nothing that it had no time to tell of.
    pub(super) fn told_all(&mut self) {
        self.possible.clear();
    }

    fn live_in(&mut self, worker: u32) {
        if self.is_empty() {
            self.network = Some(Network::of(worker, self.network.take()));
        }
    }

    /// A worker put an address there.
    pub(super) fn add(&mut self, worker: u32, at: VirtualAddress) {
        self.live_in(worker);
        self.addresses.insert((at.interface.clone(), at.address), at);
    }

    /// A worker took one off.
    pub(super) fn remove(&mut self, at: &VirtualAddress) {
        self.addresses.remove(&(at.interface.clone(), at.address));
    }

    /// They are nobody's business any more: they shall stay.
    pub(super) fn clear(&mut self) {
        self.addresses.clear();
        self.told_all();
    }

    /// Takes those of them off that are still there and fit.
    pub(super) fn take_off(&mut self, which: Which) -> TakenOff {
        let network = self.network.as_ref().unwrap_or(&Network::Own);
        let taken = network.inside(|| self.try_take_off(which)).and_then(|taken| taken);
        let taken = taken.unwrap_or_else(|error| TakenOff { off: 0, error: Some(error) });
        if taken.error.is_none() {
            self.clear();
        }
        taken
    }

    fn has(&self, at: &VirtualAddress) -> bool {
        self.addresses.contains_key(&(at.interface.clone(), at.address))
    }

    fn try_take_off(&self, which: Which) -> Result<TakenOff, String> {
        let mut table = LinkTable::default();
        let mut monitor = Monitor::open().map_err(|error| error.to_string())?;
        let told = monitor.dump(|notification| table.apply(notification, |_| {}));
        told.map_err(|error| error.to_string())?;
        let mut socket = AddressSocket::open().map_err(|error| error.to_string())?;
        let mut going = Vec::new();
        let mut remove = |at: &VirtualAddress, which: Which, link: &Link| {
            let fits = |present: &&PresentAddress| present.address == at.address && which.has(present);
            for present in link.addresses.iter().filter(fits) {
                socket.request(AddressOperation::Remove, present.link, AddressSpec::of(present), ());
                going.push(present.clone());
            }
        };
        for at in self.addresses.values() {
            match table.by_name(&at.interface) {
                Some(link) => remove(at, which, link),
                // One that is gone took its addresses along; one that was renamed has them, and what bears the mark is ours.
                None => table.iter().for_each(|link| remove(at, Which::Marked, link)),
            }
        }
        for at in self.possible.iter().filter(|at| !self.has(at)) {
            // Of what was not told of only the mark says that it is not the host's own. What the interface of a virtual
            // router is called is known once there is one.
            let there = table.iter().filter(|link| {
                *link.report.name == *at.interface
                    || matches!(link.report.kind, LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. })
            });
            there.for_each(|link| remove(at, Which::Marked, link));
        }
        let mut shield = Promotion::default();
        for link in table.iter().filter(|link| would_take_along(link, |address| going.contains(address))) {
            shield.hold(&link.report.name);
        }
        let mut taken = TakenOff::default();
        let until = Instant::now() + WITHIN;
        while !socket.is_idle() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("the kernel does not answer".into());
            }
            socket.work(PER_WRITE, |answer| match answer.result {
                Ok(_) => taken.off += 1,
                Err(errno) => taken.error = Some(errno.desc().into()),
            });
            if !socket.is_idle() && socket.waiting() == 0 {
                let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut watched, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
            }
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use caps::{CapSet, Capability};
    use keepwatch_net::link::LinkIndex;

    use super::*;

    #[test]
    fn where_the_network_of_a_worker_can_t_be_found_nothing_is_taken_off() {
        if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap() {
            return; // Then it is ours.
        }
        let at = || VirtualAddress {
            interface: "kw-none".into(),
            address: IpAddr::from([10, 0, 0, 9]),
            prefix: 24,
        };
        // No process has that number.
        let nobody = u32::MAX;
        let mut placed = Placed::default();
        placed.add(nobody, at());
        let taken = placed.take_off(Which::All);
        let error = taken.error.unwrap_or_default();
        assert!(error.starts_with("their network can't be found: "), "{error}");
        assert!(!placed.is_empty());
        // One that lived when it was asked has told where the next one's are as well.
        placed.clear();
        placed.add(std::process::id(), at());
        placed.remove(&at());
        placed.add(nobody, at());
        assert_eq!(placed.take_off(Which::All).error, None);
    }

    #[test]
    fn what_has_become_the_host_s_own_is_left_where_a_worker_ended_well() {
        let present = |protocol| PresentAddress {
            link: LinkIndex(2),
            address: IpAddr::from([10, 0, 0, 9]),
            prefix: 24,
            peer: None,
            secondary: false,
            tentative: false,
            duplicate: false,
            protocol,
        };
        for (which, protocol, goes) in [
            (Which::All, 0, true),
            (Which::All, PROTOCOL_KEEPALIVED, true),
            (Which::Marked, PROTOCOL_KEEPALIVED, true),
            (Which::Marked, 0, false),
        ] {
            assert_eq!(which.has(&present(protocol)), goes, "{which:?} {protocol}");
        }
    }
}
