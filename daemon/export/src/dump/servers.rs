//! Virtual servers, real servers and checkers: `keepalived_check.data`.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use keepwatch_bus::World;
use keepwatch_bus::subject::{ServiceKey, endpoint};
use keepwatch_bus::world::{RealServer, Service};
use keepwatch_model::{
    Checker, CheckerKind, Family, Forwarding, GroupEntry, HttpGet, HttpVersion, Script, Tunnel,
    VirtualServer, VirtualServerGroup, VirtualServerKey,
};

use super::{Page, decimal, enabled, on, yes};

pub(super) fn write(page: &mut Page, world: &World) {
    page.section("LVS Topology");
    world.settings.virtual_server_groups.iter().for_each(|group| server_group(page, group));
    for service in firsts(world) {
        virtual_server(page, service);
    }
    page.section("Health checkers");
    for service in firsts(world) {
        for real in service.reals.values() {
            for (index, checker) in real.settings.checkers.iter().enumerate() {
                checker_block(page, service, real, index, checker);
            }
        }
    }
}

/// Of the services of a group, which share their place, the first.
fn firsts(world: &World) -> impl Iterator<Item = &Service> {
    let mut last = None;
    world
        .services
        .values()
        .filter(move |service| last.replace(service.settings.position) != Some(service.settings.position))
}

fn server_group(page: &mut Page, group: &VirtualServerGroup) {
    page.line(format_args!(" ------< Virtual server group >------"));
    let has = |family| {
        group.entries.iter().any(|entry| match entry {
            GroupEntry::Addresses { range, .. } => Family::of(range.first) == family,
            GroupEntry::FwMark { family: of, .. } => *of == Some(family),
        })
    };
    let (four, six) = (yes(has(Family::Inet)), yes(has(Family::Inet6)));
    page.line(format_args!(" Virtual Server Group = {}, IPv4 = {four}, IPv6 = {six}", group.name));
    for entry in &group.entries {
        match entry {
            GroupEntry::Addresses { range, port } if range.count > 1 => {
                page.line(format_args!("   VIP Range = {}-{}, VPORT = {port}", range.first, range.last()));
            }
            GroupEntry::Addresses { range, port } => {
                page.line(format_args!("   VIP = {}, VPORT = {port}", range.first));
            }
            GroupEntry::FwMark { mark, family } => {
                let family = family.map(|family| format!(" {family}")).unwrap_or_default();
                page.line(format_args!("   FWMARK = {}{family}", mark.0));
            }
        }
    }
}

