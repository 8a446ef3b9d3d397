//! One virtual router as a listener knows it: who sends its adverts, who of them is master, and whether they agree.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use keepwatch_net::wire::ethernet::MacAddress;
use serde::Serialize;

use crate::advert::{Advert, Authentication};
use crate::event::{How, What, seconds, time};

/// Senders of one virtual router that are kept; of more, the one that has been silent for longest goes.
pub const SENDERS: usize = 8;

/// Who sends adverts, and what the last one said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// Its address.
    pub address: IpAddr,
    /// The hardware address that its adverts leave by.
    #[serde(serialize_with = "hardware", skip_serializing_if = "Option::is_none")]
    pub hardware: Option<MacAddress>,
    /// 2 or 3.
    pub version: u8,
    /// Its priority; that of the advert before the one with which it resigned.
    pub priority: u8,
    /// How often it says that it sends.
    #[serde(serialize_with = "seconds")]
    pub interval: Duration,
    /// How its adverts are authenticated.
    pub authentication: Authentication,
    /// The first of its addresses.
    pub addresses: Vec<IpAddr>,
    /// How many addresses it has.
    pub address_count: u8,
    #[serde(skip)]
    address_print: u64,
    /// Whether it sends to single peers.
    pub unicast: bool,
    /// How many adverts were heard.
    pub adverts: u64,
    /// The longest time between two of them while it was master.
    #[serde(serialize_with = "seconds")]
    pub largest_gap: Duration,
    /// When the last one was heard, since observing began.
    #[serde(skip)]
    pub last: Duration,
    /// Since when it sends without a pause that any backup would take for its end.
    #[serde(skip)]
    run: Duration,
    /// Whether the last one had priority 0.
    pub resigned: bool,
}

fn hardware<S: serde::Serializer>(value: &Option<MacAddress>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_none(),
    }
}

impl Sender {
    fn new(now: Duration, advert: Advert) -> Self {
        Self {
            address: advert.source,
            hardware: advert.hardware,
            version: advert.version,
            priority: advert.priority,
            interval: advert.interval,
            authentication: advert.authentication,
            addresses: advert.addresses,
            address_count: advert.address_count,
            address_print: advert.address_print,
            unicast: advert.unicast,
            adverts: 1,
            largest_gap: Duration::ZERO,
            last: now,
            run: now,
            resigned: advert.priority == 0,
        }
    }

    /// The longest that any backup waits for it: three intervals and the skew of priority 0 (RFC 3768 §6.1, RFC 9568 §6.1).
    pub fn patience(&self) -> Duration {
        let skew = if self.version == 2 { Duration::from_secs(1) } else { self.interval };
        self.interval * 3 + skew
    }

    /// Whether it counts as sending.
    pub fn is_alive(&self, now: Duration) -> bool {
        !self.resigned && now.saturating_sub(self.last) <= self.patience()
    }

    /// Whether it wins against another, as RFC 9568 §6.4.3 says.
    fn beats(&self, other: &Self) -> bool {
        (self.priority, self.address) > (other.priority, other.address)
    }

    /// Takes the next advert, and says what it changed.
    fn heard(&mut self, now: Duration, advert: Advert, said: &mut Vec<What>) {
        let gap = now.saturating_sub(self.last);
        if self.is_alive(now) {
            self.largest_gap = self.largest_gap.max(gap);
        } else {
            self.run = now;
        }
        (self.last, self.adverts) = (now, self.adverts + 1);
        if advert.priority == 0 {
            self.resigned = true;
            return;
        }
        let who = self.address;
        let mut changed = |what, from: String, to: String| said.push(What::Changed { who, what, from, to });
        if self.priority != advert.priority && self.priority != 0 {
            changed("priority", self.priority.to_string(), advert.priority.to_string());
        }
        if self.interval != advert.interval {
            changed("interval", time(self.interval), time(advert.interval));
        }
        if self.version != advert.version {
            changed("version", self.version.to_string(), advert.version.to_string());
        }
        if self.authentication != advert.authentication {
            let (from, to) = match (self.authentication, advert.authentication) {
                (Authentication::Password(_), Authentication::Password(_)) => {
                    ("PASS".to_owned(), "PASS, another password".to_owned())
                }
                (from, to) => (from.to_string(), to.to_string()),
            };
            changed("authentication", from, to);
        }
        if self.address_print != advert.address_print {
            let from = list(&self.addresses, self.address_count);
            changed("addresses", from, list(&advert.addresses, advert.address_count));
        }
        if self.hardware != advert.hardware
            && let (Some(from), Some(to)) = (self.hardware, advert.hardware)
        {
            changed("hardware address", from.to_string(), to.to_string());
        }
        let next = Self::new(now, advert);
        let Self { run, adverts, largest_gap, .. } = *self;
        *self = Self { run, adverts, largest_gap, ..next };
    }
}

