//! The thread "vrrp-addresses": carries out, in order, what the VRRP thread wants done with virtual addresses. Goes in:
//! jobs through a mailbox. Comes out: addresses on interfaces, announcements, facts that say so.
//!
//! The kernel changes addresses under one lock for all network namespaces. Whoever creates containers at the same time
//! may hold it for many milliseconds, and a writer waits inside the system call; so it is not the thread that sends the
//! adverts which waits there.

mod announce;
mod around;
mod left_over;
mod requests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::beat::Beat;
use keepwatch_bus::counters::VrrpCounters;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::mailbox::{Receiver, Sender, mailbox};
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::{GarpGroup, KernelBuffer};
use keepwatch_net::address::AddressOperation;
use keepwatch_net::link::LinkIndex;
use keepwatch_net::memory;
use keepwatch_net::netlink::{AddressSocket, Neighbours};
use keepwatch_net::promotion::Promotion;
use keepwatch_net::socket::Announcer;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use tokio::sync::oneshot;

use crate::{Definitions, Release, RouterId};

use super::firewall::{Firewall, Lifts};
use super::kept::{Kept, Peer};
use super::outgoing::{Announce, Change};
use super::pace::Pace;
use super::routing::{Owner, Routing, Wish};
use super::sysctls::Sysctls;
use super::vmacs::Vmacs;
use super::{HEARTBEAT, RunnerSettings, priority};
use announce::{Lane, push};
use left_over::Wanted;
use requests::{Place, Refusal, Token, publish};

pub(super) use announce::Frame;

/// Requests in one write, before what waits for them is announced: some four hundred microseconds.
const PER_WRITE: usize = 16;

/// Room for so many jobs, requests and frames is kept.
const USUAL: usize = 64;

/// From the time of a takeover to its first announcement; there may be none.
const EXPECTED_WITHIN: Duration = Duration::from_micros(300);

/// Something to do.
pub(super) enum Job {
    /// Add or remove addresses; beside each of them the interface that it belongs on, if there is such a one.
    Change(AddressOperation, Change, Vec<Option<LinkIndex>>),
    /// Until what is asked next is done, addresses of these interfaces that others would take along take their place.
    Shield(Vec<Name>),
    /// Announce addresses, once all that was asked before is done.
    Announce(Announce, Vec<(LinkIndex, Frame)>, Arc<VrrpCounters>),
    /// Put routes and rules where they should be, once all that was asked before is done, or take them away.
    Routing(Wish),
    /// Drop nothing for this router any more, once all that was asked before is done.
    StopDropping(RouterId, EventId),
    /// Remove interfaces that nobody wants any more, once all that was asked before is done.
    Sweep(Option<EventId>),
    /// Prepare what virtual routers stand on, and say when that is done.
    Prepare(Box<Definitions>, Option<EventId>),
    /// Have the kernel keep these in mind and no others, so that they can be reached, and answered, however full its
    /// table of neighbours is.
    Keep(HashSet<Peer>),
    /// See at once that it still does so for some.
    Renew(Vec<Peer>),
    /// A takeover is near: be awake when it comes.
    Expect(Instant),
    /// Tell when all that was asked before is done, and end.
    Finish(Release, oneshot::Sender<()>),
}

/// What the thread that sends adverts has to hear.
pub(super) enum Report {
    /// An address was asked for in vain.
    Refused(Refusal),
    /// Virtual routers can be made true.
    Prepared(Box<Definitions>, Option<EventId>),
}

/// What waits for requests to be answered.
enum Waiting {
    Announce(Announce, Vec<(LinkIndex, Frame)>, Arc<VrrpCounters>),
    Sweep(Option<EventId>),
    Finish(Release, oneshot::Sender<()>),
}

/// What was announced, and who is to be told of the end.
#[derive(Default)]
struct Due {
    /// With the number of addresses that were, and of those of IPv6 among them.
    sent: Vec<(Announce, [u32; 2], Arc<VrrpCounters>)>,
    /// Interfaces can go.
    sweep: Option<Option<EventId>>,
    finished: Option<(Release, oneshot::Sender<()>)>,
}

