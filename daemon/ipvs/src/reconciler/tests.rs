//! A table that others change behind our back, played on the memory data plane.

use keepwatch_bus::{BusSettings, Fact, Hub, subject::Family};
use proptest::prelude::*;

use super::*;
use crate::{
    fixture::{VIP, definition, server, web},
    table::{Service, ServiceFlags, VirtualService},
};

const FOREIGN: ServiceKey = ServiceKey::Fwmark { fwmark: 99, family: Family::Inet };

struct Story {
    director: Director,
    reconciler: Reconciler,
    hub: Hub,
    bus: Bus,
}

impl Story {
    /// Two web servers behind the virtual address, and a service that is none of ours.
    async fn new() -> Self {
        let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
        let mut reconciler = Reconciler::new(DataplaneKind::Memory, bus.clone());
        let service =
            Service { scheduler: "sh".to_owned(), flags: ServiceFlags::default(), persistence: None };
        let foreign = VirtualService { service, destinations: Default::default() };
        let table = Table { services: [(FOREIGN, foreign)].into() };
        reconciler.dataplane = Some(Dataplane::Memory(table));
        let definitions = vec![definition([(2, server(1)), (3, server(1))])];
        let existing = reconciler.prepare(&definitions).await;
        let mut director = Director::new(bus.clone());
        director.apply(definitions, &existing, None);
        reconciler.reconcile(&director).await;
        Self { director, reconciler, hub, bus }
    }

    fn table(&mut self) -> &mut Table {
        match &mut self.reconciler.dataplane {
            Some(Dataplane::Memory(table)) => table,
            _ => panic!("the table is not in memory"),
        }
    }

    /// What was said about drift and failures.
    async fn told(mut self) -> Vec<Fact> {
        let mut queue = self.hub.deliver();
        drop((self.director, self.reconciler, self.bus));
        self.hub.run().await;
        let mut facts = Vec::new();
        while let Ok(event) = queue.try_recv() {
            if matches!(event.fact.kind(), "drift_repaired" | "ipvs_failed" | "ipvs_recovered") {
                facts.push(event.fact.clone());
            }
        }
        facts
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
    story.reconciler.audit(&story.director).await;
    assert_eq!(*story.table(), before);
    story.reconciler.audit(&story.director).await;
    assert_eq!(
        story.told().await,
        [
            drift(None, Drift::Altered),
            drift(Some(2), Drift::Missing),
            drift(Some(3), Drift::Altered),
            drift(Some(66), Drift::Surplus),
        ]
    );
}

#[tokio::test]
async fn a_service_that_was_deleted_comes_back_with_its_servers_as_one_drift() {
    let mut story = Story::new().await;
    let before = story.table().clone();
    story.table().services.remove(&VIP);
    story.reconciler.audit(&story.director).await;
    assert_eq!(*story.table(), before);
    assert_eq!(story.told().await, [drift(None, Drift::Missing)]);
}

#[tokio::test]
async fn a_change_that_others_have_made_already_is_no_failure() {
    let mut story = Story::new().await;
    story.table().services.get_mut(&VIP).unwrap().destinations.remove(&web(2));
    story.director.health(&RealKey { service: VIP, real: web(2) }, false, None);
    story.reconciler.reconcile(&story.director).await;
    let servers: Vec<_> = story.table().services[&VIP].destinations.keys().copied().collect();
    assert_eq!(servers, [web(3)]);
    assert_eq!(story.told().await, []);
}

#[tokio::test]
async fn what_is_let_go_leaves_the_rest_alone() {
    let mut story = Story::new().await;
    story.director.release(None);
    story.reconciler.reconcile(&story.director).await;
    assert_eq!(story.table().services.keys().copied().collect::<Vec<_>>(), [FOREIGN]);
    // Somebody else takes the address: it is not ours any more.
    let stranger = story.table().services[&FOREIGN].clone();
    story.table().services.insert(VIP, stranger);
    story.reconciler.audit(&story.director).await;
    assert_eq!(story.table().services.len(), 2);
}

#[tokio::test]
async fn an_operation_that_fails_is_told_once_and_taken_back_when_it_works() {
    let mut story = Story::new().await;
    let complaint = || Complaint::Operation("add service X".to_owned());
    for _ in 0..3 {
        story.reconciler.complain(complaint(), &KernelError::NoIpvs);
    }
    story.reconciler.audit(&story.director).await;
    story.reconciler.audit(&story.director).await;
    let kinds: Vec<_> = story.told().await.iter().map(Fact::kind).collect();
    assert_eq!(kinds, ["ipvs_failed", "ipvs_recovered"]);
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
                        story.director.health(&RealKey { service: VIP, real: web(n) }, up, None);
                        story.reconciler.reconcile(&story.director).await;
                        continue;
                    }
                    meddle(story.table(), &meddling);
                }
                story.reconciler.audit(&story.director).await;
                let desired = story.director.desired();
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
            if let Some(some) = service.destinations.values().next().copied() {
                service.destinations.entry(web(*n)).or_insert(some);
            }
        }
        Meddling::Reschedule => service.service.scheduler = "lc".to_owned(),
        Meddling::DeleteService | Meddling::Health(..) => (),
    }
}
