//! The history file. In: what earlier runs left in it, for the bus to begin with; then every event. Out: the file.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::history::write_file;
use keepwatch_bus::{BusSettings, Event, Fact, FileSettings, Reader, Recorded, WeakBus, own_file};
use keepwatch_config::Config;

use super::Complaint;
use crate::terminal::plain;
use crate::worker::settings::Settings;

/// What the file may take to be read at the start. A disk that hangs must not keep the addresses down.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// What it may take to be written at the end.
const STOP_WITHIN: Duration = Duration::from_millis(400);

/// What earlier runs left in the history file, for the bus to begin with; and the file to go on with, or why not.
pub(in crate::worker) struct Earlier {
    /// Sizes and events of the bus.
    pub(in crate::worker) bus: BusSettings,
    file: Option<FileSettings>,
    complaint: Option<Complaint>,
    /// Lines of the file that could not be read.
    passed_over: u64,
}

impl Earlier {
    /// Reads the history file, if there is to be one.
    pub(in crate::worker) fn read(settings: &Settings, config: &Config) -> Self {
        let capacity = config.observability.history.events.max(1);
        let mut bus = BusSettings { history: capacity, ..BusSettings::default() };
        let Some(file) = settings.history(config) else {
            return Self { bus, file: None, complaint: None, passed_over: 0 };
        };
        match read_within(file.clone(), capacity) {
            Ok(Recorded { events, passed_over }) => {
                bus.earlier = events;
                Self { bus, file: Some(file), complaint: None, passed_over }
            }
            Err(error) => {
                let why =
                    format!("{} can't be used: {error}; events are kept in memory only", file.path.display());
                Self { bus, file: None, complaint: Some(("history".into(), why)), passed_over: 0 }
            }
        }
    }
}

impl Earlier {
    /// How often a worker had to be started again since the last clean start, as far as the history says.
    pub(in crate::worker) fn restarts(&self) -> u32 {
        let restarted =
            |event: &&Event| matches!(event.fact, Fact::Daemon(DaemonFact::WorkerRestarted { .. }));
        let ended = |event: &&Event| matches!(event.fact, Fact::Daemon(DaemonFact::DaemonStopping { .. }));
        let since = self.bus.earlier.iter().rev().take_while(|event| !ended(event));
        u32::try_from(since.filter(restarted).count()).unwrap_or(u32::MAX - 1)
    }
}

fn read_within(file: FileSettings, capacity: usize) -> Result<Recorded, String> {
    let (done, result) = mpsc::channel();
    let read = move || {
        let events = own_file::directory_for(&file.path).and_then(|()| file.load(capacity));
        // Nobody waits any more if this took too long.
        let _ = done.send(events.map_err(|error| plain(&error)));
    };
    std::thread::Builder::new().name("history".into()).spawn(read).map_err(|error| plain(&error))?;
    result.recv_timeout(READ_WITHIN).unwrap_or_else(|_| Err("reading it takes too long".into()))
}

/// The thread that writes the file, where there is one.
pub(in crate::worker) struct History(Option<std::thread::JoinHandle<()>>);

impl History {
    /// Goes on with the file; also says why it can't.
    pub(in crate::worker) fn start(
        earlier: Earlier,
        reader: &Reader,
        bus: WeakBus,
    ) -> (Self, Option<Complaint>) {
        let mut complaint = earlier.complaint;
        if let (Some(file), lines @ 1..) = (&earlier.file, earlier.passed_over) {
            let file = file.path.display().to_string();
            bus.publish(None, DaemonFact::HistoryPassedOver { file, lines });
        }
        let thread = earlier.file.and_then(|file| {
            let started = write_file(file, reader.watch("history"), bus);
            started.map_err(|error| complaint = Some(("history".into(), plain(&error)))).ok()
        });
        (Self(thread), complaint)
    }

    /// Waits until the last event is written; to be called after the hub has ended.
    pub(in crate::worker) async fn stop(self) {
        let until = Instant::now() + STOP_WITHIN;
        while self.0.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
