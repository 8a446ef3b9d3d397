//! What watches: log, history file, control socket, HTTP, SNMP, mail, notify scripts. In: a [`Reader`] and queues of the bus. Out:
//! whatever each of them makes of it. None of them can hold up what acts, and one that can't start is a fact on the
//! bus and a line in the log, never a reason not to fail over.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{ConsumerFact, DaemonFact};
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Bus, BusSettings, Event, FileSettings, Hub, Reader, history};
use keepwatch_config::{Config, Severity};
use keepwatch_mib::Parts;
use keepwatch_notify::MailSettings;
use keepwatch_notify::postman::{self, Patience};
use keepwatch_notify::scripts::{self, Bounds, ScriptSettings};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::pulse::ToSupervisor;
use super::settings::Settings;
use super::{log, placed};
use crate::cli::DataplaneKind;
use crate::control::server::Server;
use crate::logging::LogSettings;
use crate::logging::queue::Queue;

/// What the history file may take to be read at the start. A disk that hangs must not keep the addresses down.
const READ_HISTORY: Duration = Duration::from_secs(1);
/// How long notify scripts about the end are started and waited for.
const LAST_SCRIPTS: Duration = Duration::from_secs(1);
/// How long mail about the end may be tried.
const LAST_MAIL: Duration = Duration::from_secs(1);
/// What the hub, the log and the history file may take at the end, each.
const LAST_EVENTS: Duration = Duration::from_millis(400);

/// Something that could not start: which, and why.
type Complaint = (Name, String);

/// Everything that watches.
pub struct Consumers {
    reader: Reader,
    hub: Option<JoinHandle<()>>,
    log: JoinHandle<()>,
    history: Option<std::thread::JoinHandle<()>>,
    wanted: Wanted,
    postman: JoinHandle<()>,
    scripts: JoinHandle<()>,
    agent: JoinHandle<()>,
    tasks: JoinSet<()>,
}

/// What earlier runs left in the history file, for the bus to begin with; and the file to go on with, or why not.
pub struct Earlier {
    /// Sizes and events of the bus.
    pub bus: BusSettings,
    file: Option<FileSettings>,
    complaint: Option<Complaint>,
}

impl Earlier {
    /// Reads the history file, if there is to be one.
    pub fn read(settings: &Settings, config: &Config) -> Self {
        let capacity = config.observability.history.events.max(1);
        let mut bus = BusSettings { history: capacity, ..BusSettings::default() };
        let Some(file) = settings.history(config) else { return Self { bus, file: None, complaint: None } };
        match read_within(file.clone(), capacity) {
            Ok(earlier) => {
                bus.earlier = earlier;
                Self { bus, file: Some(file), complaint: None }
            }
            Err(error) => {
                let why = format!("{}: {error}; events are kept in memory only", file.path.display());
                Self { bus, file: None, complaint: Some(("history".into(), why)) }
            }
        }
    }
}

fn read_within(file: FileSettings, capacity: usize) -> Result<Vec<Event>, String> {
    let (done, result) = mpsc::channel();
    let read = move || {
        let directory = file.path.parent().map(std::fs::create_dir_all).transpose();
        let events = directory.and_then(|_| file.load(capacity));
        // Nobody waits any more if this took too long.
        let _ = done.send(events.map_err(|error| error.to_string()));
    };
    std::thread::Builder::new().name("history".into()).spawn(read).map_err(|error| error.to_string())?;
    result.recv_timeout(READ_HISTORY).unwrap_or_else(|_| Err("reading it takes too long".into()))
}

/// What consumers with settings of their own are to do; changes with a reload.
struct Wanted {
    mail: watch::Sender<Option<MailSettings>>,
    scripts: watch::Sender<Arc<ScriptSettings>>,
    snmp: watch::Sender<Option<keepwatch_mib::Settings>>,
}

impl Wanted {
    fn new() -> Self {
        let (mail, snmp) = (watch::Sender::new(None), watch::Sender::new(None));
        Self { mail, scripts: watch::Sender::new(Arc::default()), snmp }
    }

    fn set(&self, settings: &Settings, config: &Config, bus: &Bus) {
        // In shadow another daemon acts on this configuration: its mails, its scripts and its MIB would come twice.
        if settings.dataplane() == DataplaneKind::Shadow {
            return;
        }
        self.mail.send_replace(MailSettings::of(config));
        self.scripts.send_replace(Arc::new(ScriptSettings::of(config)));
        let running = Parts { vrrp: settings.vrrp(), checker: settings.checkers() };
        let socket = settings.cli.snmp_agent_socket.as_deref();
        let snmp =
            keepwatch_mib::Settings::of(config, settings.cli.snmp, socket, running).unwrap_or_else(|error| {
                bus.publish(
                    None,
                    ConsumerFact::ConsumerFailed { consumer: "snmp".into(), error: error.to_string() },
                );
                None
            });
        self.snmp.send_replace(snmp);
    }
}

