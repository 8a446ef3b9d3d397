//! Connection synchronisation of IPVS: `lvs_sync_daemon` of `global_defs`, or else the old way of writing it, an
//! instance's `lvs_sync_daemon_interface`. Goes in: the model with its instances. Comes out: the instance whose state
//! it follows, and its id, filled in.

use crate::diagnostics::Diagnostic;
use crate::model::{Config, LvsSyncDaemon};
use crate::preprocess::Context;

pub(super) fn resolve(config: &mut Config, context: &mut Context) {
    let Some(mut daemon) = config.global.lvs_sync_daemon.take().or_else(|| of_instance(config)) else {
        return;
    };
    let Some(instance) = config.instance(&daemon.instance) else {
        let message = format!("there is no instance `{}` for `lvs_sync_daemon` to follow", daemon.instance);
        context.report(Diagnostic::error("unknown-instance", message));
        return;
    };
    if daemon.sync_id == 0 {
        daemon.sync_id = instance.vrid.0;
    }
    config.global.lvs_sync_daemon = Some(daemon);
}

/// As the first instance that has one wants it.
fn of_instance(config: &Config) -> Option<LvsSyncDaemon> {
    config.instances.iter().find_map(|instance| {
        Some(LvsSyncDaemon {
            interface: instance.lvs_sync_daemon_interface.clone()?,
            instance: instance.name.clone(),
            sync_id: instance.vrid.0,
            max_len: None,
            port: None,
            ttl: None,
            group: None,
        })
    })
}
