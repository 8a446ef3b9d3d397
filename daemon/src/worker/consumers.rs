//! What watches: its parts, in the order in which they begin and end. In: the hub, configurations. Out: whatever each
//! part makes of events. None of them can hold up what acts, and one that can't start is a fact on the bus and a line
//! in the log, never a reason not to fail over.

use std::net::TcpListener;
use std::time::Duration;

use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::{Bus, Hub, Reader};
use keepwatch_config::Config;
use keepwatch_mib::SetRequest;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::parts::Complaint;
use super::parts::control::Control;
use super::parts::dbus::Dbus;
use super::parts::dumps::{Dump, Dumps};
use super::parts::fifos::Fifos;
use super::parts::history::{Earlier, History};
use super::parts::http::Http;
use super::parts::log::Log;
use super::parts::mail::Mail;
use super::parts::otlp::Otlp;
use super::parts::placed;
use super::parts::scripts::Scripts;
use super::parts::snmp::Snmp;
use super::parts::standing;
use super::parts::webhooks::Webhooks;
use super::pulse::ToSupervisor;
use super::reload::Wanted;
use super::settings::Settings;
use crate::cli::DataplaneKind;
use crate::control::server::Asked;
use crate::systemd;

/// What the hub may take to hand on the last events.
const LAST_EVENTS: Duration = Duration::from_millis(400);

/// Everything that watches.
pub(super) struct Consumers {
    reader: Reader,
    hub: JoinHandle<()>,
    log: Log,
    history: History,
    mail: Mail,
    scripts: Scripts,
    fifos: Fifos,
    webhooks: Webhooks,
    dumps: Dumps,
    otlp: Otlp,
    snmp: Snmp,
    dbus: Dbus,
    /// What is asked for on the system bus.
    requests: UnboundedReceiver<keepwatch_dbus::Asked>,
    control: Option<Control>,
    http: Option<Http>,
}

impl Consumers {
    /// Starts all that needs no socket, and sets the hub going.
    pub(super) fn start(
        settings: &Settings,
        config: &Config,
        earlier: Earlier,
        mut hub: Hub,
        bus: &Bus,
        supervisor: &ToSupervisor,
    ) -> Self {
        let reader = hub.reader();
        let (log, mut complaints) = Log::start(&settings.cli, &mut hub);
        let (history, complaint) = History::start(earlier, &reader, bus.downgrade());
        complaints.extend(complaint);
        let mail = Mail::start(settings, config, &mut hub, reader.clone(), bus);
        let scripts = Scripts::start(&mut hub, bus);
        let fifos = Fifos::start(settings, config, &mut hub, bus, supervisor);
        let webhooks = Webhooks::start(&mut hub, reader.clone(), bus);
        let dumps = Dumps::start(settings, reader.clone(), bus);
        let otlp = Otlp::start(&reader, bus);
        let snmp = Snmp::start(&mut hub, reader.clone(), bus);
        let (dbus, requests) = Dbus::start(&mut hub, reader.clone(), bus);
        // In shadow no address is put anywhere.
        if settings.dataplane() != DataplaneKind::Shadow {
            tokio::spawn(placed::run(hub.deliver("supervisor", placed::concerns), supervisor.clone()));
        }
        if systemd::is_told() {
            tokio::spawn(standing::run(
                hub.deliver("service manager", standing::concerns),
                reader.clone(),
                supervisor.clone(),
            ));
        }
        let (begin, begun) = oneshot::channel::<()>();
        let hub = tokio::spawn(async move {
            // Told or given up: nobody waits in vain for events.
            let _ = begun.await;
            hub.run().await;
        });
        let consumers = Self {
            reader,
            hub,
            log,
            history,
            mail,
            scripts,
            fifos,
            webhooks,
            dumps,
            otlp,
            snmp,
            dbus,
            requests,
            control: None,
            http: None,
        };
        consumers.apply(settings, config, bus);
        // Now that everybody knows what is wanted of him, so that the first events are told as all others are.
        let _ = begin.send(());
        complaints.into_iter().for_each(|complaint| tell(bus, complaint));
        consumers
    }

