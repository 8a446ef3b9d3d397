//! `global_defs`, with which every data file begins: what is acted on here.

use keepwatch_bus::Process;
use keepwatch_model::{DynamicInterfaces, JsonVersion, LvsFlushOnStop, ProcessScheduling};

use super::{Page, truth, yes};

pub(super) fn write(page: &mut Page, process: &Process) {
    let global = &process.global;
    page.section("Global definitions");
    let namespace = global.net_namespace.as_deref().unwrap_or("(default)");
    page.line(format_args!(" Network namespace = {namespace}"));
    if let Some(name) = &global.instance_name {
        page.line(format_args!(" Instance name = {name}"));
    }
    page.line(format_args!(" Router ID = {}", global.router_id));
    mail(page, process);
    let dynamic = global.dynamic_interfaces != DynamicInterfaces::No;
    page.line(format_args!(" Dynamic interfaces = {}", truth(dynamic)));
    if let Some(interface) = &global.default_interface {
        page.line(format_args!(" Default interface = {interface}"));
    }
    page.line(format_args!(" Disable local IGMP = {}", yes(global.disable_local_igmp)));
    page.line(format_args!(" Use VRRPv2 checksum for VRRPv3 IPv4 = {}", yes(global.v3_checksum_as_v2)));
    page.line(format_args!(" LVS flush = {}", truth(global.lvs_flush)));
    let flush = match global.lvs_flush_on_stop {
        LvsFlushOnStop::No => "disabled",
        LvsFlushOnStop::All => "full",
        LvsFlushOnStop::VirtualServers => "VS",
    };
    page.line(format_args!(" LVS flush on stop = {flush}"));
    page.line(format_args!(" VRRP notify priority changes = {}", truth(global.vrrp_notify_priority_changes)));
    page.line(format_args!(" VRRP IPv4 mcast group = {}", global.vrrp_mcast_group4));
    page.line(format_args!(" VRRP IPv6 mcast group = {}", global.vrrp_mcast_group6));
    let garp = &global.garp;
    page.line(format_args!(" Gratuitous ARP delay = {}", garp.master_delay.as_secs()));
    page.line(format_args!(" Gratuitous ARP repeat = {}", garp.master_repeat));
    page.line(format_args!(" Gratuitous ARP refresh timer = {}", garp.master_refresh.as_secs()));
    page.line(format_args!(" Gratuitous ARP refresh repeat = {}", garp.master_refresh_repeat));
    page.line(format_args!(" Gratuitous ARP lower priority delay = {}", garp.lower_prio_delay.as_secs()));
    page.line(format_args!(" Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat));
    page.line(format_args!(" Num adverts before down = {}", global.vrrp_down_timer_adverts));
    let (lower, higher) = (!global.vrrp_lower_prio_no_advert, global.vrrp_higher_prio_send_advert);
    page.line(format_args!(" Send advert after receive lower priority advert = {}", truth(lower)));
    page.line(format_args!(" Send advert after receive higher priority advert = {}", truth(higher)));
    page.line(format_args!(" Gratuitous ARP interval = {:.6}", garp.interval.as_secs_f64()));
    page.line(format_args!(" Gratuitous NA interval = {:.6}", garp.gna_interval.as_secs_f64()));
    page.line(format_args!(" VRRP default protocol version = {}", global.vrrp_version));
    page.line(format_args!(" VRRP check unicast_src = {}", truth(global.vrrp_check_unicast_src)));
    page.line(format_args!(" VRRP skip check advert addresses = {}", truth(global.vrrp_skip_check_adv_addr)));
    page.line(format_args!(" VRRP strict mode = {}", truth(global.vrrp_strict)));
    scheduling(page, "VRRP", &global.processes.vrrp);
    scheduling(page, "Checker", &global.processes.checker);
    scheduling(page, "BFD", &global.processes.bfd);
    rest(page, process);
}

fn mail(page: &mut Page, process: &Process) {
    let global = &process.global;
    if let Some(server) = &global.smtp_server {
        page.line(format_args!(" Smtp server = {server}"));
        page.line(format_args!(" Smtp HELO name = {}", global.smtp_helo_name));
        page.line(format_args!(
            " Smtp server connection timeout = {}",
            global.smtp_connect_timeout.as_secs()
        ));
    }
    if let Some(from) = &global.notification_email_from {
        page.line(format_args!(" Email notification from = {from}"));
    }
    global.notification_email.iter().for_each(|to| page.line(format_args!(" Email notification = {to}")));
    for (what, alert) in [
        ("smtp_alert", global.smtp_alert),
        ("smtp_alert_vrrp", global.smtp_alert_vrrp),
        ("smtp_alert_checker", global.smtp_alert_checker),
    ] {
        let alert = match alert {
            None => "unset",
            Some(true) => "on",
            Some(false) => "off",
        };
        page.line(format_args!(" Default {what} = {alert}"));
    }
    page.line(format_args!(" Checkers log all failures = {}", truth(global.checker_log_all_failures)));
}

fn scheduling(page: &mut Page, side: &str, settings: &ProcessScheduling) {
    page.line(format_args!(" {side} process priority = {}", settings.nice.map_or(0, |nice| nice.0)));
    page.line(format_args!(" {side} don't swap = {}", truth(settings.no_swap)));
    page.line(format_args!(" {side} realtime priority = {}", settings.realtime.unwrap_or(0)));
}

fn rest(page: &mut Page, process: &Process) {
    let global = &process.global;
    for (on, what) in [
        (global.snmp.vrrp, "vrrp"),
        (global.snmp.checker, "checker"),
        (global.snmp.rfc_v2, "RFCv2"),
        (global.snmp.rfc_v3, "RFCv3"),
        (global.snmp.traps, "traps"),
    ] {
        page.line(format_args!(" SNMP {what} {}", super::enabled(on)));
    }
    match &global.snmp.socket {
        Some(socket) => page.line(format_args!(" SNMP socket = {socket}")),
        None => page.line(format_args!(" SNMP socket = default (unix:/var/agentx/master)")),
    }
    page.line(format_args!(" DBus {}", super::enabled(global.dbus.enabled)));
    page.line(format_args!(" Script security {}", super::enabled(global.enable_script_security)));
    if let Some(user) = &global.script_user {
        page.line(format_args!(" Default script user = {}", user.name));
    }
    page.line(format_args!(" rs_init_notifies = {}", u8::from(global.rs_init_notifies)));
    page.line(format_args!(" no_checker_emails = {}", u8::from(global.no_checker_emails)));
    page.line(format_args!(" umask = {:#05o}", global.umask.unwrap_or(0o177)));
    let version = if global.dumps.json_version == JsonVersion::V2 { 2 } else { 1 };
    page.line(format_args!(" json_version {version}"));
    page.line(format_args!(" iproute usr directory {}", global.iproute.usr.display()));
    page.line(format_args!(" iproute etc directory {}", global.iproute.etc.display()));
    page.line(format_args!(" Configuration file = {}", process.config_file));
    page.line(format_args!(" Process = {}, keepwatch {}", process.pid, process.version));
}
