//! The runner: a thread of its own that gives the machine ([`Node`](crate::Node)) its sockets, timer and interfaces,
//! and turns what it says into system calls. Goes in: commands through a mailbox, packets, time, what the kernel tells
//! of interfaces. Comes out: packets, addresses on interfaces, facts on the bus, notices.
//!
//! ```text
//!            commands (mailbox)             facts ──► bus      notices (mailbox)
//!                  │                          ▲                    ▲
//!   ┌──────────────▼──────────────────────────┴────────────────────┴───────┐
//!   │ thread "vrrp", one turn: packets → links → what is due → adverts out  │
//!   │           → a command → address work handed over → timer armed        │
//!   └──────▲──────────────────▲─────────────▲──────────┬───────────┬────────┘
//!     recvmmsg           rtnetlink       timerfd    sendmmsg    jobs (mailbox)
//!                                                                  ▼
//!                          thread "vrrp-addresses": rtnetlink, gratuitous ARP
//! ```
//!
//! The thread "vrrp" waits for nothing but its own descriptors: changing addresses, where the kernel can make one wait,
//! has a thread of its own, and so has closing sockets. It is a plain epoll loop rather than a tokio runtime: a takeover
//! then costs one wake-up, an advert of any number of routers three system calls, and the order within a turn, on which
//! punctuality rests, stands in one function.

mod addresses;
mod burst;
mod closing;
mod driver;
mod firewall;
mod interfaces;
mod kept;
mod linkbeat;
mod outgoing;
mod pace;
pub mod priority;
mod refused;
mod routing;
mod slow;
mod sysctls;
mod vmacs;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use keepwatch_bus::beat::Beat;
use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::fact::LinkFact;
use keepwatch_bus::mailbox::{Receiver, Sender, WeakSender, mailbox};
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::{AutoPriority, ProcessScheduling, ReceiveBuffers};
use tokio::sync::oneshot;

use crate::{Amendment, Definitions, Level, Notice, Release, TrackedKind};

use driver::Driver;

/// The heartbeat rises at least this often, unless [`VrrpHandle::turns_every`] wants it more often.
pub const HEARTBEAT: Duration = Duration::from_millis(500);

/// Names of the threads without which virtual routers do not work: a process in which one of them panicked should end.
pub const THREADS: [&str; 2] = ["vrrp", "vrrp-addresses"];

/// What the runner is started with.
#[derive(Clone, Debug)]
pub struct RunnerSettings {
    /// How its thread is scheduled.
    pub scheduling: ProcessScheduling,
    /// How far it raises its own priority when it runs late (`max_auto_priority`) …
    pub auto_priority: AutoPriority,
    /// … and how late that is (`min_auto_priority_delay`).
    pub auto_priority_delay: Duration,
    /// Receive buffers of its sockets towards the kernel (`vrrp_netlink_…_rcv_bufs`).
    pub buffers: ReceiveBuffers,
    /// Counts packets for virtual routers that are not defined here.
    pub strangers: Arc<RouterCounters>,
    /// `--dataplane shadow`: listens and publishes what it would do, but sends nothing and touches no address.
    pub shadow: bool,
    /// Raised by the thread that changes addresses, which may have to wait for the kernel.
    pub addresses: Beat,
}

/// Why the runner did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel refused a socket or a timer.
    #[error(transparent)]
    Net(#[from] keepwatch_net::Error),
    /// The kernel refused a descriptor or a thread.
    #[error("start the VRRP thread: {0}")]
    System(#[from] io::Error),
}

pub(crate) enum Command {
    Apply { definitions: Box<Definitions>, cause: Option<EventId> },
    Tracked { kind: TrackedKind, name: Name, level: Level, cause: Option<EventId> },
    Linkbeat { interface: Name, link: bool },
    Tell(LinkFact),
    Amend { instance: Name, amendment: Amendment, cause: Option<EventId> },
    Announce { instance: Name, cause: Option<EventId> },
    TurnsEvery(Duration),
    Stop { release: Release, cause: Option<EventId>, done: oneshot::Sender<()> },
}

/// The way to the VRRP thread. Dropping it ends the thread and leaves addresses in place, as a crash would.
#[derive(Debug)]
pub struct VrrpHandle {
    commands: Commands,
    heartbeat: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

struct Commands(Sender<Command>);

impl std::fmt::Debug for Commands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Commands")
    }
}

