//! Virtual servers: defaults, inheritance, and the checks that need more than one line.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::alerts;
use super::checker::{Around, DELAY_LOOP, idle};
use super::server_ports::{persistence_of_port_zero, port_for};
use super::server_rules::{Defined, Serves, followed, ha_suspend, protocol, serves};
use crate::diagnostics::Diagnostic;
use crate::model::{
    Checker, Config, Family, Forwarding, Name, Rare, RealServer, ServiceKey, SorryServer, VirtualServer,
    VirtualServerKey, Weight,
};
use crate::preprocess::Context;
use crate::schema::servers::{RealDraft, ServerDraft, Target};
use crate::source::Span;

/// Makes the virtual servers of the model; of each, which block of the top level it is.
pub(super) fn resolve(
    drafts: Vec<ServerDraft>,
    bfds: &HashSet<Name>,
    skipped: &HashSet<&str>,
    config: &mut Config,
    context: &mut Context,
) -> Vec<usize> {
    let defined = Defined::of(config, bfds, skipped);
    let mut seen: HashMap<VirtualServerKey, Span> = HashMap::new();
    let (mut servers, mut blocks, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for draft in drafts {
        let (at, block) = (draft.at, draft.block);
        let Some(server) = resolve_one(draft, &defined, context) else { continue };
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
        servers.push(server);
        blocks.push(block);
        places.push(at);
    }
    config.virtual_servers = servers;
    served_twice(config, &places, context);
    blocks
}

/// Says which virtual servers name what is another's already, by itself or in a group; `places` is where each stands.
fn served_twice(config: &Config, places: &[Span], context: &mut Context) {
    let mut owners: HashMap<ServiceKey, (&VirtualServer, Span)> = HashMap::new();
    for ((server, services), at) in config.claims().zip(places) {
        let mut lost: Vec<(ServiceKey, (&VirtualServer, Span))> = Vec::new();
        for service in services {
            match owners.get(&service) {
                Some((owner, _)) if owner.key == server.key => {}
                Some(owner) if lost.iter().all(|(known, _)| *known != service) => {
                    lost.push((service, *owner))
                }
                Some(_) => {}
                None => drop(owners.insert(service, (server, *at))),
            }
        }
        let Some((service, (owner, first))) = lost.first() else { continue };
        let others = lost.len() - 1;
        let more = match others {
            0 => String::new(),
            1 => ", and one more is taken".to_owned(),
            _ => format!(", and {others} more are taken"),
        };
        context.report(
            Diagnostic::error(
                "duplicate-server",
                format!(
                    "{service} of the virtual server {} is already that of {}{more}",
                    server.key, owner.key
                ),
            )
            .at(*at, "left out of this one")
            .also(*first, "the first one"),
        );
    }
}

fn resolve_one(
    mut draft: ServerDraft,
    defined: &Defined<'_>,
    context: &mut Context,
) -> Option<VirtualServer> {
    let at = draft.at;
    let name = display(&draft);
    let served = serves(&draft, defined, context);
    if draft.reals.is_empty() {
        // Whoever has left them out has said so.
        if draft.bad.contains(&"real_server") || draft.dropped_real {
            return None;
        }
        context.report(
            Diagnostic::error("no-real-servers", format!("the virtual server {name} has no real servers"))
                .at(at, "left out"),
        );
        return None;
    }
    let Serves(served) = served?;
    let ha_suspend = ha_suspend(&draft, defined, context);
    let protocol = protocol(&mut draft, defined, &name, context);
    let forwarding = match draft.forwarding {
        Some(forwarding) => forwarding,
        None => {
            let implied = draft.reals.iter().chain(&draft.sorry).any(|real| real.forwarding.is_none());
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
    persistence_of_port_zero(&mut draft, defined, &name, context);
    let inhibit = sorry_inhibit(&draft, &name, context);
    let sorry_server = draft.sorry.take().map(|sorry| {
        let forwarding = sorry.forwarding.unwrap_or(forwarding);
        SorryServer {
            address: port_for(&draft.target, &sorry, forwarding, defined, context),
            forwarding,
            inhibit,
            weight: Weight(1),
        }
    });
    let reals = std::mem::take(&mut draft.reals);
    let real_servers = real_servers(&draft, reals, (forwarding, &scheduler), defined, &name, context);
    let total: u64 = real_servers.iter().map(|real| u64::from(real.weight.0)).sum();
    let (quorum, hysteresis) = quorum(&draft, total, &name, context);
    let key = match draft.target {
        Target::Address(at) => ServiceKey::Address { address: at.ip(), port: at.port(), protocol }.into(),
        Target::Mark(mark) => {
            ServiceKey::Fwmark { fwmark: mark.0, family: served.unwrap_or(Family::Inet) }.into()
        }
        Target::Group(name) => VirtualServerKey::Group { name, protocol, family: served },
    };
    Some(VirtualServer {
        key,
        scheduler,
        flags: draft.flags,
        forwarding,
        persistence_timeout: draft.persistence_timeout,
        persistence_granularity: draft.granularity,
        persistence_engine: draft.persistence_engine,
        delay_loop: draft.timing.delay_loop.unwrap_or(DELAY_LOOP),
        timing: draft.timing,
        weight: Weight(draft.weight),
        inhibit_on_failure: draft.inhibit,
        quorum,
        hysteresis,
        alpha: draft.alpha,
        omega: draft.omega,
        quorum_up: draft.quorum_up,
        quorum_down: draft.quorum_down,
        ha_suspend,
        smtp_alert: alerts::checker(draft.smtp_alert, defined.global, false),
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
    let quorum = u32::try_from(total).unwrap_or(u32::MAX).min(written);
    let (hysteresis, hysteresis_span) = draft.hysteresis.unwrap_or((0, draft.at));
    let most = quorum.saturating_sub(1);
    let lowered = hysteresis > most;
    if quorum < written {
        // The hysteresis follows the quorum.
        let also =
            if lowered && hysteresis < written { format!(", and hysteresis {most}") } else { String::new() };
        context.report(
            Diagnostic::warning(
                "quorum-too-high",
                format!(
                    "the quorum {written} of {name} is more than the total weight {total} of its real servers"
                ),
            )
            .changes()
            .at(span, format!("{quorum} is used{also}")),
        );
    }
    if hysteresis >= written {
        context.report(
            Diagnostic::error(
                "hysteresis-too-high",
                format!("the hysteresis {hysteresis} of {name} is not less than its quorum {written}"),
            )
            .at(hysteresis_span, format!("{most} is used")),
        );
    }
    (quorum, hysteresis.min(most))
}

/// The kernel refuses a real server whose lower threshold is above its upper one, also if there is no upper one.
fn judge_thresholds(real: &mut RealDraft, context: &mut Context) {
    if let Some(span) = real.lower_threshold_at.filter(|_| real.lower_threshold > real.upper_threshold) {
        let message = match real.upper_threshold {
            0 => "`lthreshold` without `uthreshold`".to_owned(),
            most => format!("`lthreshold` is above `uthreshold`, {most}"),
        };
        let left_out = "left out: with it the kernel refuses the real server";
        context.report(Diagnostic::warning("conflict", message).at(span, left_out));
        real.lower_threshold = 0;
    }
}

fn real_servers(
    draft: &ServerDraft,
    reals: Vec<RealDraft>,
    (outer, scheduler): (Forwarding, &str),
    defined: &Defined<'_>,
    name: &str,
    context: &mut Context,
) -> Vec<RealServer> {
    let mut seen: HashSet<SocketAddr> = HashSet::new();
    let mut servers = Vec::with_capacity(reals.len());
    // Mostly all say the same: what they say stands in one place then.
    let mut said = Rare::from(draft.timing);
    let blind_scheduler = idle::blind_scheduler(scheduler, draft.quorum.map_or(1, |(quorum, _)| quorum));
    for mut real in reals {
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
        judge_thresholds(&mut real, context);
        let forwarding = real.forwarding.unwrap_or(outer);
        let address = port_for(&draft.target, &real, forwarding, defined, context);
        let timing = real.timing.or(draft.timing);
        let alpha = real.alpha.unwrap_or(draft.alpha);
        let (file_checks, bfd_checks) = followed(&mut real, (alpha, blind_scheduler), defined, context);
        let virtualhost = real.virtualhost.or_else(|| draft.virtualhost.clone());
        let around = Around {
            at: real.at,
            // A port that the method makes nothing of is still where to check.
            server: SocketAddr::new(real.address, if real.port == 0 { address.port() } else { real.port }),
            timing,
            alpha,
            delay_loop: draft.timing.delay_loop.unwrap_or(DELAY_LOOP),
            virtualhost: virtualhost.as_ref(),
            outer_virtualhost: draft.virtualhost.as_ref(),
            log_all_failures: defined.global.checker_log_all_failures,
            blind_scheduler,
        };
        let checkers = real.checkers.into_iter().flat_map(|checker| checker.resolve(&around, context));
        let checkers: Vec<(Span, Checker)> = checkers.collect();
        idle::twice(&checkers, context);
        // Not in the room that they were made in, which is much larger.
        let mut shared = Vec::with_capacity(checkers.len());
        shared.extend(checkers.into_iter().map(|(_, checker)| Arc::new(checker)));
        if *said != timing {
            said = timing.into();
        }
        servers.push(RealServer {
            address,
            weight: Weight(real.weight.unwrap_or(draft.weight)),
            forwarding,
            upper_threshold: real.upper_threshold,
            lower_threshold: real.lower_threshold,
            inhibit_on_failure: real.inhibit.unwrap_or(draft.inhibit),
            alpha,
            smtp_alert: alerts::checker(real.smtp_alert, defined.global, true),
            notify_up: real.notify_up.map(Box::new),
            notify_down: real.notify_down.map(Box::new),
            snmp_name: real.snmp_name,
            timing: said.clone(),
            checkers: shared,
            virtualhost,
            file_checks: file_checks.into(),
            bfd_checks: bfd_checks.into(),
        });
    }
    servers
}

/// Does a sorry server that is a real server too fail as that does? If not, says so; whether it is inhibited in the end.
fn sorry_inhibit(draft: &ServerDraft, name: &str, context: &mut Context) -> bool {
    let Some(sorry) = &draft.sorry else { return false };
    let inhibit = sorry.inhibit.unwrap_or(false);
    let same = |real: &&RealDraft| (real.address, real.port) == (sorry.address, sorry.port);
    let Some(real) = draft.reals.iter().find(same) else { return inhibit };
    let wanted = real.inhibit.unwrap_or(draft.inhibit);
    if wanted == inhibit {
        let message = format!("the sorry server of {name} is one of its real servers");
        let diagnostic = Diagnostic::warning("conflict", message)
            .at(sorry.at, "when the others have failed this one serves, whether its checks say so or not")
            .also(real.at, "the real server");
        context.report(diagnostic);
    } else {
        let (has, made) = if wanted { ("is not", "inhibited too") } else { ("is", "not inhibited either") };
        context.report(
            Diagnostic::error(
                "conflict",
                format!(
                    "the sorry server of {name} is one of its real servers, but {has} inhibited, unlike that"
                ),
            )
            .at(sorry.at, made)
            .also(real.at, "the real server"),
        );
    }
    wanted
}
