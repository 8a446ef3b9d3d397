//! The thread "bfd": an epoll loop of its own, so that nothing that may wait is before a packet or a deadline. Goes in:
//! commands through a mailbox, packets, time. Comes out: packets, and notices by a function that must not wait.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keepwatch_bus::beat::Beat;
use keepwatch_bus::mailbox::{Receiver, Sender, mailbox};
use keepwatch_model::{BfdSession, Name};
use keepwatch_net::socket::{BfdReceiver, BfdSender, Family, Packet as Datagram, ReceiveBatch};
use keepwatch_net::timer::Timer;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::sync::oneshot;

use crate::packet::State;
use crate::session::{Changed, Output};
use crate::table::{Applied, Arrival, Id, Table};

/// The thread goes round at least this often.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// After what time a port that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long packets are read before the sessions that are due get their turn.
const RECEIVING: Duration = Duration::from_millis(2);

/// Name of the thread: a process in which it panicked should end, for nobody would see sessions go down any more.
pub const THREAD: &str = "bfd";

const TIMER: u64 = 0;
const COMMANDS: u64 = 1;
const FIRST_EAR: u64 = 2;

/// What there is to tell of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// It was defined, and is down: the neighbour has not been heard.
    Added,
    /// The same, in the place of one of its name that went another way.
    Replaced,
    /// It has other settings from now on.
    Reconfigured,
    /// Its state is another one.
    Changed(Changed),
    /// It is up as before, and what was agreed with the neighbour is another time.
    Agreed,
    /// It is not up, and why it can't be: its packets can't be sent, or the neighbour's not be heard. Once for each new
    /// reason.
    Hindered(String),
    /// It is gone.
    Removed,
}

/// Something happened to a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Which.
    pub session: Arc<BfdSession>,
    /// What.
    pub news: News,
    /// Between two of its own packets, as agreed with the neighbour.
    pub transmit: Duration,
    /// How long the neighbour may be silent; zero before it has spoken.
    pub detection: Duration,
}

/// Why the thread did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel refused a timer.
    #[error(transparent)]
    Net(#[from] keepwatch_net::Error),
    /// The kernel refused a descriptor or a thread.
    #[error("start the BFD thread: {0}")]
    System(#[from] io::Error),
}

enum Command {
    Apply(Vec<Arc<BfdSession>>),
    Stop(oneshot::Sender<()>),
}

/// The way to the thread. Dropping it ends the thread; neighbours then notice by themselves.
pub struct Handle {
    commands: Sender<Command>,
    beat: Beat,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl Handle {
    /// These sessions from now on, and no others. One with the same neighbour, source and port keeps its state. Returns
    /// at once.
    pub fn apply(&self, sessions: Vec<Arc<BfdSession>>) {
        self.commands.send(Command::Apply(sessions));
    }

    /// Ends every session and tells the neighbours that it is on purpose (AdminDown). The receiver hears when that is
    /// done; it fails if the thread was gone.
    pub fn stop(&self) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        self.commands.send(Command::Stop(done));
        receiver
    }

    /// How the thread shows that it lives.
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }
}

/// Starts the thread. `prepare` runs on it first (its scheduling); `tell` hears what happens, on the same thread, and must
/// not wait.
///
/// # Errors
/// When the kernel gives no timer, descriptor or thread. Sockets are opened when a session needs them, and what hinders
/// that is news of the session.
pub fn spawn(
    prepare: impl FnOnce() + Send + 'static,
    tell: impl FnMut(Notice) + Send + 'static,
) -> Result<Handle, StartError> {
    let (commands, inbox) = mailbox()?;
    let beat = Beat::default();
    let mut driver = Driver::open(inbox, beat.clone(), tell)?;
    let thread = std::thread::Builder::new().name(THREAD.into()).spawn(move || {
        prepare();
        while driver.turn() {}
    })?;
    Ok(Handle { commands, beat, thread })
}

/// A port that is listened on.
struct Ear {
    socket: BfdReceiver,
    multihop: bool,
}

/// Which port a session's neighbour sends to.
type Port = (Family, bool);

struct Driver<T> {
    table: Table,
    /// Each at the place that epoll knows it by.
    ears: Vec<Option<(Port, Ear)>>,
    /// Ports that could not be opened, why, and when they are tried again.
    closed: HashMap<Port, (String, Instant)>,
    mouths: HashMap<Id, BfdSender>,
    hindered: HashMap<Id, String>,
    inbox: Receiver<Command>,
    epoll: Epoll,
    timer: Timer,
    batch: ReceiveBatch,
    beat: Beat,
    tell: T,
    clock: Instant,
}