/// Addresses in words: at most four, and how many more there are.
pub fn list(addresses: &[IpAddr], count: u8) -> String {
    let shown: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
    match usize::from(count) - shown.len().min(usize::from(count)) {
        0 if shown.is_empty() => "no address".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, priority, interval, version, authentication, .. } = self;
        write!(
            f,
            "{address} (priority {priority}, every {}, version {version}, {authentication}, ",
            time(*interval)
        )?;
        write!(f, "{})", list(&self.addresses, self.address_count))
    }
}

/// What two senders of one virtual router say differently: what each may refuse the other for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// They have no address in common: two virtual routers with one id.
    OtherRouter,
    /// Their addresses are not the same.
    Addresses,
    /// One speaks version 2, the other 3.
    Version,
    /// Their authentication is of different kinds.
    Authentication,
    /// Their passwords are not the same.
    Password,
    /// They sign with different keys.
    Key,
    /// Their intervals are not the same (which version 2 refuses).
    Interval,
    /// Their adverts are sealed so that a listener cannot tell whether with the same key.
    Sealed,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherRouter => "they have no address in common: two virtual routers with the same id",
            Self::Addresses => "their addresses differ",
            Self::Version => "one speaks version 2, the other version 3",
            Self::Authentication => "they authenticate in different ways, so each refuses the other",
            Self::Password => "their passwords differ, so each refuses the other",
            Self::Key => "they sign with different keys",
            Self::Interval => "their intervals differ",
            Self::Sealed => "their keys may differ: that cannot be seen from outside",
        })
    }
}

/// What two senders say differently.
fn differences(one: &Sender, two: &Sender) -> Vec<Difference> {
    let mut found = Vec::new();
    if one.address_print != two.address_print {
        let whole = |sender: &Sender| sender.addresses.len() == usize::from(sender.address_count);
        let apart = !one.addresses.iter().any(|address| two.addresses.contains(address));
        let apart = apart && whole(one) && whole(two) && one.address_count > 0 && two.address_count > 0;
        found.push(if apart { Difference::OtherRouter } else { Difference::Addresses });
    }
    if one.version != two.version {
        found.push(Difference::Version);
    }
    match (one.authentication, two.authentication) {
        (Authentication::Password(one), Authentication::Password(two)) if one != two => {
            found.push(Difference::Password);
        }
        (Authentication::Hmac(one), Authentication::Hmac(two)) if one != two => found.push(Difference::Key),
        (one, two) if std::mem::discriminant(&one) != std::mem::discriminant(&two) => {
            found.push(Difference::Authentication);
        }
        _ => {}
    }
    if one.interval != two.interval && one.version == 2 {
        found.push(Difference::Interval);
    }
    if found.is_empty() && matches!(one.authentication, Authentication::Ah | Authentication::Hmac(_)) {
        found.push(Difference::Sealed);
    }
    found
}

/// Two that send side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Dispute {
    masters: [IpAddr; 2],
    #[serde(skip)]
    since: Duration,
}

/// A virtual router that was heard.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Router {
    senders: Vec<Sender>,
    /// Who is master.
    pub master: Option<IpAddr>,
    /// Since when, or since when there is none; since observing began.
    #[serde(skip)]
    pub since: Duration,
    /// How often another became master.
    pub master_changes: u64,
    /// The two that both act as master.
    two_masters: Option<Dispute>,
    /// Senders that there was no room for, or whose room another got.
    pub senders_forgotten: u64,
}

impl Router {
    /// Everybody who sent an advert for it, in the order of their first.
    pub fn senders(&self) -> &[Sender] {
        &self.senders
    }

    /// The master, if there is one.
    pub fn master(&self) -> Option<&Sender> {
        self.senders.iter().find(|sender| Some(sender.address) == self.master)
    }

    /// The two that both act as master, if there are two.
    pub fn two_masters(&self) -> Option<[IpAddr; 2]> {
        self.two_masters.map(|dispute| dispute.masters)
    }

    fn sender(&self, address: IpAddr) -> Option<&Sender> {
        self.senders.iter().find(|sender| sender.address == address)
    }

    /// An advert was heard; what that changed goes to `said`.
    pub(crate) fn heard(&mut self, now: Duration, advert: Advert, said: &mut Vec<What>) {
        let (who, resigns) = (advert.source, advert.priority == 0);
        let first = self.senders.is_empty();
        match self.senders.iter_mut().find(|sender| sender.address == who) {
            Some(sender) => sender.heard(now, advert, said),
            None => self.admit(Sender::new(now, advert)),
        }
        if resigns {
            if self.master == Some(who) {
                (self.master, self.since) = (None, now);
                said.push(What::Resigned { who });
            }
        } else if self.master != Some(who) {
            self.claimed(now, who, first, said);
        }
        self.judge(now, who, said);
    }