fn virtual_server(page: &mut Page, service: &Service) {
    let settings = &service.settings;
    page.line(format_args!(" ------< Virtual server >------"));
    match &settings.key {
        VirtualServerKey::Group { .. } => page.line(format_args!(" VS GROUP = {}", settings.key)),
        VirtualServerKey::Service(ServiceKey::Fwmark { fwmark, .. }) => {
            page.line(format_args!(" VS FWMARK = {fwmark}"));
        }
        VirtualServerKey::Service(ServiceKey::Address { address, port, .. }) => {
            page.line(format_args!(" VS VIP = {address}, VPORT = {port}"));
        }
    }
    if let Some(host) = &settings.virtualhost {
        page.line(format_args!("   VirtualHost = {host}"));
    }
    if let Some(name) = &settings.snmp_name {
        page.line(format_args!("   SNMP name = '{name}'"));
    }
    let family = match settings.family() {
        Some(Family::Inet) => "inet",
        Some(Family::Inet6) => "inet6",
        None => "IPv4 & IPv6",
    };
    page.line(format_args!("   Address family = {family}"));
    let timeout = settings.timing.connect_timeout.unwrap_or(keepwatch_model::CheckTiming::CONNECT_TIMEOUT);
    page.line(format_args!("   connection timeout = {}", decimal(timeout)));
    page.line(format_args!("   delay_loop = {}", decimal(settings.delay_loop)));
    scheduling(page, settings);
    page.line(format_args!("   alpha is {}", on(settings.alpha)));
    page.line(format_args!("   omega is {}", on(settings.omega)));
    timing(page, settings.timing.retry, settings.timing.delay_before_retry, settings.timing.warmup);
    page.line(format_args!("   Inhibit on failure is {}", on(settings.inhibit_on_failure)));
    page.line(format_args!("   quorum = {}, hysteresis = {}", settings.quorum, settings.hysteresis));
    script(page, settings.quorum_up.as_ref(), "Quorum", "up");
    script(page, settings.quorum_down.as_ref(), "Quorum", "down");
    if settings.ha_suspend {
        page.line(format_args!("   Using HA suspend"));
    }
    page.line(format_args!("   Using smtp notification = {}", yes(settings.smtp_alert)));
    forwarding(page, "default ", settings.forwarding);
    if let Some(sorry) = &settings.sorry_server {
        page.line(format_args!("   sorry server = {}", endpoint(&sorry.address, service.key.protocol())));
        forwarding(page, "  ", sorry.forwarding);
        page.line(format_args!("     Inhibit on failure is {}", on(sorry.inhibit)));
        page.line(format_args!("     set = {}", u8::from(service.sorry)));
        page.line(format_args!("     alive = 1"));
    }
    page.line(format_args!("   VS alive = {}", u8::from(service.present)));
    page.line(format_args!("   quorum_state_up = {}", u8::from(service.quorum)));
    service.reals.values().for_each(|real| real_server(page, real));
}

fn scheduling(page: &mut Page, settings: &VirtualServer) {
    let flags = settings.flags;
    page.line(format_args!("   lvs_sched = {}", settings.scheduler));
    page.line(format_args!("   Hashed = {}", enabled(flags.hashed)));
    match &*settings.scheduler {
        hash @ ("sh" | "mh") => {
            page.line(format_args!("   {hash}-port = {}", enabled(flags.sched_2)));
            page.line(format_args!("   {hash}-fallback = {}", enabled(flags.sched_1)));
        }
        _ => {
            for (n, flag) in (1..).zip([flags.sched_1, flags.sched_2, flags.sched_3]) {
                page.line(format_args!("   flag-{n} = {}", enabled(flag)));
            }
        }
    }
    page.line(format_args!("   One packet scheduling = {}", enabled(flags.one_packet)));
    if let Some(timeout) = settings.persistence_timeout {
        page.line(format_args!("   persistence timeout = {}", timeout.as_secs()));
    }
    match (settings.persistence_granularity, settings.family()) {
        (Some(length), Some(Family::Inet6)) => {
            page.line(format_args!("   persistence granularity = {length}"));
        }
        (Some(length), _) => {
            let mask = Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0));
            page.line(format_args!("   persistence granularity = {mask}"));
        }
        (None, _) => {}
    }
    let protocol = match &settings.key {
        VirtualServerKey::Service(ServiceKey::Fwmark { .. }) => "none".to_owned(),
        VirtualServerKey::Service(key) => key.protocol().to_string().to_uppercase(),
        VirtualServerKey::Group { protocol, .. } => protocol.to_string().to_uppercase(),
    };
    page.line(format_args!("   protocol = {protocol}"));
}

fn timing(
    page: &mut Page,
    retry: Option<u32>,
    delay: Option<std::time::Duration>,
    warmup: Option<std::time::Duration>,
) {
    if let Some(retry) = retry {
        page.line(format_args!("   Retry count = {retry}"));
    }
    if let Some(delay) = delay {
        page.line(format_args!("   Retry delay = {}", decimal(delay)));
    }
    if let Some(warmup) = warmup {
        page.line(format_args!("   Warmup = {}", decimal(warmup)));
    }
}

