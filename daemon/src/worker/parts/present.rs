//! Which addresses are on this host, for virtual servers whose checkers rest while theirs is elsewhere (`ha_suspend`).
//! In: what is configured; the kernel's notifications. Out: whenever it changes, the virtual servers that have an
//! address here, with one of those.
//!
//! As in keepalived it does not matter who puts an address there: a virtual router of ours, or anybody else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use keepwatch_bus::subject::ServiceKey;
use keepwatch_check::Checkers;
use keepwatch_config::Config;
use keepwatch_config::model::KernelBuffer;
use keepwatch_ipvs::{Engine, Here};
use keepwatch_net::link::LinkTable;
use keepwatch_net::netlink::Monitor;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::watch;

/// Datagrams of notifications that are read before others are told.
const AT_ONCE: usize = 64;
/// How often the thread looks whether it is still wanted, and between two tries to subscribe.
const PACE_MILLISECONDS: u16 = 500;
const PACE: Duration = Duration::from_millis(PACE_MILLISECONDS as u64);

/// What is watched, and how.
#[derive(Default)]
pub(super) struct Watched {
    /// Virtual servers whose checkers may rest, by the key that their checkers go by, with the addresses that decide it.
    servers: BTreeMap<ServiceKey, Vec<IpAddr>>,
    /// `lvs_netlink_monitor_rcv_bufs`.
    buffer: KernelBuffer,
}

/// The virtual servers of a configuration that say `ha_suspend`.
pub(super) fn watched(config: &Config) -> Watched {
    let suspendable = config.services().filter(|(server, _)| server.ha_suspend);
    let all =
        suspendable.filter_map(|(server, entries)| Some((*entries.first()?, config.addresses_of(server))));
    Watched { servers: all.collect(), buffer: config.global.receive_buffers.lvs_monitor }
}

/// Tells checkers and engine what rests, until nobody says any more what is configured.
pub(super) async fn follow(mut configured: watch::Receiver<Watched>, checkers: Checkers, engine: Engine) {
    // Nothing is subscribed to where nobody asks.
    if configured.wait_for(|watched| !watched.servers.is_empty()).await.is_err() {
        return;
    }
    // As long as nothing is known of addresses, everything is checked.
    let (tell, mut addresses) = watch::channel(None);
    let settings = configured.clone();
    let observe = move || observe(&tell, &settings);
    let started = std::thread::Builder::new().name("present".into()).spawn(observe);
    if started.is_err() {
        return;
    }
    let mut told = None;
    loop {
        let state =
            addresses.borrow_and_update().as_ref().map(|table| here(table, &configured.borrow_and_update()));
        if state.is_some() && told != state {
            let state = state.clone().unwrap_or_default();
            checkers.rest(state.iter().filter(|(_, here)| here.is_none()).map(|(key, _)| *key).collect());
            engine.rest(state);
        }
        told = state;
        let goes_on = tokio::select! {
            changed = configured.changed() => changed,
            changed = addresses.changed() => changed,
        };
        if goes_on.is_err() {
            return;
        }
    }
}

/// Which virtual servers have an address here, and which one; of all that are asked for.
fn here(table: &LinkTable, watched: &Watched) -> Here {
    let is_here = |address: &&IpAddr| table.carrying(**address).next().is_some();
    let servers = watched.servers.iter();
    servers.map(|(key, addresses)| (*key, addresses.iter().find(is_here).copied())).collect()
}

/// Keeps what is known of this host's addresses true, on a thread of its own, until nobody listens.
fn observe(tell: &watch::Sender<Option<LinkTable>>, settings: &watch::Receiver<Watched>) {
    while !tell.is_closed() {
        // Where the kernel gives no subscription, or ended it: again.
        let _ = observe_once(tell, settings);
        std::thread::sleep(PACE);
    }
}

fn observe_once(
    tell: &watch::Sender<Option<LinkTable>>,
    settings: &watch::Receiver<Watched>,
) -> keepwatch_net::Result<()> {
    let mut monitor = Monitor::open()?;
    let mut sized = KernelBuffer::default();
    let mut table = LinkTable::default();
    let mut lost = true;
    while !tell.is_closed() {
        let buffer = settings.borrow().buffer;
        if sized != buffer {
            match buffer.bytes {
                Some(bytes) => monitor.set_receive_buffer(bytes, buffer.force)?,
                // A new one has the usual size.
                None if sized.bytes.is_some() => return Ok(()),
                None => {}
            }
            sized = buffer;
        }
        let mut changes = 0;
        if std::mem::take(&mut lost) {
            let mut dump = Vec::new();
            monitor.dump(|notification| dump.push(notification))?;
            table.replace(dump, |_| changes += 1);
        } else {
            let polled = monitor.poll(AT_ONCE, |notification| table.apply(notification, |_| changes += 1));
            // Notifications were dropped: everything is asked for anew.
            lost = polled.is_err();
        }
        if changes > 0 {
            tell.send_replace(Some(table.clone()));
        }
        let mut waiting = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
        // Interrupted, it looks once more than it would have.
        let _ = poll(&mut waiting, PollTimeout::from(PACE_MILLISECONDS));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keepwatch_config::{Options, load_text};

    use super::*;

    #[test]
    fn only_those_that_say_so_are_watched_with_all_their_addresses() {
        let text = "virtual_server_group G {\n10.0.0.1-2 80\n}\n\
             virtual_server group G {\nprotocol TCP\nha_suspend\nreal_server 10.1.0.1 80 {\n}\n}\n\
             virtual_server 10.0.0.9 80 {\nprotocol TCP\nreal_server 10.1.0.1 80 {\n}\n}\n";
        let config = load_text(Path::new("t"), text.into(), &Options::default()).config.unwrap();
        let all: Vec<Vec<IpAddr>> = watched(&config).servers.into_values().collect();
        assert_eq!(all, [[IpAddr::from([10, 0, 0, 1]), [10, 0, 0, 2].into()]]);
    }
}
