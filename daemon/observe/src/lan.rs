//! All virtual routers that were heard. In go packets and the passing of time; out come events.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keepwatch_model::Family;
use keepwatch_net::wire::ethernet::MacAddress;
use serde::Serialize;

use crate::advert::{Decoder, Flaw, Read};
use crate::event::{Event, What};
use crate::router::Router;

/// Senders of flawed packets that are kept apart; those beyond are counted together.
const FLAWED: usize = 256;
/// How often flawed packets of one sender are told of.
const FLAWED_TOLD: Duration = Duration::from_secs(60);

/// Events of one virtual router that are told within a second; the others are counted.
const TOLD_A_SECOND: u32 = 20;

/// Where something was heard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The interface.
    pub interface: Arc<str>,
    /// IPv4 or IPv6.
    #[serde(serialize_with = "family")]
    pub family: Family,
    /// The virtual router id; none for packets that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrid: Option<u8>,
}

fn family<S: serde::Serializer>(family: &Family, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(family)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, family, vrid } = self;
        match vrid {
            Some(vrid) => write!(f, "{interface} VRID {vrid} ({family})"),
            None => write!(f, "{interface} ({family})"),
        }
    }
}

/// Flawed packets of one sender.
#[derive(Clone, Copy, Debug, Default)]
struct Flawed {
    packets: u64,
    untold: u64,
    told: Option<Duration>,
}

/// A virtual router, and how much of it was told lately.
#[derive(Debug, Default)]
struct Entry {
    router: Router,
    second: u64,
    told: u32,
    untold: u64,
}

impl Entry {
    /// Tells what was said at a virtual router, as far as it is not too much.
    fn tell(&mut self, now: Duration, place: &Place, said: &mut Vec<What>, events: &mut Vec<Event>) {
        if said.is_empty() {
            return;
        }
        if self.second != now.as_secs() {
            (self.second, self.told) = (now.as_secs(), 0);
            if self.untold > 0 {
                said.insert(0, What::Untold { events: std::mem::take(&mut self.untold) });
            }
        }
        for what in said.drain(..) {
            if self.told < TOLD_A_SECOND {
                self.told += 1;
                events.push(Event { at: now, place: place.clone(), what });
            } else {
                self.untold += 1;
            }
        }
    }
}

/// What a LAN is known to have. Its memory is bounded by the number of interfaces: an id has eight bits, a virtual router
/// [`SENDERS`](crate::router::SENDERS) senders, and a sender so many addresses.
#[derive(Debug, Default)]
pub struct Lan {
    decoder: Decoder,
    routers: BTreeMap<Place, Entry>,
    flawed: BTreeMap<(Place, Option<IpAddr>, Flaw), Flawed>,
    deadline: Option<Duration>,
    packets: u64,
}

impl Lan {
    /// An IP packet came in by an interface, from a hardware address. What that changed goes to `events`.
    pub fn heard(
        &mut self,
        now: Duration,
        (interface, family): (&Arc<str>, Family),
        (packet, hardware): (&[u8], Option<MacAddress>),
        events: &mut Vec<Event>,
    ) {
        let mut said = Vec::new();
        let mut place = Place { interface: interface.clone(), family, vrid: None };
        match self.decoder.read(family, packet, hardware) {
            Read::Other => return,
            Read::Flawed(who, flaw) => self.flawed(now, &place, (who, flaw), &mut said),
            Read::Advert(advert) => {
                place.vrid = Some(advert.vrid);
                let entry = self.routers.entry(place.clone()).or_default();
                entry.router.heard(now, advert, &mut said);
                entry.tell(now, &place, &mut said, events);
                if let Some(deadline) = entry.router.deadline() {
                    // Adverts only ever move it away; that is found out when it comes.
                    self.deadline = Some(self.deadline.map_or(deadline, |known| known.min(deadline)));
                }
            }
        }
        self.packets += 1;
        events.extend(said.into_iter().map(|what| Event { at: now, place: place.clone(), what }));
    }

