//! The subagent's side of one AgentX session, as a machine without I/O.
//!
//! ```text
//!            Start            Connected          opened            all registered
//!   Idle ───────► Connecting ──────────► Opening ───────► Registering ─────────► Serving
//!                  ▲      │ refused,         │ no answer,      │                   │ no answer to a ping,
//!                  │      ▼ too slow         ▼ an error        ▼                   ▼ Close, end of stream
//!                 Waiting ◄──────────────────┴─────────────────┴───────────────────┘
//!                 (back-off)                      Stop: Close, then Stopped
//! ```
//!
//! How to drive it: call [`Session::handle`] with what happened and the present time, and [`Session::receive`] with what
//! the master sends and the [`Tree`] that its requests are answered from; carry out the [`Output`]s in order, and call
//! `handle` with [`Input::Timer`] when [`Session::deadline`] has come. Whatever the master sends or fails to send, the worst that
//! can come of it is [`Output::Disconnect`] and another attempt later.

mod incoming;
mod interface;
mod serve;
mod sets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use rasn_snmp::v2::VarBind;

use crate::framer::Framer;
use crate::pdu::{Body, CloseReason, Header, Packet, Subtree};
use crate::wire::{ByteOrder, octet_string};

use sets::Sets;

pub use interface::{Answered, Ask, AskError, Change, Input, Output, Reason, Settings};

/// Notifications that wait for a session at most; when one more comes, the oldest goes.
pub const MAX_WAITING_NOTIFICATIONS: usize = 640;

/// Notifications that the master is given before it has answered one. It answers each before it reads the next: who writes
/// more than both sockets hold has it wait for room for its answers, and waits for room itself.
pub const WINDOW: usize = 64;

/// A master that takes none of those for so many times of [`Settings::answer_within`] will not take any more: it may deliver
/// each to a host that is slow, and says nothing meanwhile, but it does so one after the other.
const PATIENCE: u32 = 12;

/// A request of ours that the master has yet to answer.
#[derive(Clone, Copy, Debug)]
struct Pending {
    packet: u32,
    until: Instant,
}

#[derive(Debug)]
enum State {
    Idle,
    Waiting {
        until: Instant,
    },
    Connecting {
        until: Instant,
    },
    Opening(Pending),
    /// Registrations go out one after the other: `next` is the one that waits for its answer, `behind` so many other subagents
    /// that have the same subtree.
    Registering {
        session: u32,
        next: usize,
        behind: u8,
        pending: Pending,
    },
    Serving {
        session: u32,
        ping_at: Instant,
        ping: Option<Pending>,
    },
    Closing(Pending),
    Stopped,
}

/// The machine: see the module's documentation for how to drive it.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
    framer: Framer,
    born: Instant,
    last_packet: u32,
    retry: Duration,
    notifications: VecDeque<Vec<VarBind>>,
    /// Packets of notifications that the master has yet to take.
    notified: BTreeSet<u32>,
    /// When it has to have taken the next of them.
    takes_by: Option<Instant>,
    sets: Sets,
    /// What was asked, by packet: its token, and when an answer comes too late.
    asked: BTreeMap<u32, (u64, Instant)>,
}

