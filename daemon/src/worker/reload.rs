//! SIGHUP: from one configuration to the next. In: the file as it is now. Out: the new configuration in force, each
//! part told only of what changed for it; or the old one still in force, and a fact that says why.

use std::sync::Arc;

use keepwatch_bus::{Bus, Fact};

use super::configuration;
use super::consumers::Consumers;
use super::publishers::Publishers;
use super::settings::Settings;

/// Loads, checks, and applies or refuses.
pub async fn reload(settings: &Arc<Settings>, publishers: &mut Publishers, consumers: &Consumers, bus: &Bus) {
    let loading = settings.clone();
    // Reading and checking a large configuration takes a while, and its files may lie on a slow disk.
    let loaded = tokio::task::spawn_blocking(move || configuration::at_reload(&loading)).await;
    let accepted = match loaded {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(rejected)) => {
            bus.publish(None, *rejected);
            return;
        }
        Err(failed) => {
            let (file, first) = (settings.file.display().to_string(), failed.to_string());
            bus.publish(None, Fact::ConfigRejected { file, errors: 1, first });
            return;
        }
    };
    let cause = bus.publish(None, configuration::loaded(settings, &accepted.config, true));
    accepted.tell(bus, cause);
    consumers.reconfigure(settings, &accepted.config, bus);
    publishers.apply(&accepted.config, consumers.reader(), cause);
}
