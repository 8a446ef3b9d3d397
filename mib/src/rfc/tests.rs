//! The two MIBs over a small world, and their notifications.

use std::time::Duration;

use keepwatch_bus::fact::{AdvertError, DaemonFact, LinkFact, VrrpFact};
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Configured, Counters, Event, Fact, World, sample};
use keepwatch_model::{Family, Instance, InterfaceAddress, Priority, VirtualRouterId, VrrpVersion};
use snmp_agentx::{Tree, VarBindValue, oid, value};

use super::{Order, v2, v3};
use crate::Parts;
use crate::keepalived::mib;
use crate::source::View;
use crate::traps;

const PARTS: Parts = Parts { vrrp: false, checker: false, rfc_v2: true, rfc_v3: true };

fn happen(world: &mut World, fact: impl Into<Fact>) -> Event {
    let event = sample::event(world.version + 1, None, fact);
    world.apply(&event);
    event
}

fn configure(world: &mut World, name: &str, position: u32, model: Instance) {
    let settings = Configured::new(position, model);
    happen(world, VrrpFact::InstanceConfigured { instance: name.into(), settings });
}

fn addresses(texts: &[&str]) -> Vec<InterfaceAddress> {
    texts.iter().map(|text| InterfaceAddress::host(text.parse().unwrap())).collect()
}

/// Ids that do not rise in the order of the configuration, two families with one id, and both versions.
fn world() -> World {
    let mut world = World::default();
    happen(&mut world, DaemonFact::DaemonStarted { settings: Box::default() });
    happen(&mut world, LinkFact::LinkUp { interface: "eth0".into(), index: 3 });
    happen(
        &mut world,
        LinkFact::LinkAddressed {
            interface: "eth0".into(),
            index: 3,
            hardware: Some([2, 0, 0, 0, 0, 1]),
            inet: Some([10, 78, 0, 1].into()),
            inet6: Some("fe80::1".parse().unwrap()),
        },
    );
    let first = Instance {
        vrid: VirtualRouterId(51),
        addresses: addresses(&["10.78.9.9", "10.78.9.7"]),
        excluded_addresses: addresses(&["10.78.9.11"]),
        ..sample::instance()
    };
    let second = Instance {
        vrid: VirtualRouterId(22),
        version: VrrpVersion::V3,
        advert_int: Duration::from_millis(500),
        nopreempt: true,
        accept: false,
        addresses: addresses(&["10.78.9.19"]),
        ..sample::instance()
    };
    let third = Instance {
        vrid: VirtualRouterId(51),
        version: VrrpVersion::V3,
        family: Family::Inet6,
        priority: Priority(90),
        addresses: addresses(&["fe80::9", "fd78::9"]),
        ..sample::instance()
    };
    configure(&mut world, "VI_1", 1, first);
    configure(&mut world, "VI_2", 2, second);
    configure(&mut world, "VI_3", 3, third);
    world
}

fn walk(world: &World, root: &[u32]) -> Vec<(Vec<u32>, VarBindValue)> {
    let (mib, counters, order) = (mib(PARTS), Counters::default(), Order::of(world));
    let tree = mib.over(View { world, counters: &counters, order: &order });
    let (mut at, mut seen) = (oid(root), Vec::new());
    while let Some((name, value)) = tree.next(None, &at, false) {
        assert!(name > at, "{name} after {at}");
        if let Some(rest) = name.strip_prefix(root) {
            seen.push((rest.to_vec(), value));
        }
        at = name;
    }
    seen
}

/// The rows of a column with their indexes.
fn column(world: &World, root: &[u32], place: &[u32]) -> Vec<(Vec<u32>, VarBindValue)> {
    let seen = walk(world, root).into_iter();
    seen.filter_map(|(name, value)| Some((name.strip_prefix(place)?.to_vec(), value))).collect()
}

fn change(world: &mut World, instance: &str, from: VrrpState, to: VrrpState) -> Event {
    happen(world, VrrpFact::StateChanged { instance: instance.into(), from, to, priority: 100 })
}

#[test]
fn rows_are_in_the_order_of_interface_id_and_family() {
    let world = world();
    let indexes =
        |rows: Vec<(Vec<u32>, VarBindValue)>| rows.into_iter().map(|(index, _)| index).collect::<Vec<_>>();
    assert_eq!(indexes(column(&world, &v2::ROOT, &[1, 3, 1, 3])), [[3, 51]]);
    assert_eq!(indexes(column(&world, &v3::ROOT, &[1, 1, 1, 1, 6])), [[3, 22, 1], [3, 51, 1], [3, 51, 2]]);
    assert_eq!(
        indexes(column(&world, &v2::ROOT, &[1, 4, 1, 2])),
        [[3, 51, 10, 78, 9, 7], [3, 51, 10, 78, 9, 9]],
        "neither the file's order nor excluded addresses"
    );
    let inet6 = indexes(column(&world, &v3::ROOT, &[1, 1, 2, 1, 2]));
    assert_eq!(inet6.len(), 5);
    assert_eq!(inet6[0], [3, 22, 1, 4, 10, 78, 9, 19], "the address with its length before it");
    assert_eq!(inet6[3][..6], [3, 51, 2, 16, 0xfd, 0x78]);
    assert_eq!(inet6[4][..6], [3, 51, 2, 16, 0xfe, 0x80]);
}

#[test]
fn an_order_follows_virtual_routers_that_come_and_go() {
    let mut world = world();
    let mut order = Order::of(&world);
    assert_eq!(order.v2.first([0, 0]).map(|(index, _)| index), Some([3, 51]));
    happen(&mut world, VrrpFact::InstanceUnconfigured { instance: "VI_1".into() });
    order.follow(&world);
    assert_eq!(order.v2.first([0, 0]), None);
    happen(&mut world, LinkFact::LinkUp { interface: "eth0".into(), index: 8 });
    order.follow(&world);
    assert_eq!(order.v3.first([0, 0, 0]).map(|(index, _)| index), Some([8, 22, 1]));
}

