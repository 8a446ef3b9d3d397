use std::time::Duration;

use keepwatch_model::InterfaceAddress;

use super::*;
use crate::configured::Configured;
use crate::sample;

/// Takes events one after the other, each a second after the one before.
#[derive(Default)]
struct Stage {
    world: World,
    history: Option<History>,
    tally: Tally,
    tallies: Tallies,
    last: u64,
}

impl Stage {
    fn happens(&mut self, cause: Option<u64>, fact: impl Into<Fact>) -> u64 {
        self.last += 1;
        let mono = self.last * 1_000_000_000;
        let event = Event { mono, ..sample::event(self.last, cause.map(EventId), fact) };
        self.world.apply(&event);
        let history = self.history.get_or_insert_with(|| History::new(100));
        self.tally.take(&event, &self.world, history, &self.tallies);
        history.push(event.into());
        self.last
    }

    fn configured(&mut self, addresses: Vec<InterfaceAddress>) {
        let settings = Configured::new(1, keepwatch_model::Instance { addresses, ..sample::instance() });
        self.happens(None, VrrpFact::InstanceConfigured { instance: name(), settings });
    }

    fn changes(&mut self, cause: Option<u64>, from: VrrpState, to: VrrpState) -> u64 {
        self.happens(cause, VrrpFact::StateChanged { instance: name(), from, to, priority: 100 })
    }

    fn falls_silent(&mut self) -> u64 {
        let (master, waited) = (Some([10, 0, 0, 2].into()), Duration::from_millis(3600));
        self.happens(None, VrrpFact::AdvertTimedOut { instance: name(), master, waited, evidence: None })
    }

    fn transitions(&self) -> Vec<String> {
        let told = |(t, noted): (Transition, std::sync::Arc<Noted>)| {
            format!("{} {} {} {}", t.from, t.to, t.reason, noted.get())
        };
        self.tallies.transitions.all().into_iter().map(told).collect()
    }

    fn without_master(&self) -> Duration {
        let absence = self.tallies.without_master.get(&name()).unwrap_or_default();
        absence.total((self.last + 1) * 1_000_000_000)
    }
}

fn name() -> Name {
    "VI_1".into()
}

#[test]
fn a_failover_lasts_from_the_last_advertisement_until_the_addresses_were_announced() {
    let mut stage = Stage::default();
    stage.configured(vec![InterfaceAddress::host([10, 0, 0, 100].into())]);
    stage.changes(None, VrrpState::Init, VrrpState::Backup);
    stage.happens(
        None,
        VrrpFact::MasterHeard { instance: name(), address: [10, 0, 0, 2].into(), priority: 150 },
    );
    let silent = stage.falls_silent();
    let master = stage.changes(Some(silent), VrrpState::Backup, VrrpState::Master);
    assert!(stage.tallies.failovers.get(&name()).is_none(), "nobody has been told yet");
    let announced = |occasion| {
        let (instance, addresses, neighbours) = (name(), 1, 0);
        VrrpFact::AddressesAnnounced { instance, addresses, neighbours, repeat: 5, occasion }
    };
    let told = stage.happens(Some(master), announced(AnnounceOccasion::BecameMaster));
    stage.happens(Some(master), announced(AnnounceOccasion::Delayed));
    let seen = stage.tallies.failovers.get(&name()).unwrap().read();
    assert_eq!((seen.count, seen.sum), (1, 5.6), "3.6 s of silence, and two seconds in this test");
    assert!(seen.buckets.iter().any(|(_, _, e)| e.is_some_and(|e| e.event == EventId(told))));
    assert_eq!(stage.transitions(), ["BACKUP MASTER advert_timed_out 1", "INIT BACKUP none 1"]);
    // From Backup without a master to the first advertisement one second, and the silence.
    assert_eq!(stage.without_master(), Duration::from_millis(4600));
}

#[test]
fn who_has_no_address_to_announce_has_failed_over_at_once_and_a_start_is_no_failover() {
    let mut stage = Stage::default();
    stage.configured(Vec::new());
    let start = stage.changes(None, VrrpState::Init, VrrpState::Backup);
    stage.changes(Some(start), VrrpState::Backup, VrrpState::Master);
    assert!(stage.tallies.failovers.get(&name()).is_none());
    stage.changes(None, VrrpState::Master, VrrpState::Backup);
    let gone =
        stage.happens(None, VrrpFact::MasterResigned { instance: name(), address: [10, 0, 0, 2].into() });
    stage.changes(Some(gone), VrrpState::Backup, VrrpState::Master);
    assert_eq!(stage.tallies.failovers.get(&name()).unwrap().read().sum, 1.0);
    assert!(stage.transitions().contains(&"BACKUP MASTER master_resigned 1".to_owned()));
}

#[test]
fn what_is_missing_counts_while_it_is_missing() {
    let absence = Absence::default();
    assert_eq!(absence.total(5), Duration::ZERO);
    absence.begin(10);
    absence.begin(12);
    assert_eq!(absence.total(15), Duration::from_nanos(5));
    absence.end(20);
    absence.end(25);
    assert_eq!(absence.total(100), Duration::from_nanos(10));
}

#[test]
fn a_router_that_a_reload_took_away_is_counted_no_longer_whatever_was_told_last() {
    let mut stage = Stage::default();
    stage.configured(Vec::new());
    stage.changes(None, VrrpState::Init, VrrpState::Backup);
    let silence = stage.falls_silent();
    stage.changes(Some(silence), VrrpState::Backup, VrrpState::Master);
    stage.tallies.keep(&Config::default());
    // These were under way.
    stage.changes(None, VrrpState::Master, VrrpState::Init);
    stage.happens(None, VrrpFact::InstanceUnconfigured { instance: name() });
    assert!(stage.transitions().is_empty());
    assert!(
        stage.tallies.without_master.get(&name()).is_none() && stage.tallies.failovers.get(&name()).is_none()
    );
}
