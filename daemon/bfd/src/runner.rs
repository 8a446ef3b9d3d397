//! The thread "bfd": an epoll loop of its own, so that nothing that may wait is before a packet or a deadline. Goes in:
//! commands through a mailbox, packets, time. Comes out: packets, and notices by a function that must not wait.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keepwatch_bus::beat::Beat;
use keepwatch_bus::mailbox::{Receiver, Sender, mailbox};
use keepwatch_model::{BfdSession, Name};
use keepwatch_net::socket::{BfdSender, Packet as Datagram, ReceiveBatch};
use keepwatch_net::timer::Timer;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::sync::oneshot;

use crate::ears::{Ears, port};
use crate::hold::Hold;
use crate::packet::{Packet, State};
use crate::session::{Changed, Output};
use crate::table::{Applied, Arrival, Id, Table, Unheard};

/// The thread goes round at least this often.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long packets are read before the sessions that are due get their turn.
const RECEIVING: Duration = Duration::from_millis(2);

/// This thread counts as late if it wakes so long after it wanted to.
const LATE: Duration = Duration::from_millis(1);

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
    /// It is not up, and why it can't be: its packets can't be sent, or the neighbour's not be heard or taken. Once for each
    /// new reason.
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

struct Driver<T> {
    table: Table,
    ears: Ears,
    mouths: HashMap<Id, BfdSender>,
    hindered: HashMap<Id, String>,
    /// Sessions of which it was told that what their neighbours send is not taken, since they last changed.
    refused: HashSet<Id>,
    inbox: Receiver<Command>,
    /// Timer, commands and ears.
    epoll: Epoll,
    /// Timer and commands: what is waited for while packets are left where they are.
    quiet: Epoll,
    hold: Hold,
    /// Detection times have changed, and so how long packets may be left.
    hold_is_old: bool,
    timer: Timer,
    batch: ReceiveBatch,
    /// What came of one batch; empty in between.
    outputs: Vec<(Id, Output)>,
    unheard: Vec<(Id, Unheard)>,
    beat: Beat,
    tell: T,
    clock: Instant,
}

