//! The event loop: sleeps until something happens or is due, and then does it in the order on which punctuality rests.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::mailbox::{Receiver, Sender, WeakSender, mailbox};
use keepwatch_bus::{Bus, EventId};
use keepwatch_net::memory;
use keepwatch_net::sched::{self, Idleness};
use keepwatch_net::socket::{Packet, ReceiveBatch};
use keepwatch_net::timer::Timer;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::wire::{Datagram, DecodeError};
use crate::{Definitions, LinkId, Node, Notice, Release};

use super::addresses::{hand_over, hand_over_changes};
use super::burst::Burst;
use super::closing::Closing;
use super::interfaces::{Interfaces, Listener, Slot};
use super::outgoing::{Outgoing, Work};
use super::priority::Raise;
use super::worker::{self, Job, Report};
use super::{Command, HEARTBEAT, RunnerSettings, StartError};

/// Packets are taken until there are none, but no longer than this: a flood may delay adverts by so much, not more.
const RECEIVING: Duration = Duration::from_millis(2);
/// Between two bursts of advertisements.
const BETWEEN_BURSTS: Duration = Duration::from_micros(250);
/// How long the last advertisements may take to leave.
const STOPPING: Duration = Duration::from_secs(2);
/// A turn that begins so late follows a pause, of the thread or of the host.
const PAUSED: Duration = Duration::from_millis(10);
/// So long before a master is given up for dead the thread is awake, and so is the one that puts addresses on, if they run
/// in real time or a processor is idle: waking one takes its time. An advert that comes earlier moves the deadline, so a living
/// master costs nothing of it.
const AHEAD: Duration = Duration::from_micros(400);
/// Descriptors that one wake-up tells of.
const EVENTS: usize = 128;

/// What a descriptor is registered as.
const TIMER: u64 = 0;
const COMMANDS: u64 = 1;
const LINKS: u64 = 2;
const REPORTS: u64 = 3;
const FIRST_LISTENER: u64 = 16;

/// What the last wake-up told.
#[derive(Default)]
struct Ready {
    timer: bool,
    commands: bool,
    links: bool,
    reports: bool,
    listeners: Vec<Slot>,
}

/// The machine with everything that it needs to run.
pub(super) struct Driver {
    node: Node,
    out: Outgoing,
    interfaces: Interfaces,
    /// The thread that may wait for the kernel to change addresses.
    worker: Sender<Job>,
    closing: Closing<Listener>,
    /// What it tells.
    reports: Receiver<Report>,
    inbox: Receiver<Command>,
    epoll: Epoll,
    timer: Timer,
    batch: ReceiveBatch,
    burst: Burst,
    beat: Arc<AtomicU64>,
    ready: Ready,
    /// Something is left from the last turn: look, but do not sleep.
    busy: bool,
    /// When the next burst of advertisements may leave, if one waits.
    next_burst: Option<Instant>,
    /// A command is among it.
    more_commands: bool,
    strangers: Arc<RouterCounters>,
    /// The machine's time never runs backwards, though packets tell of the past.
    clock: Instant,
    /// Whether staying awake costs nobody anything.
    idleness: Option<Idleness>,
    /// Whether it raises its priority when it runs late.
    raise: Option<Raise>,
    /// When the next turn should begin at the latest.
    due: Option<Instant>,
    /// The longest pause between two turns.
    turns_every: Duration,
    bus: Bus,
}

