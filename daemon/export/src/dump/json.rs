//! `keepalived.json`. Keys, types and order are keepalived 2.4.3's; 2.2.7 has the same without `auth_ext_*` and
//! `track_process`.

use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::counters::Counters;
use keepwatch_bus::fact::Evidence;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::world::Instance;
use keepwatch_model::{
    ArgumentMatch, Authentication, Follow, InterfaceAddress, Level, Script, TrackProcess, TrackedKind,
    Tracker, VrrpVersion,
};
use serde::Serialize;
use serde_json::Number;

use super::routers::{auth_type, follows, vmac_interface};
use super::stats::{Cleared, Since};
use super::{entries, trackers};

/// Version 2.
#[derive(Serialize)]
pub(super) struct All {
    vrrp: Vec<Router>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_process: Vec<Process>,
}

impl All {
    pub(super) fn new(vrrp: Vec<Router>, world: &World) -> Self {
        let all = world.trackers.processes.values();
        let track_process = all.filter_map(|tracker| match &*tracker.settings.model {
            Tracker::Process(settings) => {
                Some(Process::of(settings, tracker.evidence.as_ref(), tracker.level == Level::Up))
            }
            Tracker::Script(_) | Tracker::File(_) | Tracker::Bfd(_) => None,
        });
        Self { vrrp, track_process: track_process.collect() }
    }
}

/// One virtual router.
#[derive(Serialize)]
pub(super) struct Router {
    data: Data,
    stats: Stats,
}

pub(super) fn routers(world: &World, counters: &Counters, cleared: &Cleared) -> Vec<Router> {
    let router =
        |instance| Router { data: Data::of(instance, world), stats: Stats::of(instance, counters, cleared) };
    world.instances.values().map(router).collect()
}

#[derive(Serialize)]
struct Data {
    iname: Name,
    dont_track_primary: u8,
    skip_check_adv_addr: u8,
    strict_mode: u8,
    vmac_ifname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifp_ifname: Option<String>,
    master_priority: u8,
    last_transition: f64,
    garp_delay: Number,
    garp_refresh: u64,
    garp_rep: u32,
    garp_refresh_rep: u32,
    garp_lower_prio_delay: u64,
    garp_lower_prio_rep: u32,
    lower_prio_no_advert: u8,
    higher_prio_send_advert: u8,
    vrid: u8,
    base_priority: u8,
    effective_priority: u8,
    vipset: bool,
    promote_secondaries: bool,
    adver_int: Number,
    master_adver_int: Number,
    accept: u8,
    nopreempt: bool,
    preempt_delay: u64,
    state: u8,
    wantstate: u8,
    version: u8,
    smtp_alert: bool,
    notify_deleted: bool,
    #[serde(flatten)]
    scripts: Scripts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vroutes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vrules: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_ifp: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_script: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_process: Vec<String>,
    auth_type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_data: Option<&'static str>,
}

impl Data {
    fn of(instance: &Instance, world: &World) -> Self {
        let settings = &instance.settings;
        let garp = &settings.garp;
        let vmac_ifname = vmac_interface(settings, world).unwrap_or_default();
        let since = instance.changed.map(|changed| changed.at).or(world.started_at).unwrap_or_default();
        let addresses = |all: &[InterfaceAddress]| {
            all.iter().map(|address| entries::address(instance, address, world)).collect()
        };
        let follows = follows(instance, world);
        let names = |kind| follows.iter().filter(move |follow| follow.kind == kind);
        Self {
            iname: instance.name.clone(),
            dont_track_primary: settings.dont_track_primary.into(),
            skip_check_adv_addr: settings.skip_check_adv_addr.into(),
            strict_mode: settings.strict.into(),
            ifp_ifname: match (vmac_ifname.is_empty(), &settings.interface) {
                (false, _) => Some(vmac_ifname.clone()),
                (true, interface) => interface.as_deref().map(str::to_owned),
            },
            vmac_ifname,
            master_priority: instance.master.map_or(0, |(_, priority)| priority),
            last_transition: since.as_microsecond() as f64 / 1e6,
            garp_delay: number(garp.master_delay),
            garp_refresh: garp.master_refresh.as_secs(),
            garp_rep: garp.master_repeat,
            garp_refresh_rep: garp.master_refresh_repeat,
            garp_lower_prio_delay: garp.lower_prio_delay.as_secs(),
            garp_lower_prio_rep: garp.lower_prio_repeat,
            lower_prio_no_advert: settings.lower_prio_no_advert.into(),
            higher_prio_send_advert: settings.higher_prio_send_advert.into(),
            vrid: settings.vrid.0,
            base_priority: settings.priority.0,
            effective_priority: instance.priority,
            vipset: instance.state == VrrpState::Master,
            promote_secondaries: settings.promote_secondaries,
            adver_int: number(settings.advert_int),
            master_adver_int: number(settings.advert_int),
            accept: settings.accept.into(),
            nopreempt: settings.nopreempt,
            preempt_delay: settings.preempt_delay.as_secs(),
            state: instance.state.number(),
            wantstate: instance.wanted.number(),
            version: settings.version.number(),
            smtp_alert: settings.smtp_alert,
            notify_deleted: settings.notify.tell_deleted,
            scripts: Scripts::of(settings),
            vips: addresses(&settings.addresses),
            evips: addresses(&settings.excluded_addresses),
            vroutes: settings.routes.iter().map(entries::route).collect(),
            vrules: settings.rules.iter().map(entries::rule).collect(),
            track_ifp: names(TrackedKind::Link).map(|follow| follow.name.to_string()).collect(),
            track_script: names(TrackedKind::Script).filter_map(|follow| command(follow, world)).collect(),
            track_process: names(TrackedKind::Process).map(|follow| follow.name.to_string()).collect(),
            auth_type: auth_type(settings),
            auth_data: match (settings.version, &settings.authentication) {
                (VrrpVersion::V2, Authentication::Pass(_) | Authentication::Ah(_)) => Some("********"),
                (VrrpVersion::V2, Authentication::None) | (VrrpVersion::V3, _) => None,
            },
        }
    }
}

