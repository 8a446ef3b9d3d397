//! `global_defs` as the facts carry it. In: the configuration. Out: what SNMP, mails and pages show of it.

use keepwatch_bus::details::{DaemonDetails, FlushOnStop, GroupEntry, SyncDaemon, VirtualServerGroup};
use keepwatch_bus::settings::DaemonSettings;
use keepwatch_config::Config;
use keepwatch_config::model::{self, DynamicInterfaces, LvsFlushOnStop, LvsSyncDaemon, MailServer};

use super::settings::Settings;

/// What the world is told of the process and of `global_defs`.
pub(super) fn daemon_settings(settings: &Settings, config: &Config) -> DaemonSettings {
    let global = &config.global;
    DaemonSettings {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        router_id: global.router_id.to_string(),
        config_file: settings.file.display().to_string(),
        dataplane: settings.dataplane_name().into(),
        smtp_server: global.smtp_server.as_ref().map(|server| match server {
            MailServer::Address(address) => (address.ip().to_string(), address.port()),
            MailServer::Host(host, port) => (host.to_string(), *port),
        }),
        smtp_connect_timeout: global.smtp_connect_timeout,
        email_from: global.notification_email_from.as_ref().map(ToString::to_string),
        email_to: global.notification_email.iter().map(ToString::to_string).collect(),
        traps: global.snmp.traps,
        vrrp_version: global.vrrp_version.number(),
        vrrp_enabled: settings.vrrp(),
        checkers_enabled: settings.checkers(),
        details: details(config),
    }
}

fn details(config: &Config) -> DaemonDetails {
    let global = &config.global;
    DaemonDetails {
        no_email_faults: global.no_email_faults,
        smtp_alert: global.smtp_alert,
        smtp_alert_vrrp: global.smtp_alert_vrrp,
        smtp_alert_checker: global.smtp_alert_checker,
        lvs_flush: global.lvs_flush,
        lvs_flush_on_stop: match global.lvs_flush_on_stop {
            LvsFlushOnStop::No => FlushOnStop::No,
            LvsFlushOnStop::All => FlushOnStop::All,
            LvsFlushOnStop::VirtualServers => FlushOnStop::VirtualServers,
        },
        net_namespace: global.net_namespace.clone(),
        dynamic_interfaces: global.dynamic_interfaces != DynamicInterfaces::No,
        virtual_server_groups: config.virtual_server_groups.iter().map(group).collect(),
        sync_daemon: global.lvs_sync_daemon.as_ref().map(sync_daemon),
        lvs_timeouts: [global.lvs_timeouts.tcp, global.lvs_timeouts.tcp_fin, global.lvs_timeouts.udp],
    }
}

fn group(group: &model::VirtualServerGroup) -> VirtualServerGroup {
    let entry = |entry: &model::GroupEntry| match entry {
        model::GroupEntry::Addresses { range, port } => GroupEntry::Addresses {
            first: range.first,
            last: range.addresses().last().unwrap_or(range.first),
            port: *port,
        },
        model::GroupEntry::FwMark { mark, family: _ } => GroupEntry::Fwmark(mark.0),
    };
    VirtualServerGroup { name: group.name.clone(), entries: group.entries.iter().map(entry).collect() }
}

fn sync_daemon(daemon: &LvsSyncDaemon) -> SyncDaemon {
    SyncDaemon {
        interface: daemon.interface.clone(),
        instance: daemon.instance.clone(),
        sync_id: daemon.sync_id,
        max_len: daemon.max_len,
        port: daemon.port,
        ttl: daemon.ttl,
        group: daemon.group,
    }
}
