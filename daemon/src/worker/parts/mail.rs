//! Mail. In: the configuration's mail settings, every event. Out: mails, on a task of their own.

use std::time::Duration;

use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::{Bus, Hub, Reader};
use keepwatch_config::Config;
use keepwatch_deliver::Patience;
use keepwatch_notify::{MailSettings, Spool, postman};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cli::DataplaneKind;
use crate::terminal::plain;
use crate::worker::settings::Settings;

/// How long mail about the end may be tried.
const LAST_MAIL: Duration = Duration::from_secs(1);
/// What may be waited for after that, until the disk has what is left.
const LAST_WRITES: Duration = Duration::from_millis(300);
/// Mails that may wait.
const CAPACITY: usize = 1000;

/// The postman.
pub(in crate::worker) struct Mail {
    wanted: watch::Sender<Option<MailSettings>>,
    task: JoinHandle<()>,
}

impl Mail {
    /// Sets it going; it sends nothing before [`Mail::apply`].
    pub(in crate::worker) fn start(
        settings: &Settings,
        config: &Config,
        hub: &mut Hub,
        reader: Reader,
        bus: &Bus,
    ) -> Self {
        let wanted = watch::Sender::new(None);
        let patience = Patience { farewell: LAST_MAIL, capacity: CAPACITY, ..Patience::default() };
        // In shadow the queue is that of another daemon, and no mail is sent.
        let queue = settings.mail_queue(config).filter(|_| settings.dataplane() != DataplaneKind::Shadow);
        let spool = match queue.map(|at| Spool::open(at, CAPACITY, bus.downgrade())) {
            Some(Ok((spool, left))) => (spool, Some(left)),
            None => (Spool::none(bus.downgrade()), None),
            Some(Err(error)) => {
                let (consumer, error) = ("mail queue".into(), plain(&error));
                bus.publish(None, ConsumerFact::ConsumerFailed { consumer, error });
                (Spool::none(bus.downgrade()), None)
            }
        };
        let task = postman::run(
            hub.deliver("mail", postman::concerns),
            wanted.subscribe(),
            reader,
            bus.downgrade(),
            patience,
            spool,
        );
        Self { wanted, task: tokio::spawn(task) }
    }

    /// Mails are sent as `config` says from now on.
    pub(in crate::worker) fn apply(&self, config: &Config) {
        let settings = MailSettings::of(config);
        self.wanted.send_if_modified(|wanted| {
            let differs = *wanted != settings;
            *wanted = settings;
            differs
        });
    }

    /// Waits for the last mail: it has bounded itself since it heard that the daemon stops.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(LAST_MAIL + LAST_WRITES, &mut self.task).await;
        self.task.abort();
    }
}
