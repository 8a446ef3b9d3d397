//! The engine: one task that keeps the table as definitions and health demand.
//!
//! In go definitions ([`Engine::apply`]), what checkers say ([`Engine::report`]) and the role of connection
//! synchronisation ([`Engine::synchronize`]), from anywhere and without waiting; out come operations on the data plane
//! and facts on the bus. Changes that come together are done together. On a period the table is read back: what is not
//! as it should be is put right and said (`DriftRepaired`), and what the kernel has counted goes into the counters.
//! Services that were never ours are not touched.

use std::time::Duration;

use keepwatch_bus::{Bus, Counters, EventId, Health, beat::Beat, subject::RealKey};
use keepwatch_model::{self as model, Config, KernelBuffer, Levels};
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        oneshot,
    },
    time::{Instant, sleep_until},
};

use crate::{
    dataplane::{AUDIT_PERIOD, DataplaneKind},
    definition::{Definition, definitions, entries},
    desk::{Desk, HEARTBEAT, Here, Order, Told},
    director::{Defined, Director, Renamed},
    kernel::{Access, SyncDaemon, SyncRole, Timeouts},
    leaving,
    marking::Marking,
    meters::Meters,
    reconciler::Reconciler,
};

/// How an engine works; decided once.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where the table is put.
    pub dataplane: DataplaneKind,
    /// How often the table is compared with what it should be.
    pub audit: Duration,
    /// `lvs_flush`: the table is emptied, of foreign services too, before the first definitions are put there.
    pub flush_at_start: bool,
    /// How the kernel is reached.
    pub access: Access,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            dataplane: DataplaneKind::Kernel,
            audit: AUDIT_PERIOD,
            flush_at_start: false,
            access: Access::default(),
        }
    }
}

/// What should be there, according to a configuration.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The virtual servers.
    pub definitions: Vec<Definition>,
    /// Where their traffic is counted.
    pub meters: Meters,
    /// `lvs_timeouts`.
    pub timeouts: Timeouts,
    /// Connection synchronisation, as far as it is configured.
    pub sync: Option<SyncDaemon>,
    /// Marks for packets of groups.
    pub marking: Marking,
    /// `lvs_netlink_cmd_rcv_bufs`.
    pub receive_buffer: KernelBuffer,
}

impl Desired {
    /// What a configuration wants, with the counters of its virtual and real servers and the levels of what those follow.
    #[must_use]
    pub fn from_config(config: &Config, counters: &Counters, levels: &Levels) -> Self {
        let definitions = definitions(config, levels);
        let snmp = &config.global.snmp;
        let mut meters = Meters::resolve(&definitions, counters);
        meters.freshness = Some(snmp.vs_stats_interval.min(snmp.rs_stats_interval));
        let model::LvsTimeouts { tcp, tcp_fin, udp } = config.global.lvs_timeouts;
        Self {
            meters,
            definitions,
            timeouts: Timeouts { tcp, tcp_fin, udp },
            sync: config.global.lvs_sync_daemon.as_ref().map(|daemon| SyncDaemon {
                follows: daemon.instance.is_some(),
                interface: daemon.interface.to_string(),
                sync_id: daemon.sync_id,
                maximum_length: daemon.max_len,
                port: daemon.port,
                ttl: daemon.ttl,
                group: daemon.group,
            }),
            marking: Marking::of(config),
            receive_buffer: config.global.receive_buffers.lvs_commands,
        }
    }
}

/// What becomes of the table when the engine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// Our services are removed.
    Release,
    /// Everything is removed, ours or not (`lvs_flush_on_stop`).
    Flush,
    /// Everything stays as it is (`-I`).
    Keep,
}

/// The handle of a running engine.
#[derive(Debug, Clone)]
pub struct Engine {
    orders: UnboundedSender<Order>,
    beat: Beat,
}

