//! SIGHUP: from one configuration to the next. In: the file as it is now. Out: the new configuration in force, each
//! part told only of what changed for it; or the old one still in force, and a fact that says why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::Reader;
use keepwatch_bus::fact::{ConfigChange, DaemonFact};
use keepwatch_config::model::{Global, IpvsNamespace, Name, Observability, ProcessNames, ProcessScheduling};
use keepwatch_config::{Config, Severity};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use super::Worker;
use super::changes::InForce;
use super::configuration::{self, Accepted};
use super::parts::placed;
use super::parts::turning_points::TurningPoint;
use super::rights::Rights;
use super::settings::Settings;
use crate::supervisor::line::{Manner, Report};
use crate::supervisor::pulse::Pace;

/// What loading a file came to: a configuration, or the fact that it is refused.
pub(super) type LoadedAside = Result<Accepted, Box<DaemonFact>>;

/// The loading of a file, which happens aside: reading and checking a large configuration takes a while, and its files
/// may lie on a slow disk, or on one that hangs.
#[derive(Default)]
pub(super) struct Reload {
    loading: Option<JoinHandle<LoadedAside>>,
    /// When that began.
    began: Option<Instant>,
    /// The file may have changed since the loading began.
    again: bool,
    /// Who waits for what is being loaded, and who for the one after it.
    waiting: [Vec<oneshot::Sender<Outcome>>; 2],
}

/// A wish for a reload, and where its outcome goes.
pub(crate) type Wanted = Option<oneshot::Sender<Outcome>>;

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in force.
    InForce {
        /// What it changed.
        changes: Vec<ConfigChange>,
    },
    /// Nothing changed, because of this.
    Refused {
        /// Mistakes found.
        errors: u32,
        /// The first, with its place.
        first: String,
    },
    /// Another worker begins with it, because this one has given up what it needs.
    Replaced {
        /// What that is.
        lacking: String,
    },
}

impl Reload {
    /// Begins to load; if that is under way already, once more when it has ended.
    pub(super) fn ask(&mut self, settings: &Arc<Settings>, reader: &Reader, wanted: Wanted) {
        let [now, next] = &mut self.waiting;
        if self.loading.is_some() {
            self.again = true;
            next.extend(wanted);
            return;
        }
        now.extend(wanted);
        let (settings, global) = (settings.clone(), reader.world().settings.global.clone());
        self.began = Some(Instant::now());
        self.loading =
            Some(tokio::task::spawn_blocking(move || configuration::at_reload(&settings, &global)));
    }

    /// Tells those who waited what came of it.
    pub(super) fn answer(&mut self, outcome: &Outcome) {
        let [now, next] = &mut self.waiting;
        // Who asked may have gone.
        now.drain(..).for_each(|wanted| drop(wanted.send(outcome.clone())));
        std::mem::swap(now, next);
    }

    /// Waits for what is being loaded; for ever, if nothing is. Cancel-safe.
    pub(super) async fn loaded(&mut self) -> Result<LoadedAside, JoinError> {
        let Some(loading) = &mut self.loading else { return std::future::pending().await };
        let loaded = loading.await;
        self.loading = None;
        loaded
    }

    /// How long ago what was loaded last was asked for.
    pub(super) fn took(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// Begins again if that was asked for meanwhile; whether it was.
    pub(super) fn again(&mut self, settings: &Arc<Settings>, reader: &Reader) -> bool {
        let again = std::mem::take(&mut self.again);
        if again {
            self.ask(settings, reader, None);
        }
        again
    }
}

impl Worker {
    /// Applies what was loaded, or says why not.
    pub(super) fn settle(&mut self, loaded: Result<LoadedAside, JoinError>) -> Outcome {
        let loaded = loaded.unwrap_or_else(|failed| {
            let (file, first) = (self.settings.file.display().to_string(), failed.to_string());
            Err(Box::new(DaemonFact::ConfigRejected { file, errors: 1, first }))
        });
        match loaded.and_then(|accepted| self.extent.unless_nothing_is_left(&self.settings, accepted)) {
            Ok(accepted) => self.adopt(accepted),
            Err(rejected) => {
                let (errors, first) = match &*rejected {
                    DaemonFact::ConfigRejected { errors, first, .. } => (*errors, first.clone()),
                    _ => (1, String::new()),
                };
                self.bus.publish(None, *rejected);
                Outcome::Refused { errors, first }
            }
        }
    }

