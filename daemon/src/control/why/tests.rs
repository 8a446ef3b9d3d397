//! A world is told facts, and asked why.

use std::path::Path;

use keepwatch_bus::fact::{
    ConsumerFact, Failure, FailureReason, LinkDownReason, LinkFact, ServiceFact, SplitSign, VrrpFact,
};
use keepwatch_bus::subject::{CheckerKey, RealKey, ServiceKey, VrrpState};
use keepwatch_bus::{Configured, Counters, EventId, Fact};
use keepwatch_config::{Options, load_text};
use keepwatch_vrrp::Definitions;

use super::*;

/// What happened, folded and kept.
struct Told {
    world: World,
    history: History,
    next: u64,
}

impl Told {
    fn new() -> Self {
        let text = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n 10.0.0.9\n }\n}\n";
        let config = load_text(Path::new("t.conf"), text.into(), &Options::default()).config.unwrap();
        let routers = Definitions::from_config(&config, &Counters::default()).routers;
        let mut story = Self { world: World::default(), history: History::new(100), next: 1 };
        for router in routers {
            let instance = router.spec.name.clone();
            story.tell(None, VrrpFact::InstanceConfigured { instance, settings: router.settings });
        }
        story
    }

    fn tell(&mut self, cause: Option<EventId>, fact: impl Into<Fact>) -> EventId {
        let id = EventId(self.next);
        self.next += 1;
        let event = Event { id, at: Timestamp::now(), mono: id.0, cause, fact: fact.into() };
        self.world.apply(&event);
        self.history.push(Arc::new(event));
        id
    }

    fn changed(&mut self, cause: EventId, from: VrrpState, to: VrrpState) -> EventId {
        self.tell(Some(cause), VrrpFact::StateChanged { instance: "VI_1".into(), from, to, priority: 100 })
    }

    fn ask(&self, wanted: &str) -> Result<Vec<Why>, String> {
        why(&self.world, &self.history, wanted)
    }
}

fn ids(events: &[Arc<Event>]) -> Vec<u64> {
    events.iter().map(|event| event.id.0).collect()
}

#[test]
fn the_chain_begins_at_its_root_and_ends_with_the_change() {
    let mut story = Told::new();
    let down = LinkFact::LinkDown { interface: "eth0".into(), reason: LinkDownReason::NoCarrier };
    let root = story.tell(None, down);
    let change = story.changed(root, VrrpState::Backup, VrrpState::Fault);
    let later = story.tell(Some(change), ConsumerFact::MailFailed { subject: "s".into(), error: "e".into() });
    story.tell(None, ConsumerFact::MailFailed { subject: "another".into(), error: "e".into() });

    let found = story.ask(" VI_1 ").unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, found[0].state.as_str()), (Kind::Instance, "FAULT (priority 100)"));
    assert_eq!(ids(&found[0].chain), [root.0, change.0]);
    assert_eq!(ids(&found[0].followed), [later.0]);

    let link = story.ask("eth0").unwrap();
    assert_eq!((link[0].kind, link[0].state.as_str()), (Kind::Interface, "down (no carrier)"));
    assert_eq!(ids(&link[0].followed), [change.0, later.0]);
}

#[test]
fn what_never_changed_tells_how_it_came_to_be_and_what_is_not_there_names_what_is() {
    let story = Told::new();
    let found = story.ask("VI_1").unwrap();
    assert!(found[0].since.is_none() && found[0].followed.is_empty());
    assert_eq!(found[0].chain[0].fact.kind(), "instance_configured");
    let refused = story.ask("VI_2").unwrap_err();
    assert!(refused.contains("VI_1"), "{refused}");
}

