//! `global_defs` as the facts carry it. In: the configuration. Out: what SNMP, mails and pages show of it.

use keepwatch_bus::details::DaemonDetails;
use keepwatch_bus::settings::DaemonSettings;
use keepwatch_config::Config;
use keepwatch_config::model::MailServer;

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
        lvs_flush_on_stop: global.lvs_flush_on_stop,
        net_namespace: global.net_namespace.clone(),
        dynamic_interfaces: global.dynamic_interfaces,
        virtual_server_groups: config.virtual_server_groups.clone(),
        sync_daemon: global.lvs_sync_daemon.clone(),
        lvs_timeouts: global.lvs_timeouts,
    }
}
