//! Which addresses are on this host, for virtual servers whose checkers rest while theirs is elsewhere (`ha_suspend`).
//! In: what is configured; the kernel's notifications. Out: whenever it changes, the virtual servers that have an
//! address here, with one of those.
//!
//! As in keepalived it does not matter who puts an address there: a virtual router of ours, or anybody else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use keepwatch_bus::subject::ServiceKey;
use keepwatch_check::Checkers;
use keepwatch_config::Config;
use keepwatch_ipvs::{Engine, Here};
use keepwatch_net::link::LinkTable;
use keepwatch_net::netlink::Monitor;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::sleep;

/// Datagrams of notifications that are read before others get a turn.
const AT_ONCE: usize = 64;
/// After the kernel gave no subscription, or ended one.
const AGAIN: Duration = Duration::from_secs(1);

/// Virtual servers whose checkers may rest, by the key that their checkers go by, with the addresses that decide it.
pub(super) type Watched = BTreeMap<ServiceKey, Vec<IpAddr>>;

/// The virtual servers of a configuration that say `ha_suspend`.
pub(super) fn watched(config: &Config) -> Watched {
    let suspendable = config.services().filter(|(server, _)| server.ha_suspend);
    let all = suspendable.filter_map(|(_, entries)| {
        let addresses = entries.iter().filter_map(|entry| match entry {
            ServiceKey::Address { address, .. } => Some(*address),
            ServiceKey::Fwmark { .. } => None,
        });
        Some((*entries.first()?, addresses.collect()))
    });
    all.collect()
}

/// Tells checkers and engine what rests, until nobody says any more what is configured.
pub(super) async fn follow(mut configured: watch::Receiver<Watched>, checkers: Checkers, engine: Engine) {
    loop {
        // Nothing is subscribed to where nobody asks.
        if configured.wait_for(|watched| !watched.is_empty()).await.is_err() {
            return;
        }
        let Ok(mut addresses) = Addresses::subscribe() else {
            // As long as nothing is known of addresses, everything is checked.
            tokio::select! {
                () = sleep(AGAIN) => continue,
                changed = configured.changed() => if changed.is_err() { return } else { continue },
            }
        };
        let mut told = None;
        loop {
            let state = addresses.of(&configured.borrow_and_update());
            if told.as_ref() != Some(&state) {
                checkers.rest(state.iter().filter(|(_, here)| here.is_none()).map(|(key, _)| *key).collect());
                engine.rest(state.clone());
                told = Some(state);
            }
            tokio::select! {
                changed = configured.changed() => if changed.is_err() { return },
                news = addresses.changed() => if news.is_err() { break },
            }
        }
    }
}

/// The addresses of this host, kept true.
struct Addresses {
    monitor: AsyncFd<Watcher>,
    table: LinkTable,
}

/// A subscription that the runtime can wait for.
struct Watcher(Monitor);

impl AsRawFd for Watcher {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Addresses {
    fn subscribe() -> anyhow::Result<Self> {
        let mut this =
            Self { monitor: AsyncFd::new(Watcher(Monitor::open()?))?, table: LinkTable::default() };
        this.read_anew()?;
        Ok(this)
    }

    fn read_anew(&mut self) -> anyhow::Result<()> {
        let mut dump = Vec::new();
        self.monitor.get_mut().0.dump(|notification| dump.push(notification))?;
        self.table.replace(dump, |_| ());
        Ok(())
    }

    /// Waits until the kernel tells of something.
    async fn changed(&mut self) -> anyhow::Result<()> {
        let Self { monitor, table } = self;
        let mut ready = monitor.readable_mut().await?;
        let polled = ready.get_inner_mut().0.poll(AT_ONCE, |notification| table.apply(notification, |_| ()));
        match polled {
            Ok(true) => Ok(()),
            Ok(false) => {
                ready.clear_ready();
                Ok(())
            }
            // Notifications were lost.
            Err(_) => self.read_anew(),
        }
    }

    /// Which virtual servers have an address here, and which one; of all that are asked for.
    fn of(&self, watched: &Watched) -> Here {
        let here = |address: &&IpAddr| self.table.carrying(**address).next().is_some();
        watched.iter().map(|(key, addresses)| (*key, addresses.iter().find(here).copied())).collect()
    }
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
        let all: Vec<Vec<IpAddr>> = watched(&config).into_values().collect();
        assert_eq!(all, [[IpAddr::from([10, 0, 0, 1]), [10, 0, 0, 2].into()]]);
    }
}