impl Driver {
    /// Opens every socket but the listeners, and learns which interfaces there are.
    pub(super) fn open(
        settings: &RunnerSettings,
        bus: Bus,
        (own, inbox): (WeakSender<Command>, Receiver<Command>),
        notices: Sender<Notice>,
        beat: Arc<AtomicU64>,
    ) -> Result<Self, StartError> {
        let mut node = Node::new(settings.strangers.clone());
        let mut out = Outgoing::open(bus.clone(), notices, settings.shadow)?;
        let own_bus = bus.clone();
        let mut interfaces = Interfaces::open(own, settings.buffers.vrrp_monitor)?;
        let clock = Instant::now();
        interfaces.resync(clock, &mut node, &mut out)?;
        let (reported, reports) = mailbox()?;
        let worker = worker::start(settings, bus, reported)?;
        let timer = Timer::new()?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(std::io::Error::from)?;
        let watch = |fd: &dyn AsFd, flags: EpollFlags, as_what: u64| {
            epoll.add(fd.as_fd(), EpollEvent::new(flags, as_what)).map_err(std::io::Error::from)
        };
        // Edge-triggered: setting the timer again makes it unreadable, so it never has to be read.
        watch(&timer, EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER)?;
        watch(&inbox, EpollFlags::EPOLLIN, COMMANDS)?;
        watch(&interfaces, EpollFlags::EPOLLIN, LINKS)?;
        watch(&reports, EpollFlags::EPOLLIN, REPORTS)?;
        Ok(Self {
            node,
            out,
            interfaces,
            worker,
            closing: Closing::default(),
            reports,
            inbox,
            epoll,
            timer,
            batch: ReceiveBatch::new(),
            burst: Burst::default(),
            beat,
            ready: Ready::default(),
            busy: false,
            next_burst: None,
            more_commands: false,
            strangers: settings.strangers.clone(),
            clock,
            idleness: Idleness::open(),
            raise: Raise::new(settings.auto_priority, settings.auto_priority_delay, &settings.scheduling),
            due: None,
            turns_every: HEARTBEAT,
            bus: own_bus,
        })
    }

    /// Turns until told to stop.
    pub(super) fn run(&mut self) {
        while self.turn() {}
    }

    /// One turn; false when it was the last.
    fn turn(&mut self) -> bool {
        self.sleep();
        self.notice_lateness();
        self.await_takeover();
        self.beat.fetch_add(1, Ordering::Relaxed);
        self.busy = false;
        // A clock before 1970 is as wrong as any other.
        self.node.wall_clock(Instant::now(), UNIX_EPOCH.elapsed().unwrap_or_default());
        // What was received comes before what is due: after a pause, an advert that waited in the socket must be
        // heard before its master is declared dead.
        self.receive();
        if self.ready.links || self.interfaces.is_behind() {
            let now = self.now();
            // An unreadable message is left out; the next notification or dump tells the rest.
            let more = self.interfaces.poll(now, &mut self.node, &mut self.out);
            self.busy |= more.unwrap_or(false);
        }
        let now = self.now();
        self.hear_reports(now);
        self.interfaces.retry(now, &mut self.node, &mut self.out);
        self.interfaces.settle(now, &mut self.node, &mut self.out);
        self.node.handle_timeouts(now, &mut self.out);
        // The kernel puts the first addresses on while adverts leave; they are announced after those.
        hand_over_changes(&mut self.out.work, self.interfaces.table(), &self.worker);
        self.send(now);
        if self.ready.commands && !self.command() {
            return false;
        }
        self.hand_over();
        self.listen();
        // The clock only fails to be set if the descriptor is invalid; the heartbeat's pace then replaces it.
        let deadlines = [self.node.next_look(AHEAD), self.next_burst, self.interfaces.next()];
        self.due = deadlines.into_iter().flatten().min();
        let _ = self.timer.set_no_later(self.due);
        true
    }

    /// Whether this turn begins late: then the thread raises its own priority, if it may.
    fn notice_lateness(&mut self) {
        let Some(raise) = &mut self.raise else { return };
        let late = self.due.map_or(Duration::ZERO, |due| Instant::now().saturating_duration_since(due));
        if let Some(realtime) = raise.late(late) {
            self.bus.publish(None, VrrpFact::ThreadLate { late, realtime });
        }
    }

    /// Sends what the machine wants sent, unless a burst has just left.
    fn send(&mut self, now: Instant) {
        if self.next_burst.is_none_or(|at| at <= now) {
            let more = self.out.flush(&self.node, self.interfaces.table());
            self.next_burst = more.then(|| now + BETWEEN_BURSTS);
        }
    }

    fn now(&mut self) -> Instant {
        self.clock = self.clock.max(Instant::now());
        self.clock
    }

    /// Tells the machine of addresses that it asked for in vain, and of definitions that everything is ready for.
    fn hear_reports(&mut self, now: Instant) {
        if std::mem::take(&mut self.ready.reports) {
            self.reports.rearm();
            while let Some(report) = self.reports.try_recv() {
                match report {
                    Report::Refused(refusal) => {
                        self.node.address_refused(now, refusal.router, &refusal.address);
                    }
                    Report::Prepared(definitions, cause) => self.apply(now, *definitions, cause),
                }
            }
        }
    }

