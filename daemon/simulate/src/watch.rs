//! What must hold at every moment, whatever goes wrong. The rules are asked after each thing that happens; the first
//! that is broken is remembered.
//!
//! While the network is whole and nobody stands still:
//! * two masters last no longer than it takes the one to hear the other;
//! * who is ready to take over has done so after the Master_Down_Interval, if there is no master.
//!
//! Always:
//! * a virtual address that a process put on is on no host whose virtual router is not master;
//! * the members of a sync group are in one state.

use std::net::IpAddr;

use keepwatch_bus::subject::{Name, VrrpState};

use crate::lan::Lan;

/// What the rules need to know of the virtual routers of a LAN.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The virtual routers, each with its addresses.
    pub routers: Vec<(Name, Vec<IpAddr>)>,
    /// The sync groups.
    pub groups: Vec<Vec<Name>>,
    /// The longest interval of any of them, in microseconds of the slowest clock.
    pub interval: u64,
    /// The longest Master_Down_Interval, so too.
    pub down: u64,
    /// The longest that a packet takes.
    pub delay: u64,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// When, in microseconds.
    pub at: u64,
    /// How.
    pub how: String,
}

/// The rules with what they remember.
#[derive(Debug)]
pub struct Watch {
    rules: Rules,
    /// Since when the network is whole.
    calm: Option<u64>,
    /// For each virtual router: since when there are two masters.
    doubled: Vec<Option<u64>>,
    /// For each virtual router and host: since when it is ready and there is no master.
    ready: Vec<Vec<Option<u64>>>,
    /// The first that was broken.
    pub broken: Option<Broken>,
}

impl Watch {
    /// Of a LAN of so many hosts that has not begun.
    pub fn new(rules: Rules, hosts: usize) -> Self {
        let routers = rules.routers.len();
        Self {
            rules,
            calm: None,
            doubled: vec![None; routers],
            ready: vec![vec![None; hosts]; routers],
            broken: None,
        }
    }

    /// A rule was found broken now.
    pub fn fail(&mut self, lan: &Lan, how: String) {
        self.broken.get_or_insert(Broken { at: lan.now, how });
    }

    /// Asks all rules.
    pub fn look(&mut self, lan: &Lan) {
        if self.broken.is_some() {
            return;
        }
        let calm = lan.is_whole() && lan.hosts.iter().all(|host| !host.frozen);
        self.calm = calm.then(|| self.calm.unwrap_or(lan.now));
        let mut found = Vec::new();
        for router in 0..self.rules.routers.len() {
            let masters = lan.masters(&self.rules.routers[router].0);
            found.extend(self.look_for_two(lan, router, &masters));
            found.extend(self.look_for_none(lan, router, &masters));
            found.extend(self.look_for_addresses(lan, router));
        }
        found.extend(self.look_at_groups(lan));
        if let Some(how) = found.into_iter().next() {
            self.fail(lan, how);
        }
    }

    fn look_for_two(&mut self, lan: &Lan, router: usize, masters: &[usize]) -> Option<String> {
        let Some(calm) = self.calm.filter(|_| masters.len() > 1) else {
            self.doubled[router] = None;
            return None;
        };
        let since = *self.doubled[router].get_or_insert(lan.now);
        // Who fell silent while the network was bad may be replaced a little later; the two then have to hear each
        // other, which the next regular advertisement sees to.
        let settled = since > calm + self.rules.down + self.rules.delay;
        let allowed =
            2 * self.rules.delay + 10 + if settled { 0 } else { self.rules.interval + self.rules.delay };
        let lasted = lan.now - since;
        (lasted > allowed).then(|| {
            let names: Vec<&str> = masters.iter().map(|host| &*lan.hosts[*host].plan.name).collect();
            let name = &self.rules.routers[router].0;
            format!("{} are masters of {name} for {lasted} µs; {allowed} µs are allowed", names.join(" and "))
        })
    }

    fn look_for_none(&mut self, lan: &Lan, router: usize, masters: &[usize]) -> Option<String> {
        let nobody = self.calm.is_some() && masters.is_empty();
        let (name, _) = &self.rules.routers[router];
        let factor = if self.rules.groups.is_empty() { 1 } else { 2 };
        let allowed = factor * self.rules.down + 2 * self.rules.delay;
        let mut found = None;
        for (host, since) in self.ready[router].iter_mut().enumerate() {
            // Also if it has just ended: nothing may have happened meanwhile at which to look.
            let waited = since.map_or(0, |since| lan.now - since);
            if waited > allowed {
                let who = &lan.hosts[host].plan.name;
                found = Some(format!(
                    "{name} had no master, and {who} was ready, for {waited} µs; {allowed} µs are allowed"
                ));
            }
            let ready = nobody && lan.hosts[host].state(name) == VrrpState::Backup;
            *since = ready.then(|| since.unwrap_or(lan.now));
        }
        found
    }

    fn look_for_addresses(&self, lan: &Lan, router: usize) -> Option<String> {
        let (name, addresses) = &self.rules.routers[router];
        let wrong = |host: &&crate::host::Host| {
            host.alive && host.state(name) != VrrpState::Master && addresses.iter().any(|a| host.holds(*a))
        };
        let host = lan.hosts.iter().find(wrong)?;
        Some(format!("{} has an address of {name} and is {}", host.plan.name, host.state(name)))
    }

    fn look_at_groups(&self, lan: &Lan) -> Option<String> {
        for host in lan.hosts.iter().filter(|host| host.alive) {
            for group in &self.rules.groups {
                let states: Vec<VrrpState> = group.iter().map(|name| host.state(name)).collect();
                if states.windows(2).any(|pair| pair[0] != pair[1]) {
                    return Some(format!("the members of a group on {} are {states:?}", host.plan.name));
                }
            }
        }
        None
    }
}
