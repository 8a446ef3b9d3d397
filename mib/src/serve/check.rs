//! The part `check`: virtual servers, real servers, the synchronisation daemon and IPVS's timeouts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keepwatch_bus::subject::{Family, Protocol, RealKey, ServiceKey};
use keepwatch_bus::world::{RealServer, Service};
use keepwatch_bus::{Counters, World};
use keepwatch_config::model::{CheckTiming, Forwarding, GroupEntry, Name, Script, VirtualServerGroup};
use snmp_agentx::{IndexBuilder, VarBindValue, value};

use super::columns::{Row, address, address_type, integer, microseconds, seconds, truth, unsigned};
use super::traffic::{REAL_TRAFFIC, SERVICE_TRAFFIC, traffic};
use crate::oids::{CHECK, below};

/// virtualServerGroupEntry.
const GROUP: [u32; 3] = [CHECK, 1, 1];
/// virtualServerGroupMemberEntry.
const GROUP_MEMBER: [u32; 3] = [CHECK, 2, 1];
/// virtualServerEntry.
const SERVICE: [u32; 3] = [CHECK, 3, 1];
/// realServerEntry.
const REAL: [u32; 3] = [CHECK, 4, 1];
/// lvsSyncDaemon.
const SYNC_DAEMON: u32 = 6;
/// lvsTimeouts.
const TIMEOUTS: u32 = 7;

pub(super) fn add(world: &World, counters: &Counters, builder: &mut IndexBuilder) {
    for (row, group) in (1..).zip(&world.settings.details.virtual_server_groups) {
        add_group(group, row, builder);
    }
    let mut row = 0;
    let mut last_group = None;
    for service in world.services_in_order() {
        // A virtual server that stands for a group is one row, however many services it is in the kernel.
        let group = service.settings.details.group.as_ref().map(|name| (name, service.settings.position));
        if group.is_some() && group == last_group {
            continue;
        }
        last_group = group;
        row += 1;
        add_service(service, counters, row, builder);
        add_reals(service, counters, row, builder);
    }
    add_sync_daemon(world, builder);
    let timeouts = world.settings.details.lvs_timeouts;
    for (object, timeout) in (1..).zip([timeouts.tcp, timeouts.tcp_fin, timeouts.udp]) {
        if let Some(timeout) = timeout {
            let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
            builder.add(&below(&[CHECK, TIMEOUTS, object]), &[0], integer(seconds));
        }
    }
}

fn add_group(group: &VirtualServerGroup, row: u32, builder: &mut IndexBuilder) {
    Row::new(builder, &GROUP, &[row]).put_text(2, Some(&group.name));
    // Firewall marks come first, wherever they stand.
    let (marks, addresses): (Vec<&GroupEntry>, Vec<&GroupEntry>) =
        group.entries.iter().partition(|entry| matches!(entry, GroupEntry::FwMark { .. }));
    for (member, entry) in (1..).zip(marks.into_iter().chain(addresses)) {
        let index = [row, member];
        let mut r = Row::new(builder, &GROUP_MEMBER, &index);
        match entry {
            GroupEntry::FwMark { mark, family: _ } => {
                r.put(2, value::integer(1));
                r.put(3, unsigned(mark.0.into()));
            }
            GroupEntry::Addresses { range, port } => {
                let (first, last) = (&range.first, &range.last());
                r.put(2, value::integer(if first == last { 2 } else { 3 }));
                r.put(4, address_type(first));
                if first == last {
                    r.put(5, address(first));
                } else {
                    r.put(6, address(first));
                    r.put(7, address(last));
                }
                r.put(8, unsigned((*port).into()));
            }
        }
    }
}

