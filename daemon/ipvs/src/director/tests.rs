//! Stories of virtual servers: what is in the table, and what is said about it.

use std::net::IpAddr;

use keepwatch_bus::{BusSettings, Hub, World, subject::Protocol};
use keepwatch_model::{VirtualServer, VirtualServerKey};
use proptest::prelude::*;

use super::*;
use crate::{
    definition::{Sorry, entries},
    desk::Desk,
    fixture::{VIP, definition, server, web},
    reconciler::Reconciler,
    table::{Encapsulation, Family, Forwarding},
};

fn sorry() -> Sorry {
    Sorry { address: web(200), forwarding: Forwarding::Masquerade, inhibit: false }
}

/// A director whose wishes are done, on the memory data plane, after each step of the story.
struct Story {
    desk: Desk,
    reconciler: Reconciler,
    hub: Hub,
    runtime: tokio::runtime::Runtime,
}

impl Story {
    fn new(definition: Definition) -> Self {
        Self::adopting(definition, &Table::default())
    }

    fn adopting(definition: Definition, existing: &Table) -> Self {
        let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reconciler = Reconciler::on_memory(existing.clone(), bus.clone());
        let mut this = Self { desk: Desk::of(Director::new(bus)), reconciler, hub, runtime };
        this.apply(definition);
        this
    }

    fn health(&mut self, n: u8, up: bool) {
        self.says(n, if up { Health::UP } else { Health::DOWN });
    }

    fn says(&mut self, n: u8, health: Health) {
        self.desk.director.health(&RealKey { service: VIP, real: web(n) }, health, None);
        self.runtime.block_on(self.reconciler.reconcile(&mut self.desk));
    }

    fn apply(&mut self, definition: Definition) {
        self.apply_all(vec![definition]);
    }

    fn apply_all(&mut self, definitions: Vec<Definition>) {
        self.runtime.block_on(async {
            let coming = entries(&definitions);
            let Defined { new, told, .. } = self.desk.director.define(definitions, None);
            let existing = self.reconciler.prepare(coming, &told, &mut self.desk).await;
            self.desk.director.begin(new, &existing.strange);
            self.reconciler.adopt(&existing, &self.desk);
            self.reconciler.reconcile(&mut self.desk).await;
        });
    }

    /// The last byte of the addresses that are in the table, with their weights.
    fn pool(&self) -> Vec<(u8, u32)> {
        let table = self.desk.director.desired();
        assert_eq!(self.reconciler.believed(), &table, "what should be is not what is");
        let destinations = table.services[&VIP].destinations.iter();
        destinations
            .map(|(address, destination)| match address.ip() {
                std::net::IpAddr::V4(v4) => (v4.octets()[3], destination.weight),
                std::net::IpAddr::V6(_) => panic!("{address}"),
            })
            .collect()
    }

    /// What was said, each line with the kind of its cause.
    fn told(self) -> Vec<String> {
        self.known_and_told().1
    }

    /// What is known in the end, and the same.
    fn known_and_told(mut self) -> (Known, Vec<String>) {
        let reader = self.hub.reader();
        let mut queue = self.hub.deliver("test", |_| true);
        drop((self.desk, self.reconciler));
        self.runtime.block_on(self.hub.run());
        let mut events = Vec::new();
        while let Ok(event) = queue.try_recv() {
            events.push(event);
        }
        let kind = |id| events.iter().find(|event| event.id == id).map(|event| event.fact.kind());
        let told = events
            .iter()
            .filter(|event| {
                !matches!(event.fact.kind(), "virtual_server_configured" | "real_server_configured")
            })
            .map(|event| match event.cause.and_then(kind) {
                Some(cause) => format!("{} <- {cause}", event.fact.kind()),
                None => event.fact.kind().to_owned(),
            })
            .collect();
        (known(&reader.world()), told)
    }
}

#[test]
fn at_the_start_every_server_is_in_and_the_quorum_is_gained() {
    let story = Story::new(definition([(2, server(1)), (3, server(2))]));
    assert_eq!(story.pool(), [(2, 1), (3, 2)]);
    assert_eq!(
        story.told(),
        [
            "quorum_gained",
            "virtual_server_added",
            "real_server_added <- virtual_server_added",
            "real_server_added <- virtual_server_added",
        ]
    );
}

