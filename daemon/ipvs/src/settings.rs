//! What facts tell of a virtual server's configuration, so that the world can show it.

use keepwatch_bus::{
    details::{RealServerDetails, ServiceDetails},
    settings::{RealServerSettings, ServiceSettings},
};
use keepwatch_config::model::{Family, RealServer, SchedulerFlags, VirtualServer, VirtualServerKey};

/// What is told of a virtual server that is the `position`th of its configuration.
pub(crate) fn service_settings(position: u32, server: &VirtualServer) -> ServiceSettings {
    let SchedulerFlags { one_packet, hashed, sched_1, sched_2, sched_3 } = server.flags;
    ServiceSettings {
        position,
        scheduler: server.scheduler.to_string(),
        forwarding: server.forwarding,
        persistence: server.persistence_timeout,
        granularity: server.persistence_timeout.map(|_| granularity(server)),
        delay_loop: server.delay_loop,
        quorum: server.quorum,
        hysteresis: server.hysteresis,
        alpha: server.alpha,
        omega: server.omega,
        one_packet,
        virtualhost: server.virtualhost.as_deref().map(str::to_owned),
        sorry_server: server.sorry_server.as_ref().map(|sorry| sorry.address),
        quorum_scripts: (server.quorum_up.clone(), server.quorum_down.clone()),
        smtp_alert: server.smtp_alert,
        details: ServiceDetails {
            group: match &server.key {
                VirtualServerKey::Group { name, .. } => Some(name.clone()),
                VirtualServerKey::Service(_) => None,
            },
            ha_suspend: server.ha_suspend,
            hashed,
            scheduler_flags: [sched_1, sched_2, sched_3],
            snmp_name: server.snmp_name.clone(),
            timing: server.timing,
            weight: server.weight.0,
            inhibit_on_failure: server.inhibit_on_failure,
        },
    }
}

/// What is told of a real server that is the `position`th of its virtual server.
pub(crate) fn server_settings(position: u32, server: &RealServer) -> RealServerSettings {
    RealServerSettings {
        position,
        weight: i32::try_from(server.weight.0).unwrap_or(i32::MAX),
        forwarding: server.forwarding,
        inhibit_on_failure: server.inhibit_on_failure,
        upper_threshold: server.upper_threshold,
        lower_threshold: server.lower_threshold,
        scripts: (server.notify_up.clone(), server.notify_down.clone()),
        virtualhost: server.virtualhost.as_deref().map(str::to_owned),
        smtp_alert: server.smtp_alert,
        checkers: server.checkers.iter().map(|checker| checker.kind.keyword().into()).collect(),
        details: RealServerDetails {
            alpha: server.alpha,
            snmp_name: server.snmp_name.clone(),
            timing: server.timing,
        },
    }
}

fn granularity(server: &VirtualServer) -> u8 {
    let single = match server.family() {
        Some(Family::Inet) | None => 32,
        Some(Family::Inet6) => 128,
    };
    server.persistence_granularity.unwrap_or(single)
}
