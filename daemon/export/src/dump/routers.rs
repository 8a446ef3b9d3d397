//! Virtual routers, sync groups and interfaces in `keepalived.data`.

use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Group, Instance};
use keepwatch_model as model;
use keepwatch_model::{
    Authentication, Family, Follow, IpvlanMode, Priority, Script, TrackedKind, VmacKind, VrrpVersion,
};

use super::{Page, enabled, entries, moment, truth, yes};

pub(super) fn write(page: &mut Page, world: &World) {
    if world.instances.values().next().is_some() {
        page.section("VRRP Topology");
        world.instances.values().for_each(|instance| router(page, instance, world));
    }
    if world.groups.values().next().is_some() {
        page.section("VRRP Sync groups");
        world.groups.values().for_each(|group| sync_group(page, group, world));
    }
}

/// What `auth_type` is on the wire: 0 none, 1 PASS, 2 AH.
pub(super) fn auth_type(settings: &model::Instance) -> u8 {
    match (settings.version, &settings.authentication) {
        (VrrpVersion::V3, _) | (VrrpVersion::V2, Authentication::None) => 0,
        (VrrpVersion::V2, Authentication::Pass(_)) => 1,
        (VrrpVersion::V2, Authentication::Ah(_)) => 2,
    }
}

/// The interface that is made for a virtual router, by the name that it has first.
pub(super) fn vmac_interface(settings: &model::Instance, world: &World) -> Option<String> {
    let vmac = settings.vmac.as_ref()?;
    let prefix = &world.settings.global.vmac_prefixes.instances;
    Some(vmac.interface.as_deref().map_or_else(|| format!("{prefix}.{}", settings.vrid.0), str::to_owned))
}

/// What a virtual router follows by its own blocks, and the interfaces of its addresses.
pub(super) fn follows(instance: &Instance, world: &World) -> Vec<Follow> {
    let settings = &instance.settings;
    let group = settings.group.as_ref().and_then(|name| world.groups.get(name));
    let mut all = Follow::of(settings, group.map(|group| &*group.settings.model));
    all.retain(|follow| match follow.kind {
        TrackedKind::Link => settings.interface.as_ref() != Some(&follow.name),
        TrackedKind::Script | TrackedKind::File | TrackedKind::Process | TrackedKind::Bfd => {
            settings.tracking.lines().any(|(kind, line)| (kind, &line.name) == (follow.kind, &follow.name))
        }
    });
    all
}

/// From the last advertisement to the moment when the master counts as dead (RFC 9568 §6.1; RFC 3768 §6.1, whose skew is
/// of a second whatever the interval).
fn master_down(settings: &model::Instance, priority: u8) -> Duration {
    let unit = match settings.version {
        VrrpVersion::V2 => Duration::from_secs(1),
        VrrpVersion::V3 => settings.advert_int,
    };
    let skew = unit * (256 - u32::from(priority)) / 256;
    settings.advert_int * u32::from(settings.down_timer_adverts) + skew
}

fn router(page: &mut Page, instance: &Instance, world: &World) {
    let settings = &instance.settings;
    page.line(format_args!(" VRRP Instance = {}", instance.name));
    page.line(format_args!("   VRRP Version = {}", settings.version));
    if let Some(group) = &settings.group {
        page.line(format_args!("   Sync group = {group}"));
    }
    if settings.family == Family::Inet6 {
        page.line(format_args!("   Using Native IPv6"));
    }
    state(page, instance, world);
    interface(page, settings, world);
    announcements(page, settings);
    election(page, instance, world);
    authentication(page, settings);
    addresses(page, instance, world);
    tracked(page, &follows(instance, world), world);
    page.line(format_args!("   Using smtp notification = {}", yes(settings.smtp_alert)));
    let deleted = if settings.notify.tell_deleted { "Deleted" } else { "Fault" };
    page.line(format_args!("   Notify deleted = {deleted}"));
    let notify = &settings.notify;
    scripts(page, notify);
    for (script, what) in [
        (&notify.deleted, "Deleted"),
        (&notify.any, "Generic"),
        (&notify.master_rx_lower_priority, "Master rx lower pri"),
    ] {
        command(page, script.as_ref(), what);
    }
    page.line(format_args!("   Notify priority changes = {}", truth(settings.notify_priority_changes)));
}