#[test]
fn the_last_server_that_dies_takes_the_quorum_and_brings_the_sorry_server() {
    let mut story = Story::new(Definition { sorry: Some(sorry()), ..definition([(2, server(1))]) });
    story.health(2, false);
    assert_eq!(story.pool(), [(200, 1)]);
    story.health(2, true);
    assert_eq!(story.pool(), [(2, 1)]);
    assert_eq!(
        story.told()[3..],
        [
            "real_server_down",
            "quorum_lost <- real_server_down",
            "sorry_server_added <- quorum_lost",
            "real_server_removed <- real_server_down",
            "real_server_up",
            "quorum_gained <- real_server_up",
            "real_server_added <- quorum_gained",
            "sorry_server_removed <- quorum_gained",
        ]
    );
}

#[test]
fn servers_that_are_up_are_out_while_the_sorry_server_serves() {
    let mut story = Story::new(Definition {
        quorum: 3,
        hysteresis: 1,
        sorry: Some(sorry()),
        ..definition([(2, server(2)), (3, server(2))])
    });
    assert_eq!(story.pool(), [(2, 2), (3, 2)], "4 up, 3+1 needed");
    story.health(2, false);
    assert_eq!(story.pool(), [(3, 2)], "2 up, lost only below 3-1");
    story.health(3, false);
    assert_eq!(story.pool(), [(200, 1)]);
    story.health(3, true);
    assert_eq!(story.pool(), [(200, 1)], "2 up, regained only at 3+1");
    story.health(2, true);
    assert_eq!(story.pool(), [(2, 2), (3, 2)]);
}

#[test]
fn an_inhibited_server_stays_with_weight_0() {
    let mut story = Story::new(definition([(2, Server { inhibit: true, ..server(5) }), (3, server(1))]));
    story.health(2, false);
    assert_eq!(story.pool(), [(2, 0), (3, 1)]);
    story.health(2, true);
    assert_eq!(story.pool(), [(2, 5), (3, 1)]);
    assert_eq!(
        story.told()[4..],
        [
            "real_server_down",
            "real_server_weight_changed <- real_server_down",
            "real_server_up",
            "real_server_weight_changed <- real_server_up",
        ]
    );
}

#[test]
fn an_inhibited_sorry_server_waits_with_weight_0() {
    let sorry = Sorry { inhibit: true, ..sorry() };
    let mut story = Story::new(Definition { sorry: Some(sorry), ..definition([(2, server(1))]) });
    assert_eq!(story.pool(), [(2, 1), (200, 0)]);
    story.health(2, false);
    assert_eq!(story.pool(), [(200, 1)]);
}

#[test]
fn alpha_servers_wait_for_their_checkers_while_the_sorry_server_serves() {
    let alpha = Server { starts: Health::DOWN, ..server(1) };
    let mut story = Story::new(Definition { sorry: Some(sorry()), ..definition([(2, alpha)]) });
    assert_eq!(story.pool(), [(200, 1)]);
    story.health(2, true);
    assert_eq!(story.pool(), [(2, 1)]);
}

#[test]
fn an_alpha_server_that_fails_at_first_is_told_of_though_it_never_was_up() {
    let alpha = || Server { starts: Health::DOWN, ..server(1) };
    let mut story = Story::new(definition([(2, alpha()), (3, alpha())]));
    assert_eq!(story.pool(), []);
    story.health(2, false);
    story.health(2, false);
    story.health(3, true);
    assert_eq!(
        story.told(),
        [
            "quorum_awaited",
            "virtual_server_added",
            "real_server_down",
            "real_server_up",
            "quorum_gained <- real_server_up",
            "real_server_added <- real_server_up",
        ]
    );
}

#[test]
fn a_server_begins_with_the_weight_that_its_file_gives_it() {
    let followed = |up, weight| Server { starts: Health { up, weight, fixed: 0 }, ..server(3) };
    let story =
        Story::new(definition([(2, followed(true, 4)), (3, followed(true, -9)), (4, followed(false, 0))]));
    assert_eq!(story.pool(), [(2, 7), (3, 0)]);
    assert_eq!(story.told()[0], "quorum_gained");
}

