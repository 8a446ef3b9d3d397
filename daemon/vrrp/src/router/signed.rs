//! What a router with `auth_hmac` remembers: its keys, the last stamp that it sent, and the last that it believed of
//! each sender.
//!
//! *Sending.* A stamp is the wall clock's time, as long as that goes forward; while it stands behind the last stamp the
//! last one is counted up. With `anti_replay time` a clock that was set back by more than the window is followed at
//! once: nobody would believe the old time any longer.
//!
//! *Receiving.* With `anti_replay time` a stamp may be so many seconds off; and it must be later than the last of its
//! sender, which only an advertisement with the right digest may set. There is a mark for each unicast peer, and for
//! the four multicast senders heard last.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_model::{AntiReplay, AuthHmac, HmacMode};

use crate::spec::{RouterSpec, Transport};
use crate::wire::{DecodeError, SigningKey, Stamp, Trailer};

/// Multicast senders that are remembered.
const SENDERS: usize = 4;

/// What was last believed of one sender.
#[derive(Clone, Copy, Debug)]
struct Mark {
    sender: IpAddr,
    stamp: Stamp,
}

/// Keys and stamps.
#[derive(Debug)]
pub(crate) struct Signed {
    keys: Box<[(u8, SigningKey)]>,
    /// The place of the key that our own are signed with; none where they are not signed.
    active: Option<usize>,
    enforced: bool,
    /// Greatest difference of the clocks in seconds; none for `anti_replay monotonic`.
    window: Option<i32>,
    sent: Stamp,
    /// The one heard last comes last.
    marks: Vec<Mark>,
    most_marks: usize,
}

impl Signed {
    /// What `spec` needs, keeping what `old` knew.
    pub(crate) fn renew(old: Option<Box<Self>>, spec: &RouterSpec) -> Option<Box<Self>> {
        let AuthHmac { keys, active_key, anti_replay, mode } = &**spec.hmac.as_ref()?;
        let active = keys.iter().position(|key| key.id == *active_key);
        let (sent, marks) = old.map_or_else(Default::default, |old| (old.sent, old.marks));
        Some(Box::new(Self {
            keys: keys.iter().map(|key| (key.id, SigningKey::new(key.secret.reveal()))).collect(),
            active: active.filter(|_| *mode != HmacMode::ReceiveOnly),
            enforced: *mode == HmacMode::Enforce,
            window: match anti_replay {
                AntiReplay::Time(window) => Some(window.as_secs().min(i32::MAX as u64) as i32),
                AntiReplay::Monotonic => None,
            },
            sent,
            marks,
            most_marks: match &spec.transport {
                Transport::Multicast { .. } => SENDERS,
                Transport::Unicast { peers, .. } => peers.len().max(1),
            },
        }))
    }

    /// Whether ours are signed.
    pub(crate) fn signs(&self) -> bool {
        self.active.is_some()
    }

    /// Number and key of the signature of the next advertisement, and its stamp.
    pub(crate) fn next(&mut self, wall: Duration) -> Option<(u8, &SigningKey, Stamp)> {
        let clock = Stamp::at(wall);
        let ahead = clock.seconds_to(self.sent);
        self.sent = if clock.is_after(self.sent) || self.window.is_some_and(|window| ahead > window) {
            clock
        } else {
            self.sent.next()
        };
        let (id, key) = self.keys.get(self.active?)?;
        Some((*id, key, self.sent))
    }

    /// Whether a packet may be believed. The checks stand in keepalived's order. The difference of the clocks, in seconds,
    /// if it is more than half of what is allowed: ours less theirs.
    pub(crate) fn check(
        &mut self,
        trailer: Option<&Trailer<'_>>,
        source: IpAddr,
        transport: &Transport,
        wall: Duration,
    ) -> Result<Option<i32>, DecodeError> {
        let Some(trailer) = trailer else {
            return if self.enforced { Err(DecodeError::TrailerMissing) } else { Ok(None) };
        };
        if let Transport::Unicast { peers, .. } = transport
            && !peers.iter().any(|peer| peer.address == source)
        {
            return Err(DecodeError::UnknownPeer { source_address: source });
        }
        if !trailer.is_well_formed() {
            return Err(DecodeError::TrailerMalformed);
        }
        let clock = Stamp::at(wall);
        let skew = trailer.stamp().seconds_to(clock);
        if let Some(window) = self.window.filter(|window| skew.unsigned_abs() > window.unsigned_abs()) {
            return Err(DecodeError::TrailerStale { skew, window });
        }
        let id = trailer.key_id();
        let Some((_, key)) = self.keys.iter().find(|(known, _)| *known == id) else {
            return Err(DecodeError::TrailerKey { id });
        };
        if !key.fits(trailer, source) {
            return Err(DecodeError::TrailerDigest);
        }
        self.note(source, trailer.stamp(), clock)?;
        Ok(Some(skew).filter(|skew| self.window.is_some_and(|w| skew.unsigned_abs() > w.unsigned_abs() / 2)))
    }

    /// Takes a stamp as the last of its sender, if it is later than the last. A mark that lies outside of the window
    /// forbids nothing that the window does not, and a sender whose clock was set right must not be held to it.
    fn note(&mut self, sender: IpAddr, stamp: Stamp, clock: Stamp) -> Result<(), DecodeError> {
        let known = self.marks.iter().position(|mark| mark.sender == sender);
        if let Some(last) = known.and_then(|at| self.marks.get(at)).map(|mark| mark.stamp) {
            let off = last.seconds_to(clock).unsigned_abs();
            let counts = self.window.is_none_or(|window| off <= window.unsigned_abs());
            if counts && !stamp.is_after(last) {
                return Err(DecodeError::TrailerReplayed);
            }
        }
        match known {
            Some(at) => drop(self.marks.remove(at)),
            None if self.marks.len() >= self.most_marks => drop(self.marks.remove(0)),
            None => {}
        }
        self.marks.push(Mark { sender, stamp });
        Ok(())
    }

    /// The window, in seconds; 0 without one.
    pub(crate) fn window(&self) -> i32 {
        self.window.unwrap_or(0)
    }
}
