//! `--address-monitoring`: every address that comes and goes on this host, whoever puts it there. In: the kernel's
//! notifications. Out: facts.

use std::os::fd::AsFd;
use std::time::Duration;

use keepwatch_bus::WeakBus;
use keepwatch_bus::fact::LinkFact;
use keepwatch_net::link::{Change, LinkTable};
use keepwatch_net::netlink::Monitor;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Datagrams of notifications that are read before others are told.
const AT_ONCE: usize = 64;
/// Between two tries to subscribe.
const PACE: Duration = Duration::from_millis(500);

/// Begins to tell of addresses, on a thread of its own, until the hub ends.
///
/// # Errors
/// When there is no thread to be had.
pub(in crate::worker) fn start(bus: WeakBus) -> std::io::Result<()> {
    std::thread::Builder::new().name("reflector".into()).spawn(move || {
        let mut table = LinkTable::default();
        let mut first = true;
        // Where the kernel gives no subscription, or drops notifications: again, and what differs by then is told.
        while observe(&bus, &mut table, &mut first).is_err() {
            std::thread::sleep(PACE);
        }
    })?;
    Ok(())
}

/// Until the hub ends; what is there at the first look is not told.
fn observe(bus: &WeakBus, table: &mut LinkTable, first: &mut bool) -> keepwatch_net::Result<()> {
    let mut monitor = Monitor::open()?;
    let mut dump = Vec::new();
    monitor.dump(|notification| dump.push(notification))?;
    let mut seen = Vec::new();
    table.replace(dump, |change| seen.push(change));
    if std::mem::take(first) {
        seen.clear();
    }
    loop {
        for change in seen.drain(..) {
            if tell(bus, change).is_none() {
                return Ok(());
            }
        }
        let mut waiting = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
        // Interrupted, it looks once more than it would have.
        let _ = poll(&mut waiting, PollTimeout::NONE);
        monitor.poll(AT_ONCE, |notification| table.apply(notification, |change| seen.push(change)))?;
    }
}

/// `None` when nobody listens any more.
fn tell(bus: &WeakBus, change: Change) -> Option<()> {
    let (name, address, there) = match change {
        Change::AddressAppeared { name, address } => (name, address, true),
        Change::AddressVanished { name, address } => (name, address, false),
        Change::Appeared(_) | Change::Altered(_) | Change::Vanished { .. } => return Some(()),
    };
    let fact = LinkFact::AddressReflected { interface: name, address: address.address, there };
    bus.publish(None, fact).map(drop)
}
