//! SIGHUP: from one configuration to the next. In: the file as it is now. Out: the new configuration in force, each
//! part told only of what changed for it; or the old one still in force, and a fact that says why.

use keepwatch_bus::Fact;
use keepwatch_bus::fact::DiagnosticSeverity;
use keepwatch_config::Config;
use keepwatch_config::model::{Observability, ProcessScheduling};

use super::Worker;
use super::configuration::{self, Accepted};

impl Worker {
    /// Loads, checks, and applies or refuses.
    pub(super) async fn reload(&mut self) {
        match self.load().await {
            Ok(accepted) => self.adopt(accepted),
            Err(rejected) => {
                self.bus.publish(None, *rejected);
            }
        }
    }

    /// Reading and checking a large configuration takes a while, and its files may lie on a slow disk: that happens
    /// aside.
    async fn load(&self) -> Result<Accepted, Box<Fact>> {
        let settings = self.settings.clone();
        let loaded = tokio::task::spawn_blocking(move || configuration::at_reload(&settings)).await;
        loaded.unwrap_or_else(|failed| {
            let (file, first) = (self.settings.file.display().to_string(), failed.to_string());
            Err(Box::new(Fact::ConfigRejected { file, errors: 1, first }))
        })
    }

    fn adopt(&mut self, accepted: Accepted) {
        self.consumers.reconfigure(&self.settings, &accepted.config, &self.bus);
        let cause = self.bus.publish(None, configuration::loaded(&self.settings, &accepted.config, true));
        accepted.tell(&self.bus, cause);
        for keyword in self.at_start.changed(&AtStart::of(&accepted.config)) {
            let fact = Fact::ConfigDiagnosed {
                severity: DiagnosticSeverity::Warning,
                code: "only-at-start".into(),
                place: String::new(),
                message: format!(
                    "`{keyword}` has changed: that takes effect when keepwatchd is started again"
                ),
            };
            self.bus.publish(Some(cause), fact);
        }
        self.publishers.apply(&accepted.config, self.consumers.reader(), cause);
    }
}

/// What can't be changed while the daemon runs, as it was at the start.
#[derive(Debug, PartialEq)]
pub(super) struct AtStart {
    observability: Observability,
    scheduling: ProcessScheduling,
    lvs_flush: bool,
}

impl AtStart {
    /// Of a configuration.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            observability: config.observability.clone(),
            scheduling: config.global.vrrp_process.clone(),
            lvs_flush: config.global.lvs_flush,
        }
    }

    /// The keywords that differ.
    fn changed(&self, new: &Self) -> Vec<&'static str> {
        let (old, observability) = (&self.observability, &new.observability);
        let all = [
            ("listen", old.listen != observability.listen),
            ("control_socket", old.control_socket != observability.control_socket),
            ("history", old.history != observability.history),
            ("vrrp_priority, vrrp_rt_priority, vrrp_no_swap, …", self.scheduling != new.scheduling),
            ("lvs_flush", self.lvs_flush != new.lvs_flush),
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