impl<T: FnMut(Notice)> Driver<T> {
    fn open(inbox: Receiver<Command>, beat: Beat, tell: T) -> Result<Self, StartError> {
        let timer = Timer::new()?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io::Error::from)?;
        let watch = |fd: &dyn AsFd, flags: EpollFlags, what: u64| {
            epoll.add(fd.as_fd(), EpollEvent::new(flags, what)).map_err(io::Error::from)
        };
        // Edge-triggered: setting the timer again makes it unreadable, so it never has to be read.
        watch(&timer, EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER)?;
        watch(&inbox, EpollFlags::EPOLLIN, COMMANDS)?;
        Ok(Self {
            table: Table::new(rand::random()),
            ears: Vec::new(),
            closed: HashMap::new(),
            mouths: HashMap::new(),
            hindered: HashMap::new(),
            inbox,
            epoll,
            timer,
            batch: ReceiveBatch::new(),
            beat,
            tell,
            clock: Instant::now(),
        })
    }

    /// One turn; false when it was the last.
    fn turn(&mut self) -> bool {
        let mut events = [EpollEvent::empty(); 8];
        let timeout = EpollTimeout::try_from(HEARTBEAT).unwrap_or(EpollTimeout::ZERO);
        // An interrupted wait is like one in which nothing happened.
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        self.beat.beat();
        let mut commands = false;
        // What was received comes before what is due: a packet that waits in the socket must be heard before its sender
        // is believed silent.
        for event in &events[..count] {
            match event.data() {
                TIMER => self.timer.fired(),
                COMMANDS => commands = true,
                ear => self.hear((ear - FIRST_EAR) as usize),
            }
        }
        if commands && !self.command() {
            return false;
        }
        self.open_again();
        let now = self.now();
        while let Some((id, output)) = self.table.next_due(now) {
            self.carry_out(now, id, output);
        }
        // It only fails for an invalid descriptor; the heartbeat then replaces it.
        let _ = self.timer.set(self.table.deadline());
        true
    }

    /// The machine's time never runs backwards, though packets tell of the past.
    fn now(&mut self) -> Instant {
        self.clock = self.clock.max(Instant::now());
        self.clock
    }

    fn hear(&mut self, ear: usize) {
        let began = Instant::now();
        loop {
            let Some(Some((_, Ear { socket, multihop }))) = self.ears.get(ear) else { return };
            let (multihop, Ok(count @ 1..)) = (*multihop, socket.receive(&mut self.batch)) else { return };
            let mut outputs = Vec::new();
            for arrival in self.batch.iter() {
                let Datagram::Udp { source, destination, hop_limit, message } = arrival.packet else {
                    continue;
                };
                self.clock = self.clock.max(arrival.at);
                let from = Arrival { source, destination, ttl: hop_limit, multihop };
                // A packet for nobody is nobody's fault here; anybody can send one.
                if let Ok(step) = self.table.receive(self.clock, &from, message) {
                    outputs.push(step);
                }
            }
            let now = self.clock;
            for (id, output) in outputs {
                self.carry_out(now, id, output);
            }
            if count < ReceiveBatch::CAPACITY || began.elapsed() > RECEIVING {
                return;
            }
        }
    }

    /// Sends what is to be sent, then tells what changed.
    fn carry_out(&mut self, now: Instant, id: Id, output: Output) {
        if let Some(packet) = output.send {
            self.send(now, id, &packet.encode());
        }
        if let Some(changed) = output.changed {
            self.told(id, News::Changed(changed));
        }
        if output.agreed {
            self.told(id, News::Agreed);
        }
    }

    fn send(&mut self, now: Instant, id: Id, packet: &[u8]) {
        let result = match self.mouth(id) {
            Some(Ok(mouth)) => mouth.send(packet).map_err(|error| error.to_string()),
            Some(Err(error)) => Err(error.to_string()),
            None => return,
        };
        match result {
            Ok(()) => {
                let deaf =
                    self.table.get(id).map(|entry| port(&entry.settings)).and_then(|p| self.closed.get(&p));
                if deaf.is_none_or(|(_, again)| *again < now) {
                    self.hindered.remove(&id);
                }
            }
            // The way may have changed: a new socket the next time.
            Err(error) => {
                self.mouths.remove(&id);
                self.hinder(id, error);
            }
        }
    }

    fn mouth(&mut self, id: Id) -> Option<keepwatch_net::Result<&BfdSender>> {
        if !self.mouths.contains_key(&id) {
            let settings = &self.table.get(id)?.settings;
            let start = rand::random();
            match BfdSender::open(settings.neighbour, settings.source, settings.ttl, settings.multihop, start)
            {
                Ok(mouth) => self.mouths.insert(id, mouth),
                Err(error) => return Some(Err(error)),
            };
        }
        self.mouths.get(&id).map(Ok)
    }

    fn hinder(&mut self, id: Id, why: String) {
        // One that is up will be down soon if this lasts; until then it is up.
        let up = self.table.get(id).is_some_and(|entry| entry.session.state() == State::Up);
        if !up && self.hindered.get(&id) != Some(&why) {
            self.hindered.insert(id, why.clone());
            self.told(id, News::Hindered(why));
        }
    }

    fn told(&mut self, id: Id, news: News) {
        let Some(entry) = self.table.get(id) else { return };
        let notice = Notice {
            session: entry.settings.clone(),
            news,
            transmit: entry.session.transmit_interval(),
            detection: entry.session.detection_time(),
        };
        (self.tell)(notice);
    }

    /// Carries out one command; false if it was the last.
    fn command(&mut self) -> bool {
        self.inbox.rearm();
        let now = self.now();
        while let Some(command) = self.inbox.try_recv() {
            match command {
                Command::Apply(sessions) => self.apply(now, &sessions),
                Command::Stop(done) => {
                    for (settings, output) in self.table.stop(now) {
                        farewell(&settings, output);
                    }
                    // Whoever waits for it may have given up.
                    let _ = done.send(());
                    return false;
                }
            }
        }
        !self.inbox.is_closed()
    }

    fn apply(&mut self, now: Instant, sessions: &[Arc<BfdSession>]) {
        let mut gone: HashSet<Name> = HashSet::new();
        for applied in self.table.apply(now, sessions) {
            match applied {
                Applied::Removed(session, output) => {
                    farewell(&session, output);
                    gone.insert(session.name.clone());
                    let (transmit, detection) = Default::default();
                    (self.tell)(Notice { session, news: News::Removed, transmit, detection });
                }
                Applied::Added(id) => {
                    let replaces =
                        self.table.get(id).is_some_and(|entry| gone.contains(&entry.settings.name));
                    self.told(id, if replaces { News::Replaced } else { News::Added });
                }
                Applied::Changed(id) => {
                    // Another TTL, perhaps.
                    self.mouths.remove(&id);
                    self.told(id, News::Reconfigured);
                }
            }
        }
        let table = &self.table;
        self.mouths.retain(|id, _| table.get(*id).is_some());
        self.hindered.retain(|id, _| table.get(*id).is_some());
        self.closed.clear();
        self.open_ears(now);
    }

    fn open_again(&mut self) {
        let now = Instant::now();
        if self.closed.values().any(|(_, again)| *again <= now) {
            self.closed.retain(|_, (_, again)| *again > now);
            self.open_ears(now);
        }
    }

    /// Opens the ports that sessions need.
    fn open_ears(&mut self, now: Instant) {
        let mut wanted: Vec<Port> = self.table.iter().map(|(_, entry)| port(&entry.settings)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // A port that nobody needs any more is somebody else's to open.
        for ear in &mut self.ears {
            ear.take_if(|(open, _)| !wanted.contains(open));
        }
        for port in wanted {
            if self.closed.contains_key(&port) || self.ears.iter().flatten().any(|(open, _)| *open == port) {
                continue;
            }
            let opened =
                BfdReceiver::open(port.0, port.1).map_err(|error| error.to_string()).and_then(|socket| {
                    let place = self.ears.iter().position(Option::is_none).unwrap_or(self.ears.len());
                    let event = EpollEvent::new(EpollFlags::EPOLLIN, FIRST_EAR + place as u64);
                    self.epoll.add(socket.as_fd(), event).map_err(|error| error.to_string())?;
                    Ok(socket)
                });
            match opened {
                Ok(socket) => {
                    let ear = Some((port, Ear { socket, multihop: port.1 }));
                    match self.ears.iter_mut().find(|place| place.is_none()) {
                        Some(place) => *place = ear,
                        None => self.ears.push(ear),
                    }
                }
                Err(why) => {
                    self.closed.insert(port, (why, now + AGAIN));
                }
            }
        }
        let deaf: Vec<(Id, String)> = self
            .table
            .iter()
            .filter_map(|(id, entry)| {
                let (why, _) = self.closed.get(&self::port(&entry.settings))?;
                Some((id, why.clone()))
            })
            .collect();
        for (id, why) in deaf {
            self.hinder(id, why);
        }
    }
}

fn port(settings: &BfdSession) -> Port {
    let family = match settings.neighbour {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    (family, settings.multihop)
}

/// The last packet of a session; whether it leaves makes no difference here.
fn farewell(settings: &BfdSession, output: Output) {
    let Some(packet) = output.send else { return };
    let start = rand::random();
    let mouth = BfdSender::open(settings.neighbour, settings.source, settings.ttl, settings.multihop, start);
    if let Ok(mouth) = mouth {
        let _ = mouth.send(&packet.encode());
    }
}
