//! The task that stands between the world and the master agent.
//!
//! Goes in: [`Settings`] (which may change with a reload, or go away), a [`Reader`] and the lossless queue of events.
//! Comes out: answers to the master, notifications, what managers [set](SetRequest), and the facts `MasterAgentConnected`,
//! `MasterAgentLost`, `MasterAgentLeft` and `ManagerSet`. A master that hangs holds up nothing but this task's own session.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use keepwatch_bus::counters::{DeliveryCounters, SNMP_TRAPS};
use keepwatch_bus::fact::{ConsumerFact, ManagerSet};
use keepwatch_bus::{Deliveries, Event, EventId, Reader, WeakBus};
use keepwatch_model::Config;
use snmp_agentx::address::AddressError;
use snmp_agentx::{Address, Change, Handle, Room, Subagent, Subtree, VarBind, oid};
use tokio::sync::{mpsc, oneshot, watch};

use crate::keepalived::{Parts, ROOT, mib};
use crate::rfc::{Order, v2, v3};
use crate::source::View;
use crate::traps;

/// net-snmp's priority of a registration that says nothing else.
const PRIORITY: u8 = 127;
/// Notifications that wait for a master that is away, or takes them more slowly than things happen; then the oldest are lost.
const WAITING: usize = 4096;

/// What a manager set, to be done by whoever acts.
#[derive(Clone, Debug, PartialEq)]
pub struct SetRequest {
    /// What.
    pub set: ManagerSet,
    /// The event that says so.
    pub cause: EventId,
}

/// What is served, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the master agent listens (`snmp_socket`).
    pub master: Address,
    /// Which parts are served.
    pub parts: Parts,
    /// Whether notifications are sent (`enable_traps`).
    pub traps: bool,
}

impl Settings {
    /// What a configuration and the command line ask for; `None` is no SNMP at all. `everything` is `-x`, `socket` is
    /// `-A`, and `running` says which sides of the daemon run, because nothing is served of one that does not.
    ///
    /// # Errors
    /// The socket is no address in net-snmp's notation.
    pub fn of(
        config: &Config,
        everything: bool,
        socket: Option<&str>,
        running: Parts,
    ) -> Result<Option<Self>, AddressError> {
        let snmp = &config.global.snmp;
        let parts = Parts {
            vrrp: running.vrrp && (everything || snmp.vrrp),
            checker: running.checker && (everything || snmp.checker),
            rfc_v2: running.rfc_v2 && (everything || snmp.rfc_v2),
            rfc_v3: running.rfc_v3 && (everything || snmp.rfc_v3),
        };
        if parts == Parts::default() {
            return Ok(None);
        }
        let master = socket.or(snmp.socket.as_deref()).map(str::parse).transpose()?.unwrap_or_default();
        Ok(Some(Self { master, parts, traps: snmp.traps }))
    }
}

/// Serves until the queue of events ends. What managers set goes to `asked`. `settings` of `None` means no SNMP; a change of
/// them begins a new session. Each session has a thread of its own while it is there.
///
/// # Errors
/// There can be no such thread, or it has ended by itself.
pub async fn run(
    mut settings: watch::Receiver<Option<Settings>>,
    reader: Reader,
    bus: WeakBus,
    mut events: Deliveries,
    asked: mpsc::UnboundedSender<SetRequest>,
) -> io::Result<()> {
    loop {
        let wanted = settings.borrow_and_update().clone();
        if !wanted.as_ref().is_some_and(|wanted| wanted.traps) {
            reader.counters().deliveries.forget(&SNMP_TRAPS.into());
        }
        let ended = match wanted {
            Some(wanted) => serve(wanted, &mut settings, &reader, &bus, &mut events, &asked).await?,
            None => rest(&mut settings, &mut events).await,
        };
        if ended == Ended::Events {
            return Ok(());
        }
    }
}

#[derive(PartialEq, Eq)]
enum Ended {
    /// The settings have changed.
    Settings,
    /// There will be no more events: the daemon stops.
    Events,
}

/// Lets events pass until there is something to serve.
async fn rest(settings: &mut watch::Receiver<Option<Settings>>, events: &mut Deliveries) -> Ended {
    loop {
        tokio::select! {
            changed = settings.changed() => match changed {
                Ok(()) => return Ended::Settings,
                Err(_) => {
                    while events.recv().await.is_some() {}
                    return Ended::Events;
                }
            },
            event = events.recv() => if event.is_none() { return Ended::Events },
        }
    }
}

