//! Virtual servers: defaults, inheritance, and the checks that need more than one line.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::alerts;
use super::server::{RealDraft, ServerDraft, Target};
use super::server_ports::{persistence_of_port_zero, port_for};
use super::server_rules::{check_families, check_tracked, family, protocol, scheduler_flags};
use crate::diagnostics::Diagnostic;
use crate::model::{
    Config, Family, Forwarding, Name, RealServer, SorryServer, TrackedWeight, VirtualServer,
    VirtualServerKey, Weight,
};
use crate::preprocess::Context;
use crate::source::Span;

/// The kernel's own persistence time.
pub(super) const PERSISTENCE: Duration = Duration::from_secs(360);

/// Makes the virtual servers of the model.
pub(super) fn resolve(
    drafts: Vec<ServerDraft>,
    bfds: &HashSet<Name>,
    skipped: &[Box<str>],
    config: &mut Config,
    context: &mut Context,
) {
    let mut seen: HashMap<VirtualServerKey, Span> = HashMap::new();
    for mut draft in drafts {
        let at = draft.at;
        check_tracked(&mut draft, bfds, config, context);
        let Some(server) = resolve_one(draft, skipped, config, context) else { continue };
        if let Some(first) = seen.get(&server.key) {
            context.report(
                Diagnostic::error(
                    "duplicate-server",
                    format!("there is already a virtual server {}", server.key),
                )
                .at(at, "this one is left out")
                .also(*first, "the first one"),
            );
            continue;
        }
        seen.insert(server.key.clone(), at);
        config.virtual_servers.push(server);
    }
}

fn resolve_one(
    mut draft: ServerDraft,
    skipped: &[Box<str>],
    config: &Config,
    context: &mut Context,
) -> Option<VirtualServer> {
    let at = draft.at;
    let name = display(&draft);
    let family = family(&mut draft, skipped, config, context)?;
    check_families(&mut draft, family, &name, context);
    if draft.reals.is_empty() {
        if draft.bad.contains(&"real_server") {
            return None;
        }
        context.report(
            Diagnostic::error("no-real-servers", format!("the virtual server {name} has no real servers"))
                .at(at, "left out"),
        );
        return None;
    }
    let protocol = protocol(&mut draft, config, &name, context);
    let forwarding = match draft.forwarding {
        Some(forwarding) => forwarding,
        None => {
            let implied = draft.reals.iter().any(|real| real.forwarding.is_none());
            if implied && !draft.bad.contains(&"lvs_method") {
                default_used(context, at, &name, "lvs_method", "NAT");
            }
            Forwarding::Nat
        }
    };
    let scheduler = draft.scheduler.take().unwrap_or_else(|| {
        if !draft.bad.contains(&"lvs_sched") {
            default_used(context, at, &name, "lvs_sched", "wlc");
        }
        Name::from("wlc")
    });
    scheduler_flags(&mut draft, &scheduler, context);
    persistence_of_port_zero(&mut draft, config, &name, context);
    let sorry_server = draft.sorry.take().map(|sorry| {
        let forwarding = sorry.forwarding.unwrap_or(forwarding);
        SorryServer {
            address: port_for(&draft.target, &sorry, forwarding, config, context),
            forwarding,
            inhibit: sorry.inhibit.unwrap_or(false),
            weight: Weight(1),
        }
    });
    let reals = std::mem::take(&mut draft.reals);
    let real_servers = real_servers(&draft, reals, forwarding, config, &name, context);
    let total: u64 = real_servers.iter().map(|real| u64::from(real.weight.0)).sum();
    let (quorum, hysteresis) = quorum(&draft, total, &name, context);
    let key = match draft.target {
        Target::Address(address) => VirtualServerKey::Address { address, protocol },
        Target::Mark(mark) => VirtualServerKey::FwMark { mark, family },
        Target::Group(name) => VirtualServerKey::Group { name, protocol, family },
    };
    let full = if family == Family::V4 { 32 } else { 128 };
    Some(VirtualServer {
        key,
        scheduler,
        flags: draft.flags,
        forwarding,
        persistence_timeout: draft.persistence_timeout,
        persistence_granularity: draft.granularity.map_or(full, |(length, _, _)| length),
        persistence_engine: draft.persistence_engine,
        delay_loop: draft.timing.delay_loop.unwrap_or(Duration::from_secs(60)),
        timing: draft.timing,
        weight: Weight(draft.weight),
        inhibit_on_failure: draft.inhibit,
        quorum,
        hysteresis,
        alpha: draft.alpha,
        omega: draft.omega,
        quorum_up: draft.quorum_up,
        quorum_down: draft.quorum_down,
        ha_suspend: draft.ha_suspend.is_some(),
        smtp_alert: alerts::checker(draft.smtp_alert, &config.global, false),
        virtualhost: draft.virtualhost,
        snmp_name: draft.snmp_name,
        sorry_server,
        real_servers,
    })
}