fn add_service(service: &Service, counters: &Counters, row: u32, builder: &mut IndexBuilder) {
    let settings = &service.settings;
    let details = &settings.details;
    let index = [row];
    let mut r = Row::new(builder, &SERVICE, &index);
    identify(service, &mut r);
    r.put(9, value::integer(scheduler(&settings.scheduler)));
    r.put(10, value::integer(forwarding(settings.forwarding)));
    r.put(11, truth(service.present));
    r.put_text(12, settings.virtualhost.as_ref());
    r.put(13, truth(settings.persistence.is_some()));
    if let Some(timeout) = settings.persistence {
        r.put(14, seconds(timeout));
    }
    granularity(service, &mut r);
    r.put(16, seconds(settings.delay_loop));
    r.put(17, truth(details.ha_suspend));
    r.put(18, truth(settings.alpha));
    r.put(19, truth(settings.omega));
    r.put(20, unsigned(service.reals.len() as u128));
    r.put(21, unsigned(service.reals_up() as u128));
    r.put(22, unsigned(settings.quorum.into()));
    r.put(23, truth(service.quorum));
    let (up, down) = &settings.quorum_scripts;
    for (column, path, script) in [(24, 72, up), (25, 73, down)] {
        r.put_text(column, script.as_ref().map(ToString::to_string));
        r.put_text(path, script.as_ref().and_then(program));
    }
    r.put(26, unsigned(settings.hysteresis.into()));
    r.put(37, truth(settings.one_packet));
    let [flag_1, flag_2, flag_3] = details.scheduler_flags;
    r.put(52, truth(details.hashed));
    // The first two flags mean one thing to `sh` and another to `mh`, and are the same bits.
    for (column, flag) in [(53, flag_1), (54, flag_2), (55, flag_3), (62, flag_1), (63, flag_2)] {
        r.put(column, truth(flag));
    }
    r.put(56, truth(!details.inhibit_on_failure));
    r.put(60, integer(details.weight));
    r.put(61, truth(settings.smtp_alert));
    timing(&details.timing, &SERVICE_TIMING, &mut r);
    r.put(64, microseconds(settings.delay_loop));
    r.put(67, microseconds(details.timing.connect_timeout.unwrap_or(CONNECT_TIMEOUT)));
    if settings.forwarding.is_tunnel() {
        // virtualServerTunnelType: ipip(1).
        r.put(68, value::integer(1));
    }
    r.put_text(71, details.snmp_name.as_ref());
    traffic(&counters.services.resolve(&service.key), &SERVICE_TRAFFIC, &mut r);
}

/// What counts as one client: a netmask for IPv4, the length of a prefix for IPv6. Where keepalived has no address
/// to tell it the family it shows the same four octets as both, and where nothing was said all bits are set.
fn granularity(service: &Service, r: &mut Row<'_>) {
    let said = service.settings.granularity;
    let octets = match service.key.family() {
        Family::Inet => netmask(said.unwrap_or(32)),
        Family::Inet6 => said.filter(|prefix| *prefix < 128).map_or(u32::MAX, u32::from).to_ne_bytes(),
    };
    let by_address = service_type(service) == 2;
    if !(by_address && service.key.family() == Family::Inet6) {
        r.put(15, value::octets(&octets));
    }
    if !(by_address && service.key.family() == Family::Inet) {
        r.put(51, value::unsigned(u32::from_ne_bytes(octets)));
    }
}

/// Type, group, mark, address, port and protocol of a virtual server.
fn identify(service: &Service, r: &mut Row<'_>) {
    let kind = service_type(service);
    r.put(2, value::integer(kind));
    r.put_text(3, service.settings.details.group.as_ref());
    r.put(5, value::integer(if service.key.family() == Family::Inet { 1 } else { 2 }));
    match &service.key {
        ServiceKey::Fwmark { fwmark, .. } if kind == 1 => r.put(4, unsigned((*fwmark).into())),
        ServiceKey::Address { address: ip, port, .. } if kind == 2 => {
            r.put(6, address(ip));
            r.put(7, unsigned((*port).into()));
        }
        ServiceKey::Fwmark { .. } | ServiceKey::Address { .. } => {}
    }
    if kind != 1 {
        r.put(8, value::integer(protocol(service.key.protocol())));
    }
}

