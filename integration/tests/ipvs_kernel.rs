//! The netlink codec and the reconciler's operations against a real kernel, with `ipvsadm` as the oracle.
//!
//! The test boots a machine and runs itself in it: what is marked `ignore` is the part that plays inside.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    process::Command,
    time::{Duration, Instant},
};

use integration::vm::Scenario;
use keepwatch_bus::subject::{Family, Protocol, ServiceKey};
use keepwatch_ipvs::{
    Kernel, SyncDaemon, SyncRole, Timeouts, diff,
    table::{
        Destination, Encapsulation, Forwarding, Granularity, Operation, Persistence, Service, ServiceFlags,
        Table, VirtualService,
    },
};

#[path = "ipvs_kernel/answers.rs"]
mod answers;

#[test]
fn the_kernel_takes_every_kind_of_entry_and_tells_it_back() {
    Scenario::of_this_test("--test-threads=1 inside_the_machine").unwrap().succeed().unwrap();
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn inside_the_machine() {
    // Nothing has loaded the module yet: opening does.
    let mut kernel = Kernel::open().unwrap();
    assert!(kernel.version().unwrap() >= (1, 2, 1));

    let desired = every_kind_of_entry();
    reconcile(&mut kernel, &desired);
    let listing = ipvsadm(&["-Ln"]);
    println!("{listing}");
    for line in [
        "TCP 10.0.0.1:80 wrr persistent 360 mask 255.255.255.0",
        "-> 192.168.0.1:8080 Masq 3 0 0",
        "-> 192.168.0.2:8080 Masq 0 0 0",
        "UDP 10.0.0.2:53 rr ops",
        "TCP [fd00::1]:443 sh (sh-fallback,sh-port)",
        "-> [fd00::a]:443 Route 1 0 0",
        "FWM 7 wlc",
        "-> 192.168.0.9:0 Tunnel 1 0 0",
        "SCTP 10.0.0.3:9 mh",
    ] {
        assert!(listing.contains(line), "{line} is not in\n{listing}");
    }
    let thresholds = ipvsadm(&["-Ln", "--thresholds"]);
    assert!(thresholds.contains("100 80"), "{thresholds}");

    // Everything that can be changed is changed, and what is gone goes.
    let mut other = desired.clone();
    other.services.retain(|key, _| key.family() == Family::Inet);
    for service in other.services.values_mut() {
        service.service.scheduler = "lc".to_owned();
        service.service.persistence = None;
        service.service.flags = ServiceFlags::default();
        for destination in service.destinations.values_mut() {
            destination.weight += 5;
            destination.forwarding = Forwarding::DirectRouting;
            destination.upper_threshold = 0;
            destination.lower_threshold = 0;
        }
    }
    reconcile(&mut kernel, &other);

    let refused =
        kernel.apply(&[Operation::DeleteService(ServiceKey::Fwmark { fwmark: 99, family: Family::Inet })]);
    let refused = refused.unwrap();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].1.to_string().contains("FWM 99"), "{}", refused[0].1);

    let unknown = service("nosuch", ServiceFlags::default(), None);
    let refused =
        kernel.apply(&[Operation::AddService(address(Protocol::Tcp, "10.0.0.9", 80), unknown)]).unwrap();
    assert!(refused[0].1.to_string().contains("no scheduler `nosuch`"), "{}", refused[0].1);

    let udp = Timeouts { udp: Some(Duration::from_secs(17)), ..Timeouts::default() };
    let before = kernel.timeouts().unwrap();
    kernel.set_timeouts(udp).unwrap();
    assert_eq!(kernel.timeouts().unwrap(), Timeouts { udp: udp.udp, ..before });

    kernel.flush().unwrap();
    assert!(kernel.snapshot().unwrap().table.services.is_empty());

    // Of one that was started a moment ago the kernel often loses the acknowledgement.
    let sync = SyncDaemon {
        follows: false,
        interface: "lo".to_owned(),
        sync_id: 5,
        maximum_length: None,
        port: None,
        ttl: None,
        group: None,
    };
    let started = Instant::now();
    for _ in 0..50 {
        kernel.start_sync(SyncRole::Master, &sync).unwrap();
        kernel.stop_sync(SyncRole::Master, &sync).unwrap();
        assert!(!kernel.runs_sync(SyncRole::Master).unwrap());
    }
    println!("50 sync daemons started and stopped in {:?}", started.elapsed());
    assert!(kernel.stop_sync(SyncRole::Master, &sync).is_err(), "it does not run");

    let started = Instant::now();
    let large = large_table();
    reconcile(&mut kernel, &large);
    println!("3000 real servers added and read back in {:?}", started.elapsed());
    reconcile(&mut kernel, &Table::default());
}