#[test]
fn checkers_that_rest_change_nothing_but_what_is_known() {
    let mut story = Story::new(definition([(2, server(1))]));
    let here = |address: Option<IpAddr>| Here::from([(VIP, address)]);
    story.desk.director.rest(&here(None));
    story.desk.director.rest(&here(None));
    assert_eq!(story.pool(), [(2, 1)]);
    story.desk.director.rest(&here(Some([10, 0, 0, 1].into())));
    story.desk.director.rest(&here(None));
    story.desk.director.rest(&Here::new());
    let told = story.told();
    assert_eq!(told[3..], ["checks_suspended", "checks_resumed", "checks_suspended", "checks_resumed"]);
}

#[test]
fn an_entry_that_a_reload_adds_to_a_virtual_server_that_rests_rests_too() {
    let mut story = Story::new(definition([(2, server(1))]));
    story.desk.director.rest(&Here::from([(VIP, None)]));
    let mark = ServiceKey::Fwmark { fwmark: 9, family: Family::Inet };
    story.apply(Definition { entries: vec![VIP, mark], ..definition([(2, server(1)), (3, server(1))]) });
    story.desk.director.rest(&Here::from([(VIP, None)]));
    let told = story.told();
    assert_eq!(told.iter().filter(|line| *line == "checks_suspended").count(), 2, "{told:?}");
}

#[test]
fn a_reload_keeps_what_is_known_and_says_only_what_changes() {
    let mut story = Story::new(definition([(2, server(1)), (3, server(1))]));
    story.health(2, false);
    story.apply(definition([(2, server(1)), (3, server(1))]));
    assert_eq!(story.pool(), [(3, 1)]);
    story.apply(definition([(2, server(1)), (3, server(7)), (4, server(1))]));
    assert_eq!(story.pool(), [(3, 7), (4, 1)]);
    story.apply(definition([(2, server(1)), (4, server(1))]));
    assert_eq!(story.pool(), [(4, 1)]);
    assert_eq!(
        story.told()[4..],
        [
            "real_server_down",
            "real_server_removed <- real_server_down",
            "real_server_weight_changed",
            "real_server_added",
            "real_server_unconfigured",
            "real_server_removed",
        ]
    );
}

#[test]
fn another_sorry_server_relieves_the_one_that_serves() {
    let mut story = Story::new(Definition { sorry: Some(sorry()), ..definition([(2, server(1))]) });
    story.health(2, false);
    let other = Sorry { address: web(201), ..sorry() };
    story.apply(Definition { sorry: Some(other), ..definition([(2, server(1))]) });
    assert_eq!(story.pool(), [(201, 1)]);
    story.apply(definition([(2, server(1))]));
    assert_eq!(story.pool(), []);
    story.health(2, true);
    assert_eq!(story.pool(), [(2, 1)]);
}

#[test]
fn what_a_crashed_run_left_is_adopted_and_its_dead_stay_out_until_they_are_checked() {
    let unchecked = || Server { checked: false, ..server(1) };
    let mut before = Story::new(definition([(2, server(1)), (3, server(1)), (4, unchecked())]));
    before.health(3, false);
    let left = before.desk.director.desired();
    let again = definition([(2, server(1)), (3, server(1)), (4, unchecked()), (5, unchecked())]);
    let mut story = Story::adopting(again, &left);
    assert_eq!(story.pool(), [(2, 1), (4, 1), (5, 1)]);
    story.health(2, true);
    story.health(3, true);
    assert_eq!(story.pool(), [(2, 1), (3, 1), (4, 1), (5, 1)]);
    assert_eq!(
        story.told(),
        [
            "real_server_down",
            "quorum_gained",
            "virtual_server_added",
            "real_server_added <- virtual_server_added",
            "real_server_added <- virtual_server_added",
            "real_server_added",
            "real_server_up",
            "real_server_added <- real_server_up",
        ]
    );
}

#[test]
fn a_sorry_server_that_a_crashed_run_left_serves_on() {
    let guarded = || Definition { sorry: Some(sorry()), ..definition([(2, server(1))]) };
    let mut before = Story::new(guarded());
    before.health(2, false);
    let left = before.desk.director.desired();
    let mut story = Story::adopting(guarded(), &left);
    assert_eq!(story.desk.director.desired(), left);
    story.health(2, true);
    assert_eq!(story.pool(), [(2, 1)]);
}