impl<T: FnMut(Notice)> Driver<T> {
    fn open(inbox: Receiver<Command>, beat: Beat, tell: T) -> Result<Self, StartError> {
        let timer = Timer::new()?;
        let open = || -> io::Result<Epoll> {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            // Edge-triggered: setting the timer again makes it unreadable, so it never has to be read.
            epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER))?;
            epoll.add(&inbox, EpollEvent::new(EpollFlags::EPOLLIN, COMMANDS))?;
            Ok(epoll)
        };
        let (epoll, quiet) = (open()?, open()?);
        let clock = Instant::now();
        Ok(Self {
            table: Table::new(clock, rand::random()),
            ears: Ears::default(),
            mouths: HashMap::new(),
            hindered: HashMap::new(),
            refused: HashSet::new(),
            inbox,
            epoll,
            quiet,
            hold: Hold::default(),
            hold_is_old: false,
            timer,
            batch: ReceiveBatch::new(),
            outputs: Vec::new(),
            unheard: Vec::new(),
            beat,
            tell,
            clock,
        })
    }

    /// One turn; false when it was the last.
    fn turn(&mut self) -> bool {
        let mut events = [EpollEvent::empty(); 8];
        let timeout = EpollTimeout::try_from(HEARTBEAT).unwrap_or(EpollTimeout::ZERO);
        let held = self.hold.until().is_some();
        let epoll = if held { &self.quiet } else { &self.epoll };
        // A wait in which the process was stopped, or frozen with its container, ends with an error whatever is ready.
        let count = epoll.wait(&mut events, timeout).or_else(|_| epoll.wait(&mut events, EpollTimeout::ZERO));
        let count = count.unwrap_or(0);
        self.beat.beat();
        let (mut commands, mut heard) = (false, 0);
        // What was received comes before what is due: a packet that waits in the socket must be heard before its sender
        // is believed silent.
        for event in &events[..count] {
            match event.data() {
                TIMER => self.timer.fired(),
                COMMANDS => commands = true,
                ear => heard += self.hear((ear - FIRST_EAR) as usize),
            }
        }
        // Who is late himself looks once more before he says that others are.
        let woke = Instant::now();
        let late = self.table.deadline().is_some_and(|due| woke.saturating_duration_since(due) > LATE);
        if held || late {
            heard += (0..self.ears.places()).map(|ear| self.hear(ear)).sum::<usize>();
        }
        if commands && !self.command() {
            return false;
        }
        let now = self.now();
        if self.ears.is_hopeful(now) {
            self.open_ears(now);
        }
        while let Some((id, output)) = self.table.next_due(now) {
            self.carry_out(id, output);
        }
        if std::mem::take(&mut self.hold_is_old) {
            self.hold.set(self.table.shortest_detection());
        }
        if held || heard > 0 {
            self.hold.read(now, heard);
        }
        // It only fails for an invalid descriptor; the heartbeat then replaces it.
        let _ = self.timer.set(self.table.deadline().into_iter().chain(self.hold.until()).min());
        true
    }

    /// The machine's time never runs backwards, though packets tell of the past.
    fn now(&mut self) -> Instant {
        self.clock = self.clock.max(Instant::now());
        self.clock
    }

    /// Reads what came to a port, for a while; how many datagrams.
    fn hear(&mut self, ear: usize) -> usize {
        let began = Instant::now();
        let mut heard = 0;
        while let Some((count, multihop)) = self.ears.receive(ear, &mut self.batch) {
            heard += count;
            for arrival in self.batch.iter() {
                let Datagram::Udp { source, destination, hop_limit, message } = arrival.packet else {
                    continue;
                };
                self.clock = self.clock.max(arrival.at);
                let from = Arrival { source, destination, ttl: hop_limit, multihop };
                match self.table.receive(self.clock, &from, message) {
                    Ok((_, output)) if output == Output::default() => {}
                    Ok(step) => self.outputs.push(step),
                    // Anybody can send such a packet.
                    Err(Unheard::Stranger) => {}
                    Err(why) => self.unheard.extend(self.table.by_way(&from).map(|id| (id, why))),
                }
            }
            let mut outputs = std::mem::take(&mut self.outputs);
            for (id, output) in outputs.drain(..) {
                self.carry_out(id, output);
            }
            self.outputs = outputs;
            self.refuse();
            if count < ReceiveBatch::CAPACITY || began.elapsed() > RECEIVING {
                break;
            }
        }
        heard
    }

    /// Sends what is to be sent, then tells what changed.
    fn carry_out(&mut self, id: Id, output: Output) {
        if let Some(packet) = output.send {
            self.send(id, &packet);
        }
        self.hold_is_old |= output.changed.is_some() || output.agreed;
        if let Some(changed) = output.changed {
            self.refused.remove(&id);
            self.told(id, News::Changed(changed));
        }
        if output.agreed {
            self.told(id, News::Agreed);
        }
    }

    fn send(&mut self, id: Id, packet: &Packet) {
        let bytes = packet.encode();
        let result = match self.mouths.get(&id) {
            Some(mouth) => mouth.send(&bytes).map_err(|error| error.to_string()),
            None => {
                self.open_mouth(id).and_then(|mouth| mouth.send(&bytes).map_err(|error| error.to_string()))
            }
        };
        match result {
            Ok(()) if self.hindered.is_empty() => {}
            Ok(()) => {
                let port = self.table.get(id).map(|entry| port(&entry.settings));
                if port.is_none_or(|port| self.ears.why_closed(port).is_none()) {
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

    fn open_mouth(&mut self, id: Id) -> Result<&BfdSender, String> {
        let Some(entry) = self.table.get(id) else { return Err("there is no such session".into()) };
        let BfdSession { neighbour, source, ttl, multihop, .. } = *entry.settings;
        let mouth = BfdSender::open(neighbour, source, ttl, multihop, rand::random())
            .map_err(|error| error.to_string())?;
        Ok(self.mouths.entry(id).insert_entry(mouth).into_mut())
    }

    /// Tells of packets that came from neighbours and were not taken: once, and only while the session is down, for anybody
    /// can send in a neighbour's name.
    fn refuse(&mut self) {
        let mut unheard = std::mem::take(&mut self.unheard);
        for (id, why) in unheard.drain(..) {
            let Some(entry) = self.table.get(id).filter(|entry| entry.session.state() == State::Down) else {
                continue;
            };
            let neighbour = entry.settings.neighbour;
            if self.refused.insert(id) {
                self.told(id, News::Hindered(format!("what {neighbour} sends is not taken: {why}")));
            }
        }
        self.unheard = unheard;
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
        self.refused.clear();
        self.ears.hope();
        self.hold_is_old = true;
        self.open_ears(now);
    }

    /// Opens the ports that sessions need.
    fn open_ears(&mut self, now: Instant) {
        let wanted = self.table.iter().map(|(_, entry)| port(&entry.settings)).collect();
        self.ears.open(now, wanted, &self.epoll, FIRST_EAR);
        let deaf = self.table.iter().filter_map(|(id, entry)| {
            let why = self.ears.why_closed(port(&entry.settings))?;
            Some((id, why.to_owned()))
        });
        for (id, why) in deaf.collect::<Vec<_>>() {
            self.hinder(id, why);
        }
    }
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
