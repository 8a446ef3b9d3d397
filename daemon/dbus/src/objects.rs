//! The interfaces of the objects. State is read from the world when it is asked for, so it can't be stale.

use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::{Reader, WeakBus};
use tokio::sync::mpsc;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;

use crate::{Asked, Request};

/// How calls are passed on.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) bus: WeakBus,
    pub(crate) asked: mpsc::UnboundedSender<Asked>,
}

impl Desk {
    /// Tells of a call, and hands it to whoever acts.
    fn pass(&self, header: &Header<'_>, request: Request) {
        let caller = header.sender().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let member = header.member().map_or_else(String::new, ToString::to_string);
        let object = header.path().map_or_else(String::new, ToString::to_string);
        let instance = match &request {
            Request::Announce(instance) => Some(instance.clone()),
            Request::PrintData | Request::PrintStats | Request::PrintStatsClear | Request::Reload => None,
        };
        let called = ConsumerFact::BusCalled { caller, member, object, instance };
        let cause = self.bus.publish(None, called);
        // Nobody is there only while the daemon ends.
        let _ = self.asked.send(Asked { request, cause });
    }
}

/// What a state is called, and its number.
pub(crate) fn number(state: VrrpState) -> u32 {
    match state {
        VrrpState::Init => 0,
        VrrpState::Backup => 1,
        VrrpState::Master => 2,
        VrrpState::Fault => 3,
    }
}

/// The number that is signalled when the daemon stops; no property ever has it.
pub(crate) const STOPPED: u32 = 98;

fn word(state: VrrpState) -> &'static str {
    match state {
        VrrpState::Init => "Init",
        VrrpState::Backup => "Backup",
        VrrpState::Master => "Master",
        VrrpState::Fault => "Fault",
    }
}

/// The daemon.
pub(crate) struct Daemon {
    pub(crate) desk: Desk,
}

#[zbus::interface(name = "org.keepalived.Vrrp1.Vrrp")]
impl Daemon {
    fn print_data(&self, #[zbus(header)] header: Header<'_>) {
        self.desk.pass(&header, Request::PrintData);
    }

    fn print_stats(&self, #[zbus(header)] header: Header<'_>) {
        self.desk.pass(&header, Request::PrintStats);
    }

    fn print_stats_clear(&self, #[zbus(header)] header: Header<'_>) {
        self.desk.pass(&header, Request::PrintStatsClear);
    }

    fn reload_config(&self, #[zbus(header)] header: Header<'_>) {
        self.desk.pass(&header, Request::Reload);
    }

    #[zbus(signal)]
    pub(crate) async fn vrrp_started(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn vrrp_reloaded(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn vrrp_stopped(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

/// A virtual router.
pub(crate) struct Instance {
    pub(crate) name: Name,
    pub(crate) reader: Reader,
    pub(crate) desk: Desk,
}

#[zbus::interface(name = "org.keepalived.Vrrp1.Instance")]
impl Instance {
    fn send_garp(&self, #[zbus(header)] header: Header<'_>) {
        self.desk.pass(&header, Request::Announce(self.name.clone()));
    }

    #[zbus(signal)]
    pub(crate) async fn vrrp_status_change(emitter: &SignalEmitter<'_>, status: u32) -> zbus::Result<()>;

    #[zbus(property)]
    fn name(&self) -> (String,) {
        (self.name.to_string(),)
    }

    #[zbus(property)]
    fn state(&self) -> (u32, String) {
        let state = self.reader.world().instances.get(&self.name).map_or(VrrpState::Init, |it| it.state);
        (number(state), word(state).to_owned())
    }
}