#[test]
fn an_inhibited_server_that_a_crashed_run_left_at_weight_0_stays_there() {
    let inhibited = || definition([(2, Server { inhibit: true, ..server(5) })]);
    let mut before = Story::new(inhibited());
    before.health(2, false);
    let left = before.desk.director.desired();
    let mut story = Story::adopting(inhibited(), &left);
    assert_eq!(story.pool(), [(2, 0)]);
    story.health(2, true);
    assert_eq!(story.pool(), [(2, 5)]);
}

#[test]
fn a_group_has_its_servers_in_every_entry_with_the_port_that_the_method_allows() {
    let other = ServiceKey::Address { address: [10, 0, 0, 2].into(), port: 443, protocol: Protocol::Tcp };
    let mark = ServiceKey::Fwmark { fwmark: 9, family: Family::Inet };
    let direct = Server { forwarding: Forwarding::DirectRouting, ..server(1) };
    let story = Story::new(Definition {
        entries: vec![VIP, other, mark],
        ..definition([(2, server(1)), (3, direct)])
    });
    let table = story.desk.director.desired();
    let ports = |entry| table.services[entry].destinations.keys().map(SocketAddr::port).collect::<Vec<_>>();
    assert_eq!(ports(&VIP), [8080, 80]);
    assert_eq!(ports(&other), [8080, 443]);
    assert_eq!(ports(&mark), [8080, 0]);
}

#[test]
fn a_server_of_the_other_family_is_only_reached_by_a_tunnel() {
    let v6: SocketAddr = ([0xfd00, 0, 0, 0, 0, 0, 0, 1], 80).into();
    let tunnel = Server { forwarding: Forwarding::Tunnel(Encapsulation::Ipip), ..server(1) };
    for (server, reached) in [(server(1), 0), (tunnel, 1)] {
        let mut definition = definition([]);
        definition.servers.insert(v6, server);
        let table = Story::new(definition).desk.director.desired();
        assert_eq!(table.services[&VIP].destinations.len(), reached);
    }
}

#[test]
fn a_checker_that_says_a_weight_changes_the_share_and_the_quorum() {
    let mut story = Story::new(Definition { quorum: 5, ..definition([(2, server(3)), (3, server(2))]) });
    story.says(2, Health { up: true, weight: 7, fixed: 0 });
    assert_eq!(story.pool(), [(2, 10), (3, 2)]);
    story.says(2, Health { up: true, weight: -9, fixed: 0 });
    assert_eq!(story.pool(), [(2, 0), (3, 2)], "never below 0");
    story.says(2, Health::UP);
    assert_eq!(
        story.told()[4..],
        [
            "real_server_weight_changed",
            "quorum_lost",
            "real_server_weight_changed",
            "quorum_gained",
            "real_server_weight_changed",
        ]
    );
}

/// A script that says what the weight is says it whatever a reload configures; a file goes by what is configured.
#[test]
fn a_weight_that_a_checker_has_said_itself_stays_over_a_reload_that_configures_another() {
    let servers = |weight| Definition { quorum: 1, ..definition([(2, server(weight)), (3, server(weight))]) };
    let mut story = Story::new(servers(5));
    story.says(2, Health { up: true, weight: 5, fixed: 1 });
    story.says(3, Health { up: true, weight: 5, fixed: 0 });
    assert_eq!(story.pool(), [(2, 10), (3, 10)]);
    story.apply(servers(7));
    assert_eq!(story.pool(), [(2, 10), (3, 12)]);
}

#[test]
fn real_servers_that_share_a_place_are_told_of_each() {
    let direct = || Server { forwarding: Forwarding::DirectRouting, ..server(1) };
    let mut both = definition([(2, direct())]);
    both.servers.insert(([192, 168, 0, 2], 9090).into(), direct());
    let mut story = Story::new(both);
    assert_eq!(story.pool(), [(2, 1)], "direct routing has no port of its own");
    story.health(2, false);
    assert_eq!(story.pool(), [(2, 1)], "the other one serves there");
    story.desk.director.release(None);
    story.runtime.block_on(story.reconciler.reconcile(&mut story.desk));
    assert_eq!(
        story.told()[1..],
        [
            "virtual_server_added",
            "real_server_added <- virtual_server_added",
            "real_server_added <- virtual_server_added",
            "real_server_down",
            "virtual_server_removed",
        ]
    );
}

