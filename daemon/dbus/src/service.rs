//! The connection to the system bus, and what is told over it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use keepwatch_bus::fact::{ConsumerFact, DaemonFact, VrrpFact};
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::{Event, Fact, Reader, WeakBus};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use zbus::fdo::{RequestNameFlags, RequestNameReply};
use zbus::object_server::SignalEmitter;
use zbus::{Connection, MessageStream, connection};

use crate::Asked;
use crate::names::Names;
use crate::objects::{Daemon, Desk, Instance as Object, STOPPED, number};

/// Pause after the first failure to connect; each further one in a row doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What one connection, one object or one signal may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// After a reload: if nothing changed by then, it is told that it is over.
const RELOADING: Duration = Duration::from_millis(300);

/// Serves what `wanted` says until the queue of events ends. Calls go to `asked`; what becomes of the connection is told on
/// `bus`, which is not kept alive.
pub async fn run(
    mut events: mpsc::UnboundedReceiver<Arc<Event>>,
    mut wanted: watch::Receiver<Option<Names>>,
    reader: Reader,
    bus: WeakBus,
    asked: mpsc::UnboundedSender<Asked>,
) {
    let desk = Desk { bus: bus.clone(), asked };
    let mut failures = 0;
    let mut next_try = Instant::now();
    let mut told: Option<String> = None;
    let mut line: Option<Line> = None;
    loop {
        let names = wanted.borrow().clone();
        if line.as_ref().is_some_and(|line| Some(&line.names) != names.as_ref())
            && let Some(old) = line.take()
        {
            old.leave(&bus).await;
        }
        let idle = line.is_none();
        let reloading = line.as_ref().and_then(|line| line.reloading);
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    let over = matches!(event.fact, Fact::Daemon(DaemonFact::DaemonStopped { .. }));
                    if let Some(line) = &mut line {
                        line.tell(&event).await;
                    }
                    if over {
                        break;
                    }
                }
                None => break,
            },
            changed = wanted.changed() => match changed {
                Ok(()) => (failures, next_try, told) = (0, Instant::now(), None),
                Err(_) => break,
            },
            end = ended(&mut line, &bus) => {
                told = Some(end.clone());
                if let Some(Line { names, .. }) = line.take() {
                    bus.publish(None, ConsumerFact::BusLost { name: names.service, error: end });
                }
                next_try = Instant::now() + FIRST_PAUSE;
            }
            () = sleep_until(next_try), if idle && names.is_some() => {
                let Some(names) = names else { continue };
                match Line::open(names.clone(), &reader, &desk).await {
                    Ok(open) => {
                        (failures, told) = (0, None);
                        open.begin(&bus).await;
                        line = Some(open);
                    }
                    Err(error) => {
                        failures += 1;
                        next_try = Instant::now() + pause_after(failures);
                        if told.as_ref() != Some(&error) {
                            told = Some(error.clone());
                            bus.publish(None, ConsumerFact::BusLost { name: names.service, error });
                        }
                    }
                }
            }
            () = over(reloading) => if let Some(line) = &mut line {
                line.reloaded().await;
            },
        }
    }
    if let Some(line) = line {
        line.stop().await;
    }
}

fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(8))).min(LONGEST_PAUSE)
}

