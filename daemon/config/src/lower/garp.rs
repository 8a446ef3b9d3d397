//! Gratuitous ARP of an instance: what it says, and what is general.

use std::time::Duration;

use crate::model::Garp;
use crate::schema::instance::garp::GarpDraft;

impl GarpDraft {
    /// With the general settings where the instance has none.
    pub(super) fn resolve(&self, global: &Garp, strict: bool) -> Garp {
        let lower_delay = if strict { Duration::ZERO } else { global.lower_prio_delay };
        let lower_repeat = if strict { 0 } else { global.lower_prio_repeat };
        Garp {
            master_delay: self.delay.unwrap_or(global.master_delay),
            master_repeat: self.repeat.unwrap_or(global.master_repeat),
            master_refresh: self.refresh.unwrap_or(global.master_refresh),
            master_refresh_repeat: self.refresh_repeat.unwrap_or(global.master_refresh_repeat),
            lower_prio_delay: self.lower_delay.map_or(lower_delay, |(delay, _)| delay),
            lower_prio_repeat: self.lower_repeat.map_or(lower_repeat, |(number, _)| number),
            interval: global.interval,
            gna_interval: global.gna_interval,
            extra_interfaces: self.extra.clone().or(global.extra_interfaces.clone()),
        }
    }
}