fn forwarding(page: &mut Page, before: &str, forwarding: Forwarding) {
    let mut text = format!("   {before}forwarding method = {forwarding}");
    if let Forwarding::Tun(tunnel) = forwarding {
        let _ = match tunnel {
            Tunnel::Ipip => write!(text, ", type IPIP"),
            Tunnel::Gue { port, .. } => write!(text, ", type GUE, port {port}"),
            Tunnel::Gre { .. } => write!(text, ", type GRE"),
        };
    }
    page.line(format_args!("{text}"));
}

fn script(page: &mut Page, script: Option<&Script>, whose: &str, when: &str) {
    if let Some(script) = script {
        page.line(format_args!("   {whose} {when} notify script = {script}"));
    }
}

fn real_server(page: &mut Page, real: &RealServer) {
    let settings = &real.settings;
    let effective = real.weight.map_or_else(|| settings.weight.0.to_string(), |weight| weight.to_string());
    page.line(format_args!("   ------< Real server >------"));
    let (ip, port) = (real.address.ip(), real.address.port());
    page.line(format_args!(
        "   RIP = {ip}, RPORT = {port}, WEIGHT = {} EFF WEIGHT = {effective}",
        settings.weight.0
    ));
    forwarding(page, "", settings.forwarding);
    page.line(format_args!("   Alpha is {}", on(settings.alpha)));
    let timeout = settings.timing.connect_timeout.unwrap_or(keepwatch_model::CheckTiming::CONNECT_TIMEOUT);
    page.line(format_args!("   connection timeout = {}", decimal(timeout)));
    let (low, high) = (settings.lower_threshold, settings.upper_threshold);
    page.line(format_args!("   connection limit range = {low} -> {high}"));
    if let Some(delay) = settings.timing.delay_loop {
        page.line(format_args!("   Delay loop = {}", decimal(delay)));
    }
    timing(page, settings.timing.retry, settings.timing.delay_before_retry, settings.timing.warmup);
    page.line(format_args!("   Inhibit on failure is {}", on(settings.inhibit_on_failure)));
    script(page, settings.notify_up.as_deref(), "RS", "up");
    script(page, settings.notify_down.as_deref(), "RS", "down");
    if let Some(host) = &settings.virtualhost {
        page.line(format_args!("    VirtualHost = '{host}'"));
    }
    if let Some(name) = &settings.snmp_name {
        page.line(format_args!("   SNMP name = {name}"));
    }
    page.line(format_args!("   Using smtp notification = {}", yes(settings.smtp_alert)));
    page.line(format_args!("   initial weight = {}", settings.weight.0));
    page.line(format_args!("   effective weight = {effective}"));
    page.line(format_args!("   alive = {}", u8::from(real.up)));
    let failed = real.checkers.iter().filter(|checker| checker.ok == Some(false)).count();
    // One that begins as failed has not reported yet.
    let failed = if real.up { 0 } else { failed.max(1) };
    page.line(format_args!("   num failed checkers = {failed}"));
    page.line(format_args!("   RS set = {}", u8::from(real.weight.is_some())));
    if !settings.file_checks.is_empty() {
        page.line(format_args!("   Tracked Files"));
    }
    for check in settings.file_checks.iter() {
        page.line(format_args!("     {}, weight {}", check.track_file, check.weight));
    }
    if !settings.bfd_checks.is_empty() {
        page.line(format_args!("   Tracked BFDs"));
    }
    settings.bfd_checks.iter().for_each(|check| page.line(format_args!("     {}", check.session)));
}

