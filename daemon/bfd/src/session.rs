//! One session as a machine (RFC 5880 §6.8): in go the time and packets that are for it, out come packets to send and
//! what changed. No I/O, no clock of its own; its only chance is that of its [`Pace`].
//!
//! Asynchronous mode, no echo function, no authentication, as in keepalived. Demand mode is never asked for, and granted.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use keepwatch_model::BfdSession;

use crate::pace::Pace;
use crate::packet::{Diagnostic, Packet, State};

/// While a session is not up, no more often than this (RFC 5880 §6.8.3).
const IDLE_AT_LEAST: Duration = Duration::from_secs(1);

/// What of a `bfd_instance` concerns the machine. Times in microseconds, as they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Required Min RX Interval.
    pub min_rx: u32,
    /// Desired Min TX Interval while the session is up.
    pub min_tx: u32,
    /// The same while it is not.
    pub idle_tx: u32,
    /// Detect Mult.
    pub multiplier: u8,
    /// It does not speak first.
    pub passive: bool,
}

impl From<&BfdSession> for Timing {
    fn from(session: &BfdSession) -> Self {
        Self {
            min_rx: micros(session.min_rx),
            min_tx: micros(session.min_tx),
            idle_tx: micros(session.idle_tx.max(IDLE_AT_LEAST)).max(micros(session.min_tx)),
            multiplier: session.multiplier.max(1),
            passive: session.passive,
        }
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// What the neighbour last said; before it has, what the RFC puts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Neighbour {
    state: State,
    diagnostic: Diagnostic,
    /// 0 while it is not known.
    discriminator: u32,
    desired_tx: u32,
    required_rx: u32,
    multiplier: u8,
    demand: bool,
}

impl Neighbour {
    const UNKNOWN: Self = Self {
        state: State::Down,
        diagnostic: Diagnostic::NONE,
        discriminator: 0,
        desired_tx: 0,
        required_rx: 1,
        multiplier: 1,
        demand: false,
    };
}

/// Why a session changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing was heard since `heard` for as long as `limit`; noticed `overdue` after that.
    Silence {
        /// When the last packet came.
        heard: Instant,
        /// The detection time.
        limit: Duration,
        /// How late this was noticed.
        overdue: Duration,
    },
    /// The neighbour said that its side is in this state.
    Neighbour(State),
    /// Somebody here ordered it.
    Ordered,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// From this one.
    pub from: State,
    /// To this one.
    pub to: State,
    /// Why this side says that it last left Up.
    pub diagnostic: Diagnostic,
    /// Why the other side says so.
    pub remote_diagnostic: Diagnostic,
    /// What it came of.
    pub why: Why,
}

/// What a step of the machine asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// A packet to send now.
    pub send: Option<Packet>,
    /// What changed.
    pub changed: Option<Changed>,
    /// It is up and stays so, with other times than before: the neighbour has said what it can do.
    pub agreed: bool,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    timing: Timing,
    state: State,
    diagnostic: Diagnostic,
    mine: NonZeroU32,
    neighbour: Neighbour,
    /// A poll sequence is under way: packets ask for an answer.
    polling: bool,
    /// What this side sends by, and waits by. Where the configuration asks for something else than they say, the
    /// neighbour has still to agree.
    tx_in_use: u32,
    rx_in_use: u32,
    heard: Option<Instant>,
    sent: Option<Instant>,
    next: Option<Instant>,
    pace: Pace,
}

impl Session {
    /// A session that is down and, unless it is passive, speaks at `now`.
    pub fn new(now: Instant, timing: Timing, mine: NonZeroU32, pace: Pace) -> Self {
        Self {
            timing,
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            mine,
            neighbour: Neighbour::UNKNOWN,
            polling: false,
            tx_in_use: timing.idle_tx,
            rx_in_use: timing.min_rx,
            heard: None,
            sent: None,
            next: (!timing.passive).then_some(now),
            pace,
        }
    }

