//! A table that others change behind our back, played on the memory data plane.

use keepwatch_bus::{
    BusSettings, Fact, Health, Hub,
    fact::{Drift, TableChange},
    subject::{Family, RealKey},
};
use proptest::prelude::*;

use super::surroundings::{LOOK_FOR_MARKS, SET_TIMEOUTS};
use super::*;
use crate::{
    definition::{Definition, entries},
    director::{Defined, Director},
    fixture::{VIP, definition, server, web},
    table::{Forwarding, Service, ServiceFlags, VirtualService},
};

const FOREIGN: ServiceKey = ServiceKey::Fwmark { fwmark: 99, family: Family::Inet };

struct Story {
    desk: Desk,
    reconciler: Reconciler,
    hub: Hub,
}

impl Story {
    /// Two web servers behind the virtual address, and a service that is none of ours.
    async fn new() -> Self {
        let service =
            Service { scheduler: "sh".to_owned(), flags: ServiceFlags::default(), persistence: None };
        let foreign = VirtualService { service, destinations: Default::default() };
        let mut story = Self::on(Dataplane::Memory(Table { services: [(FOREIGN, foreign)].into() }));
        story.define().await;
        story
    }

    fn on(dataplane: Dataplane) -> Self {
        let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
        // What is done differently for a kernel is done here too.
        let mut reconciler = Reconciler::new(DataplaneKind::Kernel, Access::default(), bus.clone());
        reconciler.dataplane = Some(dataplane);
        Self { desk: Desk::of(Director::new(bus)), reconciler, hub }
    }

    async fn define(&mut self) {
        self.define_as(vec![definition([(2, server(1)), (3, server(1))])]).await;
    }

    async fn define_as(&mut self, definitions: Vec<Definition>) {
        let coming = entries(&definitions);
        let Defined { new, told } = self.desk.director.define(definitions, None);
        let existing = self.reconciler.prepare(coming, &told, &mut self.desk).await;
        self.desk.director.begin(new, &existing.strange);
        self.reconciler.adopt(&existing, &self.desk);
        self.reconciler.reconcile(&mut self.desk).await;
    }

    async fn audit(&mut self) {
        self.reconciler.audit(&mut self.desk).await;
    }

    async fn health(&mut self, n: u8, up: bool) {
        let health = if up { Health::UP } else { Health::DOWN };
        self.desk.director.health(&RealKey { service: VIP, real: web(n) }, health, None);
        self.reconciler.reconcile(&mut self.desk).await;
    }

    fn table(&mut self) -> &mut Table {
        match &mut self.reconciler.dataplane {
            Some(Dataplane::Memory(table)) => table,
            _ => panic!("the table is not in memory"),
        }
    }

    /// Has the data plane refuse these operations, until told otherwise.
    fn refuse(&mut self, which: fn(&Operation) -> bool) {
        let table = match self.reconciler.dataplane.take() {
            Some(Dataplane::Memory(table) | Dataplane::Stubborn(table, _)) => table,
            _ => panic!("the table is not in memory"),
        };
        self.reconciler.dataplane = Some(Dataplane::Stubborn(table, which));
    }

    /// What was said.
    async fn told(mut self) -> Vec<Fact> {
        let mut queue = self.hub.deliver("test", |_| true);
        drop((self.desk, self.reconciler));
        self.hub.run().await;
        let mut facts = Vec::new();
        while let Ok(event) = queue.try_recv() {
            facts.push(event.fact.clone());
        }
        facts
    }

    /// What was said about drift and failures.
    async fn complained(self) -> Vec<Fact> {
        let mut facts = self.told().await;
        facts.retain(|fact| matches!(fact, Fact::Ipvs(_)));
        facts
    }

    /// The kinds of what was said, without what only describes the configuration.
    async fn kinds(self) -> Vec<&'static str> {
        let facts = self.told().await;
        let kinds = facts.iter().map(Fact::kind);
        kinds.filter(|kind| !kind.ends_with("_configured")).collect()
    }
}

