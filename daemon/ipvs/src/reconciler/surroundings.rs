//! What IPVS needs besides its table: timeouts, the socket's buffer, marks of packets, connection synchronisation.

use std::collections::BTreeSet;

use keepwatch_bus::fact::{Drift, IpvsFact};
use keepwatch_model::KernelBuffer;

use super::{RESIZE, Reconciler};
use crate::{
    dataplane::Dataplane,
    desk::Desk,
    kernel::{SyncDaemon, SyncRole, Timeouts},
    marking::Marking,
    table::{Family, ServiceKey},
};

/// What is asked of the data plane, in the words of facts.
pub(super) const SET_TIMEOUTS: &str = "set timeouts";
const SYNCHRONIZE: &str = "switch the sync daemon";
const KEEP_SYNCHRONIZED: &str = "keep the sync daemon running";
const MARK: &str = "mark packets of groups";
pub(super) const LOOK_FOR_MARKS: &str = "look for marks";

impl Reconciler {
    /// Sets the timeouts, if they are others than before; what is not given any more is what it was before us.
    pub(crate) async fn set_timeouts(&mut self, timeouts: Timeouts, desk: &mut Desk) {
        let before = self.timeouts_before.unwrap_or_default();
        let timeouts = Timeouts {
            tcp: timeouts.tcp.or(before.tcp),
            tcp_fin: timeouts.tcp_fin.or(before.tcp_fin),
            udp: timeouts.udp.or(before.udp),
        };
        if self.timeouts == timeouts {
            // Those that could not be set are not wanted any more.
            if self.complaints.not_wanted(&[SET_TIMEOUTS]) {
                self.recovered();
            }
            return;
        }
        let set = move |plane: &mut Dataplane| plane.set_timeouts(timeouts);
        if let Ok(before) = self.on_dataplane(SET_TIMEOUTS, desk, set).await {
            self.timeouts_before.get_or_insert(before);
            self.timeouts = timeouts;
        }
    }

    /// Has the socket have this receive buffer.
    pub(crate) async fn resize(&mut self, buffer: KernelBuffer, desk: &mut Desk) {
        if self.access.receive_buffer != buffer {
            self.access.receive_buffer = buffer;
            let resize = move |plane: &mut Dataplane| plane.resize(buffer);
            // That it failed is said; the socket is as it was.
            let _ = self.on_dataplane(RESIZE, desk, resize).await;
        }
    }

    /// Has packets of groups marked as they should be, if they are not.
    pub(crate) async fn mark(&mut self, desk: &mut Desk) {
        if !std::mem::replace(&mut self.cleared, true) {
            let wanted = self.marking.clone();
            let clear = move |plane: &mut Dataplane| {
                // Where there is no packet filter nothing is left; who wants marks hears soon what is the matter.
                let _ = plane.clear_marks(&wanted);
                Ok(())
            };
            let _ = self.on_dataplane("look for marks of runs before", desk, clear).await;
        }
        if self.marked == self.marking {
            // Nobody looks for marks that are not wanted.
            let over: &[_] = if self.marked.is_on() { &[MARK] } else { &[MARK, LOOK_FOR_MARKS] };
            if self.complaints.not_wanted(over) {
                self.recovered();
            }
            return;
        }
        let (wanted, before) = (self.marking.clone(), self.marked.clone());
        let mark = move |plane: &mut Dataplane| plane.mark(&wanted, &before);
        if self.on_dataplane(MARK, desk, mark).await.is_ok() {
            self.marked = self.marking.clone();
        }
    }

    /// Looks whether packets are marked still, and has them marked again if not.
    pub(super) async fn audit_marks(&mut self, desk: &mut Desk) {
        if self.marked.is_on() {
            let marked = self.marked.clone();
            let look = move |plane: &mut Dataplane| plane.marks(&marked);
            if let Ok(false) = self.on_dataplane(LOOK_FOR_MARKS, desk, look).await {
                self.marked = Marking::default();
                self.mark(desk).await;
                let repaired =
                    if self.marked == self.marking { self.marked.marks() } else { BTreeSet::new() };
                for fwmark in repaired {
                    let families =
                        [Family::Inet, Family::Inet6].map(|family| ServiceKey::Fwmark { fwmark, family });
                    for service in families.into_iter().filter(|service| desk.director.owns(service)) {
                        let fact = IpvsFact::DriftRepaired { service, real: None, drift: Drift::Unmarked };
                        self.bus.publish(None, fact);
                    }
                }
                return;
            }
        }
        self.mark(desk).await;
    }

    /// Sets the timeouts that were in force before ours.
    pub(crate) async fn restore_timeouts(&mut self, desk: &mut Desk) {
        if let Some(before) = self.timeouts_before.take() {
            self.set_timeouts(before, desk).await;
        }
    }

    /// Runs these halves of connection synchronisation and no others, from now on.
    pub(crate) async fn synchronize(
        &mut self,
        daemon: SyncDaemon,
        halves: &'static [SyncRole],
        desk: &mut Desk,
    ) {
        let wanted = daemon.clone();
        let switch = move |plane: &mut Dataplane| plane.synchronize(&wanted, halves);
        // That it failed is said; it is tried again at each audit.
        let interface = self.on_dataplane(SYNCHRONIZE, desk, switch).await;
        let is_wanted = !halves.is_empty();
        if (interface.is_ok() || !is_wanted) && self.complaints.not_wanted(&[KEEP_SYNCHRONIZED]) {
            self.recovered();
        }
        self.synchronizing =
            is_wanted.then(|| Synchronizing { daemon, halves, interface: interface.ok().flatten() });
    }

    /// Looks whether connection synchronisation runs as it was started, and starts it anew if not.
    pub(super) async fn audit_sync(&mut self, desk: &mut Desk) {
        let Some(Synchronizing { daemon, halves, interface }) = self.synchronizing.clone() else { return };
        let wanted = daemon.clone();
        let look = move |plane: &mut Dataplane| plane.synchronizes(&wanted, halves, interface);
        if let Ok(Some(amiss)) = self.on_dataplane("look for the sync daemon", desk, look).await {
            self.complain(KEEP_SYNCHRONIZED, amiss);
            self.synchronize(daemon, halves, desk).await;
        }
    }
}

/// Connection synchronisation as it was started.
#[derive(Clone)]
pub(super) struct Synchronizing {
    daemon: SyncDaemon,
    halves: &'static [SyncRole],
    /// The number of its interface; none if it could not be started.
    interface: Option<u32>,
}