    /// Makes definitions true.
    fn apply(&mut self, now: Instant, definitions: Definitions, cause: Option<EventId>) {
        // What was made for them has to be known before they are.
        while self.interfaces.poll(now, &mut self.node, &mut self.out).unwrap_or(false) {}
        self.interfaces.watch(&definitions, now, cause, &mut self.node, &mut self.out);
        self.node.apply(now, definitions, cause, &mut self.out);
        self.out.work.extend([Work::KeepPeers, Work::Sweep(cause)]);
        self.interfaces.subscribe(now, &mut self.node, &mut self.out);
    }

    fn sleep(&mut self) {
        if let Some(pause) = self.burst.pause(Instant::now(), self.due)
            && !self.busy
            && !self.more_commands
        {
            std::thread::sleep(pause);
        }
        self.ready.commands = std::mem::take(&mut self.more_commands);
        self.ready.links = false;
        self.ready.timer = false;
        self.ready.listeners.clear();
        let timeout = if self.busy { Duration::ZERO } else { self.turns_every };
        self.look(EpollTimeout::try_from(timeout).unwrap_or(EpollTimeout::ZERO));
    }

    /// If a takeover is near, stays awake until its time, or until something happens that may change it. On a busy machine
    /// it sleeps until then, unless it runs in real time.
    fn await_takeover(&mut self) {
        if !self.ready.timer {
            return;
        }
        let now = Instant::now();
        let Some(at) = self.node.takeover_by(now + AHEAD).filter(|at| *at > now) else { return };
        let may_stay_awake = self.idleness.as_ref().is_some_and(|idleness| {
            // Of one processor the thread that puts addresses on needs its part.
            idleness.is_there() || (idleness.has_several() && sched::is_realtime())
        });
        if !may_stay_awake {
            // Where processors are short, who stays awake uses up the share that would let him run when it counts (in real
            // time there is no such share); and none has to be woken from its rest, which is what takes long on an idle
            // machine.
            let _ = self.timer.set([Some(at), self.next_burst].into_iter().flatten().min());
            self.look(EpollTimeout::try_from(self.turns_every).unwrap_or(EpollTimeout::ZERO));
            return;
        }
        self.worker.send(Job::Expect(at));
        while Instant::now() < at && self.look(EpollTimeout::ZERO) == 0 {
            std::hint::spin_loop();
        }
    }

    /// Looks at the descriptors, waiting at most so long; how many told something.
    fn look(&mut self, timeout: EpollTimeout) -> usize {
        if timeout != EpollTimeout::ZERO {
            memory::before_waiting();
        }
        let mut events = [EpollEvent::empty(); EVENTS];
        let mut result = self.epoll.wait(&mut events, timeout);
        if result == Err(Errno::EINTR) {
            // So a wait ends in which the process was stopped, or frozen with its container, whatever is ready meanwhile:
            // adverts that came in time must be heard before their master is declared dead.
            result = self.epoll.wait(&mut events, EpollTimeout::ZERO);
        }
        let count = match result {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            // Nothing else can happen to a valid descriptor; sleeping keeps the thread from spinning if it does.
            Err(_) => {
                std::thread::sleep(Duration::from_millis(1));
                0
            }
        };
        for event in &events[..count] {
            match event.data() {
                TIMER => {
                    self.timer.fired();
                    self.ready.timer = true;
                }
                COMMANDS => self.ready.commands = true,
                LINKS => self.ready.links = true,
                REPORTS => self.ready.reports = true,
                listener if listener >= FIRST_LISTENER => {
                    self.ready.listeners.push(Slot((listener - FIRST_LISTENER) as usize));
                }
                _ => {}
            }
        }
        count
    }

    /// Hands the machine what was received, until nothing is left, or for so long that adverts would suffer. After a pause
    /// all that came during it is heard first, however much that is: a master that has not been heard of is none.
    fn receive(&mut self) {
        if self.ready.listeners.is_empty() {
            return;
        }
        let began = Instant::now();
        let paused = self.due.is_some_and(|due| began.saturating_duration_since(due) > PAUSED);
        while self.receive_until(began, paused) && paused {
            self.ready.listeners.clear();
            self.look(EpollTimeout::ZERO);
        }
    }