fn reconcile(kernel: &mut Kernel, desired: &Table) {
    let operations = diff(desired, &kernel.snapshot().unwrap().table);
    let refused = kernel.apply(&operations).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(kernel.snapshot().unwrap().table, *desired);
}

fn ipvsadm(arguments: &[&str]) -> String {
    let output = Command::new("ipvsadm").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // The columns are as wide as they happen to be.
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

fn address(protocol: Protocol, address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol, address: address.parse().unwrap(), port }
}

fn server(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port)
}

fn destination(weight: u32, forwarding: Forwarding) -> Destination {
    Destination { weight, forwarding, upper_threshold: 0, lower_threshold: 0 }
}

fn service(scheduler: &str, flags: ServiceFlags, persistence: Option<Persistence>) -> Service {
    Service { scheduler: scheduler.to_owned(), flags, persistence }
}

fn every_kind_of_entry() -> Table {
    let web = Persistence {
        timeout: Duration::from_secs(360),
        granularity: Granularity::Mask([255, 255, 255, 0].into()),
        engine: None,
    };
    let v6 =
        Persistence { timeout: Duration::from_secs(60), granularity: Granularity::Prefix(64), engine: None };
    let masked =
        Destination { upper_threshold: 100, lower_threshold: 80, ..destination(3, Forwarding::Masquerade) };
    let tunnel = |encapsulation| destination(1, Forwarding::Tunnel(encapsulation));
    let services = [
        (
            address(Protocol::Tcp, "10.0.0.1", 80),
            service("wrr", ServiceFlags::default(), Some(web)),
            vec![
                (server("192.168.0.1", 8080), masked),
                (server("192.168.0.2", 8080), destination(0, Forwarding::Masquerade)),
            ],
        ),
        (address(Protocol::Udp, "10.0.0.2", 53), service("rr", ServiceFlags::ONE_PACKET, None), vec![]),
        (
            address(Protocol::Tcp, "fd00::1", 443),
            service("sh", ServiceFlags::SCHEDULER_1 | ServiceFlags::SCHEDULER_2, None),
            vec![(server("fd00::a", 443), destination(1, Forwarding::DirectRouting))],
        ),
        (address(Protocol::Tcp, "fd00::2", 443), service("wlc", ServiceFlags::default(), Some(v6)), vec![]),
        (address(Protocol::Sctp, "10.0.0.3", 9), service("mh", ServiceFlags::default(), None), vec![]),
        (
            ServiceKey::Fwmark { fwmark: 7, family: Family::Inet },
            service("wlc", ServiceFlags::default(), None),
            vec![
                (server("192.168.0.9", 0), tunnel(Encapsulation::Ipip)),
                (server("192.168.0.10", 0), tunnel(Encapsulation::Gue { port: 6080, flags: 1 })),
                (server("192.168.0.11", 0), tunnel(Encapsulation::Gre { flags: 0 })),
            ],
        ),
        (
            ServiceKey::Fwmark { fwmark: 7, family: Family::Inet6 },
            service("lc", ServiceFlags::default(), None),
            vec![],
        ),
    ];
    let services = services.into_iter().map(|(key, service, destinations)| {
        (key, VirtualService { service, destinations: destinations.into_iter().collect() })
    });
    Table { services: services.collect() }
}

fn large_table() -> Table {
    let servers = |n: u8| {
        (0..=249u8)
            .map(move |m| {
                (SocketAddr::new(IpAddr::from([192, 168, n, m]), 80), destination(1, Forwarding::Masquerade))
            })
            .collect::<BTreeMap<_, _>>()
    };
    let services = (0..12u8).map(|n| {
        let key = address(Protocol::Tcp, &format!("10.1.0.{n}"), 80);
        let service = service("rr", ServiceFlags::default(), None);
        (key, VirtualService { service, destinations: servers(n).into_iter().collect() })
    });
    Table { services: services.collect() }
}
