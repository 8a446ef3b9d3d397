//! The IPVS connection synchronisation: `lvs_sync_daemon`, or the older `lvs_sync_daemon_interface` of an instance.

use crate::diagnostics::Diagnostic;
use crate::model::{Config, LvsSyncDaemon};
use crate::preprocess::Context;

/// Settles what it follows, and its id.
pub(super) fn resolve(config: &mut Config, id_written: bool, context: &mut Context) {
    if config.global.lvs_sync_daemon.is_none() {
        let first = config.instances.iter().find_map(|instance| {
            let interface = instance.lvs_sync_daemon_interface.clone()?;
            Some((interface, instance.name.clone(), instance.vrid.0))
        });
        config.global.lvs_sync_daemon = first.map(|(interface, instance, sync_id)| LvsSyncDaemon {
            interface,
            instance,
            sync_id,
            max_len: None,
            port: None,
            ttl: None,
            group: None,
        });
        return;
    }
    let Some(mut daemon) = config.global.lvs_sync_daemon.take() else { return };
    if daemon.instance.is_empty() {
        let message = "`lvs_sync_daemon` without an instance to follow is understood, not acted on yet";
        context.report(
            Diagnostic::warning("not-acted-on", message).help("name one: `lvs_sync_daemon eth1 inst VI_1`"),
        );
        return;
    }
    let Some(vrid) = config.instance(&daemon.instance).map(|instance| instance.vrid.0) else {
        let message =
            format!("`lvs_sync_daemon` is to follow the instance `{}`, which there is not", daemon.instance);
        context
            .report(Diagnostic::error("unknown-instance", message).help("no connections are synchronised"));
        return;
    };
    if !id_written {
        daemon.sync_id = vrid;
    }
    config.global.lvs_sync_daemon = Some(daemon);
}