struct Worker {
    jobs: Receiver<Job>,
    bus: Bus,
    socket: AddressSocket<Token>,
    announcer: Announcer,
    /// Requests ever made, and ever answered; they are answered in order.
    requested: u64,
    answered: u64,
    /// In order, each with the number of requests that must be answered before it.
    waiting: VecDeque<(u64, Waiting)>,
    /// Frames that keep a distance from each other, by lane and whether they are ARP.
    pace: Pace<(Lane, bool), (LinkIndex, Frame)>,
    /// Interfaces that share a lane.
    garp_groups: Arc<[GarpGroup]>,
    /// What is changed for virtual routers whatever they do.
    sysctls: Sysctls,
    /// Interfaces whose next address takes the place of one that is taken off.
    promoting: HashSet<Name>,
    /// The same until so many requests are answered.
    shield: (u64, Promotion),
    neighbours: Neighbours,
    kept: Kept,
    /// Until when a takeover may come, and this thread stays awake for it.
    expecting: Option<Instant>,
    /// The interfaces on which addresses were put.
    placed: HashMap<Place, LinkIndex>,
    /// What could not be put there, and what was said about that.
    refused: HashMap<(RouterId, Place), Errno>,
    reports: Sender<Report>,
    /// Routes, rules and static entries, if there ever were any.
    routing: Option<Box<Routing>>,
    /// Whose entries could not be put there for want of a socket, which has been told.
    unrouted: HashSet<Owner>,
    /// What is to be done about them once so many requests are answered.
    wishes: VecDeque<(u64, Wish)>,
    /// The packet filter, once something had to be dropped.
    firewall: Option<Firewall>,
    firewall_settings: keepwatch_model::Firewall,
    /// Interfaces of virtual routers, if there ever were any.
    vmacs: Option<Box<Vmacs>>,
    /// What an earlier run left of them has been looked for.
    strays_swept: bool,
    /// Interfaces of virtual routers that this run does not know, and of which it can't be known whether their maker lives.
    strange: Vec<Name>,
    /// What else may have been left has been looked for.
    left_over_seen_to: bool,
    lifts: Lifts,
    shadow: bool,
    beat: Beat,
}

/// Opens the sockets and starts the thread; it ends when the sender is dropped.
pub(super) fn start(
    settings: &RunnerSettings,
    bus: Bus,
    reports: Sender<Report>,
) -> Result<Sender<Job>, super::StartError> {
    let (sender, jobs) = mailbox()?;
    let mut worker = Worker {
        jobs,
        bus,
        socket: address_socket(settings.buffers.vrrp_commands)?,
        announcer: Announcer::open()?,
        requested: 0,
        answered: 0,
        waiting: VecDeque::new(),
        pace: Pace::new(),
        garp_groups: Arc::from([]),
        sysctls: Sysctls::default(),
        promoting: HashSet::new(),
        shield: (0, Promotion::default()),
        neighbours: Neighbours::open()?,
        kept: Kept::new(),
        expecting: None,
        placed: HashMap::new(),
        refused: HashMap::new(),
        reports,
        routing: None,
        unrouted: HashSet::new(),
        wishes: VecDeque::new(),
        firewall: None,
        firewall_settings: keepwatch_model::Firewall::default(),
        vmacs: None,
        strays_swept: false,
        strange: Vec::new(),
        left_over_seen_to: false,
        lifts: Lifts::default(),
        shadow: settings.shadow,
        beat: settings.addresses.clone(),
    };
    let scheduling = settings.scheduling.clone();
    std::thread::Builder::new().name(super::THREADS[1].into()).spawn(move || {
        priority::apply(&scheduling);
        while worker.turn() {}
    })?;
    Ok(sender)
}