fn drift(real: Option<u8>, drift: Drift) -> Fact {
    Fact::Ipvs(IpvsFact::DriftRepaired { service: VIP, real: real.map(web), drift })
}

#[tokio::test]
async fn an_audit_puts_right_what_others_changed_and_says_so() {
    let mut story = Story::new().await;
    let before = story.table().clone();
    let service = story.table().services.get_mut(&VIP).unwrap();
    service.service.scheduler = "lc".to_owned();
    let taken = service.destinations.remove(&web(2)).unwrap();
    service.destinations.get_mut(&web(3)).unwrap().weight = 9;
    service.destinations.insert(web(66), taken);
    story.audit().await;
    assert_eq!(*story.table(), before);
    story.audit().await;
    assert_eq!(
        story.complained().await,
        [
            drift(None, Drift::Altered),
            drift(Some(2), Drift::Missing),
            drift(Some(3), Drift::Altered),
            drift(Some(66), Drift::Surplus),
        ]
    );
}

#[tokio::test]
async fn what_can_t_be_read_is_told_once_and_the_rest_is_kept_as_it_should_be() {
    let mut story = Story::new().await;
    let blur = |story: &mut Story, unread: &[&str]| {
        let table = match story.reconciler.dataplane.take() {
            Some(Dataplane::Memory(table) | Dataplane::Blurred(table, _)) => table,
            _ => panic!("the table is not in memory"),
        };
        let unread = unread.iter().map(|why| (*why).to_owned()).collect();
        story.reconciler.dataplane = Some(Dataplane::Blurred(table, unread));
    };
    // Another's is one of them; ours goes on as ever.
    let why = ["a service without address", "a service FWM 9 without scheduler"];
    blur(&mut story, &why);
    story.audit().await;
    story.audit().await;
    story.health(2, false).await;
    blur(&mut story, &why[..1]);
    story.audit().await;
    blur(&mut story, &[]);
    story.audit().await;
    let Some(Dataplane::Blurred(table, _)) = &story.reconciler.dataplane else { panic!("another table") };
    assert_eq!(table.services[&VIP].destinations.keys().copied().collect::<Vec<_>>(), [web(3)]);
    let failed = |error: &str| {
        Fact::from(IpvsFact::IpvsFailed { operation: READ_ENTRY.to_owned(), error: error.to_owned() })
    };
    let told = [
        failed("a service without address, and 1 more"),
        failed("a service without address"),
        IpvsFact::IpvsRecovered {}.into(),
    ];
    assert_eq!(story.complained().await, told);
}

#[tokio::test]
async fn a_way_to_forward_that_we_do_not_know_is_put_right_in_ours_and_left_alone_in_others() {
    let mut story = Story::new().await;
    let unknown = Forwarding::Unknown { method: 5, tunnel: 0 };
    let before = story.table().clone();
    let ours = story.table().services.get_mut(&VIP).unwrap().destinations.get_mut(&web(2)).unwrap();
    ours.forwarding = unknown;
    let strange = *ours;
    story.table().services.get_mut(&FOREIGN).unwrap().destinations.insert(web(9), strange);
    story.audit().await;
    assert_eq!(story.table().services[&VIP], before.services[&VIP]);
    assert_eq!(story.table().services[&FOREIGN].destinations[&web(9)], strange);
    assert_eq!(story.complained().await, [drift(Some(2), Drift::Altered)]);
}

#[tokio::test]
async fn a_service_that_was_deleted_comes_back_with_its_servers_as_one_drift() {
    let mut story = Story::new().await;
    let before = story.table().clone();
    story.table().services.remove(&VIP);
    story.audit().await;
    assert_eq!(*story.table(), before);
    assert_eq!(story.complained().await, [drift(None, Drift::Missing)]);
}

