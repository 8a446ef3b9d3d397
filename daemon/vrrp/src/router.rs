//! One virtual router: its states, its timers, what it does about an advertisement. Goes in: checked packets, time,
//! faults, changes of priority, decisions of its sync group. Comes out: facts and things to do, through the context,
//! and what the sync group has to follow.
//!
//! ```text
//!                          +------------+
//!            +------------>|            |<-----------+
//!            |      +----->|   Fault    |<-----+     |   any fault: interface down, no source address,
//!            |      |      |            |      |     |   a tracker of weight 0 failed, a member of the
//!            |      |      +------------+      |     |   sync group is in Fault
//!            |      |            |             |     |
//!            |    fault     no fault left    fault   |
//!          fault    |            v             |     |
//!            |      |      +------------+      |     |
//!            |      +------|            |      |     |
//!  +------+  |             |   Backup   |      |     |
//!  | Init |--+---start---->|            |      |     |
//!  +------+                +------------+      |     |
//!      ^                     |        ^        |     |
//!      |   Master_Down_Timer |        | advertisement of higher rank
//!    stop  fires, and the    |        | (priority, then address)
//!      |   group agrees      v        |        |     |
//!      |                   +------------+      |     |
//!      +-------------------|   Master   |------+     |
//!                          +------------+            |
//!       (stop and fault of a master: priority 0 is advertised, addresses are taken off)
//! ```
//!
//! The states are those of RFC 9568 §6.4; Fault is keepalived's. Where keepalived differs from the RFC, this follows
//! keepalived 2.4.3:
//!
//! * `state MASTER` starts as Backup like everyone else and waits for the whole Master_Down_Interval; only an owner
//!   (priority 255) that says `state MASTER` is master at once.
//! * An advertisement of lower rank is answered by one of ours and a burst of gratuitous ARP, unless configured not to.
//! * After a fault a router is always Backup first.
//!
//! and differs from it where that does less harm:
//!
//! * Addresses that a crashed run left stay until somebody else proves to be master, or until the election. If all are
//!   there, the router was master a moment ago: it waits for one interval and its skew instead of three.
//! * The time to the next advertisement counts from when the last was due, not from when it left, so intervals don't
//!   drift; and packets that are refused never move it.
//! * A virtual address that somebody takes off a master is put back at once, not answered with a new election.

mod addresses;
mod authenticated;
mod backup;
mod bursts;
mod change;
mod fault;
mod limit;
mod master;
mod missing;
mod owner;
mod receive;
mod signed;
mod transmit;
mod witness;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::VrrpCounters;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::{Family, VrrpState};
use keepwatch_bus::times::VrrpTimes;
use keepwatch_bus::{Configured, EventId};
use keepwatch_model::Instance;

use addresses::Own;
use authenticated::Authenticated;
pub(crate) use backup::Backup;
pub(crate) use fault::Faults;
pub(crate) use master::Master;
use signed::Signed;
pub(crate) use witness::{ADDRESSES, Sighting};

use crate::follow::Standing;
use crate::ids::{LinkId, RouterId};
use crate::outbox::{Notice, Output};
use crate::spec::{RouterDefinition, RouterSpec, Transport, Version};
use crate::step::Context;
use crate::wire::AdvertBuffer;
use limit::Limits;
use witness::Witness;

/// Intervals below this are not taken from the wire or the configuration: 1 centisecond is the least that VRRP has.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// The state, with what exists only in it.
#[derive(Debug)]
pub(crate) enum State {
    /// Not started, or stopped.
    Init,
    /// Listens.
    Backup(Backup),
    /// Advertises.
    Master(Master),
    /// Takes no part.
    Fault,
}

/// What a step of one router means for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Nothing.
    None,
    /// Its Master_Down_Timer fired: it would be master.
    WantsMaster,
    /// It yielded to another master, by this event.
    Yielded(EventId),
    /// It heard a lower master and put things right; members of its group announce their addresses too.
    LowerMaster(EventId),
}

/// The last other master that a router heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) address: IpAddr,
    pub(crate) priority: u8,
}

/// A multicast group or unicast source that the runner must be able to receive on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The interface.
    pub link: LinkId,
    /// The family.
    pub family: Family,
    /// The group to join; none where only unicast is expected.
    pub group: Option<IpAddr>,
    /// Whether packets with an authentication header (IP protocol 51) are expected too.
    pub authenticated: bool,
}