    /// How it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its own discriminator.
    pub fn discriminator(&self) -> NonZeroU32 {
        self.mine
    }

    /// Time between its packets as agreed with the neighbour, before jitter.
    pub fn transmit_interval(&self) -> Duration {
        Duration::from_micros(self.tx_in_use.max(self.neighbour.required_rx).into())
    }

    /// How long the neighbour may be silent (RFC 5880 §6.8.4); zero before it has spoken.
    pub fn detection_time(&self) -> Duration {
        let interval = self.rx_in_use.max(self.neighbour.desired_tx);
        Duration::from_micros(u64::from(interval)) * u32::from(self.neighbour.multiplier)
    }

    /// When [`Session::tick`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        [self.next, self.expires()].into_iter().flatten().min()
    }

    fn expires(&self) -> Option<Instant> {
        self.heard.map(|heard| heard + self.detection_time())
    }

    /// Time has come to `now`. What was received before must have been given to [`Session::receive`].
    pub fn tick(&mut self, now: Instant) -> Output {
        let mut output = Output::default();
        if let (Some(heard), Some(expires)) = (self.heard, self.expires())
            && expires <= now
        {
            let limit = self.detection_time();
            let diagnostic = self.neighbour.diagnostic;
            self.heard = None;
            self.neighbour = Neighbour { diagnostic, ..Neighbour::UNKNOWN };
            if matches!(self.state, State::Init | State::Up) {
                let overdue = now.duration_since(expires);
                output.changed =
                    self.go_down(Diagnostic::TIME_EXPIRED, Why::Silence { heard, limit, overdue });
            }
        }
        if output.changed.is_some() || self.next.is_some_and(|next| next <= now) {
            output.send = self.speak(now);
        }
        output
    }

    /// The neighbour sent `packet`, which is for this session and came at `now`.
    pub fn receive(&mut self, now: Instant, packet: &Packet) -> Output {
        if self.state == State::AdminDown {
            return Output::default();
        }
        let was_due_in = self.neighbour.required_rx;
        let times = (self.transmit_interval(), self.detection_time());
        self.neighbour = Neighbour {
            state: packet.state,
            diagnostic: packet.diagnostic,
            discriminator: packet.mine.get(),
            desired_tx: packet.desired_tx,
            required_rx: packet.required_rx,
            multiplier: packet.multiplier,
            demand: packet.demand,
        };
        self.heard = Some(now);
        if packet.final_bit && self.polling {
            self.polling = false;
            self.agree();
        }
        let changed = self.follow(packet.state);
        let agreed = self.state == State::Up
            && changed.is_none()
            && times != (self.transmit_interval(), self.detection_time());
        let mut output = Output { send: None, changed, agreed };
        if packet.poll {
            // At once, whatever the interval (RFC 5880 §6.8.7), and never with a poll of its own.
            output.send = Some(Packet { poll: false, final_bit: true, ..self.packet() });
            self.sent = Some(now);
            self.plan(now);
        } else if changed.is_some() {
            output.send = self.speak(now);
        } else if was_due_in != packet.required_rx || self.next.is_none() {
            // It may take more, or none, from now on; one that was not spoken to may be now.
            let before = self.next;
            self.plan(self.sent.unwrap_or(now));
            self.next = match (before, self.next) {
                (Some(before), Some(next)) => Some(before.min(next)),
                (_, next) => next,
            };
        }
        output
    }

    /// The machine of RFC 5880 §6.8.6, for a packet that says `theirs`.
    fn follow(&mut self, theirs: State) -> Option<Changed> {
        match (self.state, theirs) {
            (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
                self.go_down(Diagnostic::NEIGHBOUR_DOWN, Why::Neighbour(theirs))
            }
            (State::Down, State::Down) => Some(self.go(State::Init, Why::Neighbour(theirs))),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.diagnostic = Diagnostic::NONE;
                let changed = self.go(State::Up, Why::Neighbour(theirs));
                // Faster than before: that needs no waiting, but the neighbour has to be asked to say that it knows.
                self.polling = true;
                self.tx_in_use = self.timing.min_tx;
                Some(changed)
            }
            _ => None,
        }
    }

    fn go_down(&mut self, diagnostic: Diagnostic, why: Why) -> Option<Changed> {
        self.diagnostic = diagnostic;
        self.polling = false;
        self.tx_in_use = self.timing.idle_tx;
        self.rx_in_use = self.timing.min_rx;
        Some(self.go(State::Down, why))
    }

    fn go(&mut self, to: State, why: Why) -> Changed {
        let from = std::mem::replace(&mut self.state, to);
        Changed { from, to, diagnostic: self.diagnostic, remote_diagnostic: self.neighbour.diagnostic, why }
    }

    /// The neighbour knows the times that this side asks for.
    fn agree(&mut self) {
        self.tx_in_use = self.desired_tx();
        self.rx_in_use = self.timing.min_rx;
    }

    fn desired_tx(&self) -> u32 {
        if self.state == State::Up { self.timing.min_tx } else { self.timing.idle_tx }
    }

    /// Other times from now on. While it is up, the neighbour is asked first where waiting less, or speaking less often,
    /// would make one side believe that the other is gone (RFC 5880 §6.8.3).
    pub fn set_timing(&mut self, now: Instant, timing: Timing) {
        if self.timing == timing {
            return;
        }
        self.timing = timing;
        let desired = self.desired_tx();
        if self.state == State::Up {
            self.polling = true;
            self.tx_in_use = self.tx_in_use.min(desired);
            self.rx_in_use = self.rx_in_use.max(timing.min_rx);
        } else {
            self.tx_in_use = desired;
            self.rx_in_use = timing.min_rx;
        }
        // Said at once.
        if self.may_speak() {
            self.next = Some(now);
        }
    }

    /// Takes it down on purpose, for good: the packet that says so, if there is anybody to say it to.
    pub fn take_down(&mut self, now: Instant) -> Output {
        self.diagnostic = Diagnostic::ADMINISTRATIVELY_DOWN;
        self.polling = false;
        let known = self.neighbour.discriminator != 0;
        let changed = (self.state != State::AdminDown).then(|| self.go(State::AdminDown, Why::Ordered));
        (self.next, self.heard, self.sent) = (None, None, Some(now));
        Output { send: known.then(|| self.packet()), changed, agreed: false }
    }

    /// Whether packets leave by themselves (RFC 5880 §6.8.7).
    fn may_speak(&self) -> bool {
        let waits = self.timing.passive && self.neighbour.discriminator == 0;
        let unwanted = self.neighbour.required_rx == 0;
        let up = self.state == State::Up && self.neighbour.state == State::Up;
        let on_demand = self.neighbour.demand && up && !self.polling;
        !(self.state == State::AdminDown || waits || unwanted || on_demand)
    }

    /// The packet of now, if one may be sent; and when the next is due.
    fn speak(&mut self, now: Instant) -> Option<Packet> {
        let packet = self.may_speak().then(|| self.packet());
        if packet.is_some() {
            self.sent = Some(now);
        }
        self.plan(now);
        packet
    }

    /// The next packet is due an interval after `last`, less what keeps neighbours from falling in step.
    fn plan(&mut self, last: Instant) {
        let (interval, alone) = (self.transmit_interval(), self.timing.multiplier == 1);
        self.next = self.may_speak().then(|| self.pace.next(last, interval, alone));
    }

    fn packet(&self) -> Packet {
        Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.polling,
            final_bit: false,
            control_plane_independent: false,
            demand: false,
            multiplier: self.timing.multiplier,
            mine: self.mine,
            yours: self.neighbour.discriminator,
            desired_tx: self.desired_tx(),
            required_rx: self.timing.min_rx,
            required_echo: 0,
        }
    }
}
