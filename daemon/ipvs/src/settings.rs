//! What facts tell of a virtual server's configuration, so that the world can show it.

use keepwatch_bus::{
    details::{CheckTiming, Command, RealServerDetails, ServiceDetails},
    settings::{RealServerSettings, ServiceSettings},
    subject,
};
use keepwatch_config::model::{
    self, Family, Forwarding, RealServer, SchedulerFlags, Script, VirtualServer, VirtualServerKey,
};

/// What is told of a virtual server that is the `position`th of its configuration.
pub(crate) fn service_settings(position: u32, server: &VirtualServer) -> ServiceSettings {
    let SchedulerFlags { one_packet, hashed, sched_1, sched_2, sched_3 } = server.flags;
    ServiceSettings {
        position,
        scheduler: server.scheduler.to_string(),
        forwarding: forwarding(server.forwarding),
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
        quorum_scripts: (server.quorum_up.as_ref().map(command), server.quorum_down.as_ref().map(command)),
        smtp_alert: server.smtp_alert,
        details: ServiceDetails {
            group: match &server.key {
                VirtualServerKey::Group { name, .. } => Some(name.clone()),
                VirtualServerKey::Address { .. } | VirtualServerKey::FwMark { .. } => None,
            },
            ha_suspend: server.ha_suspend,
            hashed,
            scheduler_flags: [sched_1, sched_2, sched_3],
            snmp_name: server.snmp_name.clone(),
            timing: timing(&server.timing),
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
        forwarding: forwarding(server.forwarding),
        inhibit_on_failure: server.inhibit_on_failure,
        upper_threshold: server.upper_threshold,
        lower_threshold: server.lower_threshold,
        scripts: (server.notify_up.as_ref().map(command), server.notify_down.as_ref().map(command)),
        virtualhost: server.virtualhost.as_deref().map(str::to_owned),
        smtp_alert: server.smtp_alert,
        checkers: server.checkers.iter().map(|checker| checker.kind.keyword().into()).collect(),
        details: RealServerDetails {
            alpha: server.alpha,
            snmp_name: server.snmp_name.clone(),
            timing: timing(&server.timing),
        },
    }
}

fn granularity(server: &VirtualServer) -> u8 {
    let single = match server.family() {
        Some(Family::V4) | None => 32,
        Some(Family::V6) => 128,
    };
    server.persistence_granularity.unwrap_or(single)
}

fn timing(written: &model::CheckTiming) -> CheckTiming {
    CheckTiming {
        delay_loop: written.delay_loop,
        warmup: written.warmup,
        retry: written.retry,
        delay_before_retry: written.delay_before_retry,
        connect_timeout: written.connect_timeout,
    }
}

fn command(script: &Script) -> String {
    Command(script.argv.clone()).to_string()
}

fn forwarding(method: Forwarding) -> subject::Forwarding {
    match method {
        Forwarding::Nat => subject::Forwarding::Nat,
        Forwarding::Dr => subject::Forwarding::Dr,
        Forwarding::Tun(_) => subject::Forwarding::Tun,
    }
}