    fn flawed(&mut self, now: Duration, place: &Place, sender: (Option<IpAddr>, Flaw), said: &mut Vec<What>) {
        let full = self.flawed.len() >= FLAWED;
        let mut key = (place.clone(), sender.0, sender.1);
        if full && !self.flawed.contains_key(&key) {
            key.1 = None;
        }
        let (who, flaw) = (key.1, key.2);
        let entry = self.flawed.entry(key).or_default();
        entry.packets += 1;
        entry.untold += 1;
        if entry.told.is_none_or(|told| now.saturating_sub(told) >= FLAWED_TOLD) {
            entry.told = Some(now);
            let packets = std::mem::take(&mut entry.untold);
            said.push(What::Flawed { who, flaw, packets });
        }
    }

    /// Time has passed: who is silent? What that changed goes to `events`.
    pub fn passed(&mut self, now: Duration, events: &mut Vec<Event>) {
        if self.deadline.is_none_or(|deadline| now <= deadline) {
            return;
        }
        let mut said = Vec::new();
        self.deadline = None;
        for (place, entry) in &mut self.routers {
            entry.router.passed(now, &mut said);
            entry.tell(now, place, &mut said, events);
            self.deadline = self.deadline.into_iter().chain(entry.router.deadline()).min();
        }
    }

    /// When [`Lan::passed`] may have something to say: after this.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The virtual routers, by interface, family and id.
    pub fn routers(&self) -> impl ExactSizeIterator<Item = (&Place, &Router)> {
        self.routers.iter().map(|(place, entry)| (place, &entry.router))
    }

    /// Packets with a flaw: where, from whom (none: unknown, or one of too many), what, how many.
    pub fn flawed_packets(&self) -> impl Iterator<Item = (&Place, Option<IpAddr>, Flaw, u64)> {
        self.flawed.iter().map(|((place, who, flaw), counted)| (place, *who, *flaw, counted.packets))
    }