/// When a reload is over about which nothing else is told.
async fn over(reloading: Option<Instant>) {
    match reloading {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Waits for the end of the connection and says why; tells of the name being got and lost meanwhile.
async fn ended(line: &mut Option<Line>, bus: &WeakBus) -> String {
    let Some(line) = line else { return std::future::pending().await };
    loop {
        let message = match line.messages.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return error.to_string(),
            None => return "the bus has closed the connection".to_owned(),
        };
        let header = message.header();
        let from_bus = header.interface().is_some_and(|name| name.as_str() == "org.freedesktop.DBus");
        let about_us = |message: &zbus::Message| {
            message.body().deserialize::<String>().is_ok_and(|name| *name == *line.names.service)
        };
        let name = line.names.service.clone();
        match header.member().map(|member| member.as_str()) {
            Some("NameAcquired") if from_bus && about_us(&message) && !line.owner => {
                line.owner = true;
                bus.publish(None, ConsumerFact::BusJoined { name });
            }
            Some("NameLost") if from_bus && about_us(&message) => {
                line.owner = false;
                let error = "another program took the name".to_owned();
                bus.publish(None, ConsumerFact::BusLost { name, error });
            }
            _ => {}
        }
    }
}

/// A connection with its objects.
struct Line {
    names: Names,
    connection: Connection,
    messages: MessageStream,
    desk: Desk,
    reader: Reader,
    /// Whether the name is ours.
    owner: bool,
    /// The objects: the path of each virtual router.
    paths: BTreeMap<Name, String>,
    /// Until when a reload counts as under way.
    reloading: Option<Instant>,
}

impl Line {
    async fn open(names: Names, reader: &Reader, desk: &Desk) -> Result<Self, String> {
        let connect = async {
            let daemon = Daemon { desk: desk.clone() };
            let builder = connection::Builder::system().serve_at(names.daemon(), daemon);
            let connection = builder.build().await?;
            let messages = MessageStream::from(&connection);
            zbus::Result::Ok((connection, messages))
        };
        let connected = timeout(PATIENCE, connect).await.map_err(|_| "the bus does not answer".to_owned())?;
        let (connection, messages) = connected.map_err(|error| error.to_string())?;
        let mut line = Self {
            names,
            connection,
            messages,
            desk: desk.clone(),
            reader: reader.clone(),
            owner: false,
            paths: BTreeMap::new(),
            reloading: None,
        };
        let known: Vec<Name> = line.reader.world().instances.values().map(|it| it.name.clone()).collect();
        for name in known {
            line.add(&name).await;
        }
        Ok(line)
    }

    /// Asks for the name, and tells how everything stands: after that, so that whoever listens by the name hears it.
    async fn begin(&self, bus: &WeakBus) {
        let service: &str = &self.names.service;
        // No flags: nobody is robbed, and whoever has it is waited for.
        let (name, no_flags) = (self.names.service.clone(), RequestNameFlags::empty());
        match timeout(PATIENCE, self.connection.request_name_with_flags(service, no_flags)).await {
            Ok(Ok(RequestNameReply::InQueue)) => {
                let error = "another program has the name; waiting for it".to_owned();
                bus.publish(None, ConsumerFact::BusLost { name, error });
            }
            // Being its owner is told when the bus says so.
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                bus.publish(None, ConsumerFact::BusLost { name, error: error.to_string() });
            }
            Err(_) => {
                let error = "the bus does not answer".to_owned();
                bus.publish(None, ConsumerFact::BusLost { name, error });
            }
        }
        self.signal_daemon(DaemonSignal::Started).await;
        let states: Vec<(String, VrrpState)> = {
            let world = self.reader.world();
            let state =
                |(name, path): (&Name, &String)| Some((path.clone(), world.instances.get(name)?.state));
            self.paths.iter().filter_map(state).collect()
        };
        for (path, state) in states.into_iter().filter(|(_, state)| *state != VrrpState::Init) {
            self.signal_state(&path, number(state)).await;
        }
    }

    async fn add(&mut self, name: &Name) {
        let path = {
            let world = self.reader.world();
            let Some(instance) = world.instances.get(name) else { return };
            self.names.instance(&instance.settings)
        };
        if self.paths.get(name) == Some(&path) {
            return;
        }
        self.remove(name).await;
        let object = Object { name: name.clone(), reader: self.reader.clone(), desk: self.desk.clone() };
        if let Ok(Ok(_)) = timeout(PATIENCE, self.connection.object_server().at(path.as_str(), object)).await
        {
            self.paths.insert(name.clone(), path);
        }
    }

    async fn remove(&mut self, name: &Name) {
        let Some(path) = self.paths.remove(name) else { return };
        let server = self.connection.object_server();
        let _ = timeout(PATIENCE, server.remove::<Object, _>(path.as_str())).await;
    }

    /// Tells of an event.
    async fn tell(&mut self, event: &Event) {
        match &event.fact {
            Fact::Daemon(DaemonFact::ConfigLoaded { reload: true, .. }) => {
                self.reloading = Some(Instant::now() + RELOADING);
            }
            Fact::Vrrp(VrrpFact::InstanceUnconfigured { instance }) => {
                if let Some(path) = self.paths.get(instance).cloned() {
                    self.signal_state(&path, number(VrrpState::Fault)).await;
                    self.remove(instance).await;
                }
            }
            Fact::Vrrp(VrrpFact::InstanceConfigured { instance, .. }) => {
                self.reloaded().await;
                self.add(instance).await;
            }
            Fact::Vrrp(VrrpFact::InstanceRenamed { instance, from }) => {
                self.reloaded().await;
                if let Some(path) = self.paths.remove(from) {
                    let object = self.connection.object_server().interface::<_, Object>(path.as_str()).await;
                    if let Ok(object) = object {
                        object.get_mut().await.name = instance.clone();
                        let _ = object.get().await.name_changed(object.signal_emitter()).await;
                    }
                    self.paths.insert(instance.clone(), path);
                }
            }
            Fact::Vrrp(VrrpFact::StateChanged { instance, to, .. }) if *to != VrrpState::Init => {
                if let Some(path) = self.paths.get(instance).cloned() {
                    self.signal_state(&path, number(*to)).await;
                    let object = self.connection.object_server().interface::<_, Object>(path.as_str()).await;
                    if let Ok(object) = object {
                        let _ = object.get().await.state_changed(object.signal_emitter()).await;
                    }
                }
            }
            _ => {}
        }
    }

    /// Tells, once, that a reload is over.
    async fn reloaded(&mut self) {
        if self.reloading.take().is_some() {
            self.signal_daemon(DaemonSignal::Reloaded).await;
        }
    }

    async fn signal_state(&self, path: &str, state: u32) {
        if let Ok(emitter) = SignalEmitter::new(&self.connection, path) {
            // Who is not there to hear it is no loss.
            let _ = timeout(PATIENCE, Object::vrrp_status_change(&emitter, state)).await;
        }
    }

    async fn signal_daemon(&self, signal: DaemonSignal) {
        let Ok(emitter) = SignalEmitter::new(&self.connection, self.names.daemon()) else { return };
        let _ = match signal {
            DaemonSignal::Started => timeout(PATIENCE, Daemon::vrrp_started(&emitter)).await,
            DaemonSignal::Reloaded => timeout(PATIENCE, Daemon::vrrp_reloaded(&emitter)).await,
            DaemonSignal::Stopped => timeout(PATIENCE, Daemon::vrrp_stopped(&emitter)).await,
        };
    }

    /// The daemon ends.
    async fn stop(self) {
        for path in self.paths.values() {
            self.signal_state(path, STOPPED).await;
        }
        self.signal_daemon(DaemonSignal::Stopped).await;
        self.close().await;
    }

    /// It is not wanted any more, or under other names.
    async fn leave(self, bus: &WeakBus) {
        bus.publish(None, ConsumerFact::BusLeft { name: self.names.service.clone() });
        self.close().await;
    }

    async fn close(self) {
        let service: &str = &self.names.service;
        let _ = timeout(PATIENCE, self.connection.release_name(service)).await;
        let _ = timeout(PATIENCE, self.connection.close()).await;
    }
}

#[derive(Clone, Copy)]
enum DaemonSignal {
    Started,
    Reloaded,
    Stopped,
}