/// One virtual router.
#[derive(Debug)]
pub struct Router {
    pub(crate) id: RouterId,
    pub(crate) spec: Arc<RouterSpec>,
    pub(crate) settings: Configured<Instance>,
    pub(crate) counters: Arc<VrrpCounters>,
    pub(crate) times: Arc<VrrpTimes>,
    pub(crate) link: LinkId,
    /// Where its advertisements leave: there, or by an interface of its own above it.
    pub(crate) leaves_by: LinkId,
    /// Its sync group, by its place in the node.
    pub(crate) group: Option<usize>,
    pub(crate) state: State,
    pub(crate) faults: Faults,
    /// What the things that it follows mean.
    pub(crate) standing: Standing,
    /// A number with a weight is so low that it is a fault, or was in the present Fault: until that is left the priority
    /// stays as it is.
    pub(crate) overshot: bool,
    /// It would have started, but for something that is undecided.
    pub(crate) undecided: bool,
    /// The effective priority: what its advertisements say.
    pub(crate) priority: u8,
    /// Source address of its advertisements.
    pub(crate) source: Option<IpAddr>,
    /// Master_Adver_Interval (RFC 9568 §6.1): its own, or what the master advertises (version 3).
    pub(crate) master_interval: Duration,
    pub(crate) heard: Option<Heard>,
    /// Its addresses are on their interfaces, or were asked for.
    pub(crate) holds_addresses: bool,
    /// Those of its addresses that are the host's own.
    own: Vec<Own>,
    advertised: Vec<IpAddr>,
    packet: AdvertBuffer,
    /// Key and sequence number of a router with an authentication header.
    authenticated: Option<Box<Authenticated>>,
    /// Keys and stamps of a router with `auth_hmac`.
    signed: Option<Box<Signed>>,
    /// A unicast peer computes its checksums as keepalived before 1.3.7 did, as if they went to the multicast group: from
    /// then on ours do too.
    old_unicast_sum: bool,
    limits: Limits,
    /// The event that told of the last change of its priority, and what that was before.
    shifted: Option<(EventId, u8)>,
    witness: Witness,
}

impl Router {
    pub(crate) fn new(id: RouterId, link: LinkId, definition: RouterDefinition) -> Self {
        let spec = Arc::new(definition.spec);
        let mut router = Self {
            id,
            settings: definition.settings,
            counters: definition.counters,
            times: definition.times,
            link,
            leaves_by: link,
            group: None,
            state: State::Init,
            faults: Faults::default(),
            standing: Standing::default(),
            overshot: false,
            undecided: false,
            priority: spec.priority.0,
            source: None,
            master_interval: spec.advert_interval.max(LEAST_INTERVAL),
            heard: None,
            holds_addresses: false,
            own: Vec::new(),
            advertised: Vec::new(),
            packet: AdvertBuffer::default(),
            authenticated: Authenticated::renew(None, &spec),
            signed: Signed::renew(None, &spec),
            old_unicast_sum: false,
            limits: Limits::default(),
            shifted: None,
            witness: Witness::default(),
            spec,
        };
        router.rebuild_packet();
        router
    }

    /// Its number.
    pub fn id(&self) -> RouterId {
        self.id
    }

    /// Its definition.
    pub fn spec(&self) -> &Arc<RouterSpec> {
        &self.spec
    }

    /// Where its packets are counted: for the runner to count what could not be sent.
    pub fn counters(&self) -> &Arc<VrrpCounters> {
        &self.counters
    }

    /// The interface of its advertisements.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// Its state.
    pub fn state(&self) -> VrrpState {
        match self.state {
            State::Init => VrrpState::Init,
            State::Backup(_) => VrrpState::Backup,
            State::Master(_) => VrrpState::Master,
            State::Fault => VrrpState::Fault,
        }
    }