/// Holds a session with these settings until they change or the events end.
async fn serve(
    wanted: Settings,
    settings: &mut watch::Receiver<Option<Settings>>,
    reader: &Reader,
    bus: &WeakBus,
    events: &mut Deliveries,
    asked: &mpsc::UnboundedSender<SetRequest>,
) -> io::Result<Ended> {
    let (asked, sets, socket) = (asked.clone(), bus.clone(), wanted.master.to_string());
    let obey = move |set: ManagerSet| {
        // Told before what it leads to, since it is what that comes from: the set was found possible.
        let fact = ConsumerFact::ManagerSet { socket: socket.clone(), set: set.clone() };
        if let Some(cause) = sets.publish(None, fact) {
            // Whoever acts has stopped, if nobody takes it.
            let _ = asked.send(SetRequest { set, cause });
        }
    };
    let (mib, source, mut order) = (mib(wanted.parts), reader.clone(), Order::default());
    let (handle, subagent) =
        Subagent::new(wanted.master.clone(), session_settings(wanted.parts), move |answer| {
            let world = source.world();
            order.follow(&world);
            let view = View { world: &world, counters: source.counters(), order: &order };
            answer(&mib.over(view).obeying(&obey));
        });
    let traps = wanted.traps.then(|| reader.counters().deliveries.resolve(&SNMP_TRAPS.into()));
    let (serving, mut served) = watch::channel(false);
    let mut story = Story {
        serving,
        bus: bus.clone(),
        socket: wanted.master.to_string(),
        told: Told::Nothing,
        behind: Vec::new(),
        last: None,
        traps: traps.clone(),
    };
    let (over, session) = oneshot::channel();
    std::thread::Builder::new().name("snmp".to_owned()).spawn(move || {
        // Nobody may be left who waits for it.
        let _ = over.send(subagent.run_blocking(|change| story.tell(change)));
    })?;
    // When it is done, its handle is gone, and that ends the session in good order.
    let feed = async move {
        let handle = handle;
        let mut outbox = Outbox::new(traps, wanted.parts, reader);
        let mut watching = true;
        loop {
            tokio::select! {
                room = room(&handle, &mut served), if !outbox.waiting.is_empty() => outbox.send(room),
                changed = settings.changed(), if watching => match changed {
                    Ok(()) if settings.borrow().as_ref() == Some(&wanted) => {}
                    Ok(()) => return Ended::Settings,
                    // Nobody is left who could change them.
                    Err(_) => watching = false,
                },
                event = events.recv() => match event {
                    Some(event) => outbox.note(&event, wanted.parts, reader),
                    None => {
                        while !outbox.waiting.is_empty() {
                            outbox.send(handle.room().await);
                        }
                        return Ended::Events;
                    }
                },
            }
        }
    };
    tokio::pin!(session, feed);
    let ended = tokio::select! {
        ended = &mut feed => Some(ended),
        // It ends only when it is told to.
        result = &mut session => { result.map_err(|_| thread_ended())??; None }
    };
    match ended {
        Some(ended) => session.await.map_err(|_| thread_ended())?.map(|()| ended),
        None => Err(thread_ended()),
    }
}

/// It has given nothing back.
fn thread_ended() -> io::Error {
    io::Error::other("its thread has ended")
}

/// Waits until there is a master, and room for a notification to it. A session without a master takes few.
async fn room<'a>(handle: &'a Handle, served: &mut watch::Receiver<bool>) -> Option<Room<'a>> {
    // Nobody is left who would say so when the session has ended, and there is no room then.
    let _ = served.wait_for(|serving| *serving).await;
    handle.room().await
}

/// Notifications that there is no master for at the moment, or that the session has no room for.
struct Outbox {
    waiting: VecDeque<Vec<VarBind>>,
    order: Order,
    /// What is known of those that are told of, if any are.
    known: traps::Known,
    /// What is counted of them, if any are sent.
    counted: Option<Arc<DeliveryCounters>>,
}

impl Outbox {
    fn new(counted: Option<Arc<DeliveryCounters>>, parts: Parts, reader: &Reader) -> Self {
        let known = match &counted {
            Some(_) => traps::Known::of(&reader.world(), parts),
            None => traps::Known::default(),
        };
        Self { waiting: VecDeque::new(), order: Order::default(), known, counted }
    }

    /// Makes the notifications of an event. A session takes them as fast as the master does: if too many wait, the oldest are
    /// lost, but none of one event's own, of which a stop has one for each real server.
    fn note(&mut self, event: &Event, parts: Parts, reader: &Reader) {
        let Some(counted) = &self.counted else { return };
        let world = reader.world();
        self.order.follow(&world);
        let view = View { world: &world, counters: reader.counters(), order: &self.order };
        let all = self.known.notifications(event, view, parts);
        let excess = (self.waiting.len() + all.len()).saturating_sub(WAITING).min(self.waiting.len());
        self.waiting.drain(..excess);
        counted.lost.add(excess as u64);
        self.waiting.extend(all);
    }

