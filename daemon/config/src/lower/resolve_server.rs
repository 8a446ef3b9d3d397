//! Virtual servers: defaults, inheritance, and the checks that need more than one line.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::alerts;
use super::server::{RealDraft, ServerDraft, Target};
use crate::diagnostics::Diagnostic;
use crate::model::{
    Config, Family, Forwarding, GroupEntry, Name, Protocol, RealServer, SorryServer, TrackedWeight,
    VirtualServer, VirtualServerKey, Weight,
};
use crate::preprocess::Context;
use crate::source::Span;

/// The kernel's own persistence time.
const PERSISTENCE: Duration = Duration::from_secs(360);

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
            address: port_for(&draft.target, &sorry, forwarding, context),
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

/// `sh-port` and the like go with their own scheduler only.
fn scheduler_flags(draft: &mut ServerDraft, scheduler: &str, context: &mut Context) {
    for (keyword, wanted, span) in std::mem::take(&mut draft.scheduler_flags) {
        if scheduler != wanted {
            context.report(
                Diagnostic::error("conflict", format!("`{keyword}` goes with the scheduler {wanted} only"))
                    .at(span, format!("has no effect with {scheduler}")),
            );
        } else if keyword.ends_with("port") {
            draft.flags.sched_2 = true;
        } else {
            draft.flags.sched_1 = true;
        }
    }
}