/// The socket for addresses, its receive buffer as configured (`vrrp_netlink_cmd_rcv_bufs`).
fn address_socket(buffer: KernelBuffer) -> keepwatch_net::Result<AddressSocket<Token>> {
    let socket = AddressSocket::open()?;
    if let Some(bytes) = buffer.bytes.filter(|bytes| *bytes > 0) {
        socket.set_receive_buffer(bytes, buffer.force)?;
    }
    Ok(socket)
}

impl Worker {
    /// One turn; false when it was the last.
    fn turn(&mut self) -> bool {
        self.beat.beat();
        let paced = self.pace.next().is_some_and(|at| at <= Instant::now());
        let owed = self.wishes.front().is_some_and(|(after, _)| *after <= self.answered);
        let busy = paced || owed || !self.jobs.is_empty() || self.socket.waiting() > 0 || self.kept.is_due();
        if !busy && self.sleep().is_err() {
            return false;
        }
        self.jobs.rearm();
        while let Some(job) = self.jobs.try_recv() {
            self.take(job);
        }
        let Self { socket, pace, announcer, .. } = self;
        pace.due(Instant::now(), |_, (link, frame)| push(announcer, link, &frame));
        let mut answers = Vec::new();
        {
            let _call = self.beat.begin("changes addresses");
            socket.work(PER_WRITE, |answer| answers.push(answer));
        }
        self.answered += answers.len() as u64;
        self.lower_shield();
        answers.retain(|answer| self.remember(answer));
        let due = self.announce();
        answers.into_iter().for_each(|answer| publish(&self.bus, answer));
        self.see_to_routing();
        let goes_on = self.conclude(due);
        // One at a time: addresses come first.
        if goes_on {
            self.kept.work(&mut self.neighbours);
        }
        goes_on
    }

