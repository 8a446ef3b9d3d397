//! What the supervisor has to know to take addresses off when there is no worker. In: events of addresses, in order; the
//! configuration. Out: reports to the supervisor, after the deed.

use std::time::Duration;

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::{Deliveries, Fact};
use keepwatch_config::Config;

use crate::cli::DataplaneKind;
use crate::supervisor::line::Report;
use crate::worker::pulse::ToSupervisor;
use crate::worker::settings::Settings;

/// What [`run`] is to be told.
pub(in crate::worker) fn concerns(fact: &Fact) -> bool {
    matches!(fact, Fact::Vrrp(VrrpFact::AddressAdded { .. } | VrrpFact::AddressRemoved { .. }))
}

/// Tells which addresses are put where, and taken off, until the hub ends.
pub(in crate::worker) async fn run(mut events: Deliveries, supervisor: ToSupervisor) {
    while let Some(event) = events.recv().await {
        match &event.fact {
            Fact::Vrrp(VrrpFact::AddressAdded { address, .. }) => {
                supervisor.say(Report::Placed(address.clone()));
            }
            Fact::Vrrp(VrrpFact::AddressRemoved { address, .. }) => {
                supervisor.say(Report::Removed(address.clone()));
            }
            _ => {}
        }
    }
}

/// Which addresses this configuration may have put where, for a supervisor whose worker is killed before it tells. None
/// where none are put anywhere: those that are there are another daemon's.
pub(in crate::worker) fn possible(settings: &Settings, config: &Config) -> impl Iterator<Item = Report> {
    let puts = settings.vrrp() && settings.dataplane() != DataplaneKind::Shadow;
    let instances = config.instances.iter().filter(move |_| puts);
    let addresses = instances.flat_map(|instance| {
        instance.all_addresses().map(|address| Report::May(Some(instance.virtual_address(address))))
    });
    [Report::May(None)].into_iter().chain(addresses)
}

/// How long after the death of a worker a peer of these virtual routers takes over, if they run, at the least: what it waits
/// for an advert, without its skew time, which depends on a priority that is not known here, and less the interval that may
/// have passed since the last one.
pub(in crate::worker) fn patience(settings: &Settings, config: &Config) -> Option<Duration> {
    let down = config.instances.iter().filter(|_| settings.vrrp()).map(|instance| {
        match instance.down_timer_adverts.saturating_sub(1) {
            0 => instance.advert_int / 2,
            adverts => instance.advert_int.saturating_mul(u32::from(adverts)),
        }
    });
    down.min()
}
