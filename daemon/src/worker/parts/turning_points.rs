//! The scripts of the two turning points: `startup_script`, before anything acts, and `shutdown_script`, after all has
//! stopped. In: the configuration. Out: a process that is waited for, and the fact of how it ended.

use std::time::Duration;

use keepwatch_bus::fact::{ConsumerFact, ScriptOutcome};
use keepwatch_bus::{Bus, EventId};
use keepwatch_config::Config;
use keepwatch_config::model::Script;
use keepwatch_notify::scripts;
use keepwatch_process::{Command, Manner};

use crate::cli::DataplaneKind;
use crate::worker::settings::Settings;

/// From asking one to end whose time is over to killing it, as keepalived does it.
const GRACE: Duration = Duration::from_secs(2);
/// Beyond that: one that can't be killed is waited for no longer.
const AFTER_GRACE: Duration = Duration::from_secs(1);

/// One of the two scripts.
pub(in crate::worker) struct TurningPoint {
    what: &'static str,
    script: Script,
    limit: Duration,
    manner: Manner,
}

impl TurningPoint {
    /// `startup_script`, if there is one.
    pub(in crate::worker) fn start(settings: &Settings, config: &Config) -> Option<Self> {
        let global = &config.global;
        Self::of("startup", global.startup_script.as_ref()?, global.startup_script_timeout, settings, config)
    }

    /// `shutdown_script`, if there is one.
    pub(in crate::worker) fn end(settings: &Settings, config: &Config) -> Option<Self> {
        let global = &config.global;
        Self::of(
            "shutdown",
            global.shutdown_script.as_ref()?,
            global.shutdown_script_timeout,
            settings,
            config,
        )
    }

    fn of(
        what: &'static str,
        script: &Script,
        limit: Duration,
        given: &Settings,
        config: &Config,
    ) -> Option<Self> {
        // In shadow another daemon runs it.
        if given.dataplane() == DataplaneKind::Shadow {
            return None;
        }
        let manner = Manner::of(&config.global, given.cli.umask);
        Some(Self { what, script: script.clone(), limit, manner })
    }

    /// How long it may take in all.
    pub(in crate::worker) fn bound(&self) -> Duration {
        self.limit + GRACE + AFTER_GRACE
    }

    /// Runs it to its end, and tells of that. Dropped before, the script is ended.
    pub(in crate::worker) async fn run(&self, bus: &Bus, cause: EventId) {
        let command = Command::of_script(&self.script, self.manner);
        let command = Command { limit: Some(self.limit), grace: GRACE, ..command };
        let ended = tokio::time::timeout(self.bound(), keepwatch_process::run(command)).await;
        let (script, about) = (self.script.argv.join(" "), self.what.to_owned());
        let fact = match ended {
            Ok(ended) => scripts::told(script, about, ended),
            Err(_) => ConsumerFact::ScriptExited {
                script,
                about,
                outcome: ScriptOutcome::TimedOut,
                took: self.bound(),
                output: String::new(),
            },
        };
        bus.publish(Some(cause), fact);
    }
}