/// virtualServerType: fwmark(1), ip(2), group(3).
pub(crate) fn service_type(service: &Service) -> i32 {
    match (&service.settings.details.group, &service.key) {
        (Some(_), _) => 3,
        (None, ServiceKey::Fwmark { .. }) => 1,
        (None, ServiceKey::Address { .. }) => 2,
    }
}

/// virtualServerProtocol.
pub(crate) fn protocol(protocol: Protocol) -> i32 {
    match protocol {
        Protocol::Tcp => 1,
        Protocol::Udp => 2,
        Protocol::Sctp => 3,
    }
}

/// virtualServerLoadBalancingAlgo.
fn scheduler(name: &str) -> i32 {
    const NAMES: [&str; 14] =
        ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"];
    (1..).zip(NAMES).find(|(_, known)| *known == name).map_or(99, |(number, _)| number)
}

fn forwarding(forwarding: Forwarding) -> i32 {
    match forwarding {
        Forwarding::Nat => 1,
        Forwarding::Dr => 2,
        Forwarding::Tun(_) => 3,
    }
}

fn netmask(prefix: u8) -> [u8; 4] {
    let bits = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    bits.to_be_bytes()
}

/// The program of a command.
fn program(script: &Script) -> Option<&Name> {
    script.argv.first()
}

fn add_reals(service: &Service, counters: &Counters, row: u32, builder: &mut IndexBuilder) {
    let mut number = 0;
    if let Some(sorry) = &service.settings.sorry_server {
        number += 1;
        let index = [row, number];
        let mut r = Row::new(builder, &REAL, &index);
        // realServerType: sorry(2).
        r.put(2, value::integer(2));
        endpoint(sorry, service.settings.forwarding, &mut r);
        // It has no checkers, and says nothing for any.
        r.put(42, truth(false));
        timing(&CheckTiming::default(), &REAL_TIMING, &mut r);
        for nothing in [46, 50, 51] {
            r.put(nothing, unsigned(0));
        }
        r.put(47, truth(false));
        r.put(63, unsigned(0));
        let key = RealKey { service: service.key, real: *sorry };
        traffic(&counters.reals.resolve(&key), &REAL_TRAFFIC, &mut r);
    }
    for real in service.reals_in_order() {
        number += 1;
        add_real(service, real, counters, &[row, number], builder);
    }
}

fn add_real(
    service: &Service,
    real: &RealServer,
    counters: &Counters,
    index: &[u32],
    builder: &mut IndexBuilder,
) {
    let settings = &real.settings;
    let mut r = Row::new(builder, &REAL, index);
    r.put(2, value::integer(1));
    endpoint(&real.address, settings.forwarding, &mut r);
    r.put(6, truth(real.up));
    r.put(7, integer(settings.weight));
    for (column, limit) in [(8, settings.upper_threshold), (9, settings.lower_threshold)] {
        if limit > 0 {
            r.put(column, unsigned(limit.into()));
        }
    }
    r.put(10, truth(!settings.inhibit_on_failure));
    let (up, down) = &settings.scripts;
    for (column, path, script) in [(11, 56, up), (12, 57, down)] {
        r.put_text(column, script.as_ref().map(ToString::to_string));
        r.put_text(path, script.as_ref().and_then(program));
    }
    r.put(13, unsigned(failed_checks(real).into()));
    // What it has from its virtual server is told there.
    let own =
        settings.virtualhost.as_ref().filter(|host| Some(*host) != service.settings.virtualhost.as_ref());
    r.put_text(41, own);
    r.put(42, truth(settings.details.alpha));
    let written = &settings.details.timing;
    timing(written, &REAL_TIMING, &mut r);
    let delay_loop = written.delay_loop.unwrap_or(service.settings.delay_loop);
    r.put(46, seconds(delay_loop));
    r.put(47, truth(settings.smtp_alert));
    r.put(50, microseconds(delay_loop));
    r.put(51, microseconds(written.connect_timeout.unwrap_or(CONNECT_TIMEOUT)));
    r.put_text(55, settings.details.snmp_name.as_ref());
    r.put(63, unsigned(settings.checkers.len().saturating_sub(real.checkers.len()) as u128));
    let key = RealKey { service: service.key, real: real.address };
    traffic(&counters.reals.resolve(&key), &REAL_TRAFFIC, &mut r);
}

