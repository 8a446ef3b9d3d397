//! A recording of what is on a LAN. In: a bridge; out: frames in order, with the kernel's time of each.

use std::{
    net::IpAddr,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};

pub mod frame;
pub(crate) mod socket;

use crate::{background::Background, metronome::Metronome, wait};
use frame::{Advert, Frame, Payload};

/// What MAC addresses of virtual routers begin with, for either family (RFC 9568 §7.3).
const VIRTUAL_MAC: [u8; 4] = [0x00, 0x00, 0x5e, 0x00];

/// Longest frame that is read whole; the LAN's MTU is 1500.
const LARGEST: usize = 2048;

/// A running recording of a LAN; see [`Bridge::capture`](crate::Bridge::capture).
pub struct Capture {
    frames: Arc<Mutex<Vec<Frame>>>,
    machine: Metronome,
    _reader: Background,
}

impl Capture {
    pub(crate) fn start(socket: OwnedFd) -> Result<Self> {
        let (frames, machine) = (Arc::new(Mutex::new(Vec::new())), Metronome::start()?);
        let out = Arc::clone(&frames);
        let reader = Background::start("capture", move |end| {
            let mut buffer = [0; LARGEST];
            while !end.is_near() {
                let Some((at, length)) = socket::receive(&socket, &mut buffer) else { continue };
                let decoded = buffer.get(..length).and_then(|bytes| Frame::decode(at, bytes));
                out.lock().unwrap_or_else(PoisonError::into_inner).extend(decoded);
            }
        })?;
        Ok(Self { frames, machine, _reader: reader })
    }

    /// All frames so far.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets all frames so far.
    pub fn clear(&self) {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What `pick` makes of each frame.
    pub fn pick<T>(&self, pick: impl FnMut(&Frame) -> Option<T>) -> Vec<T> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(pick).collect()
    }

    /// The VRRP adverts so far, with the time of each.
    pub fn adverts(&self) -> Vec<(Duration, Advert)> {
        self.pick(|frame| match &frame.payload {
            Payload::Vrrp(advert) => Some((frame.at, advert.clone())),
            _ => None,
        })
    }

    /// The VRRP adverts that this address sent, with the time of each.
    pub fn adverts_from(&self, source: &str) -> Vec<(Duration, Advert)> {
        let source: Option<IpAddr> = source.parse().ok();
        let mut found = self.adverts();
        found.retain(|(_, advert)| Some(advert.source) == source);
        found
    }

    /// The adverts that this address sent after `since`.
    pub fn adverts_since(&self, source: &str, since: Duration) -> Vec<(Duration, Advert)> {
        let mut found = self.adverts_from(source);
        found.retain(|(at, _)| *at > since);
        found
    }

    /// Whether this address has sent adverts after `since`, and not said with the last one that it stops.
    pub fn is_master_since(&self, source: &str, since: Duration) -> bool {
        self.adverts_since(source, since).last().is_some_and(|(_, advert)| advert.priority > 0)
    }

    /// The times of the gratuitous ARP packets for this address.
    pub fn gratuitous_arps(&self, address: &str) -> Vec<Duration> {
        let address: Option<IpAddr> = address.parse().ok();
        self.pick(|frame| match &frame.payload {
            Payload::Arp(arp) => {
                (arp.is_gratuitous() && Some(IpAddr::from(arp.sender)) == address).then_some(frame.at)
            }
            _ => None,
        })
    }

    /// The hardware addresses that frames came from which `which` picks, after `since`, in their order.
    pub fn senders(&self, since: Duration, mut which: impl FnMut(&Payload) -> bool) -> Vec<String> {
        self.pick(|frame| {
            let sender = || frame.from.map(|byte| format!("{byte:02x}")).join(":");
            (frame.at > since && which(&frame.payload)).then(sender)
        })
    }

    /// The time from the last advert of `dead` to the first gratuitous ARP for `vip` that another host sent after it:
    /// how long the virtual address was nobody's. `None` as long as there was no takeover. Another host is told by its MAC
    /// address; where both have that of the virtual router, all that comes after the last advert is the other's.
    pub fn outage(&self, dead: &str, vip: &str) -> Option<Duration> {
        let (dead, vip): (IpAddr, IpAddr) = (dead.parse().ok()?, vip.parse().ok()?);
        let (last, mac) = self
            .pick(|frame| match &frame.payload {
                Payload::Vrrp(advert) if advert.source == dead => Some((frame.at, frame.from)),
                _ => None,
            })
            .pop()?;
        let announced = self.pick(|frame| match &frame.payload {
            Payload::Arp(arp) => (arp.is_gratuitous()
                && IpAddr::from(arp.sender) == vip
                && (frame.from != mac || mac.starts_with(&VIRTUAL_MAC))
                && frame.at > last)
                .then_some(frame.at),
            _ => None,
        });
        announced.first().map(|&at| at - last)
    }

    /// The largest time between two adverts of this address after `since`; `None` when there are fewer than two.
    pub fn largest_gap(&self, source: &str, since: Duration) -> Option<Duration> {
        let times: Vec<Duration> = self.adverts_since(source, since).into_iter().map(|(at, _)| at).collect();
        times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max()
    }

    /// Sees to it that this address has sent an advert each `interval` from `since` until now: none is missing, and there are
    /// no others between.
    ///
    /// # Errors
    /// When it has not.
    pub fn keeps_its_rhythm(&self, source: &str, since: Duration, interval: Duration) -> Result<()> {
        self.is_in_time(source, since, 3 * interval / 2)?;
        let (sent, span) = (self.adverts_since(source, since).len(), now().saturating_sub(since));
        let most = 2 + span.as_millis() / interval.as_millis().max(1);
        ensure!(sent as u128 <= most, "{source} sent {sent} adverts in {span:?}");
        Ok(())
    }

    /// How late the machine has been by itself since the recording began.
    pub fn machine(&self) -> &Metronome {
        &self.machine
    }

    /// Sees to it that no two adverts of this address after `since` were further apart than `bound`, nor the last one from now,
    /// and what the machine may have added.
    ///
    /// # Errors
    /// When two were, or there are fewer than two.
    pub fn is_in_time(&self, source: &str, since: Duration, bound: Duration) -> Result<()> {
        // What was sent until now may not have been read yet.
        let end = now();
        wait::until(&format!("{source} goes on"), wait::LONG, || {
            self.adverts_from(source).last().is_some_and(|(at, _)| *at > end)
        })?;
        let gap = self.largest_gap(source, since).with_context(|| format!("no adverts of {source}"))?;
        let allowance = self.machine.allowance_since(since);
        println!("largest gap between adverts of {source}: {gap:?}; for the machine: {allowance:?}");
        ensure!(
            gap < bound + allowance,
            "an advert of {source} came {gap:?} after the one before (bound {bound:?}, for the machine {allowance:?})"
        );
        Ok(())
    }
}

/// The time now as captures count it: since the epoch.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
