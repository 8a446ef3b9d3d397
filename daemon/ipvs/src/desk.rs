//! Where orders to the engine arrive. They are taken in their order; but what checkers say is taken in even while the
//! data plane is at work, so that a kernel that hangs delays no word about the health of a real server.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use keepwatch_bus::{
    EventId, Health,
    beat::{Beat, Call},
    subject::{RealKey, ServiceKey},
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    task::{JoinError, JoinHandle},
    time::sleep,
};

use crate::{
    director::{Director, Renamed},
    engine::{Desired, Farewell},
    kernel::SyncRole,
};

/// The longest pause between two beats.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(500);

/// Virtual servers whose checkers rest while none of their addresses is on this host (`ha_suspend`), each with one of
/// its addresses that is.
pub type Here = BTreeMap<ServiceKey, Option<IpAddr>>;

/// Something to be done for whoever orders.
pub(crate) type Act = Box<dyn FnOnce() + Send>;

/// The same once definitions were told; it gets to know which groups have another key by now.
pub(crate) type Told = Box<dyn FnOnce(Renamed) + Send>;

/// What the engine is told.
pub(crate) enum Order {
    /// What should be there, the event that says so, and what is to be done once it was told.
    Apply(Box<Desired>, Option<EventId>, Told),
    /// What the checkers of a real server say.
    Health(RealKey, Health, Option<EventId>),
    /// The weight of a real server, until the next definitions.
    Weight(RealKey, u32, Option<EventId>),
    /// Whose checkers rest.
    Rest(Here),
    /// Something that is to be done after what was ordered before.
    Afterwards(Act),
    /// Which half of connection synchronisation goes with the state of the virtual router that it follows.
    Synchronize(Option<SyncRole>),
    /// To end.
    Stop(Farewell, Option<EventId>, oneshot::Sender<()>),
}

/// See the module.
pub(crate) struct Desk {
    pub(crate) director: Director,
    pub(crate) beat: Beat,
    inbox: UnboundedReceiver<Order>,
    /// Orders that came while the data plane was at work.
    waiting: VecDeque<Order>,
    /// An order is under way that brings virtual servers which the director does not know yet: what checkers say may be
    /// about them, and waits.
    pub(crate) holding: bool,
    /// Nobody is left who could order anything.
    closed: bool,
}

impl Desk {
    pub(crate) fn new(director: Director, inbox: UnboundedReceiver<Order>, beat: Beat) -> Self {
        Self { director, beat, inbox, waiting: VecDeque::new(), holding: false, closed: false }
    }

    /// The next order; none when there can't be any more. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Order> {
        match self.waiting.pop_front() {
            Some(order) => Some(order),
            None => self.inbox.recv().await,
        }
    }

    /// The next order, if it is there already.
    pub(crate) fn at_once(&mut self) -> Option<Order> {
        self.waiting.pop_front().or_else(|| self.inbox.try_recv().ok())
    }

    /// Waits for what the data plane does, which is `call`.
    ///
    /// # Errors
    /// When the runtime ends.
    pub(crate) async fn meanwhile<T>(&mut self, call: Call, mut work: JoinHandle<T>) -> Result<T, JoinError> {
        loop {
            tokio::select! {
                done = &mut work => {
                    drop(call);
                    return done;
                }
                order = self.inbox.recv(), if !self.closed => match order {
                    // After another order it may be about what that one brings.
                    Some(Order::Health(real, health, cause)) if self.waiting.is_empty() && !self.holding => {
                        self.director.health(&real, health, cause);
                    }
                    Some(order) => self.waiting.push_back(order),
                    None => self.closed = true,
                },
                () = sleep(HEARTBEAT) => (),
            }
            self.beat.beat();
        }
    }
}

#[cfg(test)]
impl Desk {
    /// One that nobody orders anything at.
    pub(crate) fn of(director: Director) -> Self {
        Self::new(director, tokio::sync::mpsc::unbounded_channel().1, Beat::default())
    }
}
