//! What a router remembers of what it heard, so that it can say afterwards what a decision rested on: the last
//! advertisement that counted, packets that were refused, and other masters for the same addresses. All of it is bounded,
//! whatever the network sends: a flood pushes out the oldest, and costs a few comparisons a packet.
//!
//! *Split brain.* While master, an advertisement of another that names our addresses is a [`Sighting`], whether it is
//! believed (of lower rank, or with our own address), refused, or made under another virtual router id. In an election two
//! are master for as long as one advertisement takes; so one that is believed is told only when the same router has been
//! seen [`SIGHTINGS`] times over [`ELECTION`] of the longer of the two intervals, and it ends when that router has been
//! silent for as long. Between routers that refuse each other there are no elections, but damaged packets; and a keepalived
//! that refuses what it hears puts off its own next advertisement each time, so that it may be heard once in half a minute
//! only, or never again. So one advertisement that is refused counts if its checksum says that it came as it was sent, else
//! the second sighting within [`RARE`], as with another id; silence for as long is the end. Either ends when the other
//! resigns or we give up being master.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{AdvertError, LastAdvert, RefusedPackets, Silence, SplitSign, Stranger, VrrpFact};
use keepwatch_bus::subject::Family;

use super::receive::Advert;
use super::{Router, State};
use crate::spec::{RouterSpec, Transport};
use crate::step::Context;
use crate::wire::{Datagram, DecodeError, GROUP_V4, GROUP_V6, Message, VRRP_TTL};

/// Senders and reasons of refused packets that are remembered.
const REFUSALS: usize = 8;
/// So many addresses of an advertisement that is not believed are looked at.
pub(crate) const ADDRESSES: usize = 16;
/// Other masters that are remembered.
const OTHERS: usize = 4;
/// An election is over after so many intervals.
const ELECTION: u32 = 3;
/// So often must another master be seen that is believed: what was on its way when we spoke up is none.
const SIGHTINGS: u32 = 3;
/// Who is refused, or has another id, may be heard so seldom.
const RARE: Duration = Duration::from_secs(90);
/// No interval is longer (RFC 9568 §5.2.7: 4095 centiseconds; version 2: 255 s, which nobody uses).
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// The memory of one router.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// The last advertisement that counted, and when it came.
    last: Option<(Advert, Instant)>,
    refusals: Vec<Refusal>,
    others: Vec<Other>,
}

/// Packets of one sender that were refused for one reason.
#[derive(Debug)]
struct Refusal {
    address: IpAddr,
    error: AdvertError,
    /// One of them may have been a master's.
    of_a_master: bool,
    count: u64,
    last: Instant,
    /// The event that told of the first, or of another of that reason.
    event: Option<EventId>,
}

/// Another master.
#[derive(Debug)]
struct Other {
    address: IpAddr,
    sign: SplitSign,
    since: Instant,
    last: Instant,
    seen: u32,
    interval: Duration,
    /// It has been told of, by this event.
    told: Option<EventId>,
}

/// An advertisement of another master for our addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) advert: Advert,
    pub(crate) sign: SplitSign,
    /// Its checksum is right, if that is all there is to tell whether it was damaged on its way.
    pub(crate) whole: bool,
}

impl Sighting {
    /// What a packet that is not believed says, if it can be read at all, is an advertisement of a master, was meant for
    /// who is in its place, and names one of these addresses.
    pub(crate) fn of(
        datagram: &Datagram<'_>,
        spec: &RouterSpec,
        own: Option<IpAddr>,
        sign: SplitSign,
    ) -> Option<Self> {
        if is_from_afar(datagram, spec) || !is_for_us(datagram, spec, own) {
            return None;
        }
        let message = Message::new_signed(spec.family, datagram.message).ok()?;
        let ours = spec.advertised_addresses();
        let mut named = message.addresses().take(ADDRESSES);
        let names_ours = named.any(|theirs| ours.iter().any(|our| our.address == theirs));
        let advert = Advert {
            source: datagram.source,
            priority: message.priority(),
            interval: message.advert_interval(),
        };
        let whole = || is_whole(&message, datagram, spec);
        (names_ours && advert.priority > 0).then(|| Self { advert, sign, whole: whole() })
    }
}

/// Whether it crossed a router, though what is sent to a group does not (RFC 9568 §5.1.1.3): anybody may have sent it.
fn is_from_afar(datagram: &Datagram<'_>, spec: &RouterSpec) -> bool {
    matches!(spec.transport, Transport::Multicast { .. }) && datagram.ttl.is_some_and(|ttl| ttl != VRRP_TTL)
}

/// Whether it went to where masters send: to a group of VRRP, or to us as a peer.
fn is_for_us(datagram: &Datagram<'_>, spec: &RouterSpec, own: Option<IpAddr>) -> bool {
    let destination = datagram.destination;
    let group = match &spec.transport {
        Transport::Multicast { group } => Some(*group),
        Transport::Unicast { .. } => None,
    };
    [group, own, Some(GROUP_V4.into()), Some(GROUP_V6.into())].contains(&Some(destination))
}