    /// Waits for a job or an answer; an error when there will be none.
    fn sleep(&mut self) -> io::Result<()> {
        if self.stay_awake() {
            return Ok(());
        }
        if self.jobs.is_closed() && self.socket.is_idle() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.slim();
        let mut fds = vec![
            PollFd::new(self.jobs.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.routing.as_ref().map(|routing| PollFd::new(routing.as_fd(), PollFlags::POLLIN)));
        fds.extend(self.vmacs.as_ref().map(|vmacs| PollFd::new(vmacs.as_fd(), PollFlags::POLLIN)));
        let routing = self.routing.as_ref().and_then(|routing| routing.next());
        let vmacs = self.vmacs.as_ref().and_then(|vmacs| vmacs.next());
        let next = [self.pace.next(), self.kept.next(), routing, vmacs].into_iter().flatten().min();
        let until = next.map(|at| at.saturating_duration_since(Instant::now()));
        let until = until.unwrap_or(HEARTBEAT).min(HEARTBEAT);
        memory::before_waiting();
        match ppoll(&mut fds, Some(TimeSpec::from_duration(until)), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Gives back what a burst of very many addresses took, once it is over.
    fn slim(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > USUAL {
            self.waiting.shrink_to(USUAL);
        }
        if self.wishes.is_empty() && self.wishes.capacity() > USUAL {
            self.wishes.shrink_to(USUAL);
        }
        self.socket.slim(USUAL);
        self.announcer.slim(USUAL);
    }

    /// While a takeover is near, waits without sleeping; true if something came.
    fn stay_awake(&mut self) -> bool {
        while self.expecting.is_some_and(|until| Instant::now() < until) {
            if !self.jobs.is_empty() {
                return true;
            }
            std::hint::spin_loop();
        }
        self.expecting = None;
        false
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Expect(at) => self.expecting = Some(at + EXPECTED_WITHIN),
            Job::Shield(_) if self.shadow => {}
            Job::Shield(interfaces) => {
                interfaces.iter().for_each(|interface| self.shield.1.hold(interface));
                // What it is for is the next job.
                self.shield.0 = u64::MAX;
            }
            Job::Change(operation, change, links) => {
                if operation == AddressOperation::Remove {
                    let gone = |(_, frame): &(LinkIndex, Frame)| {
                        change.addresses.iter().any(|a| a.address == frame.address())
                    };
                    self.pace.forget(gone);
                }
                if operation == AddressOperation::Add && !change.spec.accepts {
                    self.drop_first(&change, &links);
                }
                if operation == AddressOperation::Add && !self.promoting.is_empty() {
                    self.promote(&change);
                }
                self.request(operation, &change, &links);
                self.shield.0 = self.requested;
            }
            Job::Announce(announce, frames, counters) => {
                self.waiting.push_back((self.requested, Waiting::Announce(announce, frames, counters)));
            }
            Job::Keep(_) | Job::Renew(_) if self.shadow => {}
            Job::Keep(peers) => self.kept.replace(peers),
            Job::Renew(peers) => self.kept.renew(peers),
            // What goes, goes before the addresses that it may hang on.
            Job::Routing(wish) if !wish.wanted && self.wishes.is_empty() => self.fulfil(wish),
            Job::Routing(wish) => {
                if let Owner::Router(router) = wish.owner
                    && wish.wanted
                {
                    self.lifts.forget(router);
                }
                self.wishes.push_back((self.requested, wish));
            }
            Job::StopDropping(router, cause) => self.lifts.push(self.requested, router, cause),
            Job::Sweep(cause) => self.waiting.push_back((self.requested, Waiting::Sweep(cause))),
            Job::Prepare(mut definitions, cause) => {
                // Who wants none need not wait until those of an earlier run are gone.
                let strays = self.strays(&definitions);
                if strays.is_none() {
                    self.prepare_vmacs(&mut definitions, cause);
                }
                let wish = Wish {
                    owner: Owner::Static,
                    instance: None,
                    entries: definitions.statics.clone(),
                    wanted: true,
                    dropped: Vec::new(),
                    cause,
                };
                self.fulfil(wish);
                self.configure_firewall(&definitions);
                self.configure(&definitions);
                let begins = !self.shadow && !std::mem::replace(&mut self.left_over_seen_to, true);
                let wanted = begins.then(|| Wanted::by(&definitions));
                self.reports.send(Report::Prepared(definitions, cause));
                if let Some(strays) = strays {
                    self.sweep_strays(&strays, cause);
                }
                if let Some(wanted) = wanted {
                    self.see_to_left_over(&wanted, cause);
                }
            }
            Job::Finish(release, done) => {
                self.waiting.push_back((self.requested, Waiting::Finish(release, done)));
            }
        }
    }

    /// Tells of what was announced; false when all is done and the end was asked for.
    fn conclude(&mut self, due: Due) -> bool {
        if !due.sent.is_empty() {
            self.expecting = None;
        }
        for (announce, [addresses, neighbours], counters) in due.sent {
            counters.announcements_sent.add(u64::from(announce.repeat) * u64::from(addresses));
            let fact = VrrpFact::AddressesAnnounced {
                instance: announce.spec.name.clone(),
                addresses,
                neighbours,
                repeat: announce.repeat,
                occasion: announce.occasion,
            };
            self.bus.publish(announce.cause, fact);
        }
        if let (Some(vmacs), Some(cause)) = (&mut self.vmacs, due.sweep) {
            let call = self.beat.begin("removes interfaces");
            vmacs.sweep(cause);
            drop(call);
            self.move_reports(cause);
        }
        match due.finished {
            Some((release, done)) => {
                if let (Some(routing), Release::Everything) = (&mut self.routing, release) {
                    routing.release(None);
                }
                if release == Release::Everything {
                    self.sysctls.restore(|_| false);
                }
                if let (Some(vmacs), Release::Everything) = (&mut self.vmacs, release) {
                    vmacs.release();
                }
                // After the macvlans: the kernel reports of the groups of addresses that were taken off them a moment ago.
                if let Some(firewall) = &mut self.firewall {
                    firewall.release();
                }
                self.kept.release(&mut self.neighbours);
                // Nobody waits for it if the daemon itself is gone.
                let _ = done.send(());
                false
            }
            None => true,
        }
    }
}