#[test]
fn the_master_is_told_by_whoever_it_is() {
    let mut world = world();
    let master = |world: &World| column(world, &v2::ROOT, &[1, 3, 1, 7]).remove(0).1;
    assert_eq!(master(&world), value::address([0, 0, 0, 0].into()));
    change(&mut world, "VI_1", VrrpState::Init, VrrpState::Backup);
    let (instance, address) = ("VI_1".into(), [10, 78, 0, 2].into());
    happen(&mut world, VrrpFact::MasterHeard { instance, address, priority: 90 });
    assert_eq!(master(&world), value::address([10, 78, 0, 2].into()));
    change(&mut world, "VI_1", VrrpState::Backup, VrrpState::Master);
    assert_eq!(master(&world), value::address([10, 78, 0, 1].into()), "its own primary address");
    assert_eq!(
        column(&world, &v3::ROOT, &[1, 1, 1, 1, 5])[0].1,
        value::octets(&[2, 0, 0, 0, 0, 1]),
        "without use_vmac the interface's own"
    );
}

#[test]
fn why_one_became_master() {
    let reasons = |world: &World| column(world, &v3::ROOT, &[1, 2, 5, 1, 2]);
    let reason = |priority: Option<u8>, is_silent: bool| {
        let mut world = world();
        change(&mut world, "VI_2", VrrpState::Init, VrrpState::Backup);
        if let Some(priority) = priority {
            let (instance, address) = ("VI_2".into(), [10, 78, 0, 2].into());
            happen(
                &mut world,
                match priority {
                    0 => VrrpFact::MasterResigned { instance, address },
                    _ => VrrpFact::MasterHeard { instance, address, priority },
                },
            );
        }
        let (instance, waited) = ("VI_2".into(), Duration::from_secs(3));
        let fact = if is_silent {
            VrrpFact::AdvertTimedOut { instance, master: None, waited, evidence: None }
        } else {
            let (address, own) = ([10, 78, 0, 2].into(), 100);
            VrrpFact::LowerPriorityReceived { instance, address, priority: priority.unwrap_or(1), own }
        };
        happen(&mut world, fact);
        change(&mut world, "VI_2", VrrpState::Backup, VrrpState::Master);
        let reason = reasons(&world)[0].1.clone();
        change(&mut world, "VI_2", VrrpState::Master, VrrpState::Backup);
        assert_eq!(reasons(&world)[0].1, reason, "it is told as long as there is no other");
        reason
    };
    assert_eq!(reasons(&world())[0].1, value::integer(0), "never");
    assert_eq!(reason(None, true), value::integer(3), "nobody was heard");
    assert_eq!(reason(Some(150), true), value::integer(3));
    assert_eq!(reason(Some(50), true), value::integer(3), "one of lower priority fell silent");
    assert_eq!(reason(Some(50), false), value::integer(2), "one of lower priority that still speaks");
    assert_eq!(reason(Some(0), true), value::integer(1), "it gave up");
}

/// The names below the two roots of each notification, without the event's time and number.
fn told(event: &Event, world: &World) -> Vec<Vec<String>> {
    let (counters, order) = (Counters::default(), Order::of(world));
    let view = View { world, counters: &counters, order: &order };
    let all = traps::Known::of(world, PARTS).notifications(event, view, PARTS);
    let name = |bind: &snmp_agentx::VarBind| bind.name.to_string().replace("1.3.6.1.2.1.", "");
    all.iter().map(|binds| binds[1..binds.len() - 2].iter().map(name).collect()).collect()
}

#[test]
fn notifications_name_the_row_that_they_tell_of() {
    let mut world = world();
    let event = change(&mut world, "VI_1", VrrpState::Backup, VrrpState::Master);
    let both = [vec!["68.1.3.1.7.3.51"], vec!["207.1.1.1.1.3.3.51.1", "207.1.2.5.1.2.3.51.1"]];
    assert_eq!(told(&event, &world), both, "version 2 is in both");
    let event = change(&mut world, "VI_3", VrrpState::Backup, VrrpState::Master);
    assert_eq!(told(&event, &world), [["207.1.1.1.1.3.3.51.2", "207.1.2.5.1.2.3.51.2"]]);
    let event = change(&mut world, "VI_3", VrrpState::Master, VrrpState::Backup);
    assert!(told(&event, &world).is_empty());
    let mut refuse = |error| {
        let (instance, address, detail) = ("VI_1".into(), [10, 78, 0, 66].into(), String::new());
        let event = happen(&mut world, VrrpFact::AdvertRejected { instance, address, error, detail });
        (told(&event, &world), column(&world, &v3::ROOT, &[1, 2, 5, 1, 6])[1].1.clone())
    };
    for error in [AdvertError::AuthTypeInvalid, AdvertError::AuthTypeMismatch, AdvertError::AuthFailure] {
        assert_eq!(refuse(error).0, [["68.1.5.3.51", "68.1.6.3.51"]]);
    }
    for (error, number) in [(AdvertError::Ttl, 1), (AdvertError::Version, 2), (AdvertError::Checksum, 3)] {
        let (told, shown) = refuse(error);
        assert_eq!((told, shown), (vec![vec!["207.1.2.5.1.6.3.51.1".to_owned()]], value::integer(number)));
    }
    assert_eq!(refuse(AdvertError::Interval).0, Vec::<Vec<String>>::new());
}