/// Whether its checksum is right in one of the ways in which it is made: then its sender is set up otherwise
/// (`v3_checksum_as_v2` on one side, say). Else it was damaged on its way, and says nothing.
fn is_whole(message: &Message<'_>, datagram: &Datagram<'_>, spec: &RouterSpec) -> bool {
    let (source, destination) = (datagram.source, datagram.destination);
    message.checksum_fits()
        || message.checksum_fits_between(source, destination)
        || (spec.family == Family::Inet && message.checksum_fits_between(source, GROUP_V4.into()))
}

/// Whether a packet that was refused for this reason may be the advertisement of a master who is set up otherwise: not one
/// that is damaged, or from off the link, or that was recorded and sent again.
pub(super) fn may_be_of_a_master(datagram: &Datagram<'_>, spec: &RouterSpec, error: &DecodeError) -> bool {
    if is_from_afar(datagram, spec) || matches!(error, DecodeError::AuthReplayed { .. }) {
        return false;
    }
    match error.kind() {
        AdvertError::Type | AdvertError::AuthExtReplay => false,
        // As long as one that is signed, where nothing is to be signed.
        AdvertError::PacketLength | AdvertError::Checksum => {
            let message = Message::new_signed(spec.family, datagram.message);
            message.is_ok_and(|message| is_whole(&message, datagram, spec))
        }
        AdvertError::Version
        | AdvertError::VirtualRouterId
        | AdvertError::Ttl
        | AdvertError::Interval
        | AdvertError::AddressList
        | AdvertError::AuthTypeInvalid
        | AdvertError::AuthTypeMismatch
        | AdvertError::AuthFailure
        | AdvertError::AuthExtMissing
        | AdvertError::AuthExtMalformed
        | AdvertError::AuthExtStale
        | AdvertError::AuthExtUnknownKey
        | AdvertError::AuthExtInvalidHmac => true,
    }
}

impl Witness {
    /// An advertisement was believed.
    pub(crate) fn believes(&mut self, now: Instant, advert: Advert) {
        self.last = Some((advert, now));
    }

    /// A packet was refused; `event` told of it, unless that was done a moment ago. `of_a_master`: it
    /// [may be one's](may_be_of_a_master).
    pub(crate) fn refuses(
        &mut self,
        now: Instant,
        (address, error): (IpAddr, AdvertError),
        of_a_master: bool,
        event: Option<EventId>,
    ) -> Option<EventId> {
        let of_kind = |all: &[Refusal]| {
            all.iter().filter(|refusal| refusal.error == error).filter_map(|refusal| refusal.event).max()
        };
        let event = event.or_else(|| of_kind(&self.refusals));
        match self.refusals.iter_mut().find(|known| (known.address, known.error) == (address, error)) {
            Some(known) => {
                known.count += 1;
                known.last = now;
                known.of_a_master |= of_a_master;
                known.event = event.or(known.event);
            }
            None => {
                if self.refusals.len() >= REFUSALS
                    && let Some(oldest) = (0..self.refusals.len()).min_by_key(|at| self.refusals[*at].last)
                {
                    self.refusals.swap_remove(oldest);
                }
                self.refusals.push(Refusal { address, error, of_a_master, count: 1, last: now, event });
            }
        }
        event
    }

    /// Packets that were refused since then are none of the next story.
    pub(crate) fn forget(&mut self) {
        self.refusals.clear();
    }

    /// The last event that told of a packet refused after `since` that may be a master's: why nobody was heard.
    fn refusal_since(&self, since: Instant) -> Option<EventId> {
        let refused = self.refusals.iter().filter(|refusal| refusal.last >= since);
        refused.filter(|refusal| refusal.of_a_master).filter_map(|refusal| refusal.event).max()
    }

    /// What was refused after `since`.
    fn refused(&self, now: Instant, since: Instant) -> Vec<RefusedPackets> {
        let packets = |refusal: &Refusal| {
            let Refusal { address, error, count, last, .. } = *refusal;
            RefusedPackets { address, error, count, ago: now.saturating_duration_since(last) }
        };
        self.refusals.iter().filter(|refusal| refusal.last >= since).map(packets).collect()
    }
}

impl Router {
    /// What the Master_Down_Timer ran out on, that began at `since` and ended at `down_at`; and the event that says why
    /// nobody was heard, if packets were refused meanwhile.
    pub(super) fn silence(
        &self,
        now: Instant,
        (since, down_at): (Instant, Instant),
        strangers: Vec<Stranger>,
    ) -> (Silence, Option<EventId>) {
        // After a crash it waits for less; with a group that was not ready it waited for more, one limit after the other.
        let limit = self.down_interval().min(down_at.saturating_duration_since(since));
        let intervals =
            limit.saturating_sub(self.skew()).as_micros() / self.master_interval.as_micros().max(1);
        let last = self.witness.last.map(|(advert, at)| LastAdvert {
            address: advert.source,
            priority: advert.priority,
            interval: advert.interval,
            ago: now.saturating_duration_since(at),
        });
        let silence = Silence {
            limit,
            adverts: u8::try_from(intervals).unwrap_or(u8::MAX),
            interval: self.master_interval,
            skew: self.skew(),
            last,
            refused: self.witness.refused(now, since),
            strangers,
        };
        (silence, self.witness.refusal_since(since))
    }

