//! What the kernel answers to each kind of request: what the reconciler takes for granted, and what the configuration must
//! not let through.

use keepwatch_ipvs::KernelError;
use nix::errno::Errno;

use super::*;

/// The kernel's answer to one operation.
fn answer(kernel: &mut Kernel, operation: Operation) -> Result<(), Errno> {
    match kernel.apply(&[operation]).unwrap().pop() {
        None => Ok(()),
        // Its ENOENT is told by what it has not.
        Some((_, KernelError::Refused { error, .. })) if error.to_string().contains("no scheduler") => {
            Err(Errno::ENOENT)
        }
        Some((_, KernelError::Refused { error, .. })) => {
            Err(Errno::from_raw(error.raw_os_error().unwrap_or_else(|| panic!("{error}"))))
        }
        Some((_, other)) => panic!("{other}"),
    }
}

fn plain(scheduler: &str) -> Service {
    service(scheduler, ServiceFlags::default(), None)
}

fn persistent(scheduler: &str, granularity: Granularity, engine: Option<&str>) -> Service {
    let timeout = Duration::from_secs(60);
    let persistence = Persistence { timeout, granularity, engine: engine.map(str::to_owned) };
    service(scheduler, ServiceFlags::default(), Some(persistence))
}

fn nat(weight: u32) -> Destination {
    destination(weight, Forwarding::Masquerade)
}