    fn adopt(&mut self, mut accepted: Accepted) -> Outcome {
        accepted.gather();
        accepted.keep(self.kept.as_ref());
        if let Some(lacking) = self.rights.lack(&Rights::needed(&self.settings, &accepted)) {
            // What was given up does not come back; another one begins with everything, and with this configuration.
            self.to_supervisor.say(Report::Replace(format!("a configuration that needs {lacking}")));
            return Outcome::Replaced { lacking };
        }
        self.publishers.keep_names(&mut accepted.config);
        // While the world is still as it was.
        self.saved.before(self.consumers.reader());
        let changes =
            self.in_force.changes(&self.consumers.reader().world(), &self.settings, &accepted.config);
        self.in_force = InForce::of(&accepted.config);
        self.peers_wait(placed::patience(&self.settings, &accepted.config));
        let possible = placed::possible(&self.settings, &accepted.config);
        possible.for_each(|report| self.to_supervisor.say(report));
        self.to_supervisor.say(Report::Manner(manner(&accepted.config)));
        self.extent = Extent::of(&self.settings, &accepted.config);
        self.consumers.apply(&self.settings, &accepted.config, &self.bus);
        let cause = self
            .bus
            .publish(None, configuration::loaded(&self.settings, &accepted.config, Some(changes.clone())));
        accepted.tell(&self.bus, cause);
        for keyword in self.at_start.changed(&AtStart::of(&accepted.config)) {
            let fact = DaemonFact::ConfigDiagnosed {
                severity: Severity::Warning,
                code: "only-at-start".into(),
                place: String::new(),
                message: format!(
                    "`{keyword}` has changed: that takes effect when keepwatchd is started again"
                ),
            };
            self.bus.publish(Some(cause), fact);
        }
        self.end = TurningPoint::end(&self.settings, &accepted.config);
        self.publishers.apply(&self.settings, &accepted.config, self.consumers.reader(), cause);
        self.consumers.reader().counters().keep(&accepted.config);
        self.saved.after(&self.settings, &accepted.config, accepted.sources());
        Outcome::InForce { changes }
    }

    /// Has it found out soon enough for these peers that this worker hangs.
    fn peers_wait(&mut self, patience: Option<Duration>) {
        let before = std::mem::replace(&mut self.pace, Pace::of(patience));
        // The supervisor must not expect beats more often than they come.
        let often = self.pace.turns_every();
        self.publishers.turns_every(often.min(before.turns_every()));
        self.to_supervisor.say(Report::Patience(patience));
        self.publishers.turns_every(often);
    }
}

/// How much of a configuration runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    routers: usize,
    servers: usize,
}

impl Extent {
    /// Of a configuration, as far as the command line lets it run.
    pub(super) fn of(settings: &Settings, config: &Config) -> Self {
        let routers = if settings.vrrp() { config.instances.len() } else { 0 };
        let servers = if settings.checkers() { config.virtual_servers.len() } else { 0 };
        Self { routers, servers }
    }

    fn is_nothing(self) -> bool {
        self.routers + self.servers == 0
    }