#[tokio::test]
async fn a_change_that_others_have_made_already_is_no_failure() {
    let mut story = Story::new().await;
    story.table().services.get_mut(&VIP).unwrap().destinations.remove(&web(2));
    story.health(2, false).await;
    let servers: Vec<_> = story.table().services[&VIP].destinations.keys().copied().collect();
    assert_eq!(servers, [web(3)]);
    assert_eq!(story.complained().await, []);
}

#[tokio::test]
async fn what_is_let_go_leaves_the_rest_alone() {
    let mut story = Story::new().await;
    story.desk.director.release(None);
    story.reconciler.reconcile(&mut story.desk).await;
    assert_eq!(story.table().services.keys().copied().collect::<Vec<_>>(), [FOREIGN]);
    // Somebody else takes the address: it is not ours any more.
    let stranger = story.table().services[&FOREIGN].clone();
    story.table().services.insert(VIP, stranger);
    story.audit().await;
    assert_eq!(story.table().services.len(), 2);
}

#[tokio::test]
async fn one_that_a_reload_takes_away_and_another_brings_back_with_weight_0_stays_and_is_told() {
    let mut story = Story::new().await;
    story.define_as(vec![definition([(3, server(1))])]).await;
    assert_eq!(story.table().services[&VIP].destinations[&web(2)].weight, 0);
    assert!(story.reconciler.has_leavers());
    story.define_as(vec![definition([(2, server(0)), (3, server(1))])]).await;
    story.reconciler.see_off(&mut story.desk).await;
    assert!(!story.reconciler.has_leavers());
    story.audit().await;
    assert_eq!(story.table().services[&VIP].destinations[&web(2)].weight, 0);
    let told = story.kinds().await;
    assert_eq!(told.iter().filter(|kind| **kind == "real_server_removed").count(), 1);
    assert_eq!(told.iter().filter(|kind| **kind == "real_server_added").count(), 3);
}

fn adds_servers(operation: &Operation) -> bool {
    matches!(operation, Operation::AddDestination(..))
}

fn adds_services(operation: &Operation) -> bool {
    matches!(operation, Operation::AddService(..))
}

fn takes_servers_away(operation: &Operation) -> bool {
    matches!(operation, Operation::DeleteDestination(..))
}

#[tokio::test]
async fn that_the_table_could_not_be_read_is_over_when_nobody_wants_anything_of_it() {
    let mut story = Story::on(Dataplane::Memory(Table::default()));
    story.reconciler.complaints.of_dataplane(READ, "the kernel has no IPVS");
    for _ in 0..2 {
        story.audit().await;
    }
    assert_eq!(story.complained().await, [IpvsFact::IpvsRecovered {}.into()]);
    let mut story = Story::on(Dataplane::Memory(Table::default()));
    story.reconciler.complaints.of_dataplane(SET_TIMEOUTS, "the kernel has no IPVS");
    for _ in 0..2 {
        story.audit().await;
        story.reconciler.set_timeouts(Timeouts::default(), &mut story.desk).await;
    }
    assert_eq!(story.complained().await, [IpvsFact::IpvsRecovered {}.into()]);
}

#[tokio::test]
async fn that_marks_could_not_be_looked_for_is_over_when_nobody_wants_them() {
    let mut story = Story::on(Dataplane::Memory(Table::default()));
    story.reconciler.complaints.of_dataplane(LOOK_FOR_MARKS, "the kernel has no nftables");
    for _ in 0..2 {
        story.audit().await;
    }
    assert_eq!(story.complained().await, [IpvsFact::IpvsRecovered {}.into()]);
}

