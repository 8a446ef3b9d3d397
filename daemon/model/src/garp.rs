//! Gratuitous ARP and unsolicited neighbour advertisements: how often, and how many.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Name;

/// Gratuitous ARP and unsolicited neighbour advertisements of one instance; global defaults already applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garp {
    /// From becoming master to the second burst; 0 sends none. 5 s unless given.
    pub master_delay: Duration,
    /// Messages per address in each of the two bursts; 5 unless given.
    pub master_repeat: u32,
    /// Period of refreshing while master; 0 never refreshes (the default).
    pub master_refresh: Duration,
    /// Messages per address in each refresh; 1 unless given.
    pub master_refresh_repeat: u32,
    /// Delay of the second burst after a lower-priority advert was heard while master.
    pub lower_prio_delay: Duration,
    /// Messages per address after a lower-priority advert; 0 sends none.
    pub lower_prio_repeat: u32,
    /// Least time between two gratuitous ARP messages on an interface; 0 is no limit.
    pub interval: Duration,
    /// Least time between two unsolicited neighbour advertisements on an interface; 0 is no limit.
    pub gna_interval: Duration,
    /// `garp_extra_if`, else `vrrp_garp_extra_if`: messages for addresses on other interfaces are repeated; not when
    /// `None`.
    pub extra_interfaces: Option<GarpExtraInterfaces>,
}

/// `garp_extra_if [all] SECONDS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpExtraInterfaces {
    /// Period of repeating them.
    pub every: Duration,
    /// `all`: on every interface that has addresses, not only on VMACs.
    pub all: bool,
}

impl Default for Garp {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
            interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            extra_interfaces: None,
        }
    }
}

/// A `garp_group` block: interfaces that share one limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpGroup {
    /// `garp_interval`: least time between two gratuitous ARP messages; no limit when `None`.
    pub interval: Option<Duration>,
    /// `gna_interval`: least time between two unsolicited neighbour advertisements; no limit when `None`.
    pub gna_interval: Option<Duration>,
    /// `interface` and `interfaces`: each is in one group only.
    pub interfaces: Vec<Name>,
}