    /// The priority that it advertises.
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// The source address of its advertisements; none until its interface has had one.
    pub fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// When it wants to act next: a value to sleep on, not a promise to the past.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Init | State::Fault => None,
            State::Backup(backup) => Some(backup.down_at),
            State::Master(master) => Some(master.deadline()),
        }
    }

    /// What it must be able to receive on.
    pub fn subscription(&self) -> Subscription {
        let group = match &self.spec.transport {
            Transport::Multicast { group } => Some(*group),
            Transport::Unicast { .. } => None,
        };
        let authenticated = self.authenticated.is_some();
        Subscription { link: self.link, family: self.spec.family, group, authenticated }
    }

    /// Advertisement_Interval (RFC 9568 §6.1).
    pub(crate) fn interval(&self) -> Duration {
        self.spec.advert_interval.max(LEAST_INTERVAL)
    }

    /// Skew_Time: version 2 counts in 256ths of a second (RFC 3768 §6.1), version 3 in 256ths of the master's interval
    /// (RFC 9568 §6.1). An owner's is the least, even while it advertises less than 255.
    pub(crate) fn skew(&self) -> Duration {
        self.skew_of(if self.spec.is_owner() { u8::MAX } else { self.priority })
    }

    /// The Skew_Time of a router of this priority.
    fn skew_of(&self, priority: u8) -> Duration {
        let unit = match self.spec.version {
            Version::V2 { .. } => Duration::from_secs(1),
            Version::V3 { .. } => self.master_interval,
        };
        unit * (256 - u32::from(priority)) / 256
    }

    /// Master_Down_Interval.
    pub(crate) fn down_interval(&self) -> Duration {
        self.master_interval * u32::from(self.spec.down_adverts) + self.skew()
    }

    /// What a backup waits at the least, less an interval of its master's and a 256th, as keepalived reckons it.
    pub(crate) fn patience(&self) -> Duration {
        match u32::from(self.spec.down_adverts) {
            0 | 1 => Duration::ZERO,
            adverts => self.master_interval * (adverts - 1) - self.master_interval / 256,
        }
    }

    /// Its deadline has passed, or may have.
    pub(crate) fn handle_deadline(&mut self, cx: &mut Context<'_>) -> Reaction {
        match &self.state {
            State::Init | State::Fault => Reaction::None,
            State::Backup(backup) => {
                if backup.down_at <= cx.now {
                    self.times.lateness.observe(cx.now.saturating_duration_since(backup.down_at));
                    Reaction::WantsMaster
                } else {
                    Reaction::None
                }
            }
            State::Master(_) => self.give_up_if_late(cx).unwrap_or_else(|| {
                self.master_deadline(cx);
                Reaction::None
            }),
        }
    }

    /// Publishes the change of state that `self.state` has just made, and says so to the daemon.
    fn announce_state(&mut self, cx: &mut Context<'_>, from: VrrpState) -> EventId {
        let to = self.state();
        let instance = self.spec.name.clone();
        let event = cx.publish(VrrpFact::StateChanged {
            instance: instance.clone(),
            from,
            to,
            priority: self.priority,
        });
        cx.out.act(Output::Notify(Notice::RouterState { instance, state: to, event }));
        event
    }

    /// Enters Backup and waits for `wait`.
    pub(crate) fn enter_backup(&mut self, cx: &mut Context<'_>, wait: Duration) -> EventId {
        let from = self.state();
        self.limits.forget_rejections();
        self.state = State::Backup(Backup::new(cx.now, wait));
        let event = self.announce_state(cx, from);
        self.left(cx, from, event);
        event
    }

    /// Enters Fault; a master resigns.
    pub(crate) fn enter_fault(&mut self, cx: &mut Context<'_>) -> EventId {
        let from = self.state();
        if from == VrrpState::Master {
            self.send(cx, 0);
        }
        self.heard = None;
        self.state = State::Fault;
        let event = self.announce_state(cx, from);
        self.left(cx, from, event);
        if self.holds_addresses {
            self.remove_addresses(cx, event);
        }
        event
    }

    /// Stops. A master resigns and takes its addresses off, unless they shall stay.
    pub(crate) fn enter_init(&mut self, cx: &mut Context<'_>, release: bool) -> Option<EventId> {
        let from = self.state();
        self.undecided = false;
        if from == VrrpState::Init {
            return None;
        }
        if from == VrrpState::Master && release {
            self.send(cx, 0);
        }
        self.heard = None;
        self.state = State::Init;
        let event = self.announce_state(cx, from);
        if from == VrrpState::Master {
            self.end_all_splits(&mut cx.because_of(event));
            self.counters.released_master.inc();
        }
        if release && self.holds_addresses {
            self.remove_addresses(cx, event);
        }
        Some(event)
    }

    /// Tidies up after the state `from`.
    fn left(&mut self, cx: &mut Context<'_>, from: VrrpState, event: EventId) {
        if from == VrrpState::Master {
            self.counters.released_master.inc();
            self.end_all_splits(&mut cx.because_of(event));
            self.remove_addresses(cx, event);
        }
    }
}
