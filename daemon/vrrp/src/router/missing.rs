//! Addresses that a master does not have though it should: the kernel refused them (IPv6 is off, the interface is not
//! there, no memory), or still looks whether another host has them, or found one. They are not announced; they are asked
//! for again when something changes on their interface, and with growing patience.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_model::InterfaceAddress;

use super::{Router, State};
use crate::ids::LinkId;
use crate::link::{Links, prefix_of};
use crate::outbox::Output;
use crate::step::Context;

/// From the first refusal to the second try; twice as long each time …
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// … up to this.
const MOST_WAIT: Duration = Duration::from_secs(60);
/// What changes on an interface does not make us try more often than this.
const BETWEEN_TRIES: Duration = Duration::from_millis(250);

/// One of them.
#[derive(Clone, Debug)]
struct Lack {
    address: InterfaceAddress,
    why: Why,
    /// That it is a duplicate has been told.
    told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The kernel refused it.
    Refused,
    /// It was taken off, to be put there in another form at once.
    Changing,
    /// The kernel looks for another host that has it.
    Tentative,
    /// It found one, and keeps the address unusable until it is taken off.
    Duplicate,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing {
    lacks: Vec<Lack>,
    wait: Duration,
    tried: Option<Instant>,
    next: Option<Instant>,
}

impl Missing {
    /// When to ask for them again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn has(&self, address: &InterfaceAddress) -> bool {
        self.lacks.iter().any(|lack| lack.address == *address)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lacks.is_empty()
    }

    /// Why it is missing from now on.
    fn note(&mut self, address: &InterfaceAddress, why: Why) {
        match self.lacks.iter_mut().find(|lack| lack.address == *address) {
            Some(known) => known.why = why,
            None => self.lacks.push(Lack { address: address.clone(), why, told: false }),
        }
    }

    /// It is a duplicate; whether that is news.
    fn is_duplicate(&mut self, address: &InterfaceAddress) -> bool {
        self.note(address, Why::Duplicate);
        let lack = self.lacks.iter_mut().find(|lack| lack.address == *address);
        lack.is_some_and(|lack| !std::mem::replace(&mut lack.told, true))
    }

    /// The kernel said no: try again later.
    fn back_off(&mut self, now: Instant) {
        if self.next.is_none_or(|next| next <= now) {
            self.wait = (self.wait * 2).clamp(LEAST_WAIT, MOST_WAIT);
            self.next = Some(now + self.wait);
        }
    }

    /// Something changed that may make it work.
    fn hurry(&mut self, now: Instant) {
        if let Some(next) = self.next {
            let soonest = self.tried.map_or(now, |tried| now.max(tried + BETWEEN_TRIES));
            self.next = Some(next.min(soonest));
        }
    }

    fn take_due(&mut self, now: Instant) -> Vec<Lack> {
        if self.next.take_if(|next| *next <= now).is_none() {
            return Vec::new();
        }
        self.tried = Some(now);
        let asked = self
            .lacks
            .iter()
            .filter(|lack| !matches!(lack.why, Why::Tentative | Why::Changing))
            .cloned()
            .collect();
        // A duplicate is looked for anew.
        self.lacks.iter_mut().filter(|l| l.why == Why::Duplicate).for_each(|l| l.why = Why::Tentative);
        asked
    }

    /// It is there; what it was missing for, if it was.
    fn came(&mut self, address: &InterfaceAddress) -> Option<Why> {
        let at = self.lacks.iter().position(|lack| lack.address == *address)?;
        let why = self.lacks.swap_remove(at).why;
        if self.lacks.is_empty() {
            *self = Self::default();
        }
        Some(why)
    }

    /// The definition has these addresses now.
    pub(super) fn keep(&mut self, addresses: &[InterfaceAddress]) {
        self.lacks.retain(|lack| addresses.contains(&lack.address));
        if self.lacks.is_empty() {
            *self = Self::default();
        }
    }
}

impl Router {
    /// Those of some addresses that are asked for and will be usable only when the kernel has looked for duplicates.
    pub(super) fn await_tentative(&mut self, links: &mut Links, addresses: &[InterfaceAddress]) {
        let State::Master(master) = &mut self.state else { return };
        for address in addresses.iter().filter(|a| a.detect_duplicates && a.address.is_ipv6()) {
            if !links.of_address(&self.spec, address).has_copy(&address.address, prefix_of(address)) {
                master.missing.note(address, Why::Tentative);
            }
        }
    }

