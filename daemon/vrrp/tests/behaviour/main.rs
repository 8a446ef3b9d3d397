//! How routers behave towards each other, told as small stories on a simulated LAN: RFC 3768 and RFC 9568 §6.4, and
//! what keepalived adds.

#[path = "../lan/mod.rs"]
mod lan;

mod addresses;
mod announcing;
mod election;
mod faults;
mod groups;
mod keywords;
mod looking_ahead;
mod reloads;
mod splits;

use std::time::Duration;

use keepwatch_bus::Fact;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;
use keepwatch_vrrp::{Definitions, RouterSpec};
use lan::{Lan, definition, spec};

const RIGHT: u64 = 1_000_000;
const VI: &str = "VI_1";

fn one(spec: RouterSpec) -> Definitions {
    Definitions { routers: vec![definition(spec)], ..Definitions::default() }
}

/// Two hosts, one router: priorities 150 and 100, both running.
fn pair(change: impl Fn(&mut RouterSpec)) -> Lan {
    let mut lan = Lan::new(1, 1);
    for priority in [150, 100] {
        let mut spec = spec(VI, 0, priority);
        change(&mut spec);
        let host = lan.host(one(spec), RIGHT);
        lan.start(host);
    }
    lan
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn changed_to(state: VrrpState) -> impl Fn(&Fact) -> bool {
    move |fact| matches!(fact, Fact::Vrrp(VrrpFact::StateChanged { to, .. }) if *to == state)
}