fn command(follow: &Follow, world: &World) -> Option<String> {
    trackers::script(world, &follow.name).map(|script| script.script.to_string())
}

/// Whole seconds as an integer, as keepalived's `%g` writes them; parts as a fraction.
fn number(time: Duration) -> Number {
    let fraction = Number::from_f64(time.as_secs_f64()).filter(|_| time.subsec_nanos() != 0);
    fraction.unwrap_or_else(|| time.as_secs().into())
}

#[derive(Serialize)]
struct Scripts {
    #[serde(skip_serializing_if = "Option::is_none")]
    script_backup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_master: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_stop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_deleted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_master_rx_lower_pri: Option<String>,
}

impl Scripts {
    fn of(settings: &keepwatch_model::Instance) -> Self {
        let notify = &settings.notify;
        let text = |script: &Option<Script>| script.as_ref().map(Script::to_string);
        Self {
            script_backup: text(&notify.backup),
            script_master: text(&notify.master),
            script_fault: text(&notify.fault),
            script_stop: text(&notify.stop),
            script_deleted: text(&notify.deleted),
            script: text(&notify.any),
            script_master_rx_lower_pri: text(&notify.master_rx_lower_priority),
        }
    }
}

#[derive(Serialize)]
struct Stats {
    advert_rcvd: u64,
    advert_sent: u64,
    become_master: u64,
    release_master: u64,
    packet_len_err: u64,
    advert_interval_err: u64,
    ip_ttl_err: u64,
    invalid_type_rcvd: u64,
    addr_list_err: u64,
    invalid_authtype: u64,
    authtype_mismatch: u64,
    auth_failure: u64,
    auth_ext_missing: u64,
    auth_ext_malformed: u64,
    auth_ext_unknown_key: u64,
    auth_ext_invalid_hmac: u64,
    auth_ext_stale: u64,
    auth_ext_replay: u64,
    pri_zero_rcvd: u64,
    pri_zero_sent: u64,
}

impl Stats {
    fn of(instance: &Instance, counters: &Counters, cleared: &Cleared) -> Self {
        let since = Since::of(&instance.name, counters, cleared);
        Self {
            advert_rcvd: since.get(|c| &c.adverts_received),
            advert_sent: since.get(|c| &c.adverts_sent),
            become_master: since.get(|c| &c.became_master),
            release_master: since.get(|c| &c.released_master),
            packet_len_err: since.get(|c| &c.packet_length_errors),
            advert_interval_err: since.get(|c| &c.interval_errors),
            ip_ttl_err: since.get(|c| &c.ttl_errors),
            invalid_type_rcvd: since.get(|c| &c.invalid_type),
            addr_list_err: since.get(|c| &c.address_list_errors),
            invalid_authtype: since.get(|c| &c.invalid_auth_type),
            authtype_mismatch: since.get(|c| &c.auth_type_mismatch),
            auth_failure: since.get(|c| &c.auth_failures),
            auth_ext_missing: since.get(|c| &c.auth_ext_missing),
            auth_ext_malformed: since.get(|c| &c.auth_ext_malformed),
            auth_ext_unknown_key: since.get(|c| &c.auth_ext_unknown_key),
            auth_ext_invalid_hmac: since.get(|c| &c.auth_ext_invalid_hmac),
            auth_ext_stale: since.get(|c| &c.auth_ext_stale),
            auth_ext_replay: since.get(|c| &c.auth_ext_replay),
            pri_zero_rcvd: since.get(|c| &c.priority_zero_received),
            pri_zero_sent: since.get(|c| &c.priority_zero_sent),
        }
    }
}

#[derive(Serialize)]
struct Process {
    process: Name,
    #[serde(skip_serializing_if = "String::is_empty")]
    parameters: String,
    param_match: &'static str,
    min_processes: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_processes: Option<u16>,
    current_processes: u32,
    have_quorum: bool,
    weight: i32,
    terminate_delay: Number,
    fork_delay: Number,
    fork_delay_timer_running: bool,
    terminate_delay_timer_running: bool,
    full_command: bool,
}

impl Process {
    fn of(settings: &TrackProcess, evidence: Option<&Evidence>, have_quorum: bool) -> Self {
        Self {
            process: settings.program.clone(),
            parameters: settings.arguments.join(" "),
            param_match: match settings.matching {
                None => "none",
                Some(ArgumentMatch::Exact) => "exact",
                Some(ArgumentMatch::Initial) => "initial",
                Some(ArgumentMatch::Partial) => "partial",
            },
            min_processes: settings.quorum,
            max_processes: settings.quorum_max,
            current_processes: trackers::processes(evidence),
            have_quorum,
            weight: if settings.reverse { -settings.weight } else { settings.weight },
            terminate_delay: number(settings.terminate_delay),
            fork_delay: number(settings.fork_delay),
            // While a timer runs, what it delays has not been told yet.
            fork_delay_timer_running: false,
            terminate_delay_timer_running: false,
            full_command: settings.full_command,
        }
    }
}