    /// Whether it heard something that came before `began`.
    fn receive_until(&mut self, began: Instant, paused: bool) -> bool {
        let (mut old, mut heard) = (false, false);
        for slot in &self.ready.listeners {
            let Some(listener) = self.interfaces.listener(*slot) else { continue };
            // An error (the interface went down) is told once by the socket, and by the kernel's notification.
            while let Ok(count @ 1..) = listener.socket.receive(&mut self.batch) {
                heard = true;
                let mut behind = false;
                for arrival in self.batch.iter() {
                    behind = arrival.at < began;
                    self.clock = self.clock.max(arrival.at);
                    match datagram(listener.link, arrival.packet) {
                        Ok(datagram) => self.node.receive(self.clock, datagram, &mut self.out),
                        Err(_) => self.strangers.packet_length_errors.inc(),
                    }
                }
                old |= behind;
                let long = began.elapsed() > RECEIVING && !(paused && behind);
                if count < ReceiveBatch::CAPACITY || long {
                    break;
                }
            }
        }
        if heard {
            self.burst.heard(began);
        }
        old
    }

    /// Carries out one command; false if it was the last.
    fn command(&mut self) -> bool {
        self.inbox.rearm();
        let now = self.now();
        match self.inbox.try_recv() {
            Some(Command::Apply { definitions, cause }) => {
                self.worker.send(Job::Prepare(definitions, cause));
            }
            Some(Command::Tracked { kind, name, level, cause }) => {
                let id = self.node.tracked_id(kind, &name);
                self.node.tracked(now, id, level, cause, &mut self.out);
                self.send(now);
            }
            Some(Command::Amend { instance, amendment, cause }) => {
                self.node.amend(now, &instance, amendment, cause, &mut self.out);
                self.send(now);
            }
            Some(Command::Linkbeat { interface, link }) => {
                self.interfaces.beat(interface, link, now, &mut self.node, &mut self.out);
            }
            Some(Command::Tell(fact)) => {
                self.bus.publish(None, fact);
            }
            Some(Command::Announce { instance, cause }) => {
                self.node.announce(now, &instance, cause, &mut self.out);
                self.send(now);
            }
            Some(Command::TurnsEvery(pause)) => self.turns_every = pause.min(HEARTBEAT),
            Some(Command::Stop { release, cause, done }) => {
                self.stop(now, release, cause);
                self.worker.send(Job::Finish(release, done));
                return false;
            }
            None => return !self.inbox.is_closed(),
        }
        // One at a time, so that reloads do not hold up adverts longer than they must; the bell was taken.
        self.more_commands = !self.inbox.is_empty();
        self.busy |= self.more_commands;
        true
    }

    /// Stops the machine, and sees its last advertisements and requests off.
    fn stop(&mut self, now: Instant, release: Release, cause: Option<EventId>) {
        self.node.stop(now, release, cause, &mut self.out);
        while self.out.flush(&self.node, self.interfaces.table()) && now.elapsed() < STOPPING {
            std::thread::sleep(BETWEEN_BURSTS);
        }
        self.hand_over();
    }

    /// Hands address work to the thread that may wait for it.
    fn hand_over(&mut self) {
        hand_over(&mut self.out.work, &self.node, self.interfaces.table(), &self.worker);
    }

    /// Adds new listeners to what is waited for, after it has taken off those that are of no use.
    fn listen(&mut self) {
        for listener in self.interfaces.take_closed() {
            // One that came and went within this turn was never waited for.
            let _ = self.epoll.delete(listener.socket.as_fd());
            self.closing.close(listener);
        }
        for slot in self.interfaces.take_fresh() {
            if let Some(listener) = self.interfaces.listener(slot) {
                let event = EpollEvent::new(EpollFlags::EPOLLIN, FIRST_LISTENER + slot.0 as u64);
                // Fails only without memory; the router then hears nothing, as behind a broken cable.
                let _ = self.epoll.add(listener.socket.as_fd(), event);
            }
        }
    }
}

/// What the machine gets of a packet.
fn datagram(link: LinkId, packet: Packet<'_>) -> Result<Datagram<'_>, DecodeError> {
    match packet {
        Packet::Ipv4(packet) => Datagram::from_ipv4(link, packet),
        Packet::Ipv6 { source, destination, hop_limit, message } => Ok(Datagram {
            link,
            source: source.into(),
            destination: destination.into(),
            ttl: hop_limit,
            ah: None,
            message,
        }),
        // No raw socket hands over one.
        Packet::Udp { message, .. } => Err(DecodeError::PacketLength { expected: 0, actual: message.len() }),
    }
}