/// The way to the VRRP thread of those who watch what virtual routers follow. It does not keep the thread going.
#[derive(Clone)]
pub struct Tidings(WeakSender<Command>);

impl Tidings {
    /// As [`VrrpHandle::tracked`]; of no effect once the handle is gone.
    pub fn tracked(&self, kind: TrackedKind, name: Name, level: Level, cause: Option<EventId>) {
        if let Some(commands) = self.0.upgrade() {
            commands.send(Command::Tracked { kind, name, level, cause });
        }
    }
}

impl VrrpHandle {
    /// Makes `definitions` true, at the start or on a reload; what did not change sees nothing. Returns at once.
    pub fn apply(&self, definitions: Definitions, cause: Option<EventId>) {
        self.commands.0.send(Command::Apply { definitions: Box::new(definitions), cause });
    }

    /// Says how something stands that virtual routers follow: to be called by whoever watches it, also before
    /// [`VrrpHandle::apply`]. Interfaces are watched here already. Returns at once.
    pub fn tracked(&self, kind: TrackedKind, name: Name, level: Level, cause: Option<EventId>) {
        self.commands.0.send(Command::Tracked { kind, name, level, cause });
    }

    /// Changes one thing of a virtual router until the next [`VrrpHandle::apply`]. Returns at once.
    pub fn amend(&self, instance: Name, amendment: Amendment, cause: Option<EventId>) {
        self.commands.0.send(Command::Amend { instance, amendment, cause });
    }

    /// Asks that the addresses of a virtual router be announced, once each; only a master does. Returns at once.
    pub fn announce(&self, instance: Name, cause: Option<EventId>) {
        self.commands.0.send(Command::Announce { instance, cause });
    }

    /// [`VrrpHandle::tracked`] from elsewhere.
    pub fn tidings(&self) -> Tidings {
        Tidings(self.commands.0.downgrade())
    }

    /// Stops everything. The receiver hears when it is done: priority-0 adverts sent and addresses taken off, if they
    /// were to be released; it fails if the thread was gone. Takes about two
    /// seconds at most, unless the kernel is slow to take addresses off.
    pub fn stop(&self, release: Release, cause: Option<EventId>) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        self.commands.0.send(Command::Stop { release, cause, done });
        receiver
    }

    /// From now on the thread pauses no longer than this, and no longer than [`HEARTBEAT`]. Returns at once.
    pub fn turns_every(&self, pause: Duration) {
        self.commands.0.send(Command::TurnsEvery(pause));
    }

    /// A number that rises at least every [`HEARTBEAT`] while the thread is well.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.load(Ordering::Relaxed)
    }

    /// The same for a watcher that outlives this handle.
    pub fn heartbeat_counter(&self) -> Arc<AtomicU64> {
        self.heartbeat.clone()
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts the thread "vrrp" and waits until its sockets are open. Returns the handle and where notices arrive.
///
/// # Errors
/// When the sockets, the timer or the thread can't be had: without CAP_NET_ADMIN and CAP_NET_RAW, or out of
/// descriptors.
pub fn spawn(settings: RunnerSettings, bus: Bus) -> Result<(VrrpHandle, Receiver<Notice>), StartError> {
    let (commands, inbox) = mailbox()?;
    let (notices, notice_box) = mailbox()?;
    let heartbeat = Arc::new(AtomicU64::new(0));
    let (ready, opened) = mpsc::sync_channel(1);
    let beat = heartbeat.clone();
    let own = commands.downgrade();
    let thread = std::thread::Builder::new().name(THREADS[0].into()).spawn(move || {
        priority::apply(&settings.scheduling);
        match Driver::open(&settings, bus, (own, inbox), notices, beat) {
            Ok(mut driver) => {
                // Nobody listens only if the starter is gone; then the mailbox is closed too.
                let _ = ready.send(Ok(()));
                driver.run();
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    })?;
    match opened.recv() {
        Ok(Ok(())) => Ok((VrrpHandle { commands: Commands(commands), heartbeat, thread }, notice_box)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StartError::System(io::Error::other("the thread ended before it was ready"))),
    }
}