fn checker_block(page: &mut Page, service: &Service, real: &RealServer, index: usize, checker: &Checker) {
    let known = real.checkers.iter().find(|known| usize::from(known.key.index) == index);
    let real_name = endpoint(&real.address, service.key.protocol());
    page.line(format_args!(" {} -> {real_name}", service.settings.key));
    page.line(format_args!("   Enabled = {}", yes(!real.resting)));
    let up = known.and_then(|known| known.ok).unwrap_or(!checker.alpha && !real.settings.alpha);
    page.line(format_args!("   Up = {}", yes(up)));
    // It may have seen something, as a certificate, before it comes to its first result.
    page.line(format_args!("   Has run = {}", yes(known.is_some_and(|known| known.ok.is_some()))));
    page.line(format_args!("   Alpha = {}", yes(checker.alpha)));
    page.line(format_args!("   Delay loop = {} us", checker.delay_loop.as_micros()));
    page.line(format_args!("   Warmup = {} us", checker.warmup.as_micros()));
    page.line(format_args!("   Retries = {}", checker.retry));
    page.line(format_args!("   Delay before retry = {} us", checker.delay_before_retry.as_micros()));
    page.line(format_args!("   Log all failures = {}", yes(checker.log_all_failures)));
    let connection = match &checker.kind {
        CheckerKind::Tcp(connection) | CheckerKind::Ping(connection) => Some(connection),
        CheckerKind::Http(HttpGet { connection, .. }) => Some(connection),
        CheckerKind::Smtp(check) => Some(&check.connection),
        CheckerKind::Dns(check) => Some(&check.connection),
        CheckerKind::Udp(check) => Some(&check.connection),
        CheckerKind::Misc(_) => None,
    };
    if let Some(connection) = connection {
        page.line(format_args!("   Connection"));
        let to = connection.connect_to;
        page.line(format_args!("     Dest = [{}]:{}", to.ip(), to.port()));
        if let Some(source) = connection.bind_to {
            page.line(format_args!("     Bind to = {source}"));
        }
        page.line(format_args!("     Timeout = {}", decimal(connection.connect_timeout)));
    }
    let keyword = checker.kind.keyword();
    match &checker.kind {
        CheckerKind::Http(check) => {
            let version = match check.version {
                HttpVersion::Http10 => "1.0",
                HttpVersion::Http10Close => "1.0C",
                HttpVersion::Http11 => "1.1",
            };
            page.line(format_args!("   Keepalive method = {keyword}, http protocol {version}"));
            check.urls.iter().for_each(|url| page.line(format_args!("   Checked url = {}", url.path)));
        }
        CheckerKind::Misc(check) => {
            page.line(format_args!("   Keepalive method = {keyword}"));
            page.line(format_args!("   script = {}", check.script));
        }
        _ => page.line(format_args!("   Keepalive method = {keyword}")),
    }
    if let Some(failure) = known.and_then(|known| known.failure.as_ref()) {
        page.line(format_args!("   Last failure = {failure}"));
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::fact::ServiceFact;
    use keepwatch_bus::subject::CheckerKey;
    use keepwatch_bus::{Configured, sample};

    use super::*;

    #[test]
    fn a_checker_has_run_when_it_has_come_to_a_result() {
        let mut world = World::default();
        let has_run = |world: &World| {
            let mut page = Page::default();
            write(&mut page, world);
            page.0.contains("   Has run = yes")
        };
        let key = sample::real_key(([10, 0, 0, 100], 80), ([10, 0, 1, 1], 8080));
        let checker = CheckerKey::new(key, "TCP_CHECK", 0);
        let mut facts = vec![
            ServiceFact::VirtualServerConfigured {
                service: key.service,
                settings: Configured::new(1, sample::service()),
            },
            ServiceFact::RealServerConfigured {
                real: key,
                starts_up: true,
                checked: true,
                settings: Configured::new(1, sample::real_server()),
            },
            ServiceFact::PageDigestSeen { checker: checker.clone(), url: 0, digest: "d".into() },
            ServiceFact::CheckSucceeded { checker, took: std::time::Duration::ZERO },
        ];
        let last = facts.pop().unwrap();
        for fact in facts {
            world.apply(&sample::event(1, None, fact));
        }
        let known = &world.services.get(&key.service).unwrap().reals.get(&key.real).unwrap().checkers;
        assert_eq!(known.len(), 1, "it has seen something");
        assert!(!has_run(&world));
        world.apply(&sample::event(2, None, last));
        assert!(has_run(&world));
    }
}
