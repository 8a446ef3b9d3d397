//! The connection to the system bus, and what is told over it.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use keepwatch_bus::fact::{ConsumerFact, DaemonFact, VrrpFact};
use keepwatch_bus::pause::Pauses;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::{Deliveries, Event, Fact, Reader, WeakBus};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use zbus::fdo::{RequestNameFlags, RequestNameReply};
use zbus::object_server::SignalEmitter;
use zbus::{Connection, MessageStream, connection};

use crate::Asked;
use crate::names::Names;
use crate::objects::{Daemon, Desk, Instance as Object, STOPPED, number};
use crate::routers::Routers;

/// Between tries to connect.
const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
/// What one connection, one object or one signal may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The name of the bus itself, and of its interface.
const BUS: &str = "org.freedesktop.DBus";
/// After a reload: if nothing changed by then, it is told that it is over.
const RELOADING: Duration = Duration::from_millis(300);

/// What [`run`] is to be told.
pub fn concerns(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Daemon(_)
            | Fact::Vrrp(
                VrrpFact::InstanceConfigured { .. }
                    | VrrpFact::InstanceUnconfigured { .. }
                    | VrrpFact::InstanceRenamed { .. }
                    | VrrpFact::StateChanged { .. }
            )
    )
}

/// Serves what `wanted` says until the queue of events ends. Calls go to `asked`; what becomes of the connection is told on
/// `bus`, which is not kept alive.
pub async fn run(
    mut events: Deliveries,
    mut wanted: watch::Receiver<Option<Names>>,
    reader: Reader,
    bus: WeakBus,
    asked: mpsc::UnboundedSender<Asked>,
) {
    let desk = Desk { bus: bus.clone(), asked };
    let mut tries = Tries::new();
    let mut routers = Routers::default();
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
        let done = tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    routers.take(&event.fact);
                    let done = match &mut line {
                        Some(line) => line.tell(&event, &routers).await,
                        None => Ok(()),
                    };
                    if matches!(event.fact, Fact::Daemon(DaemonFact::DaemonStopped { .. })) {
                        break;
                    }
                    done
                }
                None => break,
            },
            changed = wanted.changed() => match changed {
                Ok(()) => {
                    tries = Tries::new();
                    Ok(())
                }
                Err(_) => break,
            },
            end = ended(&mut line, &bus) => Err(end),
            () = sleep_until(tries.next), if idle && names.is_some() => {
                let Some(names) = names else { continue };
                match Line::begun(names.clone(), &reader, &desk, &routers, &bus).await {
                    Ok(begun) => {
                        tries = Tries::new();
                        line = Some(begun);
                    }
                    Err(error) => tries.fail(names.service, error, &bus),
                }
                Ok(())
            }
            () = over(reloading) => match &mut line {
                Some(line) => line.reloaded().await,
                None => Ok(()),
            },
        };
        if let Err(error) = done
            && let Some(lost) = line.take()
        {
            tries.lost(lost.names.service.clone(), error, &bus);
            lost.hang_up().await;
        }
    }
    if let Some(line) = line {
        line.stop().await;
    }
}

/// What became of connecting.
struct Tries {
    /// In a row.
    failures: u32,
    /// When the next one is to be made.
    next: Instant,
    /// The failure that was told last, but for [what changes](without_connection): it is told once.
    told: Option<String>,
}

impl Tries {
    fn new() -> Self {
        Self { failures: 0, next: Instant::now(), told: None }
    }

    /// It did not come to a connection.
    fn fail(&mut self, name: Name, error: String, bus: &WeakBus) {
        self.failures += 1;
        self.next = Instant::now() + PAUSES.after(self.failures);
        let kind = without_connection(&error);
        if self.told.as_ref() != Some(&kind) {
            self.told = Some(kind);
            bus.publish(None, ConsumerFact::BusLost { name, error });
        }
    }

    /// The connection that there was is lost.
    fn lost(&mut self, name: Name, error: String, bus: &WeakBus) {
        self.next = Instant::now() + PAUSES.first;
        self.told = Some(without_connection(&error));
        bus.publish(None, ConsumerFact::BusLost { name, error });
    }
}

/// What the bus says, without the name of the connection, which is another one each time.
fn without_connection(error: &str) -> String {
    error.split(' ').filter(|word| !word.starts_with("\":")).collect::<Vec<_>>().join(" ")
}