/// The columns for what is said for checkers. Times come twice: in whole seconds, and exactly.
struct TimingColumns {
    retry: u32,
    delay_before_retry: (u32, u32),
    warmup: (u32, u32),
}

const SERVICE_TIMING: TimingColumns =
    TimingColumns { retry: 57, delay_before_retry: (58, 65), warmup: (59, 66) };

const REAL_TIMING: TimingColumns =
    TimingColumns { retry: 43, delay_before_retry: (44, 48), warmup: (45, 49) };

/// How long a checker's connection may take where nothing else is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What is not said is 0.
fn timing(written: &CheckTiming, columns: &TimingColumns, r: &mut Row<'_>) {
    r.put(columns.retry, unsigned(written.retry.unwrap_or(0).into()));
    for ((whole, exact), time) in
        [(columns.delay_before_retry, written.delay_before_retry), (columns.warmup, written.warmup)]
    {
        let time = time.unwrap_or(Duration::ZERO);
        r.put(whole, seconds(time));
        r.put(exact, microseconds(time));
    }
}

fn endpoint(of: &SocketAddr, method: Forwarding, r: &mut Row<'_>) {
    let ip: IpAddr = of.ip();
    r.put(3, address_type(&ip));
    r.put(4, address(&ip));
    r.put(5, unsigned(of.port().into()));
    r.put(40, value::integer(forwarding(method)));
    if method.is_tunnel() {
        r.put(52, value::integer(1));
    }
}

/// Checkers that hold the real server down. One that has just failed and may try again is none of them.
fn failed_checks(real: &RealServer) -> u32 {
    if real.up {
        return 0;
    }
    let silent = real.settings.checkers.len().saturating_sub(real.checkers.len());
    let unproven = if real.settings.details.alpha { silent } else { 0 };
    (real.checkers.iter().filter(|checker| !checker.ok).count() + unproven) as u32
}

fn add_sync_daemon(world: &World, builder: &mut IndexBuilder) {
    let mut scalar = |object: u32, shown: VarBindValue| {
        builder.add(&below(&[CHECK, SYNC_DAEMON, object]), &[0], shown);
    };
    let Some(sync) = &world.settings.details.sync_daemon else {
        scalar(1, truth(false));
        return;
    };
    scalar(1, truth(true));
    scalar(2, value::text(&sync.interface));
    if let Some(instance) = &sync.instance {
        scalar(3, value::text(instance));
    }
    scalar(4, integer(sync.sync_id));
    scalar(5, integer(sync.max_len.unwrap_or(0)));
    scalar(6, integer(sync.port.unwrap_or(0)));
    scalar(7, integer(sync.ttl.unwrap_or(0)));
    if let Some(group) = &sync.group {
        scalar(8, address_type(group));
        scalar(9, address(group));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netmasks_of_every_length() {
        assert_eq!(netmask(0), [0, 0, 0, 0]);
        assert_eq!(netmask(24), [255, 255, 255, 0]);
        assert_eq!(netmask(32), [255, 255, 255, 255]);
        assert_eq!(netmask(200), [255, 255, 255, 255]);
    }

    #[test]
    fn schedulers_have_the_numbers_of_the_mib() {
        assert_eq!(["rr", "wlc", "twos", "sip"].map(scheduler), [1, 4, 14, 99]);
    }
}
