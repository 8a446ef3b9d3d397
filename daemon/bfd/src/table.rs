//! All sessions: which one a packet is for, and who is due. Without I/O, like the sessions in it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::subject::Name;
use keepwatch_model::{BfdSession, MaxHops};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::pace::Pace;
use crate::packet::{Packet, Refusal, State};
use crate::session::{Output, Session, Timing};

/// A packet with what its datagram says of where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent it.
    pub source: IpAddr,
    /// Where it was sent to.
    pub destination: IpAddr,
    /// TTL or hop limit that was left of it.
    pub ttl: Option<u8>,
    /// It came to the port of multihop sessions (RFC 5883).
    pub multihop: bool,
}

/// Why a packet is for no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// Its bytes break a rule.
    #[error(transparent)]
    Malformed(#[from] Refusal),
    /// There is no session with this neighbour, or it names one that is another's.
    #[error("no session is with its sender")]
    Stranger,
    /// It has come over more routers than `max_hops` allows.
    #[error("it came with a TTL of {ttl}, and `max_hops` allows {least} at least")]
    Hops {
        /// What was left of its TTL or hop limit.
        ttl: u8,
        /// What had to be left.
        least: u8,
    },
}

/// Number of a session while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u32);

/// A session and what it was made from.
#[derive(Debug)]
pub struct Entry {
    /// Its configuration.
    pub settings: Arc<BfdSession>,
    /// The machine.
    pub session: Session,
    /// The event that last told of it.
    pub told: Option<EventId>,
    due: Option<Instant>,
}

/// What a reload did to a session.
#[derive(Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is new.
    Added(Id),
    /// It goes on with other settings.
    Changed(Id),
    /// It is gone; the packet that tells the neighbour, if that is known.
    Removed(Arc<BfdSession>, Output),
}

/// The sessions.
#[derive(Debug)]
pub struct Table {
    entries: HashMap<Id, Entry>,
    by_name: HashMap<Name, Id>,
    by_discriminator: HashMap<NonZeroU32, Id>,
    by_neighbour: HashMap<(IpAddr, bool), Vec<Id>>,
    due: BTreeSet<(Instant, Id)>,
    next: u32,
    random: SmallRng,
    /// What the moments at which sessions send are counted from.
    origin: Instant,
}

impl Table {
    /// None yet. Discriminators and jitter come from `seed`.
    pub fn new(now: Instant, seed: u64) -> Self {
        Self {
            entries: HashMap::new(),
            by_name: HashMap::new(),
            by_discriminator: HashMap::new(),
            by_neighbour: HashMap::new(),
            due: BTreeSet::new(),
            next: 0,
            random: SmallRng::seed_from_u64(seed),
            origin: now,
        }
    }

    /// These sessions from now on, and no others. One whose way stays the same keeps its state.
    pub fn apply(&mut self, now: Instant, wanted: &[Arc<BfdSession>]) -> Vec<Applied> {
        let mut applied = Vec::new();
        let by_name: HashMap<&Name, &Arc<BfdSession>> = wanted.iter().map(|one| (&one.name, one)).collect();
        let mut gone: Vec<Id> = self
            .entries
            .iter()
            .filter(|(_, entry)| {
                by_name.get(&entry.settings.name).is_none_or(|wanted| !same_way(wanted, &entry.settings))
            })
            .map(|(id, _)| *id)
            .collect();
        gone.sort_unstable();
        for id in gone {
            if let Some(mut entry) = self.remove(id) {
                let output = entry.session.take_down(now);
                applied.push(Applied::Removed(entry.settings, output));
            }
        }
        for settings in wanted {
            match self.by_name.get(&settings.name) {
                Some(id) => {
                    let id = *id;
                    if self.change(now, id, settings) {
                        applied.push(Applied::Changed(id));
                    }
                }
                None => applied.push(Applied::Added(self.add(now, settings.clone()))),
            }
        }
        applied
    }

    fn add(&mut self, now: Instant, settings: Arc<BfdSession>) -> Id {
        let id = Id(self.next);
        self.next = self.next.wrapping_add(1);
        let mine = loop {
            let candidate = NonZeroU32::new(self.random.random());
            if let Some(mine) = candidate.filter(|one| !self.by_discriminator.contains_key(one)) {
                break mine;
            }
        };
        let pace = Pace::new(self.origin, self.random.random());
        let session = Session::new(now, Timing::from(&*settings), mine, pace);
        self.by_name.insert(settings.name.clone(), id);
        self.by_discriminator.insert(mine, id);
        self.by_neighbour.entry((settings.neighbour, settings.multihop)).or_default().push(id);
        self.entries.insert(id, Entry { settings, session, told: None, due: None });
        self.reschedule(id);
        id
    }