fn mark(family: Family) -> ServiceKey {
    ServiceKey::Fwmark { fwmark: 9, family }
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn inside_the_machine_each_request_has_its_answer() {
    let mut kernel = Kernel::open().unwrap();
    kernel.flush().unwrap();
    let (four, six) = (address(Protocol::Tcp, "10.0.0.1", 80), address(Protocol::Tcp, "fd00::1", 80));
    let missing = address(Protocol::Tcp, "10.0.0.2", 80);
    let (first, second) = (server("192.168.0.1", 80), server("192.168.0.2", 80));
    let v6 = server("fd00::a", 80);
    let tunnel = |encapsulation| destination(1, Forwarding::Tunnel(encapsulation));
    let limits =
        |upper_threshold, lower_threshold| Destination { upper_threshold, lower_threshold, ..nat(1) };
    let to = |address: &str| Operation::AddDestination(four, server(address, 80), nat(1));
    use Operation::{
        AddDestination, AddService, DeleteDestination, DeleteService, SetDestination, SetService,
    };
    let requests = [
        // Services.
        (AddService(four, plain("rr")), Ok(())),
        (AddService(four, plain("wlc")), Err(Errno::EEXIST)),
        (SetService(missing, plain("rr")), Err(Errno::ESRCH)),
        (DeleteService(missing), Err(Errno::ESRCH)),
        (AddService(missing, plain("nosuch")), Err(Errno::ENOENT)),
        (AddService(missing, plain("RR")), Err(Errno::ENOENT)),
        (AddService(missing, plain("twos")), Err(Errno::ENOENT)),
        (AddService(missing, plain("")), Err(Errno::ENOENT)),
        (AddService(missing, plain("sixteen-letters-")), Err(Errno::EINVAL)),
        // Which refuses every connection.
        (AddService(missing, plain("none")), Ok(())),
        (SetService(missing, plain("rr")), Ok(())),
        (SetService(missing, plain("none")), Ok(())),
        (DeleteService(missing), Ok(())),
        (
            AddService(missing, persistent("rr", Granularity::Mask([255; 4].into()), Some("nosuch"))),
            Err(Errno::ENOENT),
        ),
        (AddService(six, persistent("rr", Granularity::Prefix(0), None)), Err(Errno::EINVAL)),
        (AddService(six, persistent("rr", Granularity::Prefix(129), None)), Err(Errno::EINVAL)),
        (AddService(six, persistent("rr", Granularity::Prefix(1), None)), Ok(())),
        // Of version 4 any mask will do.
        (SetService(four, persistent("rr", Granularity::Mask([0; 4].into()), None)), Ok(())),
        (SetService(four, persistent("rr", Granularity::Mask([255, 0, 255, 0].into()), Some("sip"))), Ok(())),
        // One mark is a service in each family.
        (AddService(mark(Family::Inet), plain("rr")), Ok(())),
        (AddService(mark(Family::Inet6), plain("rr")), Ok(())),
        (AddDestination(mark(Family::Inet), first, nat(1)), Ok(())),
        (AddDestination(mark(Family::Inet), server("192.168.0.1", 81), nat(1)), Ok(())),
        // Real servers.
        (AddDestination(four, first, nat(1)), Ok(())),
        (AddDestination(four, first, destination(1, Forwarding::DirectRouting)), Err(Errno::EEXIST)),
        (SetDestination(four, second, nat(1)), Err(Errno::ENOENT)),
        (DeleteDestination(four, second), Err(Errno::ENOENT)),
        (AddDestination(missing, first, nat(1)), Err(Errno::ESRCH)),
        (SetDestination(four, first, nat(i32::MAX as u32)), Ok(())),
        (SetDestination(four, first, nat(1 << 31)), Err(Errno::ERANGE)),
        (SetDestination(four, first, limits(10, 11)), Err(Errno::ERANGE)),
        (SetDestination(four, first, limits(0, 1)), Err(Errno::ERANGE)),
        (SetDestination(four, first, limits(10, 10)), Ok(())),
        (SetDestination(four, first, destination(1, Forwarding::DirectRouting)), Ok(())),
        (SetDestination(four, first, tunnel(Encapsulation::Gue { port: 0, flags: 0 })), Err(Errno::EINVAL)),
        // The other family is reached by tunnels only.
        (AddDestination(four, v6, nat(1)), Err(Errno::EINVAL)),
        (AddDestination(four, v6, destination(1, Forwarding::DirectRouting)), Err(Errno::EINVAL)),
        (AddDestination(four, v6, tunnel(Encapsulation::Ipip)), Ok(())),
        (AddDestination(six, first, tunnel(Encapsulation::Ipip)), Ok(())),
        // What is nobody's address.
        (to("0.0.0.0"), Err(Errno::EINVAL)),
        (to("224.0.0.1"), Err(Errno::EINVAL)),
        (to("255.255.255.255"), Err(Errno::EINVAL)),
        (AddDestination(six, server("::", 80), nat(1)), Err(Errno::EINVAL)),
        (AddDestination(six, server("fe80::1", 80), nat(1)), Err(Errno::EINVAL)),
    ];
    for (operation, expected) in requests {
        let shown = operation.to_string();
        assert_eq!(answer(&mut kernel, operation), expected, "{shown}");
    }
    // What nobody knows is kept, whoever has put it there, and told as it is.
    for (method, encapsulation) in [(5, 0), (6, 0), (7, 0), (2, 3), (2, 255)] {
        let strange = destination(1, Forwarding::Unknown { method, tunnel: encapsulation });
        assert_eq!(answer(&mut kernel, SetDestination(four, first, strange)), Ok(()));
        let snapshot = kernel.snapshot().unwrap();
        assert_eq!(snapshot.table.services[&four].destinations[&first], strange);
        assert!(snapshot.unread.is_empty(), "{snapshot:?}");
    }
    assert_eq!(answer(&mut kernel, SetDestination(four, first, nat(1))), Ok(()));
    // Another scheduler costs no real server, nor does the end of persistence.
    let before = kernel.snapshot().unwrap().table;
    assert_eq!(answer(&mut kernel, SetService(four, plain("wlc"))), Ok(()));
    assert_eq!(answer(&mut kernel, SetService(six, plain("wlc"))), Ok(()));
    let after = kernel.snapshot().unwrap().table;
    for key in [four, six] {
        assert_eq!(after.services[&key].destinations, before.services[&key].destinations, "{key}");
        assert_eq!(after.services[&key].service, plain("wlc"));
    }

    // A tunnel to the other family and a sync daemon exclude each other.
    let sync = |interface: &str| SyncDaemon {
        follows: false,
        interface: interface.to_owned(),
        sync_id: 5,
        maximum_length: None,
        port: None,
        ttl: None,
        group: None,
    };
    let refused = |result: Result<(), KernelError>| match result {
        Ok(()) => None,
        Err(KernelError::Refused { error, .. }) => error.raw_os_error().map(Errno::from_raw),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &sync("lo"))), Some(Errno::EINVAL));
    assert_eq!(answer(&mut kernel, DeleteDestination(four, v6)), Ok(()));
    assert_eq!(answer(&mut kernel, DeleteDestination(six, first)), Ok(()));
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &sync("nosuch0"))), Some(Errno::ENODEV));
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &sync("lo"))), None);
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &sync("lo"))), Some(Errno::EEXIST));
    let other_family = AddDestination(four, v6, tunnel(Encapsulation::Ipip));
    assert_eq!(answer(&mut kernel, other_family), Err(Errno::EINVAL));
    // The table may go while it runs.
    kernel.flush().unwrap();
    assert!(kernel.runs_sync(SyncRole::Master).unwrap());
    kernel.stop_sync(SyncRole::Master, &sync("lo")).unwrap();

    // Its interface may go as well, and it is listed all the same.
    ip("link add syn type dummy");
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &sync("syn"))), Some(Errno::ENETUNREACH));
    ip("link set syn up");
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &sync("syn"))), None);
    let backup = SyncDaemon { sync_id: 6, ..sync("lo") };
    assert_eq!(refused(kernel.start_sync(SyncRole::Backup, &backup)), None);
    ip("link del syn");
    assert!(kernel.runs_sync(SyncRole::Master).unwrap());
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &sync("lo"))), Some(Errno::EEXIST));
    // The half alone says which is meant.
    kernel.stop_sync(SyncRole::Master, &sync("nosuch0")).unwrap();
    assert_eq!(refused(kernel.stop_sync(SyncRole::Master, &sync("lo"))), Some(Errno::ESRCH));
    kernel.stop_sync(SyncRole::Backup, &backup).unwrap();
    let unicast = SyncDaemon { group: Some([10, 0, 0, 1].into()), ..sync("lo") };
    assert_eq!(refused(kernel.start_sync(SyncRole::Master, &unicast)), Some(Errno::EINVAL));

    // 0 and what is not given leave a timeout as it is, and so does emptying the table.
    let udp = Timeouts { udp: Some(Duration::from_secs(17)), ..Timeouts::default() };
    kernel.set_timeouts(udp).unwrap();
    kernel.set_timeouts(Timeouts { udp: Some(Duration::ZERO), ..Timeouts::default() }).unwrap();
    kernel.flush().unwrap();
    assert_eq!(kernel.timeouts().unwrap().udp, udp.udp);
    let most = |seconds| Timeouts { tcp: Some(Duration::from_secs(seconds)), ..Timeouts::default() };
    assert_eq!(refused(kernel.set_timeouts(most(8_589_935))), Some(Errno::EINVAL));
    assert_eq!(refused(kernel.set_timeouts(most(8_589_934))), None);
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
}