impl Consumers {
    /// Opens the log, the queues of the bus and the history file, and sets the hub going.
    pub fn start(
        settings: &Settings,
        config: &Config,
        earlier: Earlier,
        mut hub: Hub,
        bus: &Bus,
        supervisor: &ToSupervisor,
    ) -> Self {
        let reader = hub.reader();
        let (queue, complaints) = Queue::open(&LogSettings::of(&settings.cli));
        let log = tokio::spawn(log::run(hub.deliver(), queue));
        let mut complaints: Vec<Complaint> = complaints.into_iter().map(|why| ("log".into(), why)).collect();
        complaints.extend(earlier.complaint);
        let history = earlier.file.and_then(|file| {
            let started = history::write_file(file, reader.watch("history"), bus.downgrade());
            started.map_err(|error| complaints.push(("history".into(), error.to_string()))).ok()
        });
        let wanted = Wanted::new();
        wanted.set(settings, config, bus);
        let patience = Patience { farewell: LAST_MAIL, ..Patience::default() };
        let mail = wanted.mail.subscribe();
        let postman = postman::run(hub.deliver(), mail, reader.clone(), bus.downgrade(), patience);
        let postman = tokio::spawn(postman);
        let bounds = Bounds { farewell: LAST_SCRIPTS, ..Bounds::default() };
        let scripts = scripts::run(hub.deliver(), wanted.scripts.subscribe(), bus.downgrade(), bounds);
        let scripts = tokio::spawn(scripts);
        let snmp = wanted.snmp.subscribe();
        let agent = tokio::spawn(keepwatch_mib::run(snmp, reader.clone(), bus.downgrade(), hub.deliver()));
        // In shadow no address is put anywhere.
        if settings.dataplane() != DataplaneKind::Shadow {
            tokio::spawn(placed::run(hub.deliver(), supervisor.clone()));
        }
        let hub = Some(tokio::spawn(hub.run()));
        for (consumer, error) in complaints {
            bus.publish(None, ConsumerFact::ConsumerFailed { consumer, error });
        }
        Self { reader, hub, log, history, wanted, postman, scripts, agent, tasks: JoinSet::new() }
    }

    /// Read access for others.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Tells those that go by the configuration themselves of a new one.
    pub fn reconfigure(&self, settings: &Settings, config: &Config, bus: &Bus) {
        self.wanted.set(settings, config, bus);
    }

    /// Starts everything that may take its time: sockets and sessions.
    pub async fn open(
        &mut self,
        settings: &Settings,
        config: &Config,
        bus: &Bus,
        handed_in: Option<TcpListener>,
    ) {
        let complain = |consumer: &str, error: String| {
            bus.publish(None, ConsumerFact::ConsumerFailed { consumer: consumer.into(), error });
        };
        if let Err(error) = self.control(settings.control_socket(config)).await {
            complain("control socket", error);
        }
        if let Err(error) = self.http(settings, config, bus, handed_in) {
            complain("http", error);
        }
    }

    async fn control(&mut self, path: PathBuf) -> Result<(), String> {
        let server = Server::bind(&path).await.map_err(|error| format!("{}: {error}", path.display()))?;
        self.tasks.spawn(server.run(self.reader.clone()));
        Ok(())
    }

    fn http(
        &mut self,
        settings: &Settings,
        config: &Config,
        bus: &Bus,
        handed_in: Option<TcpListener>,
    ) -> Result<(), String> {
        let listener = match (handed_in, settings.listen(config)) {
            (Some(listener), _) => listener,
            (None, None) => return Ok(()),
            (None, Some(address)) => {
                TcpListener::bind(address).map_err(|error| format!("{address}: {error}"))?
            }
        };
        if let Ok(address) = listener.local_addr()
            && !address.ip().is_loopback()
        {
            bus.publish(None, exposed(address));
        }
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(listener))
            .map_err(|error| error.to_string())?;
        self.tasks.spawn(keepwatch_export::serve(
            listener,
            self.reader.clone(),
            keepwatch_export::Limits::default(),
        ));
        Ok(())
    }

    /// Ends everything, after the last [`Bus`] has been dropped: what was published is still logged and kept, as far
    /// as the sinks and the disk allow within a moment.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        // They have bounded themselves since they heard that the daemon stops.
        let last =
            tokio::join!(timeout(LAST_MAIL, &mut self.postman), timeout(LAST_SCRIPTS, &mut self.scripts));
        drop(last);
        self.postman.abort();
        self.scripts.abort();
        if let Some(hub) = self.hub.take() {
            let _ = timeout(LAST_EVENTS, hub).await;
        }
        let _ = timeout(LAST_EVENTS, &mut self.agent).await;
        self.agent.abort();
        let _ = timeout(LAST_EVENTS, self.log).await;
        let until = Instant::now() + LAST_EVENTS;
        while self.history.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// What everybody can read who reaches this address.
fn exposed(address: SocketAddr) -> DaemonFact {
    DaemonFact::ConfigDiagnosed {
        severity: Severity::Warning,
        code: "listen-exposed".into(),
        place: String::new(),
        message: format!(
            "the HTTP server listens on {address}, which is not loopback: whoever reaches it can read the state of all \
             virtual routers and servers, their addresses and interfaces, and what happened (no password is among it, \
             and nothing can be changed)"
        ),
    }
}