proptest! {
    #[test]
    fn the_table_has_live_servers_while_anything_can_serve(
        weights in proptest::collection::vec((1..4u32, any::<bool>()), 1..5),
        (quorum, hysteresis, with_sorry) in (1..6u32, 0..3u32, any::<bool>()),
        changes in proptest::collection::vec((0..5u8, any::<bool>()), 0..40),
    ) {
        let servers = (0u8..).zip(&weights).map(|(n, (weight, inhibit))| (n, Server { inhibit: *inhibit, ..server(*weight) }));
        let hysteresis = hysteresis.min(quorum - 1);
        let sorry = with_sorry.then(sorry);
        let mut story = Story::new(Definition { quorum, hysteresis, sorry, ..definition(servers) });
        let mut up = vec![true; weights.len()];
        for (n, now) in changes {
            if let Some(known) = up.get_mut(usize::from(n)) {
                *known = now;
            }
            story.health(n, now);
            let weight: u32 = weights.iter().zip(&up).filter(|(_, up)| **up).map(|((weight, _), _)| weight).sum();
            let pool = story.pool();
            let live: Vec<u8> = pool.iter().filter(|(_, weight)| *weight > 0).map(|(n, _)| *n).collect();
            let all_up: Vec<u8> = (0u8..).zip(&up).filter(|(_, up)| **up).map(|(n, _)| n).collect();
            prop_assert!(live == [200] || live == all_up, "{:?} of {:?}", live, all_up);
            prop_assert_eq!(live.is_empty(), !with_sorry && weight == 0);
            if with_sorry && weight >= quorum + hysteresis {
                prop_assert_eq!(&live, &all_up);
            }
            if with_sorry && (weight == 0 || weight < quorum - hysteresis) {
                prop_assert_eq!(live, [200]);
            }
        }
    }
}

/// The entries that are known, whether they are in the table as far as was told, and the last byte of the real servers there
/// with whether they are up and in the table.
type Known = Vec<(String, bool, Vec<(u8, bool, bool)>)>;

impl Story {
    fn known(self) -> Known {
        self.known_and_told().0
    }
}

fn known(world: &World) -> Known {
    let last = |address: SocketAddr| match address.ip() {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(_) => 0,
    };
    let services = world.services.values().map(|service| {
        let reals = service.reals.values();
        let reals = reals.map(|real| (last(real.address), real.up, real.weight.is_some())).collect();
        (service.key.to_string(), service.present, reals)
    });
    let mut known: Known = services.collect();
    known.sort();
    known
}

fn entry(n: u8) -> ServiceKey {
    ServiceKey::Address { address: [10, 0, 0, n].into(), port: 80, protocol: Protocol::Tcp }
}

fn group(entries: &[u8], servers: &[u8]) -> Definition {
    let entries: Vec<_> = entries.iter().map(|n| entry(*n)).collect();
    let servers = servers.iter().map(|n| (*n, Server { checked: true, ..server(1) }));
    Definition { key: entries[0], entries, ..definition(servers) }
}

/// The same of this name.
fn named(name: &str, entries: &[u8], servers: &[u8]) -> Definition {
    let key = VirtualServerKey::Group { name: name.into(), protocol: Protocol::Tcp, family: None };
    let settings = VirtualServer { scheduler: "rr".into(), ..VirtualServer::new(key) };
    Definition { settings: Configured::new(1, settings), ..group(entries, servers) }
}

/// Those that the reload leaves alone, and that are known by other entries than before, among them.
#[test]
fn a_group_is_the_same_one_whatever_entries_it_has() {
    for after in [&[12_u8, 13][..], &[10, 11, 12], &[12, 14], &[12, 11], &[21, 22], &[11, 12, 13]] {
        let mut story = Story::new(named("G", &[11, 12], &[2, 3]));
        let dead = |entry| RealKey { service: entry, real: web(2) };
        story.desk.director.health(&dead(entry(11)), Health::DOWN, None);
        story.runtime.block_on(story.reconciler.reconcile(&mut story.desk));
        story.apply(named("G", after, &[2, 3]));
        let mut expected: Known = after
            .iter()
            .map(|n| (entry(*n).to_string(), true, vec![(2, false, false), (3, true, true)]))
            .collect();
        expected.sort();
        // One who has not heard of the reload yet.
        story.desk.director.health(&dead(entry(11)), Health::DOWN, None);
        let (known, told) = story.known_and_told();
        assert_eq!(known, expected, "{after:?}");
        let at = told.iter().position(|kind| kind.starts_with("real_server_removed")).unwrap();
        let later = told[at..].iter().filter(|kind| {
            kind.starts_with("quorum")
                || kind.starts_with("real_server_up")
                || kind.starts_with("real_server_down")
        });
        assert_eq!(later.count(), 0, "{after:?}: {told:?}");
        let renamed = told.iter().filter(|kind| kind.starts_with("virtual_server_renamed")).count();
        assert_eq!(renamed, usize::from(after[0] != 11), "{after:?}: {told:?}");
    }
}