    /// Read access for others.
    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What managers set over SNMP; once.
    pub(super) fn take_asked(&mut self) -> Option<mpsc::UnboundedReceiver<SetRequest>> {
        self.snmp.take_asked()
    }

    /// Tells those that go by the configuration themselves of a new one.
    pub(super) fn apply(&self, settings: &Settings, config: &Config, bus: &Bus) {
        self.otlp.apply(config, bus);
        // In shadow another daemon acts on this configuration: its mails, its scripts and its MIB would come twice.
        if settings.dataplane() == DataplaneKind::Shadow {
            return;
        }
        self.mail.apply(config);
        self.webhooks.apply(config);
        self.scripts.apply(config, settings.cli.umask);
        self.fifos.apply(settings, config);
        self.snmp.apply(settings, config, bus);
        // keepalived's process of virtual routers is the one that is on the bus.
        if settings.vrrp() {
            self.dbus.apply(config);
        }
    }

    /// What is asked for next by those to whom others talk. Cancel-safe.
    pub(super) async fn asked(&mut self) -> keepwatch_dbus::Asked {
        match self.requests.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// Writes down how things stand.
    pub(super) fn dump(&self, dump: Dump) {
        self.dumps.ask(dump);
    }

    /// Opens the listeners, which may take their time.
    pub(super) async fn open(
        &mut self,
        settings: &Settings,
        config: &Config,
        bus: &Bus,
        handed_in: Option<TcpListener>,
        reloads: mpsc::Sender<Wanted>,
    ) {
        let asked = Asked {
            reader: self.reader.clone(),
            zero: self.dumps.zero(),
            levels: self.log.levels(),
            bus: bus.downgrade(),
            reloads,
        };
        match Control::start(settings, config, asked).await {
            Ok(control) => self.control = Some(control),
            Err(error) => tell(bus, ("control socket".into(), error)),
        }
        match Http::start(settings, config, handed_in, self.reader.clone(), bus) {
            Ok(http) => self.http = http,
            Err(error) => tell(bus, ("http".into(), error)),
        }
    }

    /// Lets those end who tell others, after it was told that everything has stopped: they tell of it.
    pub(super) async fn finish_telling(self) -> Remaining {
        let Self {
            reader: _,
            hub,
            log,
            history,
            mail,
            scripts,
            fifos,
            webhooks,
            dumps,
            otlp,
            snmp,
            dbus,
            requests: _,
            control,
            http,
        } = self;
        dumps.stop();
        tokio::join!(mail.stop(), scripts.stop(), fifos.stop(), dbus.stop());
        Remaining { hub, log, history, webhooks, otlp, snmp, control, http }
    }
}

/// What is left when all has been told.
pub(super) struct Remaining {
    hub: JoinHandle<()>,
    log: Log,
    history: History,
    webhooks: Webhooks,
    otlp: Otlp,
    snmp: Snmp,
    control: Option<Control>,
    http: Option<Http>,
}

impl Remaining {
    /// Ends everything, after the last [`Bus`] has been dropped: what was published is still logged and kept, as far
    /// as the sinks and the disk allow within a moment.
    pub(super) async fn stop(self) {
        if let Some(control) = self.control {
            control.stop().await;
        }
        if let Some(http) = self.http {
            http.stop().await;
        }
        let _ = timeout(LAST_EVENTS, self.hub).await;
        tokio::join!(self.webhooks.stop(), self.otlp.stop(), self.snmp.stop());
        self.log.stop().await;
        self.history.stop().await;
    }
}

fn tell(bus: &Bus, (consumer, error): Complaint) {
    bus.publish(None, ConsumerFact::ConsumerFailed { consumer, error });
}