    /// Packets of VRRP that were heard, flawed ones too.
    pub fn packets(&self) -> u64 {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::How;
    use crate::router::{Difference, SENDERS};
    use keepwatch_net::wire::checksum::Sum;

    const VIP: [u8; 4] = [10, 0, 0, 100];

    /// A version 2 advert of 10.0.0.`host` with this priority, password and address, each second.
    fn packet(host: u8, priority: u8, password: &str, vip: [u8; 4]) -> Vec<u8> {
        let kind = u8::from(!password.is_empty());
        let mut packet = vec![0x45, 0xc0, 0, 40, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, host, 224, 0, 0, 18];
        packet.extend([0x21, 51, priority, 1, kind, 1, 0, 0]);
        packet.extend(vip);
        packet.extend(password.as_bytes());
        packet.resize(40, 0);
        let sum = Sum::default().with(&packet[20..]).finish();
        packet[26..28].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    struct Ear {
        lan: Lan,
        events: Vec<Event>,
        eth0: Arc<str>,
    }

    impl Ear {
        fn new() -> Self {
            Self { lan: Lan::default(), events: Vec::new(), eth0: "eth0".into() }
        }

        fn hear(&mut self, millis: u64, packet: &[u8]) {
            let now = Duration::from_millis(millis);
            self.lan.passed(now, &mut self.events);
            self.lan.heard(now, (&self.eth0, Family::Inet), (packet, None), &mut self.events);
        }

        fn wait(&mut self, millis: u64) {
            self.lan.passed(Duration::from_millis(millis), &mut self.events);
        }

        fn said(&mut self) -> Vec<What> {
            self.events.drain(..).map(|event| event.what).collect()
        }

        fn master(&self) -> Option<IpAddr> {
            self.lan.routers().next().and_then(|(_, router)| router.master)
        }
    }

    fn host(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    #[test]
    fn a_dead_master_is_followed_by_another() {
        let mut ear = Ear::new();
        for second in 0..3 {
            ear.hear(second * 1000, &packet(1, 150, "", VIP));
        }
        assert!(matches!(ear.said()[..], [What::Found { .. }]));
        ear.hear(5609, &packet(2, 100, "", VIP));
        let said = ear.said();
        let silence = Duration::from_millis(3609);
        assert!(
            matches!(&said[..], [What::MasterChanged { from: Some(from), to, how: How::Silence { silence: s } }]
                if *from == host(1) && to.address == host(2) && *s == silence),
            "{said:?}"
        );
        // The better one comes back.
        ear.hear(6000, &packet(1, 150, "", VIP));
        assert!(matches!(ear.said()[..], [What::MasterChanged { how: How::Preempted, .. }]));
        ear.hear(7000, &packet(1, 150, "", VIP));
        ear.wait(9_000);
        assert_eq!(ear.said(), []);
        // Nobody takes over.
        ear.wait(11_001);
        assert!(matches!(ear.said()[..], [What::Silent { .. }]));
        assert_eq!(ear.master(), None);
        assert_eq!(ear.lan.deadline(), None);
    }

    #[test]
    fn a_master_that_resigns_is_followed_at_once() {
        let mut ear = Ear::new();
        ear.hear(0, &packet(1, 150, "", VIP));
        ear.hear(500, &packet(1, 0, "", VIP));
        ear.hear(1109, &packet(2, 100, "", VIP));
        let said = ear.said();
        let after = Duration::from_millis(609);
        assert!(
            matches!(&said[..], [What::Found { .. }, What::Resigned { .. }, What::MasterChanged { how: How::Resignation { after: a }, .. }]
                if *a == after),
            "{said:?}"
        );
    }

    #[test]
    fn two_masters_are_told_of_with_what_they_say_differently() {
        for (password, vip, expected) in [
            ("other", VIP, vec![Difference::Password]),
            ("", VIP, vec![Difference::Authentication]),
            ("secret", [10, 0, 0, 200], vec![Difference::OtherRouter]),
            ("secret", VIP, vec![]),
        ] {
            let mut ear = Ear::new();
            for second in 0..4 {
                ear.hear(second * 1000, &packet(1, 150, "secret", VIP));
                ear.hear(second * 1000 + 300, &packet(2, 100, password, vip));
            }
            let said = ear.said();
            let [What::Found { .. }, What::TwoMasters { masters, priorities, differences }] = &said[..]
            else {
                panic!("{said:?}")
            };
            assert_eq!((masters, priorities), (&[host(1), host(2)], &[150, 100]));
            assert_eq!(*differences, expected);
            // The better one goes.
            for second in 4..9 {
                ear.hear(second * 1000 + 300, &packet(2, 100, password, vip));
            }
            let said = ear.said();
            assert!(
                matches!(&said[..], [What::OneMaster { left, .. }, What::MasterChanged { .. }] if *left == Some(host(2))),
                "{said:?}"
            );
        }
    }

    #[test]
    fn adverts_that_cross_are_no_two_masters() {
        let mut ear = Ear::new();
        ear.hear(0, &packet(1, 100, "", VIP));
        ear.hear(1000, &packet(1, 100, "", VIP));
        ear.hear(1999, &packet(2, 150, "", VIP));
        ear.hear(2000, &packet(1, 100, "", VIP));
        for second in 3..9 {
            ear.hear(second * 1000, &packet(2, 150, "", VIP));
        }
        let said = ear.said();
        assert!(
            matches!(said[..], [What::Found { .. }, What::MasterChanged { how: How::Preempted, .. }]),
            "{said:?}"
        );
    }

    #[test]
    fn a_flood_of_senders_costs_bounded_memory_and_few_words() {
        let mut ear = Ear::new();
        for n in 0..100_000_u32 {
            let [_, _, high, low] = n.to_be_bytes();
            let mut forged = packet(low, 100, "", VIP);
            forged[14] = high;
            ear.hear(u64::from(n), &forged);
            forged[8] = 3;
            ear.hear(u64::from(n), &forged);
        }
        let (_, router) = ear.lan.routers().next().unwrap();
        assert!(router.senders().len() <= SENDERS);
        assert!(ear.events.len() < 100 * (TOLD_A_SECOND as usize + 20), "{}", ear.events.len());
        assert!(ear.lan.flawed_packets().count() <= FLAWED + 1);
        assert_eq!(ear.lan.flawed_packets().map(|(.., count)| count).sum::<u64>(), 100_000);
    }
}