    /// Sends the next; without room, which is when the session has ended, all are lost.
    fn send(&mut self, room: Option<Room<'_>>) {
        match room {
            Some(room) => {
                if let Some(binds) = self.waiting.pop_front() {
                    room.notify(binds);
                }
            }
            None => self.lose(),
        }
    }

    fn lose(&mut self) {
        if let Some(counted) = &self.counted {
            counted.lost.add(self.waiting.len() as u64);
        }
        self.waiting.clear();
    }
}

/// The session ends with other settings: what waits has nobody to go to.
impl Drop for Outbox {
    fn drop(&mut self) {
        self.lose();
    }
}

fn session_settings(parts: Parts) -> snmp_agentx::Settings {
    let part = |part: u32| [ROOT.as_slice(), &[part]].concat();
    let served = [
        (parts.any_of_keepalived(), part(1), "The MIB module for Keepalived"),
        (parts.vrrp, part(2), "The MIB module for KEEPALIVED-VRRP"),
        (parts.checker, part(3), "The MIB module for Healthchecker"),
        (parts.rfc_v2, v2::ROOT.to_vec(), "The MIB module for VRRP"),
        (parts.rfc_v3, v3::ROOT.to_vec(), "The MIB module for VRRPV3"),
    ];
    let served = || served.iter().filter(|(is_served, ..)| *is_served);
    let subtree = |root: &[u32]| Subtree { priority: PRIORITY, root: oid(root), range: None };
    let subtrees = served().map(|(_, root, _)| subtree(root)).collect();
    let mut settings = snmp_agentx::Settings::new("keepwatch", subtrees);
    settings.capabilities = served().map(|(_, root, text)| (oid(root), (*text).to_owned())).collect();
    settings
}

/// Makes facts of the session's changes: one when it stands, one when it does not, however often it is tried.
struct Story {
    /// Whether there is a master.
    serving: watch::Sender<bool>,
    bus: WeakBus,
    socket: String,
    told: Told,
    /// Subtrees that another subagent had already, of a session that is about to stand.
    behind: Vec<String>,
    last: Option<EventId>,
    /// What is counted of notifications, if any are sent.
    traps: Option<Arc<DeliveryCounters>>,
}

/// The numbers of a name, with dots between.
fn dotted(name: &[u32]) -> String {
    name.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[derive(PartialEq, Eq)]
enum Told {
    Nothing,
    Connected,
    Lost,
}

impl Story {
    fn tell(&mut self, change: Change) {
        if let Some(traps) = &self.traps {
            match change {
                Change::Notified => traps.delivered.inc(),
                Change::NotificationsLost(count) => traps.lost.add(count),
                Change::Refused(_) => traps.lost.inc(),
                Change::Serving { .. }
                | Change::Behind(_)
                | Change::Lost(_)
                | Change::Unreachable(_)
                | Change::Stopped => {}
            }
        }
        match change {
            Change::Behind(root) => self.behind.push(dotted(&root)),
            Change::Serving { .. } => {
                self.serving.send_replace(true);
                self.told = Told::Connected;
                let (socket, behind) = (self.socket.clone(), std::mem::take(&mut self.behind));
                self.publish(ConsumerFact::MasterAgentConnected { socket, behind });
            }
            Change::Lost(reason) => {
                self.behind.clear();
                self.serving.send_replace(false);
                self.lost(reason.to_string());
            }
            Change::Unreachable(reason) => {
                self.behind.clear();
                if self.told != Told::Lost {
                    self.lost(reason.to_string());
                }
            }
            // Other settings are wanted, or none.
            Change::Stopped if self.told != Told::Nothing => {
                self.told = Told::Nothing;
                self.publish(ConsumerFact::MasterAgentLeft { socket: self.socket.clone() });
            }
            // Of notifications, counted above: one that the master did not take is the master's affair.
            Change::Notified | Change::NotificationsLost(_) | Change::Refused(_) => {}
            Change::Stopped => {}
        }
    }

    fn lost(&mut self, error: String) {
        self.told = Told::Lost;
        self.publish(ConsumerFact::MasterAgentLost { socket: self.socket.clone(), error });
    }

    fn publish(&mut self, fact: ConsumerFact) {
        self.last = self.bus.publish(self.last, fact);
    }
}

#[cfg(test)]
mod tests;
