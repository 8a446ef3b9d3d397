//! The ports that neighbours send to: which of them are open, and why another is not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use keepwatch_model::BfdSession;
use keepwatch_net::socket::{BfdReceiver, Family, ReceiveBatch};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

/// After what time a port that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Which port a session's neighbour sends to: of which family, and whether it is that of multihop sessions.
pub(crate) type Port = (Family, bool);

/// That of a session.
pub(crate) fn port(settings: &BfdSession) -> Port {
    let family = match settings.neighbour {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    (family, settings.multihop)
}

/// The ports.
#[derive(Default)]
pub(crate) struct Ears {
    /// Each at the place that epoll knows it by.
    open: Vec<Option<(Port, BfdReceiver)>>,
    /// Ports that could not be opened, why, and when they are tried again.
    closed: HashMap<Port, (String, Instant)>,
}

impl Ears {
    /// Has these open, and no others. An event of one is `first` and its place.
    pub(crate) fn open(&mut self, now: Instant, mut wanted: Vec<Port>, epoll: &Epoll, first: u64) {
        wanted.sort_unstable();
        wanted.dedup();
        // A port that nobody needs any more is somebody else's to open.
        for ear in &mut self.open {
            ear.take_if(|(open, _)| !wanted.contains(open));
        }
        self.closed.retain(|port, (_, again)| wanted.contains(port) && *again > now);
        for port in wanted {
            if self.closed.contains_key(&port) || self.open.iter().flatten().any(|(open, _)| *open == port) {
                continue;
            }
            let place = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
            let opened =
                BfdReceiver::open(port.0, port.1).map_err(|error| error.to_string()).and_then(|socket| {
                    let event = EpollEvent::new(EpollFlags::EPOLLIN, first + place as u64);
                    epoll.add(socket.as_fd(), event).map_err(|error| error.to_string())?;
                    Ok(Some((port, socket)))
                });
            match (opened, self.open.get_mut(place)) {
                (Ok(ear), Some(free)) => *free = ear,
                (Ok(ear), None) => self.open.push(ear),
                (Err(why), _) => drop(self.closed.insert(port, (why, now + AGAIN))),
            }
        }
    }

    /// Has those tried again at once that could not be opened.
    pub(crate) fn hope(&mut self) {
        self.closed.clear();
    }

    /// Whether one that could not be opened is to be tried again.
    pub(crate) fn is_hopeful(&self, now: Instant) -> bool {
        self.closed.values().any(|(_, again)| *again <= now)
    }

    /// Why this one is not open.
    pub(crate) fn why_closed(&self, port: Port) -> Option<&str> {
        self.closed.get(&port).map(|(why, _)| &**why)
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.open.len()
    }

    /// Takes what has come to the port at a place: how many datagrams, and whether it is that of multihop sessions. None if
    /// there is nothing.
    pub(crate) fn receive(&self, place: usize, batch: &mut ReceiveBatch) -> Option<(usize, bool)> {
        let ((_, multihop), socket) = self.open.get(place)?.as_ref()?;
        socket.receive(batch).ok().filter(|count| *count > 0).map(|count| (count, *multihop))
    }
}