impl Engine {
    /// Starts an engine, without definitions, on the runtime of the caller.
    #[must_use]
    pub fn start(settings: EngineSettings, bus: Bus) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let beat = Beat::default();
        tokio::spawn(Task::new(settings, bus, inbox, beat.clone()).run());
        Self { orders, beat }
    }

    /// Replaces all that should be there. `cause` is the event that says so: that a configuration was loaded. `told` is done
    /// once all its virtual and real servers were told as configured, however long the table is read after that: what
    /// checkers find from then on is about somebody who is known. It gets to know which groups have another key by now.
    pub fn apply(
        &self,
        desired: Desired,
        cause: Option<EventId>,
        told: impl FnOnce(Renamed) + Send + 'static,
    ) {
        self.order(Order::Apply(Box::new(desired), cause, Box::new(told)));
    }

    /// Tells what the checkers of a real server say, and by which event.
    pub fn report(&self, real: RealKey, health: Health, cause: Option<EventId>) {
        self.order(Order::Health(real, health, cause));
    }

    /// Gives a real server another weight until the next [`Engine::apply`], and by which event.
    pub fn weigh(&self, real: RealKey, weight: u32, cause: Option<EventId>) {
        self.order(Order::Weight(real, weight, cause));
    }

    /// Does something once what was ordered before has been taken in. It must not take long; an engine that is told to stop
    /// before does not do it.
    pub fn afterwards(&self, act: impl FnOnce() + Send + 'static) {
        self.order(Order::Afterwards(Box::new(act)));
    }

    /// Tells whose checkers rest; it is the engine that says so, in order with what else happens to virtual servers.
    pub fn rest(&self, here: Here) {
        self.order(Order::Rest(here));
    }

    /// Has connection synchronisation take the side that goes with the state of its virtual router; nothing stops it.
    pub fn synchronize(&self, role: Option<SyncRole>) {
        self.order(Order::Synchronize(role));
    }

    /// Stops the engine and waits until it has cleaned up.
    pub async fn stop(&self, farewell: Farewell, cause: Option<EventId>) {
        let (done, wait) = oneshot::channel();
        self.order(Order::Stop(farewell, cause, done));
        // An engine that is gone has nothing left to clean up.
        let _ = wait.await;
    }

    /// How the engine shows that it lives, and what it asks of the data plane.
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    fn order(&self, order: Order) {
        // The task ends only when it was told to stop: there is nothing left to do then.
        let _ = self.orders.send(order);
    }
}

struct Task {
    settings: EngineSettings,
    desk: Desk,
    reconciler: Reconciler,
    desired_sync: Option<SyncDaemon>,
    role: Option<SyncRole>,
    started: bool,
}

impl Task {
    fn new(settings: EngineSettings, bus: Bus, inbox: UnboundedReceiver<Order>, beat: Beat) -> Self {
        Self {
            desk: Desk::new(Director::new(bus.clone()), inbox, beat),
            reconciler: Reconciler::new(settings.dataplane, settings.access.clone(), bus),
            settings,
            desired_sync: None,
            role: None,
            started: false,
        }
    }