    /// Whether anything differs.
    fn change(&mut self, now: Instant, id: Id, settings: &Arc<BfdSession>) -> bool {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.settings != *settings) else {
            return false;
        };
        entry.session.set_timing(now, Timing::from(&**settings));
        entry.settings = settings.clone();
        self.reschedule(id);
        true
    }

    fn remove(&mut self, id: Id) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.by_name.remove(&entry.settings.name);
        self.by_discriminator.remove(&entry.session.discriminator());
        let neighbour = (entry.settings.neighbour, entry.settings.multihop);
        if let Some(ids) = self.by_neighbour.get_mut(&neighbour) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_neighbour.remove(&neighbour);
            }
        }
        if let Some(due) = entry.due {
            self.due.remove(&(due, id));
        }
        Some(entry)
    }

    /// Takes every session down for good; what to send to whom.
    pub fn stop(&mut self, now: Instant) -> Vec<(Arc<BfdSession>, Output)> {
        let mut ids: Vec<Id> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter()
            .filter_map(|id| self.remove(id))
            .map(|mut entry| {
                let output = entry.session.take_down(now);
                (entry.settings, output)
            })
            .collect()
    }

    /// When [`Table::next_due`] has somebody.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Lets time pass for the session that is due first, if one is at `now`; call it until there is none.
    pub fn next_due(&mut self, now: Instant) -> Option<(Id, Output)> {
        let (_, id) = *self.due.first().filter(|(at, _)| *at <= now)?;
        let output = self.entries.get_mut(&id)?.session.tick(now);
        self.reschedule(id);
        Some((id, output))
    }

    /// Gives what came in a datagram to the session that it is for.
    ///
    /// # Errors
    /// Why it is for none.
    pub fn receive(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        bytes: &[u8],
    ) -> Result<(Id, Output), Unheard> {
        let packet = Packet::parse(bytes)?;
        let id = self.find(arrival, &packet).ok_or(Unheard::Stranger)?;
        let entry = self.entries.get_mut(&id).ok_or(Unheard::Stranger)?;
        if let (Some(ttl), Some(least)) = (arrival.ttl, least_ttl(&entry.settings))
            && ttl < least
        {
            return Err(Unheard::Hops { ttl, least });
        }
        let output = entry.session.receive(now, &packet);
        self.reschedule(id);
        Ok((id, output))
    }

    /// By the discriminator, once the neighbour knows it; else by who speaks to whom. Whoever speaks must be the
    /// neighbour in any case.
    fn find(&self, arrival: &Arrival, packet: &Packet) -> Option<Id> {
        match NonZeroU32::new(packet.yours) {
            Some(yours) => self.by_discriminator.get(&yours).copied().filter(|id| self.fits(*id, arrival)),
            None => self.by_way(arrival),
        }
    }

    /// The session with whoever sends to where a packet has arrived.
    pub fn by_way(&self, arrival: &Arrival) -> Option<Id> {
        let mut ids = self.by_neighbour.get(&(arrival.source, arrival.multihop))?.iter().copied();
        ids.find(|id| self.fits(*id, arrival))
    }

    fn fits(&self, id: Id, arrival: &Arrival) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            let settings = &entry.settings;
            settings.neighbour == arrival.source
                && settings.multihop == arrival.multihop
                && settings.source.is_none_or(|source| source == arrival.destination)
        })
    }

    fn reschedule(&mut self, id: Id) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let due = entry.session.due();
        if due == entry.due {
            return;
        }
        if let Some(before) = std::mem::replace(&mut entry.due, due) {
            self.due.remove(&(before, id));
        }
        self.due.extend(due.map(|at| (at, id)));
    }

    /// A session.
    pub fn get(&self, id: Id) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// The same, to note what was told of it.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// The shortest detection time of those that are up.
    pub fn shortest_detection(&self) -> Option<Duration> {
        let up = self.entries.values().filter(|entry| entry.session.state() == State::Up);
        up.map(|entry| entry.session.detection_time()).min()
    }
}

/// Whether two settings are of one session on the wire, which a reload does not break.
pub fn same_way(one: &BfdSession, other: &BfdSession) -> bool {
    (one.neighbour, one.source, one.multihop) == (other.neighbour, other.source, other.multihop)
}