fn state(page: &mut Page, instance: &Instance, world: &World) {
    let settings = &instance.settings;
    page.line(format_args!("   State = {}", instance.state));
    if let (VrrpState::Backup, Some((address, priority))) = (instance.state, instance.master) {
        page.line(format_args!("   Master router = {address}"));
        page.line(format_args!("   Master priority = {priority}"));
        if settings.version == VrrpVersion::V3 {
            page.line(format_args!(
                "   Master advert interval = {} milli-sec",
                settings.advert_int.as_millis()
            ));
        }
    }
    if settings.unicast_peers.is_empty() {
        page.line(format_args!("   Flags: none"));
    } else {
        page.line(format_args!("   Flags:"));
        page.line(format_args!("     Using unicast"));
    }
    page.line(format_args!("   Wantstate = {}", instance.wanted));
    page.line(format_args!("   Number of config faults = {}", u8::from(settings.config_fault.is_some())));
    let influences = world.influences(instance);
    let faults = influences.iter().filter(|influence| influence.meaning.fault).count();
    page.line(format_args!("   Number of tracker faults = {faults}"));
    let down =
        settings.interface.as_ref().and_then(|name| world.interfaces.get(name)).is_some_and(|link| !link.up);
    if down && !settings.dont_track_primary {
        page.line(format_args!("   Flags of interface faults:"));
        page.line(format_args!("     i/f down"));
    } else {
        page.line(format_args!("   Flags of interface faults - (none)"));
    }
    let undecided = influences.iter().filter(|influence| influence.meaning.undecided).count();
    page.line(format_args!("   Number of track scripts init = {undecided}"));
    if let Some(at) = instance.changed.map(|changed| changed.at).or(world.started_at) {
        page.line(format_args!("   Last transition = {}", moment(at)));
    }
    let down = master_down(settings, instance.priority);
    page.line(format_args!("   Master down timer = {} usecs", down.as_micros()));
}

fn interface(page: &mut Page, settings: &model::Instance, world: &World) {
    let own = vmac_interface(settings, world);
    let base = settings.interface.as_deref();
    if let (Some(vmac), Some(own)) = (&settings.vmac, &own) {
        let up = truth(world.interfaces.get(own.as_str()).is_some_and(|link| link.up));
        match &vmac.kind {
            VmacKind::Macvlan { xmit_base, .. } => page.line(format_args!(
                "   Use VMAC, i/f name {own}, is_up = {up}, xmit_base = {}",
                truth(*xmit_base)
            )),
            VmacKind::Ipvlan { mode, address } => {
                let address =
                    address.map_or_else(String::new, |prefix| format!("i/f address = {}, ", prefix.address));
                let kind = match mode {
                    IpvlanMode::Bridge => "bridge",
                    IpvlanMode::Private => "private",
                    IpvlanMode::Vepa => "vepa",
                };
                page.line(format_args!("   Use IPVLAN, i/f {own}, is_up = {up}, {address}type {kind}"));
            }
        }
        let kind = if matches!(vmac.kind, VmacKind::Macvlan { .. }) { "vmac" } else { "ipvlan" };
        let by_base = match &vmac.kind {
            VmacKind::Macvlan { xmit_base: true, .. } => ", xmit base i/f",
            VmacKind::Macvlan { .. } | VmacKind::Ipvlan { .. } => "",
        };
        let base = base.unwrap_or("(unknown)");
        page.line(format_args!("   Interface = {own}, {kind} on {base}{by_base}"));
    } else {
        page.line(format_args!("   Interface = {}", base.unwrap_or("not configured")));
    }
    if let Some(vrf) = &settings.vrf {
        page.line(format_args!("   VRF = {vrf}"));
    }
    for (is, words) in [
        (settings.dont_track_primary, "VRRP interface tracking disabled"),
        (settings.skip_check_adv_addr, "Skip checking advert IP addresses"),
        (settings.no_virtual_ipaddress, "Suppress no VIPs warning"),
        (settings.strict, "Enforcing strict VRRP compliance"),
    ] {
        if is {
            page.line(format_args!("   {words}"));
        }
    }
    if let Some(source) = settings.source_address {
        page.line(format_args!("   Using src_ip = {source} (from configuration)"));
    }
    if settings.unicast_peers.is_empty() {
        page.line(format_args!("   Multicast address {}", settings.multicast_group));
    }
}