/// As keepalived would name it.
fn display(draft: &ServerDraft) -> String {
    match &draft.target {
        Target::Address(address) => match draft.protocol {
            Some((protocol, _)) => format!("[{}]:{protocol}:{}", address.ip(), address.port()),
            None => format!("[{}]:{}", address.ip(), address.port()),
        },
        Target::Mark(mark) => format!("FWM {mark}"),
        Target::Group(name) => format!("[{name}]"),
    }
}

fn default_used(context: &mut Context, at: Span, name: &str, keyword: &str, default: &str) {
    context.report(
        Diagnostic::warning("default-used", format!("the virtual server {name} has no `{keyword}`"))
            .changes()
            .at(at, format!("{default} is used")),
    );
}

fn quorum(draft: &ServerDraft, total: u64, name: &str, context: &mut Context) -> (u32, u32) {
    let (written, span) = draft.quorum.unwrap_or((1, draft.at));
    let mut quorum = written;
    if u64::from(quorum) > total {
        quorum = u32::try_from(total).unwrap_or(u32::MAX);
        context.report(
            Diagnostic::warning(
                "quorum-too-high",
                format!(
                    "the quorum {written} of {name} is more than the total weight {total} of its real servers"
                ),
            )
            .changes()
            .at(span, format!("{quorum} is used")),
        );
    }
    let (mut hysteresis, span) = draft.hysteresis.unwrap_or((0, draft.at));
    if hysteresis >= quorum && (draft.hysteresis.is_some() || quorum > 0) {
        let most = quorum.saturating_sub(1);
        context.report(
            Diagnostic::error(
                "hysteresis-too-high",
                format!("the hysteresis {hysteresis} of {name} is not less than its quorum {quorum}"),
            )
            .at(span, format!("{most} is used")),
        );
        hysteresis = most;
    }
    (quorum, hysteresis.min(quorum))
}

fn real_servers(
    draft: &ServerDraft,
    reals: Vec<RealDraft>,
    outer: Forwarding,
    config: &Config,
    name: &str,
    context: &mut Context,
) -> Vec<RealServer> {
    let mut seen: HashSet<SocketAddr> = HashSet::new();
    let mut servers = Vec::with_capacity(reals.len());
    for real in reals {
        if !seen.insert(SocketAddr::new(real.address, real.port)) {
            context.report(
                Diagnostic::error(
                    "duplicate-server",
                    format!("{} stands twice in the virtual server {name}", real.address),
                )
                .at(real.at, "this one is left out"),
            );
            continue;
        }
        let forwarding = real.forwarding.unwrap_or(outer);
        let address = port_for(&draft.target, &real, forwarding, config, context);
        let timing = real.timing.or(draft.timing);
        let alpha = real.alpha.unwrap_or(draft.alpha);
        for span in real.checkers.iter().filter_map(|checker| checker.family_mix(address)) {
            context.report(
                Diagnostic::error("family-mix", "`bindto` is not of the family of the address to check")
                    .at(span, "has no effect"),
            );
        }
        let tracked = real.tracked.into_iter().map(|(keyword, object)| TrackedWeight {
            keyword: keyword.into(),
            object: object.resolve(1, false),
        });
        servers.push(RealServer {
            address,
            weight: Weight(real.weight.unwrap_or(draft.weight)),
            forwarding,
            upper_threshold: real.upper_threshold,
            lower_threshold: real.lower_threshold,
            inhibit_on_failure: real.inhibit.unwrap_or(draft.inhibit),
            alpha,
            smtp_alert: alerts::checker(real.smtp_alert, &config.global, true),
            notify_up: real.notify_up,
            notify_down: real.notify_down,
            virtualhost: real.virtualhost.or_else(|| draft.virtualhost.clone()),
            snmp_name: real.snmp_name,
            timing,
            checkers: real
                .checkers
                .into_iter()
                .map(|checker| checker.resolve(timing, alpha, address))
                .collect(),
            tracked: tracked.collect(),
        });
    }
    servers
}