impl Session {
    /// A session that has yet to be started. `now` is the zero of the uptime that it tells.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            retry: settings.retry_first,
            settings,
            state: State::Idle,
            framer: Framer::default(),
            born: now,
            last_packet: 0,
            notifications: VecDeque::new(),
            notified: BTreeSet::new(),
            takes_by: None,
            sets: Sets::default(),
            asked: BTreeMap::new(),
        }
    }

    /// When [`Input::Timer`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Stopped => None,
            State::Waiting { until } | State::Connecting { until } => Some(*until),
            State::Opening(pending) | State::Closing(pending) => Some(pending.until),
            State::Registering { pending, .. } => Some(pending.until),
            State::Serving { ping_at, ping, .. } => {
                let ping = ping.map_or(*ping_at, |pending| pending.until);
                self.asked.values().map(|(_, until)| *until).chain([ping]).chain(self.takes_by).min()
            }
        }
    }

    /// Whether the session is open and everything registered.
    pub fn is_serving(&self) -> bool {
        matches!(self.state, State::Serving { .. })
    }

    /// Whether the session has ended for good, after [`Input::Stop`].
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Whether requests that came in wait to be answered: see [`receive`](Self::receive).
    pub fn has_backlog(&self) -> bool {
        self.framer.has_packet()
    }

    /// Whether a notification would go out at once, or waits for there to be a master: else it waits for the master to
    /// take those before it.
    pub fn has_room(&self) -> bool {
        !self.is_serving() || (self.notifications.is_empty() && self.notified.len() < WINDOW)
    }

    /// Takes one input and appends what is to be done to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Start => {
                if matches!(self.state, State::Idle) {
                    self.connect(now, out);
                }
            }
            Input::Connected => self.connected(now, out),
            Input::ConnectionLost(why) => self.connection_lost(now, why, out),
            Input::Timer => self.timer(now, out),
            Input::Notify(binds) => self.notify(now, binds, out),
            Input::Ask(token, ask) => self.ask_master(now, token, ask, out),
            Input::Stop => self.stop(now, out),
        }
    }

    fn connect(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.framer.clear();
        self.state = State::Connecting { until: now + self.settings.answer_within };
        out.push(Output::Connect);
    }

    fn connected(&mut self, now: Instant, out: &mut Vec<Output>) {
        if !matches!(self.state, State::Connecting { .. }) {
            // Too late: the attempt was given up.
            out.push(Output::Disconnect);
            return;
        }
        let body = Body::Open {
            timeout: self.settings.timeout,
            id: self.settings.id.clone(),
            description: octet_string(self.settings.description.as_bytes()),
        };
        let pending = self.ask(now, 0, body, out);
        self.state = State::Opening(pending);
    }

    fn connection_lost(&mut self, now: Instant, why: String, out: &mut Vec<Output>) {
        match self.state {
            State::Idle | State::Waiting { .. } | State::Stopped => {}
            State::Closing(_) => self.stopped(out),
            State::Connecting { .. }
            | State::Opening(_)
            | State::Registering { .. }
            | State::Serving { .. } => self.fail(now, Reason::Connection(why), out),
        }
    }

    fn timer(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        self.asked.retain(|_, (token, until)| {
            let waits = now < *until;
            if !waits {
                out.push(Output::Answered(*token, Err(AskError::NoAnswer)));
            }
            waits
        });
        match self.state {
            State::Idle | State::Stopped => {}
            State::Waiting { .. } => self.connect(now, out),
            State::Connecting { .. } => self.fail(now, Reason::Timeout("a connect"), out),
            State::Opening(_) => self.fail(now, Reason::Timeout("an Open"), out),
            State::Registering { .. } => self.fail(now, Reason::Timeout("a registration"), out),
            State::Serving { ping: Some(ping), .. } if ping.until <= now => {
                self.fail(now, Reason::Timeout("a Ping"), out);
            }
            State::Serving { .. } if self.takes_by.is_some_and(|until| until <= now) => {
                self.fail(now, Reason::Timeout("a notification"), out);
            }
            State::Serving { session, ping: None, ping_at } if ping_at <= now => {
                let pending = self.ask(now, session, Body::Ping, out);
                self.state = State::Serving { session, ping_at: now, ping: Some(pending) };
            }
            // It was for one of those that were asked.
            State::Serving { .. } => {}
            State::Closing(_) => self.stopped(out),
        }
    }

    fn ask_master(&mut self, now: Instant, token: u64, ask: Ask, out: &mut Vec<Output>) {
        let State::Serving { session, .. } = self.state else {
            out.push(Output::Answered(token, Err(AskError::NotOpen)));
            return;
        };
        let body = ask.into_body(self.settings.timeout);
        let Pending { packet, until } = self.ask(now, session, body, out);
        self.asked.insert(packet, (token, until));
    }

    /// Nobody answers any more.
    fn forget_asked(&mut self, out: &mut Vec<Output>) {
        let asked = std::mem::take(&mut self.asked).into_values();
        out.extend(asked.map(|(token, _)| Output::Answered(token, Err(AskError::NotOpen))));
    }

    /// Sends the registration at `next`: first the subtrees, then the rows of sysORTable; after the last one the
    /// session serves. A subtree gets a priority that is lower by `behind`.
    fn register(&mut self, now: Instant, session: u32, next: usize, behind: u8, out: &mut Vec<Output>) {
        let subtrees = self.settings.subtrees.len();
        let body = if let Some(subtree) = self.settings.subtrees.get(next) {
            let priority = subtree.priority.saturating_add(behind);
            let subtree = Subtree { priority, ..subtree.clone() };
            Body::Register { timeout: self.settings.timeout, instance: false, subtree }
        } else if let Some((id, description)) = self.settings.capabilities.get(next - subtrees) {
            Body::AddAgentCaps(id.clone(), octet_string(description.as_bytes()))
        } else {
            self.retry = self.settings.retry_first;
            self.state = State::Serving { session, ping_at: now + self.settings.ping_every, ping: None };
            out.push(Output::Changed(Change::Serving { session }));
            self.send_waiting(now, session, WINDOW, out);
            return;
        };
        let pending = self.ask(now, session, body, out);
        self.state = State::Registering { session, next, behind, pending };
    }

    fn notify(&mut self, now: Instant, binds: Vec<VarBind>, out: &mut Vec<Output>) {
        match self.state {
            State::Serving { session, .. } if self.has_room() => {
                self.send_notification(now, session, binds, out);
            }
            State::Stopped | State::Closing(_) => lost(1, out),
            State::Idle
            | State::Waiting { .. }
            | State::Connecting { .. }
            | State::Opening(_)
            | State::Registering { .. }
            | State::Serving { .. } => {
                if self.notifications.len() == MAX_WAITING_NOTIFICATIONS {
                    self.notifications.pop_front();
                    lost(1, out);
                }
                self.notifications.push_back(binds);
            }
        }
    }

    /// Sends what waits, until the master has so many to take.
    fn send_waiting(&mut self, now: Instant, session: u32, window: usize, out: &mut Vec<Output>) {
        while self.notified.len() < window
            && let Some(binds) = self.notifications.pop_front()
        {
            self.send_notification(now, session, binds, out);
        }
    }

    fn send_notification(&mut self, now: Instant, session: u32, binds: Vec<VarBind>, out: &mut Vec<Output>) {
        let before = out.len();
        let Pending { packet, .. } = self.ask(now, session, Body::Notify(binds), out);
        // One that can't be encoded did not go out.
        if out.len() == before {
            lost(1, out);
        } else {
            self.notified.insert(packet);
            self.takes_by.get_or_insert(now + PATIENCE * self.settings.answer_within);
        }
    }

    /// The master has taken one, or refused it.
    fn taken(&mut self, now: Instant) {
        let more = !self.notified.is_empty();
        self.takes_by = more.then(|| now + PATIENCE * self.settings.answer_within);
    }

    /// Whether the master took those that are under way, nobody will know.
    fn forget_notified(&mut self, out: &mut Vec<Output>) {
        lost(std::mem::take(&mut self.notified).len(), out);
        self.takes_by = None;
    }

    fn stop(&mut self, now: Instant, out: &mut Vec<Output>) {
        match self.state {
            State::Registering { session, .. } | State::Serving { session, .. } => {
                if self.is_serving() {
                    // There is no later.
                    self.send_waiting(now, session, usize::MAX, out);
                }
                let pending = self.ask(now, session, Body::Close(CloseReason::Shutdown), out);
                // A master that hangs must not hold up the end: a second is plenty for one that doesn't.
                let until = now + self.settings.answer_within.min(Duration::from_secs(1));
                self.state = State::Closing(Pending { until, ..pending });
            }
            State::Idle | State::Waiting { .. } | State::Connecting { .. } | State::Opening(_) => {
                self.stopped(out);
            }
            State::Closing(_) | State::Stopped => {}
        }
    }

    fn stopped(&mut self, out: &mut Vec<Output>) {
        self.state = State::Stopped;
        self.framer.clear();
        self.forget_asked(out);
        self.forget_notified(out);
        lost(std::mem::take(&mut self.notifications).len(), out);
        out.push(Output::Disconnect);
        out.push(Output::Changed(Change::Stopped));
    }

    fn fail(&mut self, now: Instant, reason: Reason, out: &mut Vec<Output>) {
        let served = self.is_serving();
        self.framer.clear();
        self.sets.forget();
        self.forget_asked(out);
        self.forget_notified(out);
        self.state = State::Waiting { until: now + self.jitter(self.retry) };
        self.retry = (self.retry * 2).min(self.settings.retry_most);
        out.push(Output::Disconnect);
        out.push(Output::Changed(if served { Change::Lost(reason) } else { Change::Unreachable(reason) }));
    }

    /// A quarter more or less (xorshift: nothing secret hangs on it).
    fn jitter(&mut self, wait: Duration) -> Duration {
        let mut number = self.settings.seed.max(1);
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        self.settings.seed = number;
        wait * (75 + (number % 51) as u32) / 100
    }

    /// Sends a request of ours and says what to wait for.
    fn ask(&mut self, now: Instant, session: u32, body: Body, out: &mut Vec<Output>) -> Pending {
        self.last_packet = self.last_packet.wrapping_add(1);
        let packet = self.last_packet;
        let header = Header { session, transaction: packet, packet, order: ByteOrder::Network };
        // Only what is about names is in a context.
        let in_context = matches!(
            body,
            Body::Register { .. } | Body::Unregister(_) | Body::IndexAllocate(..) | Body::IndexDeallocate(_)
        );
        let context = self.settings.context.clone().filter(|_| in_context);
        send(&Packet { header, context, body }, out);
        Pending { packet, until: now + self.settings.answer_within }
    }

    fn session_id(&self) -> Option<u32> {
        match &self.state {
            State::Registering { session, .. } | State::Serving { session, .. } => Some(*session),
            State::Idle
            | State::Waiting { .. }
            | State::Connecting { .. }
            | State::Opening(_)
            | State::Closing(_)
            | State::Stopped => None,
        }
    }

    /// `res.sysUpTime`, in hundredths of a second; it wraps after 497 days as TimeTicks do.
    fn uptime(&self, now: Instant) -> u32 {
        let centiseconds = now.saturating_duration_since(self.born).as_millis() / 10;
        (centiseconds & u128::from(u32::MAX)) as u32
    }
}

/// Tells of notifications that reach nobody, if there are any.
fn lost(count: usize, out: &mut Vec<Output>) {
    if count > 0 {
        out.push(Output::Changed(Change::NotificationsLost(count as u64)));
    }
}

/// A packet that can't be encoded is not sent: the only ones with free values are notifications.
fn send(packet: &Packet, out: &mut Vec<Output>) {
    if let Ok(raw) = packet.encode() {
        out.push(Output::Send(raw));
    }
}