/// What `FILE_CHECK` and `BFD_CHECK` follow must be there.
fn check_tracked(draft: &mut ServerDraft, bfds: &HashSet<Name>, config: &Config, context: &mut Context) {
    for real in &mut draft.reals {
        real.tracked.retain(|(keyword, object)| {
            let name = &*object.name.text;
            let (known, what) = if *keyword == "BFD_CHECK" {
                (bfds.contains(name), "bfd_instance")
            } else {
                (config.track_files.iter().any(|file| &*file.name == name), "track_file")
            };
            if !known {
                context.report(
                    Diagnostic::error(
                        "unknown-tracked",
                        format!("there is no `{what}` of the name `{name}`"),
                    )
                    .at(object.name.span, "left out"),
                );
            }
            known
        });
    }
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

/// The family that it serves; `None` when its group is missing or mixed (reported).
fn family(
    draft: &mut ServerDraft,
    skipped: &[Box<str>],
    config: &Config,
    context: &mut Context,
) -> Option<Family> {
    let by_servers = |draft: &ServerDraft| {
        draft.reals.first().or(draft.sorry.as_ref()).map_or(Family::V4, |real| Family::of(real.address))
    };
    let family = match &draft.target {
        Target::Address(address) => Family::of(address.ip()),
        Target::Mark(_) => draft.family.map_or_else(|| by_servers(draft), |(family, _)| family),
        Target::Group(name) => {
            let Some(group) = config.virtual_server_groups.iter().find(|group| group.name == *name) else {
                if !skipped.iter().any(|skipped| **skipped == **name) {
                    context.report(
                        Diagnostic::error(
                            "unknown-group",
                            format!("there is no `virtual_server_group` of the name `{name}`"),
                        )
                        .at(draft.at, "this virtual server is left out"),
                    );
                }
                return None;
            };
            let mut families = group.entries.iter().filter_map(|entry| match entry {
                GroupEntry::Addresses { range, .. } => Some(Family::of(range.first)),
                GroupEntry::FwMark(_) => None,
            });
            families.next().or(draft.family.map(|(family, _)| family)).unwrap_or_else(|| by_servers(draft))
        }
    };
    if let Some((written, span)) = draft.family.filter(|(written, _)| *written != family) {
        context.report(
            Diagnostic::error(
                "family-mix",
                format!("`ip_family` says {written}, but the virtual server is {family}"),
            )
            .at(span, "has no effect"),
        );
    }
    Some(family)
}

/// Real and sorry servers of another family are left out, except for tunnels.
fn check_families(draft: &mut ServerDraft, family: Family, name: &str, context: &mut Context) {
    let outer = draft.forwarding;
    let mut fits = |real: &RealDraft, what: &str| {
        let tunnel = real.forwarding.or(outer) == Some(Forwarding::Tun);
        let fits = tunnel || Family::of(real.address) == family;
        if !fits {
            context.report(
                Diagnostic::error(
                    "family-mix",
                    format!("the {what} {} is not {family} as its virtual server {name} is", real.address),
                )
                .at(real.at, "left out")
                .help("only `lvs_method TUN` can go from one family to the other"),
            );
        }
        fits
    };
    draft.reals.retain(|real| fits(real, "real server"));
    draft.sorry = draft.sorry.take().filter(|sorry| fits(sorry, "sorry server"));
    if let Some((_, _, span)) =
        draft.granularity.filter(|(length, v4, _)| (*v4 || *length > 32) && (*v4 != (family == Family::V4)))
    {
        context.report(
            Diagnostic::error("family-mix", format!("this `persistence_granularity` is not of {family}"))
                .at(span, "has no effect"),
        );
        draft.granularity = None;
    }
    if draft.granularity.is_some() && draft.persistence_timeout.is_none() {
        draft.persistence_timeout = Some(PERSISTENCE);
    }
}

/// Does it have addresses, rather than only firewall marks?
fn has_addresses(draft: &ServerDraft, config: &Config) -> bool {
    match &draft.target {
        Target::Address(_) => true,
        Target::Mark(_) => false,
        Target::Group(name) => config
            .virtual_server_groups
            .iter()
            .filter(|group| group.name == *name)
            .flat_map(|group| &group.entries)
            .any(|entry| matches!(entry, GroupEntry::Addresses { .. })),
    }
}

fn protocol(draft: &mut ServerDraft, config: &Config, name: &str, context: &mut Context) -> Protocol {
    if !has_addresses(draft, config) {
        if let Some((_, span)) = draft.protocol {
            context.report(
                Diagnostic::warning("conflict", "a firewall mark has no `protocol`")
                    .changes()
                    .at(span, "has no effect"),
            );
        }
        return Protocol::Udp;
    }
    let protocol = match draft.protocol {
        Some((protocol, _)) => protocol,
        None if draft.bad.contains(&"protocol") => Protocol::Udp,
        None => {
            context.report(
                Diagnostic::warning("default-used", format!("the virtual server {name} has no `protocol`"))
                    .changes()
                    .at(draft.at, "UDP is used")
                    .help("for TCP, say so: `protocol TCP`"),
            );
            Protocol::Udp
        }
    };
    if let Some(span) = draft.one_packet.filter(|_| protocol != Protocol::Udp) {
        context.report(Diagnostic::error("conflict", "`ops` is for UDP only").at(span, "has no effect"));
        draft.flags.one_packet = false;
    }
    protocol
}

fn persistence_of_port_zero(draft: &mut ServerDraft, config: &Config, name: &str, context: &mut Context) {
    if draft.persistence_timeout.is_some() {
        return;
    }
    let zero = match &draft.target {
        Target::Address(address) => address.port() == 0,
        Target::Mark(_) => false,
        Target::Group(name) => config
            .virtual_server_groups
            .iter()
            .filter(|group| group.name == *name)
            .flat_map(|group| &group.entries)
            .any(|entry| matches!(entry, GroupEntry::Addresses { port: 0, .. })),
    };
    if zero {
        context.report(
            Diagnostic::error(
                "port-missing",
                format!("the virtual server {name} has no port; only a persistent one can do without"),
            )
            .at(draft.at, "`persistence_timeout 360` is used"),
        );
        draft.persistence_timeout = Some(PERSISTENCE);
    }
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

/// The address of a real or sorry server, with the port that its method can have.
fn port_for(target: &Target, real: &RealDraft, forwarding: Forwarding, context: &mut Context) -> SocketAddr {
    let written = real.port;
    let port = match (target, forwarding) {
        (Target::Address(address), Forwarding::Nat) => {
            if written == 0 {
                address.port()
            } else {
                written
            }
        }
        (Target::Address(address), Forwarding::Dr | Forwarding::Tun) => {
            if written != 0 && written != address.port() {
                context.report(
                    Diagnostic::warning(
                        "port-mismatch",
                        format!(
                            "with {forwarding} the port must be that of the virtual server, {}",
                            address.port()
                        ),
                    )
                    .changes()
                    .at(real.at, format!("{} is used", address.port())),
                );
            }
            address.port()
        }
        (Target::Mark(_), Forwarding::Dr | Forwarding::Tun) => {
            if written != 0 {
                context.report(
                    Diagnostic::warning(
                        "port-mismatch",
                        format!("with {forwarding} a server of a firewall mark has no port"),
                    )
                    .changes()
                    .at(real.at, "the port is left out"),
                );
            }
            0
        }
        (Target::Mark(_), Forwarding::Nat) | (Target::Group(_), _) => written,
    };
    SocketAddr::new(real.address, port)
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
        let address = port_for(&draft.target, &real, forwarding, context);
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