    /// What was loaded, unless everything that runs would be gone with it: a file that is being written, a directory that
    /// is not mounted or an include that matches nothing any more is likelier than the wish to have a daemon that does
    /// nothing.
    fn unless_nothing_is_left(self, settings: &Settings, accepted: Accepted) -> LoadedAside {
        if self.is_nothing() || !Self::of(settings, &accepted.config).is_nothing() {
            return Ok(accepted);
        }
        let blocks = match (settings.vrrp(), settings.checkers()) {
            (true, true) => "neither a vrrp_instance nor a virtual_server",
            (true, false) => "no vrrp_instance",
            (false, _) => "no virtual_server",
        };
        let first = format!(
            "there is {blocks} in it, so all that runs would end ({} virtual routers, {} virtual servers). To end them, \
             stop keepwatchd",
            self.routers, self.servers
        );
        let file = settings.file.display().to_string();
        Err(Box::new(DaemonFact::ConfigRejected { file, errors: 1, first }))
    }
}

/// What a configuration says of the supervisor.
pub(super) fn manner(config: &Config) -> Manner {
    let wait = config.global.child_wait_time;
    Manner {
        name: config.global.processes.names.main.as_ref().map(ToString::to_string),
        stop_within: (wait != Global::default().child_wait_time).then_some(wait),
    }
}

/// What can't be changed while the daemon runs, as it was at the start.
#[derive(Debug, PartialEq)]
pub(super) struct AtStart {
    observability: Observability,
    scheduling: ProcessScheduling,
    bfd_scheduling: ProcessScheduling,
    checker_scheduling: ProcessScheduling,
    names: ProcessNames,
    lvs_flush: bool,
    net_namespace: Option<Name>,
    net_namespace_ipvs: Option<IpvsNamespace>,
    /// `instance`, `use_pid_dir`.
    among: (Option<Name>, bool),
}

impl AtStart {
    /// Of a configuration.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            observability: config.observability.clone(),
            scheduling: config.global.processes.vrrp.clone(),
            bfd_scheduling: config.global.processes.bfd.clone(),
            checker_scheduling: config.global.processes.checker.clone(),
            // That of the supervisor can be changed.
            names: ProcessNames { main: None, ..config.global.processes.names.clone() },
            lvs_flush: config.global.lvs_flush,
            net_namespace: config.global.net_namespace.clone(),
            net_namespace_ipvs: config.global.net_namespace_ipvs.clone(),
            among: (config.global.instance_name.clone(), config.global.use_pid_dir),
        }
    }

    /// The keywords that differ.
    fn changed(&self, new: &Self) -> Vec<&'static str> {
        let (old, observability) = (&self.observability, &new.observability);
        let all = [
            ("listen", old.listen != observability.listen),
            ("web_config_file", old.web_config_file != observability.web_config_file),
            ("control_socket", old.control_socket != observability.control_socket),
            (
                "mail { queue … }",
                (&old.mail.queue, old.mail.queue_off)
                    != (&observability.mail.queue, observability.mail.queue_off),
            ),
            ("history", old.history != observability.history),
            ("vrrp_priority, vrrp_rt_priority, vrrp_no_swap, …", self.scheduling != new.scheduling),
            ("bfd_priority, bfd_rt_priority, bfd_no_swap, …", self.bfd_scheduling != new.bfd_scheduling),
            (
                "checker_priority, checker_rt_priority, checker_no_swap, …",
                self.checker_scheduling != new.checker_scheduling,
            ),
            (
                "process_names, vrrp_process_name, checker_process_name, bfd_process_name",
                self.names != new.names,
            ),
            ("instance, use_pid_dir", self.among != new.among),
            ("lvs_flush", self.lvs_flush != new.lvs_flush),
            ("net_namespace", self.net_namespace != new.net_namespace),
            ("net_namespace_ipvs", self.net_namespace_ipvs != new.net_namespace_ipvs),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(keyword, _)| keyword).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reload_can_t_change_is_named() {
        let (old, mut new) = (Config::default(), Config::default());
        assert!(AtStart::of(&old).changed(&AtStart::of(&new)).is_empty());
        new.observability.listen = None;
        new.global.lvs_flush = true;
        assert_eq!(AtStart::of(&old).changed(&AtStart::of(&new)), ["listen", "lvs_flush"]);
    }
}