#[tokio::test]
async fn what_is_refused_is_told_once_and_added_only_when_it_works() {
    let mut story = Story::on(Dataplane::Stubborn(Table::default(), adds_services));
    story.define().await;
    story.audit().await;
    story.health(2, false).await;
    story.audit().await;
    story.refuse(adds_servers);
    story.audit().await;
    story.audit().await;
    story.refuse(|_| false);
    story.audit().await;
    assert_eq!(
        story.kinds().await,
        [
            "quorum_gained",
            "ipvs_refused",
            "real_server_down",
            "virtual_server_added",
            "ipvs_refused",
            "ipvs_accepted",
            "real_server_added",
            "ipvs_accepted",
            "ipvs_recovered",
        ]
    );
}

#[tokio::test]
async fn a_server_that_the_kernel_keeps_is_told_as_kept() {
    let mut story = Story::new().await;
    story.refuse(takes_servers_away);
    story.health(2, false).await;
    story.health(2, true).await;
    let told = story.complained().await;
    let (service, real) = (VIP, Some(web(2)));
    let change = TableChange::Remove;
    let error = std::io::Error::from(nix::errno::Errno::EPERM).to_string();
    assert_eq!(
        told,
        [
            IpvsFact::IpvsRefused { service, real, change, error }.into(),
            IpvsFact::IpvsAccepted { service, real }.into(),
            IpvsFact::IpvsRecovered {}.into(),
        ]
    );
}

#[tokio::test]
async fn what_others_took_and_the_kernel_does_not_take_back_is_told_as_gone() {
    let mut story = Story::new().await;
    story.table().services.get_mut(&VIP).unwrap().destinations.remove(&web(2));
    story.refuse(adds_servers);
    story.audit().await;
    story.refuse(|_| false);
    story.audit().await;
    assert_eq!(
        story.kinds().await[4..],
        ["ipvs_refused", "real_server_removed", "real_server_added", "ipvs_accepted", "ipvs_recovered"]
    );
}

#[derive(Debug, Clone)]
enum Meddling {
    Delete(u8),
    Weigh(u8, u32),
    Insert(u8),
    Reschedule,
    DeleteService,
    Health(u8, bool),
}

fn meddlings() -> impl Strategy<Value = Meddling> {
    prop_oneof![
        (2..4u8).prop_map(Meddling::Delete),
        (2..4u8, 0..5u32).prop_map(|(n, weight)| Meddling::Weigh(n, weight)),
        (2..9u8).prop_map(Meddling::Insert),
        Just(Meddling::Reschedule),
        Just(Meddling::DeleteService),
        (2..4u8, any::<bool>()).prop_map(|(n, up)| Meddling::Health(n, up)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_others_do_an_audit_ends_with_the_desired_table(
        rounds in proptest::collection::vec(proptest::collection::vec(meddlings(), 0..6), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut story = Story::new().await;
            for round in rounds {
                for meddling in round {
                    if let Meddling::Health(n, up) = meddling {
                        story.health(n, up).await;
                        continue;
                    }
                    meddle(story.table(), &meddling);
                }
                story.audit().await;
                let desired = story.desk.director.desired();
                let mut table = story.table().clone();
                assert!(table.services.remove(&FOREIGN).is_some());
                assert_eq!(table, desired);
            }
        });
    }
}

fn meddle(table: &mut Table, meddling: &Meddling) {
    if matches!(meddling, Meddling::DeleteService) {
        table.services.remove(&VIP);
        return;
    }
    let Some(service) = table.services.get_mut(&VIP) else { return };
    match meddling {
        Meddling::Delete(n) => drop(service.destinations.remove(&web(*n))),
        Meddling::Weigh(n, weight) => {
            if let Some(destination) = service.destinations.get_mut(&web(*n)) {
                destination.weight = *weight;
            }
        }
        Meddling::Insert(n) => {
            let some = service.destinations.values().next().copied();
            if let Some(some) = some {
                service.destinations.get_or_insert_with(web(*n), || some);
            }
        }
        Meddling::Reschedule => service.service.scheduler = "lc".to_owned(),
        Meddling::DeleteService | Meddling::Health(..) => (),
    }
}