/// What comes of work within [`PATIENCE`]. A bus that did not take one message hangs: the next one would take as long.
async fn soon<T>(work: impl Future<Output = T>) -> Result<T, String> {
    timeout(PATIENCE, work).await.map_err(|_| "the bus does not answer".to_owned())
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
        // Anybody can send a signal of that interface; nobody but the bus has its name.
        let from_bus = header.interface().is_some_and(|name| name.as_str() == BUS)
            && header.sender().is_some_and(|name| name.as_str() == BUS);
        let about_us = |message: &zbus::Message| {
            message.body().deserialize::<String>().is_ok_and(|name| *name == *line.names.service)
        };
        let name = line.names.service.clone();
        match header.member().map(|member| member.as_str()) {
            Some("NameAcquired") if from_bus && about_us(&message) && !line.owner => {
                line.owner = true;
                bus.publish(None, ConsumerFact::BusJoined { name });
            }
            Some("NameLost") if from_bus && about_us(&message) && line.owner => {
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
    /// Connects, asks for the name and tells how everything stands.
    async fn begun(
        names: Names,
        reader: &Reader,
        desk: &Desk,
        routers: &Routers,
        bus: &WeakBus,
    ) -> Result<Self, String> {
        let mut line = Self::open(names, reader, desk).await?;
        match line.begin(routers, bus).await {
            Ok(()) => Ok(line),
            Err(error) => {
                line.hang_up().await;
                Err(error)
            }
        }
    }

    async fn open(names: Names, reader: &Reader, desk: &Desk) -> Result<Self, String> {
        let connect = async {
            let daemon = Daemon { desk: desk.clone() };
            let builder = connection::Builder::system().serve_at(names.daemon(), daemon);
            let connection = builder.build().await?;
            let messages = MessageStream::from(&connection);
            zbus::Result::Ok((connection, messages))
        };
        let (connection, messages) = soon(connect).await?.map_err(|error| error.to_string())?;
        Ok(Self {
            names,
            connection,
            messages,
            desk: desk.clone(),
            reader: reader.clone(),
            owner: false,
            paths: BTreeMap::new(),
            reloading: None,
        })
    }

    /// Asks for the name, and tells how everything stands: after that, so that whoever listens by the name hears it. An
    /// error if the name can't be had, nor waited for.
    async fn begin(&mut self, routers: &Routers, bus: &WeakBus) -> Result<(), String> {
        for (name, _) in routers.all() {
            self.add(name, routers).await?;
        }
        let service: &str = &self.names.service;
        // No flags: nobody is robbed, and whoever has it is waited for.
        let asked = self.connection.request_name_with_flags(service, RequestNameFlags::empty());
        // Being its owner is told when the bus says so.
        if soon(asked).await?.map_err(|error| error.to_string())? == RequestNameReply::InQueue {
            let error = "another program has the name; waiting for it".to_owned();
            bus.publish(None, ConsumerFact::BusLost { name: self.names.service.clone(), error });
        }
        self.signal_daemon(DaemonSignal::Started).await?;
        for (name, router) in routers.all().filter(|(_, router)| router.state != VrrpState::Init) {
            if let Some(path) = self.paths.get(name) {
                self.signal_state(path, number(router.state)).await?;
            }
        }
        Ok(())
    }

    /// Has a virtual router be an object, at the path that goes with its settings.
    async fn add(&mut self, name: &Name, routers: &Routers) -> Result<(), String> {
        let Some(router) = routers.get(name) else { return Ok(()) };
        let path = self.names.instance(&router.settings);
        if self.paths.get(name) == Some(&path) {
            return Ok(());
        }
        self.remove(name).await?;
        // One that had this path and has another one by now, of which it is told next.
        let other = self.paths.iter().find(|(_, taken)| **taken == path).map(|(name, _)| name.clone());
        if let Some(other) = other {
            self.remove(&other).await?;
        }
        let object = Object { name: name.clone(), reader: self.reader.clone(), desk: self.desk.clone() };
        if let Ok(None) = soon(self.connection.object_server().at(path.as_str(), object)).await? {
            self.paths.insert(name.clone(), path);
        }
        Ok(())
    }

    /// No two have one path, so that nobody else's object is taken away.
    async fn remove(&mut self, name: &Name) -> Result<(), String> {
        let Some(path) = self.paths.remove(name) else { return Ok(()) };
        // That there is none would be no matter.
        soon(self.connection.object_server().remove::<Object, _>(path.as_str())).await.map(drop)
    }

    /// Tells of an event, which the virtual routers know already. An error if the bus hangs.
    async fn tell(&mut self, event: &Event, routers: &Routers) -> Result<(), String> {
        match &event.fact {
            Fact::Daemon(DaemonFact::ConfigLoaded { reload: true, .. }) => {
                self.reloading = Some(Instant::now() + RELOADING);
            }
            Fact::Vrrp(VrrpFact::InstanceUnconfigured { instance }) => {
                if let Some(path) = self.paths.get(instance) {
                    self.signal_state(path, number(VrrpState::Fault)).await?;
                    self.remove(instance).await?;
                }
            }
            Fact::Vrrp(VrrpFact::InstanceConfigured { instance, .. }) => {
                self.reloaded().await?;
                self.add(instance, routers).await?;
            }
            Fact::Vrrp(VrrpFact::InstanceRenamed { instance, from }) => {
                self.reloaded().await?;
                self.rename(from, instance).await?;
            }
            Fact::Vrrp(VrrpFact::StateChanged { instance, to, .. }) if *to != VrrpState::Init => {
                if let Some(path) = self.paths.get(instance) {
                    self.signal_state(path, number(*to)).await?;
                    self.state_changed(path).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The same object has another name.
    async fn rename(&mut self, from: &Name, to: &Name) -> Result<(), String> {
        let Some(path) = self.paths.remove(from) else { return Ok(()) };
        let change = async {
            let object = self.connection.object_server().interface::<_, Object>(path.as_str()).await?;
            object.get_mut().await.name = to.clone();
            object.get().await.name_changed(object.signal_emitter()).await
        };
        // Who is not there to hear it is no loss.
        let _ = soon(change).await?;
        self.paths.insert(to.clone(), path);
        Ok(())
    }

    /// Tells whoever keeps properties that the state is another one.
    async fn state_changed(&self, path: &str) -> Result<(), String> {
        let change = async {
            let object = self.connection.object_server().interface::<_, Object>(path).await?;
            object.get().await.state_changed(object.signal_emitter()).await
        };
        soon(change).await.map(drop)
    }

    /// Tells, once, that a reload is over.
    async fn reloaded(&mut self) -> Result<(), String> {
        match self.reloading.take() {
            Some(_) => self.signal_daemon(DaemonSignal::Reloaded).await,
            None => Ok(()),
        }
    }

    async fn signal_state(&self, path: &str, state: u32) -> Result<(), String> {
        let Ok(emitter) = SignalEmitter::new(&self.connection, path) else { return Ok(()) };
        // Who is not there to hear it is no loss.
        soon(Object::vrrp_status_change(&emitter, state)).await.map(drop)
    }

    async fn signal_daemon(&self, signal: DaemonSignal) -> Result<(), String> {
        let Ok(emitter) = SignalEmitter::new(&self.connection, self.names.daemon()) else { return Ok(()) };
        let signalled = match signal {
            DaemonSignal::Started => soon(Daemon::vrrp_started(&emitter)).await,
            DaemonSignal::Reloaded => soon(Daemon::vrrp_reloaded(&emitter)).await,
            DaemonSignal::Stopped => soon(Daemon::vrrp_stopped(&emitter)).await,
        };
        signalled.map(drop)
    }

    /// The daemon ends.
    async fn stop(self) {
        let last = async {
            for path in self.paths.values() {
                self.signal_state(path, STOPPED).await?;
            }
            self.signal_daemon(DaemonSignal::Stopped).await
        };
        match last.await {
            Ok(()) => self.close().await,
            Err(_) => self.hang_up().await,
        }
    }

    /// It is not wanted any more, or under other names.
    async fn leave(self, bus: &WeakBus) {
        bus.publish(None, ConsumerFact::BusLeft { name: self.names.service.clone() });
        self.close().await;
    }

    async fn close(self) {
        let service: &str = &self.names.service;
        let _ = soon(self.connection.release_name(service)).await;
        self.hang_up().await;
    }

    /// Closes the connection; the bus takes the name away with it.
    async fn hang_up(self) {
        let _ = soon(self.connection.close()).await;
    }
}

#[derive(Clone, Copy)]
enum DaemonSignal {
    Started,
    Reloaded,
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_refusals_are_the_same_whatever_the_connection_is_called() {
        let refused = |connection: &str| {
            format!(
                "AccessDenied: Connection \"{connection}\" is not allowed to own the service \"org.example.Other\""
            )
        };
        let kind = without_connection(&refused(":1.0"));
        assert_eq!(kind, without_connection(&refused(":1.27")));
        assert!(kind.contains("org.example.Other"), "{kind}");
    }
}
