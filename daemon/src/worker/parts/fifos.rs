//! FIFOs. In: the configuration's FIFOs, every event. Out: lines in pipes, and the scripts that read them.

use std::sync::Arc;

use keepwatch_bus::{Bus, Hub};
use keepwatch_config::Config;
use keepwatch_notify::fifos::{self, FifoSettings, Memory, PipeNews};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cli::DataplaneKind;
use crate::left::{self, Left};
use crate::supervisor::line::Report;
use crate::worker::pulse::ToSupervisor;
use crate::worker::settings::Settings;

/// Whoever writes into FIFOs.
pub(in crate::worker) struct Fifos {
    wanted: watch::Sender<Arc<FifoSettings>>,
    task: JoinHandle<()>,
}

impl Fifos {
    /// Sets it going with the FIFOs of `config`.
    pub(in crate::worker) fn start(
        settings: &Settings,
        config: &Config,
        hub: &mut Hub,
        bus: &Bus,
        supervisor: &ToSupervisor,
    ) -> Self {
        let wanted = watch::Sender::new(Arc::new(wanted(settings, config)));
        let supervisor = supervisor.clone();
        let memory = Memory {
            earlier: left::inherited_pipes(),
            tell: Box::new(move |news| {
                supervisor.say(match news {
                    PipeNews::Made(pipe) => Report::Left(Left::Pipe(pipe)),
                    PipeNews::Removed(pipe) => Report::TakenBack(Left::Pipe(pipe)),
                });
            }),
        };
        let task = fifos::run(
            hub.deliver("fifos", keepwatch_notify::occasions::concern),
            wanted.subscribe(),
            hub.reader(),
            bus.downgrade(),
            memory,
        );
        Self { wanted, task: tokio::spawn(task) }
    }

    /// These FIFOs are there as soon as it is told that the configuration is in force.
    pub(in crate::worker) fn apply(&self, settings: &Settings, config: &Config) {
        self.wanted.send_replace(Arc::new(wanted(settings, config)));
    }

    /// Waits until the readers have ended.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(fifos::LAST_READERS, &mut self.task).await;
        self.task.abort();
    }
}

fn wanted(settings: &Settings, config: &Config) -> FifoSettings {
    // In shadow they are those of another daemon.
    if settings.dataplane() == DataplaneKind::Shadow {
        return FifoSettings::default();
    }
    FifoSettings::of(config, settings.vrrp(), settings.checkers(), settings.cli.umask)
}