    /// A packet was refused that [may be another master's](may_be_of_a_master).
    pub(super) fn sees_refused(
        &mut self,
        cx: &mut Context<'_>,
        datagram: &Datagram<'_>,
        error: AdvertError,
        cause: Option<EventId>,
    ) {
        // A unicast router is no rival of those who talk by multicast about other addresses: the addresses decide.
        let sign = SplitSign::Refused(error);
        if let Some(sighting) = Sighting::of(datagram, &self.spec, self.source, sign) {
            self.sees_master(&mut cx.because(cause), sighting);
        }
    }

    /// Another master for our addresses was seen, which is told if we are master too; the cause of the step is the event
    /// that tells how.
    pub(crate) fn sees_master(&mut self, cx: &mut Context<'_>, sighting: Sighting) {
        let master = matches!(self.state, State::Master(_));
        let Sighting { advert, sign, whole } = sighting;
        let own = self.interval();
        let others = &mut self.witness.others;
        let known = others.iter().position(|other| other.address == advert.source);
        let at = match known {
            Some(at) => at,
            None => {
                if others.len() >= OTHERS {
                    let untold = (0..others.len()).filter(|at| others[*at].told.is_none());
                    let Some(oldest) = untold.min_by_key(|at| others[*at].last) else { return };
                    others.swap_remove(oldest);
                }
                let (address, interval) = (advert.source, advert.interval);
                others.push(Other {
                    address,
                    sign,
                    since: cx.now,
                    last: cx.now,
                    seen: 0,
                    interval,
                    told: None,
                });
                others.len() - 1
            }
        };
        let Some(other) = others.get_mut(at) else { return };
        if cx.now.saturating_duration_since(other.last) > other.patience(own) && other.told.is_none() {
            (other.since, other.seen) = (cx.now, 0);
        }
        (other.last, other.sign, other.interval) = (cx.now, sign, advert.interval);
        other.seen = other.seen.saturating_add(1);
        let seen_for = cx.now.saturating_duration_since(other.since);
        let enough = match sign {
            SplitSign::Heard => other.seen >= SIGHTINGS && seen_for >= other.patience(own),
            SplitSign::Refused(_) if whole => true,
            SplitSign::Refused(_) | SplitSign::OtherVrid(_) => other.seen >= 2,
        };
        if other.told.is_none() && master && enough {
            let event = cx.publish(VrrpFact::SplitBrainBegan {
                instance: self.spec.name.clone(),
                address: advert.source,
                priority: advert.priority,
                own_address: self.source,
                own: self.priority,
                sign,
            });
            if let Some(other) = self.witness.others.get_mut(at) {
                other.told = Some(event);
            }
        }
    }

    /// Another master resigned.
    pub(super) fn other_resigned(&mut self, cx: &mut Context<'_>, address: IpAddr) {
        self.end_splits(cx, |other| other.address == address);
    }

    /// Others that have been silent for long are master no more. Called with each advertisement of ours.
    pub(super) fn look_for_silent_others(&mut self, cx: &mut Context<'_>) {
        let (now, own) = (cx.now, self.interval());
        self.end_splits(cx, |other| now.saturating_duration_since(other.last) > other.patience(own));
    }

    /// We are not master any more.
    pub(super) fn end_all_splits(&mut self, cx: &mut Context<'_>) {
        self.end_splits(cx, |_| true);
    }

    fn end_splits(&mut self, cx: &mut Context<'_>, over: impl Fn(&Other) -> bool) {
        if self.witness.others.is_empty() {
            return;
        }
        let spec = self.spec.clone();
        let ended = self.witness.others.extract_if(.., |other| over(other));
        for other in ended {
            let Some(began) = other.told else { continue };
            let (instance, address) = (spec.name.clone(), other.address);
            let lasted = other.last.saturating_duration_since(other.since);
            let cause = cx.cause.or(Some(began));
            cx.because(cause).publish(VrrpFact::SplitBrainEnded { instance, address, lasted });
        }
    }
}

impl Other {
    /// Who has been silent for longer is no master any more.
    fn patience(&self, own: Duration) -> Duration {
        let election = own.max(self.interval.min(LONGEST_INTERVAL)) * ELECTION;
        match self.sign {
            SplitSign::Heard => election,
            SplitSign::Refused(_) | SplitSign::OtherVrid(_) => election.max(RARE),
        }
    }
}