    fn admit(&mut self, sender: Sender) {
        if self.senders.len() >= SENDERS {
            let kept = |sender: &Sender| {
                Some(sender.address) == self.master
                    || self.two_masters.is_some_and(|dispute| dispute.masters.contains(&sender.address))
            };
            let candidates = self.senders.iter().enumerate().filter(|(_, sender)| !kept(sender));
            if let Some((oldest, _)) = candidates.min_by_key(|(_, sender)| sender.last) {
                self.senders.remove(oldest);
            }
            self.senders_forgotten += 1;
        }
        self.senders.push(sender);
    }

    /// Somebody who is not the master sends an advert.
    fn claimed(&mut self, now: Duration, who: IpAddr, first: bool, said: &mut Vec<What>) {
        if self.two_masters.is_some_and(|dispute| dispute.masters.contains(&who)) {
            return;
        }
        let Some(claimant) = self.sender(who) else { return };
        let before = self.master().or_else(|| {
            // The last that was; a resigned one is no longer `master`.
            self.senders.iter().filter(|other| other.address != who).max_by_key(|other| other.last)
        });
        let silence = before.map_or(Duration::ZERO, |before| now.saturating_sub(before.last));
        let how = match before {
            None => How::Preempted,
            Some(before) if before.resigned => How::Resignation { after: silence },
            // One advert that is late is no silence; a backup waits for three.
            Some(before) if silence > before.interval * 2 => How::Silence { silence },
            Some(before) if claimant.beats(before) => How::Preempted,
            // Who is worse may not have heard the master. If it goes on so, there are two; if the master gives way, it is silent soon.
            Some(_) => return,
        };
        let from = before.map(|before| before.address);
        let to = claimant.clone();
        (self.master, self.since) = (Some(who), now);
        if first {
            said.push(What::Found { master: to });
        } else {
            self.master_changes += u64::from(from != Some(who));
            said.push(What::MasterChanged { from, to, how });
        }
    }

    /// Whether two send side by side, now that `who` was heard.
    fn judge(&mut self, now: Duration, who: IpAddr, said: &mut Vec<What>) {
        if self.two_masters.is_some() {
            return self.settle(now, said);
        }
        let Some(it) = self.sender(who).filter(|sender| sender.is_alive(now)) else { return };
        // Each has sent after the later of them began, and not only in the moment in which adverts cross.
        let side_by_side = |other: &&Sender| {
            let grace = it.interval.min(other.interval) / 2;
            let both = it.run.max(other.run) + grace;
            other.address != who && other.is_alive(now) && it.last >= both && other.last >= both
        };
        let Some(other) = self.senders.iter().find(side_by_side) else { return };
        let (one, two) = if self.master == Some(who) { (it, other) } else { (other, it) };
        let masters = [one.address, two.address];
        said.push(What::TwoMasters {
            masters,
            priorities: [one.priority, two.priority],
            differences: differences(one, two),
        });
        self.two_masters = Some(Dispute { masters, since: now });
    }

    /// Ends a dispute of which one is no longer heard.
    fn settle(&mut self, now: Duration, said: &mut Vec<What>) {
        let Some(Dispute { masters, since }) = self.two_masters else { return };
        let alive = |who: &IpAddr| self.sender(*who).is_some_and(|sender| sender.is_alive(now));
        let left: Vec<IpAddr> = masters.into_iter().filter(alive).collect();
        if left.len() < 2 {
            self.two_masters = None;
            let left = left.first().copied();
            said.push(What::OneMaster { left, lasted: now.saturating_sub(since) });
            if let Some(left) = left
                && self.master != Some(left)
                && let Some(to) = self.sender(left).cloned()
            {
                let from = self.master;
                (self.master, self.since) = (Some(left), now);
                self.master_changes += 1;
                said.push(What::MasterChanged { from, to, how: How::Contested });
            }
        }
    }

    /// Time has passed.
    pub(crate) fn passed(&mut self, now: Duration, said: &mut Vec<What>) {
        self.settle(now, said);
        if let Some(master) = self.master()
            && !master.is_alive(now)
        {
            let (who, silence) = (master.address, now.saturating_sub(master.last));
            (self.master, self.since) = (None, now);
            said.push(What::Silent { who, silence });
        }
    }

    /// When to look at the clock: just after the master, or one of two, has been silent for too long.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let disputed = self.two_masters.iter().flat_map(|dispute| dispute.masters);
        let watched = disputed.chain(self.master).filter_map(|who| self.sender(who));
        watched.filter(|sender| !sender.resigned).map(|sender| sender.last + sender.patience()).min()
    }
}