/// What has to be left of the TTL of a packet, so that it has come over no more routers than it may have: what a neighbour
/// sends starts, so far as anybody can know, with the TTL that this side sends with.
fn least_ttl(settings: &BfdSession) -> Option<u8> {
    match settings.max_hops {
        MaxHops::Any => None,
        MaxHops::Most(hops) => Some(settings.ttl.saturating_sub(hops)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, neighbour: &str) -> BfdSession {
        BfdSession {
            name: name.into(),
            neighbour: neighbour.parse().unwrap(),
            source: None,
            min_rx: Duration::from_millis(10),
            min_tx: Duration::from_millis(10),
            idle_tx: Duration::from_secs(1),
            multiplier: 5,
            passive: false,
            ttl: 255,
            max_hops: MaxHops::Most(0),
            multihop: false,
            weight: 0,
            reverse: false,
            for_vrrp: true,
            for_checkers: true,
        }
    }

    fn from(source: &str) -> Arrival {
        Arrival {
            source: source.parse().unwrap(),
            destination: "192.0.2.1".parse().unwrap(),
            ttl: Some(255),
            multihop: false,
        }
    }

    /// A packet of somebody who hears nobody yet.
    fn hello() -> Packet {
        Packet {
            diagnostic: crate::packet::Diagnostic::NONE,
            state: State::Down,
            poll: false,
            final_bit: false,
            control_plane_independent: false,
            demand: false,
            multiplier: 3,
            mine: NonZeroU32::new(9).unwrap(),
            yours: 0,
            desired_tx: 1_000_000,
            required_rx: 10_000,
            required_echo: 0,
        }
    }

    #[test]
    fn a_packet_is_for_the_session_with_its_sender() {
        let now = Instant::now();
        let mut table = Table::new(now, 1);
        let far = BfdSession { multihop: true, ..settings("far", "192.0.2.3") };
        table.apply(now, &[settings("a", "192.0.2.2").into(), settings("b", "192.0.2.3").into(), far.into()]);
        let name = |table: &Table, id: Id| table.get(id).unwrap().settings.name.to_string();
        let (id, output) = table.receive(now, &from("192.0.2.3"), &hello().encode()).unwrap();
        assert_eq!((name(&table, id).as_str(), output.changed.unwrap().to), ("b", State::Init));
        let multihop = Arrival { multihop: true, ..from("192.0.2.3") };
        let (id, _) = table.receive(now, &multihop, &hello().encode()).unwrap();
        assert_eq!(name(&table, id), "far");
        // Whoever names a session of another's is a stranger, and so is who has none.
        let b = table.get(table.by_name[&Name::from("b")]).unwrap().session.discriminator().get();
        let named = Packet { yours: b, state: State::Init, ..hello() }.encode();
        assert_eq!(table.receive(now, &from("192.0.2.2"), &named), Err(Unheard::Stranger));
        assert!(table.receive(now, &from("192.0.2.3"), &named).is_ok());
        assert_eq!(table.receive(now, &from("192.0.2.9"), &hello().encode()), Err(Unheard::Stranger));
        let unknown = Packet { yours: b.wrapping_add(1), ..hello() }.encode();
        assert_eq!(table.receive(now, &from("192.0.2.3"), &unknown), Err(Unheard::Stranger));
    }

    /// As measured on keepalived 2.4.3: what is left of the TTL must be at least the own one less `max_hops`.
    #[test]
    fn hops_are_counted_from_the_own_ttl() {
        for (ttl, max_hops, left, heard) in [
            (255, MaxHops::Most(0), 255, true),
            (255, MaxHops::Most(0), 254, false),
            (255, MaxHops::Most(5), 250, true),
            (255, MaxHops::Most(5), 249, false),
            (64, MaxHops::Most(0), 255, true),
            (64, MaxHops::Most(0), 63, false),
            (64, MaxHops::Any, 1, true),
        ] {
            let now = Instant::now();
            let mut table = Table::new(now, 1);
            table.apply(now, &[BfdSession { ttl, max_hops, ..settings("a", "192.0.2.2") }.into()]);
            let arrival = Arrival { ttl: Some(left), ..from("192.0.2.2") };
            let result = table.receive(now, &arrival, &hello().encode());
            assert_eq!(result.is_ok(), heard, "{ttl} {max_hops:?} {left}: {result:?}");
        }
    }

    #[test]
    fn a_reload_keeps_what_stays() {
        let now = Instant::now();
        let mut table = Table::new(now, 1);
        let (a, b) = (Arc::new(settings("a", "192.0.2.2")), Arc::new(settings("b", "192.0.2.3")));
        assert_eq!(table.apply(now, &[a.clone(), b.clone()]).len(), 2);
        table.receive(now, &from("192.0.2.3"), &hello().encode()).unwrap();
        assert_eq!(table.apply(now, &[b.clone(), a.clone()]), []);
        let slower = Arc::new(BfdSession { min_tx: Duration::from_millis(50), ..(*b).clone() });
        let applied = table.apply(now, std::slice::from_ref(&slower));
        let [Applied::Removed(gone, silent), Applied::Changed(id)] = &applied[..] else {
            panic!("{applied:?}")
        };
        assert_eq!((&gone.name, silent.send), (&a.name, None), "nobody ever heard of a");
        assert_eq!(table.get(*id).unwrap().session.state(), State::Init);
        let moved = Arc::new(BfdSession { neighbour: "192.0.2.4".parse().unwrap(), ..(*slower).clone() });
        let applied = table.apply(now, &[moved]);
        let [Applied::Removed(_, told), Applied::Added(_)] = &applied[..] else { panic!("{applied:?}") };
        assert_eq!(told.send.map(|packet| packet.state), Some(State::AdminDown));
        assert_eq!(table.iter().count(), 1);
        assert_eq!(table.due.len(), 1);
    }
}