#[test]
fn services_are_known_by_every_name_that_people_give_them() {
    let key = |port| ServiceKey::Address {
        address: "10.0.0.1".parse().unwrap(),
        port,
        protocol: keepwatch_bus::subject::Protocol::Tcp,
    };
    let names = subjects::service_names(&key(80));
    for name in ["[10.0.0.1]:tcp:80", "10.0.0.1:80", "10.0.0.1 80", "10.0.0.1"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}

/// A network with more in it: a group, a script with a weight, a peer, a virtual server, a recipient.
fn house() -> Told {
    let text = "global_defs {\n notification_email {\n admin@example.net\n }\n smtp_server 10.0.0.25\n}\n\
        vrrp_script chk {\n script /bin/true\n weight -30\n}\n\
        vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n\
        vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 150\n nopreempt\n\
        \x20unicast_src_ip 10.0.0.1\n unicast_peer {\n 10.0.0.2\n }\n virtual_ipaddress {\n 10.0.0.9/24\n fd00::9/64\n }\n}\n\
        vrrp_instance VI_2 {\n interface eth1\n virtual_router_id 52\n virtual_ipaddress {\n 10.1.0.9\n }\n}\n\
        vrrp_instance VI_6 {\n interface eth1\n virtual_router_id 53\n version 3\n virtual_ipaddress {\n fd00::9/64\n }\n}\n";
    let loaded = load_text(Path::new("t.conf"), text.into(), &Options::default());
    let config = loaded.config.unwrap();
    let definitions = Definitions::from_config(&config, &Counters::default());
    let mut story = Told { world: World::default(), history: History::new(1000), next: 1 };
    let settings = keepwatch_bus::Process { global: Arc::new(config.global.clone()), ..Default::default() };
    let started =
        story.tell(None, keepwatch_bus::fact::DaemonFact::DaemonStarted { settings: Box::new(settings) });
    for router in definitions.routers {
        let instance = router.spec.name.clone();
        story.tell(Some(started), VrrpFact::InstanceConfigured { instance, settings: router.settings });
    }
    for group in definitions.groups {
        let name = group.spec.name.clone();
        story.tell(Some(started), VrrpFact::GroupConfigured { group: name, settings: group.settings });
    }
    story
}

#[test]
fn whatever_a_person_can_type_has_a_story() {
    let mut house = house();
    house.tell(
        None,
        VrrpFact::MasterHeard { instance: "VI_1".into(), address: [10, 0, 0, 2].into(), priority: 100 },
    );
    for (wanted, kind, name) in [
        ("VI_1", Kind::Instance, "VI_1"),
        ("51", Kind::Instance, "VI_1"),
        ("vrid 52", Kind::Instance, "VI_2"),
        ("vi_2", Kind::Instance, "VI_2"),
        ("G", Kind::Group, "G"),
        ("10.0.0.9", Kind::Address, "10.0.0.9/24"),
        ("10.0.0.9/24", Kind::Address, "10.0.0.9/24"),
        ("10.1.0.9/32", Kind::Address, "10.1.0.9"),
        ("FD00:0::9", Kind::Address, "fd00::9/64"),
        ("10.1.0.0/16", Kind::Address, "10.1.0.9"),
        ("10.0.0.2", Kind::Peer, "10.0.0.2"),
        ("admin@example.net", Kind::Recipient, "admin@example.net"),
        ("#2", Kind::Event, "#2"),
        ("3", Kind::Event, "#3"),
    ] {
        let found = house.ask(wanted).unwrap_or_else(|error| panic!("{wanted}: {error}"));
        assert_eq!((found[0].kind, &*found[0].name), (kind, name), "{wanted}");
    }
    let group = &house.ask("G").unwrap()[0];
    assert_eq!(group.chain.last().unwrap().fact.kind(), "group_configured", "a story at its start");
    assert!(group.notes[0].contains("VI_1") && group.notes[0].contains("VI_2"), "{:?}", group.notes);
    let refused = house.ask("VI_7").unwrap_err();
    assert!(refused.contains("did you mean VI_"), "{refused}");
}

#[test]
fn a_backup_says_why_it_leaves_a_lower_master_alone() {
    let mut house = house();
    house.tell(
        None,
        VrrpFact::StateChanged {
            instance: "VI_1".into(),
            from: VrrpState::Init,
            to: VrrpState::Backup,
            priority: 150,
        },
    );
    house.tell(
        None,
        VrrpFact::MasterHeard { instance: "VI_1".into(), address: [10, 0, 0, 2].into(), priority: 100 },
    );
    let notes = house.ask("VI_1").unwrap().remove(0).notes;
    assert!(notes[0].contains("nopreempt") && notes[0].contains("10.0.0.2"), "{notes:?}");
}

#[test]
fn whoever_asks_for_a_virtual_router_or_its_address_hears_of_a_split_brain() {
    let mut house = house();
    let began = house.tell(
        None,
        VrrpFact::SplitBrainBegan {
            instance: "VI_1".into(),
            address: [10, 0, 0, 2].into(),
            priority: 100,
            own_address: None,
            own: 150,
            sign: SplitSign::Heard,
        },
    );
    let address = house.world.instances.values().next().unwrap().settings.all_addresses().next().unwrap();
    let address = address.address.to_string();
    for subject in ["VI_1", "G", &address] {
        let notes = house.ask(subject).unwrap().remove(0).notes;
        let said = format!("split brain with 10.0.0.2 (priority 100), {began}: ");
        assert!(notes.iter().any(|note| note.contains(&said)), "{subject}: {notes:?}");
    }
}

#[test]
fn what_is_wrong_for_one_reason_is_one_finding_with_its_root() {
    let mut house = house();
    assert!(now(&house.world, &house.history).wrong.is_empty());
    let reason = LinkDownReason::NoCarrier;
    let down = house.tell(None, LinkFact::LinkDown { interface: "eth0".into(), reason });
    let fault = |instance: &str| VrrpFact::StateChanged {
        instance: instance.into(),
        from: VrrpState::Backup,
        to: VrrpState::Fault,
        priority: 100,
    };
    let first = house.tell(Some(down), fault("VI_1"));
    house.tell(Some(first), fault("VI_2"));
    let state = now(&house.world, &house.history);
    assert_eq!(state.wrong.len(), 1, "{:?}", state.wrong);
    let finding = &state.wrong[0];
    assert_eq!((&*finding.what, finding.chain[0].id), ("VI_1 is in FAULT", down));
    assert!(finding.error.contains("eth0 is down (no carrier)"), "{}", finding.error);
    assert_eq!(finding.also, ["VI_2 is in FAULT", "interface eth0 is down"]);
    assert_eq!(state.lately[0].chain[0].id, down);
}

#[test]
fn what_else_happened_is_told_beside_the_last_change() {
    let mut house = house();
    house.tell(
        None,
        VrrpFact::StateChanged {
            instance: "VI_2".into(),
            from: VrrpState::Init,
            to: VrrpState::Backup,
            priority: 100,
        },
    );
    let priority = VrrpFact::PriorityChanged { instance: "VI_2".into(), from: 100, to: 70 };
    house.tell(None, priority.clone());
    let last = house.tell(None, priority);
    let lately = house.ask("VI_2").unwrap().remove(0).lately;
    assert_eq!((lately.len(), lately[0].times), (1, 2));
    assert_eq!(lately[0].chain[0].id, last);
}

#[test]
fn a_real_server_has_its_own_events_only_and_a_group_is_found_by_its_name() {
    let service = |n: u8| ServiceKey::Address {
        address: [10, 9, 0, n].into(),
        port: 80,
        protocol: keepwatch_bus::subject::Protocol::Tcp,
    };
    let text = "virtual_server_group G {\n 10.9.0.100-101 80\n}\nvirtual_server group G {\n protocol TCP\n\
        real_server 10.9.0.2 8000 {\n TCP_CHECK {\n }\n }\n real_server 10.9.0.2 8001 {\n TCP_CHECK {\n }\n }\n}\n";
    let config = load_text(Path::new("t.conf"), text.into(), &Options::default()).config.unwrap();
    let server = &config.virtual_servers[0];
    let mut story = Told { world: World::default(), history: History::new(100), next: 1 };
    let real = |n, port| RealKey { service: service(n), real: ([10, 9, 0, 2], port).into() };
    for n in [100, 101] {
        let settings = Configured::new(1, server.alone());
        story.tell(None, ServiceFact::VirtualServerConfigured { service: service(n), settings });
        for one in &server.real_servers {
            let settings = Configured::new(1, one.clone());
            let real = real(n, one.address.port());
            story.tell(
                None,
                ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings },
            );
        }
    }
    let failed = |port| ServiceFact::CheckFailed {
        checker: CheckerKey::new(real(100, port), "TCP_CHECK", 0),
        failure: Failure::new(FailureReason::Refused, "connection refused"),
        attempt: 1,
        attempts: 2,
        log_always: false,
        took: std::time::Duration::ZERO,
    };
    story.tell(None, failed(8001));
    let mine = story.tell(None, failed(8000));
    story.tell(None, failed(8001));
    let found = story.ask("10.9.0.2:8000").unwrap();
    let lately: Vec<_> = found.iter().map(|why| why.lately.len()).collect();
    assert_eq!((lately, found[0].lately[0].times), (vec![1, 0], 1), "one entry is looked at for all");
    assert_eq!(ids(&found[0].lately[0].chain), [mine.0]);
    assert_eq!(ids(&found[0].chain), [2], "how it came to be, and not how the other of its address did");
    let names = names_of(&story.world, &story.history, "10.9.0.2:8000");
    assert!(!names.contains(&"10.9.0.2".to_owned()), "{names:?}");
    for name in ["G", "[G]", "[G]:0"] {
        let found = story.ask(name).unwrap();
        assert_eq!((found.len(), found[0].kind), (1, Kind::VirtualServer), "{name}");
    }
}