    async fn run(mut self) {
        let mut next_audit = Instant::now() + self.settings.audit;
        // When the figures are to be read again if somebody wants them.
        let mut stale = Instant::now();
        loop {
            self.desk.beat.beat();
            // What checkers said while the data plane was at work.
            let waits = match self.desk.director.is_dirty() {
                true => Duration::ZERO,
                false if self.reconciler.has_leavers() => leaving::LOOK,
                false => HEARTBEAT,
            };
            let pause = sleep_until(next_audit.min(Instant::now() + waits));
            let mut order = tokio::select! {
                order = self.desk.next() => match order {
                    Some(order) => Some(order),
                    None => return,
                },
                () = pause => None,
            };
            let mut defined = false;
            while let Some(next) = order {
                match next {
                    Order::Stop(farewell, cause, done) => {
                        self.stop(farewell, cause).await;
                        // Whoever asked may have gone away meanwhile.
                        let _ = done.send(());
                        return;
                    }
                    Order::Apply(desired, cause, told) => {
                        self.apply(*desired, cause, told).await;
                        defined = true;
                    }
                    Order::Health(real, health, cause) => self.desk.director.health(&real, health, cause),
                    Order::Weight(real, weight, cause) => self.desk.director.weigh(&real, weight, cause),
                    Order::Afterwards(act) => act(),
                    Order::Rest(here) => self.desk.director.rest(&here),
                    Order::Synchronize(role) => {
                        self.role = role;
                        if self.desired_sync.as_ref().is_some_and(|daemon| daemon.follows) {
                            self.synchronize().await;
                        }
                    }
                }
                order = self.desk.at_once();
            }
            if defined || self.desk.director.is_dirty() {
                self.reconciler.reconcile(&mut self.desk).await;
            }
            if defined {
                self.reconciler.mark(&mut self.desk).await;
            }
            if self.reconciler.has_leavers() {
                self.reconciler.see_off(&mut self.desk).await;
            }
            let wanted = |meters: &Meters| Instant::now() >= stale && meters.demand.take();
            if Instant::now() >= next_audit || wanted(&self.reconciler.meters) {
                self.reconciler.audit(&mut self.desk).await;
                next_audit = Instant::now() + self.settings.audit;
                stale = Instant::now() + self.reconciler.meters.freshness.unwrap_or(self.settings.audit);
            }
        }
    }

    async fn apply(&mut self, desired: Desired, cause: Option<EventId>, told: Told) {
        let Desired { definitions, meters, timeouts, sync, marking, receive_buffer } = desired;
        self.desk.holding = true;
        let coming = entries(&definitions);
        let Defined { new, told: anew, renamed } = self.desk.director.define(definitions, cause);
        told(renamed);
        if !self.started && self.settings.flush_at_start {
            self.reconciler.flush(&mut self.desk).await;
        }
        self.started = true;
        let existing = self.reconciler.prepare(coming, &anew, &mut self.desk).await;
        self.desk.director.begin(new, &existing.strange);
        self.desk.holding = false;
        self.reconciler.adopt(&existing, &self.desk);
        // After the last sample of those before: what is gone is not counted again.
        meters.keep(self.desk.director.definitions());
        self.reconciler.meters = meters;
        // Packets are marked for services that are there: after those have come.
        self.reconciler.marking = marking;
        self.reconciler.resize(receive_buffer, &mut self.desk).await;
        self.reconciler.set_timeouts(timeouts, &mut self.desk).await;
        if self.desired_sync != sync {
            self.switch_sync(sync).await;
        }
    }

    async fn switch_sync(&mut self, sync: Option<SyncDaemon>) {
        if let Some(old) = self.desired_sync.take() {
            self.reconciler.synchronize(old, &[], &mut self.desk).await;
        }
        self.desired_sync = sync;
        self.synchronize().await;
    }

    async fn synchronize(&mut self) {
        if let Some(daemon) = self.desired_sync.clone() {
            let halves: &'static [SyncRole] = match self.role {
                _ if !daemon.follows => &[SyncRole::Master, SyncRole::Backup],
                Some(SyncRole::Master) => &[SyncRole::Master],
                Some(SyncRole::Backup) => &[SyncRole::Backup],
                None => &[],
            };
            self.reconciler.synchronize(daemon, halves, &mut self.desk).await;
        }
    }

    async fn stop(&mut self, farewell: Farewell, cause: Option<EventId>) {
        self.role = None;
        if farewell == Farewell::Keep {
            return;
        }
        self.switch_sync(None).await;
        self.desk.director.release(cause);
        match farewell {
            Farewell::Flush => self.reconciler.flush(&mut self.desk).await,
            Farewell::Release | Farewell::Keep => {
                self.reconciler.try_again();
                self.reconciler.reconcile(&mut self.desk).await;
            }
        }
        self.reconciler.marking = Marking::default();
        self.reconciler.mark(&mut self.desk).await;
        self.reconciler.restore_timeouts(&mut self.desk).await;
    }
}

#[cfg(test)]
mod tests;
