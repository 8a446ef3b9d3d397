//! The IPVS connection synchronisation: `lvs_sync_daemon`, or the older `lvs_sync_daemon_interface` of an instance.

use crate::diagnostics::Diagnostic;
use crate::model::{Config, LvsSyncDaemon};
use crate::preprocess::Context;
use crate::schema::global::SyncDaemonPlace;

/// Settles what it follows, and its id.
pub(super) fn resolve(config: &mut Config, place: SyncDaemonPlace, context: &mut Context) {
    let Some(mut daemon) = config.global.lvs_sync_daemon.take() else {
        let first = config.instances.iter().find_map(|instance| {
            let interface = instance.lvs_sync_daemon_interface.clone()?;
            Some((interface, instance.name.clone(), instance.vrid.0))
        });
        config.global.lvs_sync_daemon = first.map(|(interface, instance, sync_id)| LvsSyncDaemon {
            interface,
            instance: Some(instance),
            sync_id,
            max_len: None,
            port: None,
            ttl: None,
            group: None,
        });
        return;
    };
    if let Some(name) = &daemon.instance {
        let Some(vrid) = config.instance(name).map(|instance| instance.vrid.0) else {
            let message = format!("`lvs_sync_daemon` is to follow the instance `{name}`, which there is not");
            context.report(
                Diagnostic::error("unknown-instance", message)
                    .at(place.at, "no connections are synchronised"),
            );
            return;
        };
        if !place.has_id {
            daemon.sync_id = vrid;
        }
    }
    config.global.lvs_sync_daemon = Some(daemon);
}