fn announcements(page: &mut Page, settings: &model::Instance) {
    let garp = &settings.garp;
    page.line(format_args!("   Gratuitous ARP delay = {}", garp.master_delay.as_secs()));
    page.line(format_args!("   Gratuitous ARP repeat = {}", garp.master_repeat));
    page.line(format_args!("   Gratuitous ARP refresh = {}", garp.master_refresh.as_secs()));
    page.line(format_args!("   Gratuitous ARP refresh repeat = {}", garp.master_refresh_repeat));
    page.line(format_args!("   Gratuitous ARP lower priority delay = {}", garp.lower_prio_delay.as_secs()));
    page.line(format_args!("   Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat));
    page.line(format_args!("   Down timer adverts = {}", settings.down_timer_adverts));
    if let Some(extra) = &garp.extra_interfaces {
        let which = if extra.all { "i/f" } else { "VMAC" };
        page.line(format_args!("   Gratuitous ARP for each secondary {which} = {}", extra.every.as_secs()));
    }
}

fn election(page: &mut Page, instance: &Instance, world: &World) {
    let settings = &instance.settings;
    let answers = |to: &str, is| format!("   Send advert after receive {to} priority advert = {}", truth(is));
    page.line(format_args!("{}", answers("lower", !settings.lower_prio_no_advert)));
    page.line(format_args!("{}", answers("higher", settings.higher_prio_send_advert)));
    if settings.priority == Priority::OWNER {
        let ignores = truth(settings.owner_ignore_adverts);
        page.line(format_args!("   Address owner ignores received adverts = {ignores}"));
    }
    page.line(format_args!("   Virtual Router ID = {}", settings.vrid.0));
    page.line(format_args!("   Priority = {}", settings.priority.0));
    page.line(format_args!("   Effective priority = {}", instance.priority));
    let tracked: i32 = world.influences(instance).iter().map(|influence| influence.meaning.weight).sum();
    page.line(format_args!("   Total priority = {}", i32::from(settings.priority.0) + tracked));
    match settings.version {
        VrrpVersion::V2 => {
            page.line(format_args!("   Advert interval = {} sec", settings.advert_int.as_secs()))
        }
        VrrpVersion::V3 => {
            page.line(format_args!("   Advert interval = {} milli-sec", settings.advert_int.as_millis()));
        }
    }
    page.line(format_args!("   Accept = {}", enabled(settings.accept)));
    page.line(format_args!("   Preempt = {}", enabled(!settings.nopreempt)));
    if !settings.preempt_delay.is_zero() {
        page.line(format_args!("   Preempt delay = {} secs", settings.preempt_delay.as_secs_f64()));
    }
    page.line(format_args!("   Promote_secondaries = {}", enabled(settings.promote_secondaries)));
}

fn authentication(page: &mut Page, settings: &model::Instance) {
    match auth_type(settings) {
        1 => {
            page.line(format_args!("   Authentication type = SIMPLE_PASSWORD"));
            page.line(format_args!("   Password = ********"));
        }
        2 => page.line(format_args!("   Authentication type = IPSEC_AH")),
        _ if settings.version == VrrpVersion::V2 => page.line(format_args!("   Authentication type = none")),
        _ => {}
    }
    if let Some(hmac) = &settings.auth_hmac {
        page.line(format_args!("   Authentication extension = HMAC-SHA256-128"));
        page.line(format_args!("     Keys = {}, active key id = {}", hmac.keys.len(), hmac.active_key));
    }
    if settings.version == VrrpVersion::V3 && settings.family == Family::Inet {
        page.line(format_args!("   VRRPv3 uses VRRPv2 checksum = {}", enabled(settings.v3_checksum_as_v2)));
    }
    if let Some(bytes) = settings.kernel_rx_buf_size {
        page.line(format_args!("   Kernel rx buffer size = {bytes}"));
    }
    if settings.debug > 0 {
        page.line(format_args!("   Debug level = {}", settings.debug));
    }
}

fn addresses(page: &mut Page, instance: &Instance, world: &World) {
    let settings = &instance.settings;
    if !settings.addresses.is_empty() {
        page.line(format_args!("   Virtual IP ({}):", settings.addresses.len()));
    }
    for address in &settings.addresses {
        page.line(format_args!("     {}", entries::address(instance, address, world)));
    }
    if !settings.excluded_addresses.is_empty() {
        page.line(format_args!("   Virtual IP Excluded :"));
    }
    for address in &settings.excluded_addresses {
        page.line(format_args!("     {}", entries::address(instance, address, world)));
    }
    if !settings.unicast_peers.is_empty() {
        page.line(format_args!("   Unicast TTL = {}", settings.unicast_ttl));
        page.line(format_args!("   Check unicast src : {}", yes(settings.check_unicast_source)));
        page.line(format_args!("   Unicast Peer :"));
    }
    for peer in &settings.unicast_peers {
        let (least, most) = (peer.min_ttl.unwrap_or(0), peer.max_ttl.unwrap_or(255));
        page.line(format_args!("     {} min_ttl {least} max_ttl {most}", peer.address));
    }
    if !settings.routes.is_empty() {
        page.line(format_args!("   Virtual Routes :"));
    }
    for route in &settings.routes {
        page.line(format_args!("     {}", entries::route(route)));
    }
    if !settings.rules.is_empty() {
        page.line(format_args!("   Virtual Rules :"));
    }
    for rule in &settings.rules {
        page.line(format_args!("     {}", entries::rule(rule)));
    }
}

/// What is followed, by kind.
fn tracked(page: &mut Page, follows: &[Follow], world: &World) {
    let kinds = [
        (TrackedKind::Link, "interfaces"),
        (TrackedKind::Script, "scripts"),
        (TrackedKind::File, "files"),
        (TrackedKind::Process, "processes"),
        (TrackedKind::Bfd, "BFDs"),
    ];
    for (kind, word) in kinds {
        let mut all = follows.iter().filter(|follow| follow.kind == kind).peekable();
        if all.peek().is_none() {
            continue;
        }
        page.line(format_args!("   Tracked {word} :"));
        for Follow { name, weight, reverse, .. } in all {
            let reverse = if *reverse { " reverse" } else { "" };
            match kind {
                TrackedKind::Link => {
                    let up = world.interfaces.get(name).is_some_and(|link| link.up);
                    let state = if up { "UP, RUNNING" } else { "DOWN" };
                    page.line(format_args!("     {name} weight {weight}{reverse}, {state}"));
                }
                TrackedKind::Script => page.line(format_args!("     {name} weight {weight}{reverse}")),
                TrackedKind::File | TrackedKind::Process => {
                    page.line(format_args!("     {name}, weight {weight}{reverse}"));
                }
                TrackedKind::Bfd => page.line(format_args!("     {name}: weight {weight}{reverse}")),
            }
        }
    }
}

fn scripts(page: &mut Page, notify: &model::Notify) {
    for (script, what) in [
        (&notify.backup, "Backup"),
        (&notify.master, "Master"),
        (&notify.fault, "Fault"),
        (&notify.stop, "Stop"),
    ] {
        command(page, script.as_ref(), what);
    }
}

fn command(page: &mut Page, script: Option<&Script>, what: &str) {
    let Some(script) = script else { return };
    let user = script.user.as_ref().map(|user| format!(", user {}", user.name)).unwrap_or_default();
    page.line(format_args!("   {what} state transition script = {script}{user}"));
}

fn sync_group(page: &mut Page, group: &Group, world: &World) {
    let settings = &group.settings;
    page.line(format_args!(" VRRP Sync Group = {}, {}", group.name, group.state));
    let members = |state| {
        let known = settings.members.iter().filter_map(|name| world.instances.get(name));
        known.filter(|instance| instance.state == state).count()
    };
    let (fault, init) = (members(VrrpState::Fault), members(VrrpState::Init));
    page.line(format_args!("   Num member fault {fault}, num member init {init}"));
    page.line(format_args!("   VRRP member instances :"));
    settings.members.iter().for_each(|member| page.line(format_args!("     {member}")));
    if settings.tracking_weight {
        page.line(format_args!("   sync group tracking weight set"));
    }
    page.line(format_args!("   Using smtp notification = {}", yes(settings.smtp_alert)));
    let lines = settings.tracking.lines().map(|(kind, line)| Follow {
        kind,
        name: line.name.clone(),
        weight: line.weight,
        reverse: line.reverse,
    });
    tracked(page, &lines.collect::<Vec<_>>(), world);
    scripts(page, &settings.notify);
    command(page, settings.notify.any.as_ref(), "Generic");
}

/// The interfaces that matter to virtual routers.
pub(super) fn interfaces(page: &mut Page, world: &World) {
    page.section("Interfaces");
    for link in world.interfaces.values() {
        page.line(format_args!(" Name = {}", link.name));
        page.line(format_args!("   index = {}", link.index));
        page.line(format_args!("   State = {}", if link.up { "UP, RUNNING" } else { "DOWN" }));
        let delays =
            world.settings.global.interface_delays.iter().find(|delays| delays.interface == link.name);
        if let Some(delays) = delays {
            page.line(format_args!("   Up debounce timer = {}us", delays.up.as_micros()));
            page.line(format_args!("   Down debounce timer = {}us", delays.down.as_micros()));
        }
        let of = world.instances.values().filter(|i| i.settings.interface.as_ref() == Some(&link.name));
        let names: Vec<_> = of.map(|instance| &instance.name).collect();
        if !names.is_empty() {
            page.line(format_args!("   Tracking VRRP instances :"));
        }
        names.iter().for_each(|name| page.line(format_args!("     {name}, weight 0")));
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_model::VirtualRouterId;

    use super::*;

    /// As keepalived 2.4.3 wrote them.
    #[test]
    fn the_time_until_a_master_counts_as_dead() {
        for (version, interval, priority, expected) in [
            (VrrpVersion::V2, 1000, 150, 3_414_062),
            (VrrpVersion::V3, 500, 100, 1_804_687),
            (VrrpVersion::V3, 1000, 100, 3_609_375),
        ] {
            let mut settings = model::Instance::new("VI_1".into(), "eth0".into(), VirtualRouterId(1));
            (settings.version, settings.advert_int) = (version, Duration::from_millis(interval));
            assert_eq!(master_down(&settings, priority).as_micros(), expected);
        }
    }
}