#[test]
fn two_groups_that_change_places_begin_anew() {
    let mut story = Story::new(named("G", &[11], &[2]));
    story.apply_all(vec![named("G", &[11], &[2]), named("H", &[12], &[3])]);
    story.apply_all(vec![named("G", &[12], &[2]), named("H", &[11], &[3])]);
    let expected: Known =
        [(11, 3), (12, 2)].map(|(n, real)| (entry(n).to_string(), true, vec![(real, true, true)])).into();
    assert_eq!(story.known(), expected);
}

#[test]
fn what_is_found_at_an_entry_is_of_whoever_has_it_now_and_not_of_the_group_that_was_known_by_it() {
    let mut story = Story::new(named("G", &[11, 12], &[2, 3]));
    story.apply_all(vec![named("G", &[12], &[2, 3]), named("NEW", &[11], &[2, 3])]);
    let dead = RealKey { service: entry(11), real: web(2) };
    story.desk.director.health(&dead, Health::DOWN, None);
    story.runtime.block_on(story.reconciler.reconcile(&mut story.desk));
    let expected: Known =
        [(11, vec![(2, false, false), (3, true, true)]), (12, vec![(2, true, true), (3, true, true)])]
            .map(|(n, reals)| (entry(n).to_string(), true, reals))
            .into();
    assert_eq!(story.known(), expected);
}

#[test]
fn an_entry_that_moves_to_another_virtual_server_is_known_as_that_one_s() {
    for receiver_first in [true, false] {
        let mut story = Story::new(named("D", &[11, 12], &[2]));
        story.apply_all(vec![named("R", &[21], &[3]), named("D", &[11, 12], &[2])]);
        let (receiver, donor) = (named("R", &[21, 12], &[3]), named("D", &[11], &[2]));
        let all = if receiver_first { vec![receiver, donor] } else { vec![donor, receiver] };
        story.apply_all(all);
        let expected: Known = [(11, 2), (12, 3), (21, 3)]
            .map(|(n, real)| (entry(n).to_string(), true, vec![(real, true, true)]))
            .into();
        assert_eq!(story.known(), expected, "{receiver_first}");
    }
}

#[test]
fn groups_are_known_by_the_entry_of_before_as_long_as_they_have_it() {
    let config = |lines: &str| {
        let text = format!(
            "virtual_server_group G {{\n{lines}\n}}\nvirtual_server group G {{\nprotocol TCP\nlvs_method TUN\n\
             real_server 10.2.0.1 80 {{\n}}\n}}\n"
        );
        let loaded = keepwatch_config::load_text(std::path::Path::new("t"), text, &Default::default());
        loaded.config.expect("a configuration that can run")
    };
    let known = |config: &model::Config| -> Vec<u8> {
        let entries = config.services().flat_map(|(_, entries)| entries);
        entries.filter_map(|key| (1..=20).find(|n| key == entry(*n))).collect()
    };
    let first = config("10.0.0.3 80\n10.0.0.5 80");
    assert_eq!(known(&first), [3, 5]);
    for (lines, expected) in [
        ("10.0.0.5 80\n10.0.0.3 80", &[3_u8, 5][..]),
        ("10.0.0.1-6 80", &[3, 1, 2, 4, 5, 6]),
        ("10.0.0.2 80\n10.0.0.5 80", &[5, 2]),
        ("10.0.0.7 80\n10.0.0.6 80", &[7, 6]),
        ("2001:db8::1 80\n10.0.0.7 80\n10.0.0.3 80", &[3, 7]),
    ] {
        let mut second = config(lines);
        second.keep_leads(&first.group_entries());
        assert_eq!(known(&second), expected, "{lines}");
    }
}