    /// Those of some addresses that are on their interface in another form, which has just been asked to go: the kernel will
    /// tell of that as if somebody had taken them.
    pub(super) fn await_changed(&mut self, links: &mut Links, addresses: &[InterfaceAddress]) {
        let State::Master(master) = &mut self.state else { return };
        for address in addresses {
            let there = links.of_address(&self.spec, address).has(&address.address);
            if there && !master.missing.has(address) {
                master.missing.note(address, Why::Changing);
            }
        }
    }

    /// The kernel did not take an address that was asked for. Whoever asked it has told why.
    pub(crate) fn address_refused(&mut self, now: Instant, address: &InterfaceAddress) {
        let State::Master(master) = &mut self.state else { return };
        if self.spec.addresses.contains(address) {
            master.missing.note(address, Why::Refused);
            master.missing.back_off(now);
        }
    }

    /// The kernel found another host that has one of the addresses.
    pub(crate) fn address_is_duplicate(&mut self, cx: &mut Context<'_>, link: LinkId, address: IpAddr) {
        let Some((since, duplicate)) = self.mine(cx, link, address) else { return };
        let State::Master(master) = &mut self.state else { return };
        let news = master.missing.is_duplicate(&duplicate);
        master.missing.back_off(cx.now);
        if news {
            let Some(address) = self.spec.virtual_address(&duplicate) else { return };
            let instance = self.spec.name.clone();
            let error = "another host on the link has it (duplicate address detection)".to_owned();
            cx.because_of(since).publish(VrrpFact::AddressFailed { instance, address, adding: true, error });
        }
    }

    /// One of the addresses is usable now: if it had to be waited for, it is announced.
    pub(super) fn address_came(&mut self, cx: &mut Context<'_>, link: LinkId, address: IpAddr) {
        let Some((since, came)) = self.mine(cx, link, address) else { return };
        let State::Master(master) = &mut self.state else { return };
        match master.missing.came(&came) {
            Some(Why::Tentative | Why::Duplicate) => {
                let Some(address) = self.spec.virtual_address(&came) else { return };
                let instance = self.spec.name.clone();
                cx.because_of(since).publish(VrrpFact::AddressAdded { instance, address, adopted: false });
                self.announce_some(cx, [came].into(), since);
            }
            // It was announced with the request that put it there.
            Some(Why::Refused | Why::Changing) | None => {}
        }
    }

    /// Something changed on an interface: what was refused may be taken now.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if let State::Master(master) = &mut self.state {
            master.missing.hurry(now);
        }
    }

    pub(super) fn is_missing(&self, address: &InterfaceAddress) -> bool {
        matches!(&self.state, State::Master(master) if master.missing.has(address))
    }

    /// Whether it is master without one of its addresses.
    pub(crate) fn lacks_addresses(&self) -> bool {
        matches!(&self.state, State::Master(master) if !master.missing.is_empty())
    }

    /// Asks again for what is missing, if it is time.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>) {
        let State::Master(master) = &mut self.state else { return };
        let cause = master.since;
        let due = master.missing.take_due(cx.now);
        if due.is_empty() {
            return;
        }
        // The kernel keeps an address that is a duplicate, and would not look again.
        let stuck = due.iter().filter(|lack| lack.why == Why::Duplicate);
        let stuck = stuck.map(|lack| lack.address.clone()).collect();
        self.change_some(cx, stuck, cause, Output::RemoveAddresses);
        self.change_some(cx, due.iter().map(|l| l.address.clone()).collect(), cause, Output::AddAddresses);
        let refused = due.into_iter().filter(|lack| lack.why == Why::Refused);
        self.announce_some(cx, refused.map(|lack| lack.address).collect(), cause);
    }

    /// The event that made it master, and the address of its on `link` that is this one.
    fn mine(
        &self,
        cx: &mut Context<'_>,
        link: LinkId,
        address: IpAddr,
    ) -> Option<(EventId, InterfaceAddress)> {
        let State::Master(master) = &self.state else { return None };
        let here =
            |a: &&InterfaceAddress| a.address == address && cx.links.home(self.spec.interface_of(a)) == link;
        Some((master.since, self.spec.addresses.iter().find(here)?.clone()))
    }
}
