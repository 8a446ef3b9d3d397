//! `global_defs`, and the keywords of the top level that belong with it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::Draft;
use super::script::script;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{
    ApplicationPriority, Garp, Global, LvsFlushOnStop, LvsSyncDaemon, LvsTimeouts, MailServer, Name,
    ProcessScheduling, VrrpVersion,
};
use crate::preprocess::Context;
use crate::tree::Node;

/// `global_defs` as written: the model's own struct with what needs defaults kept apart.
#[derive(Debug, Default)]
pub(crate) struct GlobalDraft {
    model: Global,
    router_id: Option<Name>,
    helo_name: Option<Name>,
    garp_lower_delay: Option<Duration>,
    garp_lower_repeat: Option<u32>,
    rs_stats: Option<Duration>,
    /// `lvs_sync_daemon` has an id; else that is the instance's VRID.
    pub(super) sync_id_written: bool,
}

impl Draft {
    pub(super) fn global_defs(&mut self, node: &Node, context: &mut Context) {
        for child in node.children.iter().filter(|child| !child.bad) {
            super::instance::at_least_one(child, context);
            let global = &mut self.global;
            if !(global.mail(child, context)
                || global.garp(child)
                || global.vrrp(child)
                || global.processes(child)
                || global.lvs(child, context)
                || global.snmp(child))
            {
                global.other(child, context);
            }
        }
    }
}

fn count(node: &Node) -> Option<u32> {
    node.int(0).and_then(|value| u32::try_from(value).ok())
}

impl GlobalDraft {
    /// A keyword of the top level.
    pub(super) fn root(&mut self, node: &Node) {
        let model = &mut self.model;
        match node.keyword.name {
            "net_namespace" => model.net_namespace = node.text(0),
            "net_namespace_ipvs" => model.net_namespace_ipvs = node.text(0),
            "instance" => model.instance_name = node.text(0),
            "use_pid_dir" => model.use_pid_dir = true,
            _ => {}
        }
    }

    fn mail(&mut self, node: &Node, context: &mut Context) -> bool {
        let model = &mut self.model;
        match node.keyword.name {
            "router_id" => self.router_id = node.text(0),
            "notification_email" => {
                let words = node.lines.iter().flatten().map(|word| Name::from(&*word.text));
                model.notification_email.extend(words);
            }
            "notification_email_from" => model.notification_email_from = node.text(0),
            "smtp_server" => model.smtp_server = mail_server(node, context),
            "smtp_helo_name" => self.helo_name = node.text(0),
            "smtp_connect_timeout" => {
                model.smtp_connect_timeout =
                    node.whole_seconds(0).filter(|t| !t.is_zero()).unwrap_or(Duration::from_secs(30));
            }
            "smtp_alert" => model.smtp_alert = Some(node.on()),
            "smtp_alert_vrrp" => model.smtp_alert_vrrp = Some(node.on()),
            "smtp_alert_checker" => model.smtp_alert_checker = Some(node.on()),
            "no_email_faults" => model.no_email_faults = true,
            "no_checker_emails" => model.no_checker_emails = node.on(),
            "checker_log_all_failures" => model.checker_log_all_failures = node.on(),
            _ => return false,
        }
        true
    }

    fn garp(&mut self, node: &Node) -> bool {
        let garp = &mut self.model.garp;
        match node.keyword.name {
            "vrrp_garp_master_delay" => {
                garp.master_delay = node.whole_seconds(0).unwrap_or(garp.master_delay)
            }
            "vrrp_garp_master_repeat" => garp.master_repeat = count(node).unwrap_or(5).max(1),
            "vrrp_garp_master_refresh" => garp.master_refresh = node.whole_seconds(0).unwrap_or_default(),
            "vrrp_garp_master_refresh_repeat" => garp.master_refresh_repeat = count(node).unwrap_or(1).max(1),
            "vrrp_garp_lower_prio_delay" => self.garp_lower_delay = node.whole_seconds(0),
            "vrrp_garp_lower_prio_repeat" => self.garp_lower_repeat = count(node),
            "vrrp_garp_interval" => garp.interval = node.seconds(0).unwrap_or_default(),
            "vrrp_gna_interval" => garp.gna_interval = node.seconds(0).unwrap_or_default(),
            "vrrp_min_garp" => {
                if node.on() {
                    *garp = Garp {
                        master_delay: Duration::ZERO,
                        master_repeat: 1,
                        master_refresh: Duration::ZERO,
                        master_refresh_repeat: 1,
                        ..garp.clone()
                    };
                }
            }
            _ => return false,
        }
        true
    }

    fn vrrp(&mut self, node: &Node) -> bool {
        let model = &mut self.model;
        match node.keyword.name {
            "default_interface" => model.default_interface = node.text(0),
            "dynamic_interfaces" => model.dynamic_interfaces = node.on(),
            "vrrp_version" => {
                model.vrrp_version = if node.int(0) == Some(3) { VrrpVersion::V3 } else { VrrpVersion::V2 };
            }
            "vrrp_mcast_group4" => {
                if let Some(IpAddr::V4(group)) = node.address(0) {
                    model.vrrp_mcast_group4 = group;
                }
            }
            "vrrp_mcast_group6" => {
                if let Some(IpAddr::V6(group)) = node.address(0) {
                    model.vrrp_mcast_group6 = group;
                }
            }
            "vrrp_lower_prio_no_advert" => model.vrrp_lower_prio_no_advert = node.on(),
            "vrrp_higher_prio_send_advert" => model.vrrp_higher_prio_send_advert = node.on(),
            "vrrp_down_timer_adverts" => model.vrrp_down_timer_adverts = count(node).unwrap_or(3) as u8,
            "vrrp_strict" => model.vrrp_strict = node.on(),
            "vrrp_skip_check_adv_addr" => model.vrrp_skip_check_adv_addr = node.on(),
            "v3_checksum_as_v2" => model.v3_checksum_as_v2 = node.on(),
            "vrrp_check_unicast_src" => model.vrrp_check_unicast_src = true,
            "vrrp_owner_ignore_adverts" => model.vrrp_owner_ignore_adverts = node.on(),
            "vrrp_notify_priority_changes" => model.vrrp_notify_priority_changes = node.on(),
            "vrrp_startup_delay" => model.vrrp_startup_delay = node.seconds(0).unwrap_or_default(),
            "log_unknown_vrids" => model.log_unknown_vrids = true,
            _ => return false,
        }
        true
    }

    /// `vrrp_priority`, `checker_no_swap` and so on.
    fn processes(&mut self, node: &Node) -> bool {
        let model = &mut self.model;
        let Some((process, setting)) = node.keyword.name.split_once('_') else { return false };
        let process: &mut ProcessScheduling = match process {
            "vrrp" => &mut model.vrrp_process,
            "checker" => &mut model.checker_process,
            "bfd" => &mut model.bfd_process,
            _ => return false,
        };
        match setting {
            "priority" => process.nice = node.int(0).map(|nice| ApplicationPriority(nice as i8)),
            "rt_priority" => process.realtime = node.int(0).map(|priority| priority.clamp(1, 99) as u8),
            "rlimit_rttime" => {
                process.rttime_limit = count(node).map(|micros| Duration::from_micros(micros.into()))
            }
            "no_swap" => process.no_swap = true,
            "cpu_affinity" => {
                process.cpu_affinity =
                    (0..node.args.len()).filter_map(|index| node.int(index)).map(|cpu| cpu as u32).collect();
            }
            _ => return false,
        }
        true
    }

    fn lvs(&mut self, node: &Node, context: &mut Context) -> bool {
        let model = &mut self.model;
        match node.keyword.name {
            "lvs_flush" => model.lvs_flush = true,
            "lvs_flush_on_stop" => {
                let only_servers = node.arg(0).is_some();
                model.lvs_flush_on_stop =
                    if only_servers { LvsFlushOnStop::VirtualServers } else { LvsFlushOnStop::All };
            }
            "lvs_timeouts" => timeouts(&mut model.lvs_timeouts, node, context),
            "lvs_sync_daemon" => {
                (model.lvs_sync_daemon, self.sync_id_written) = match sync_daemon(node, context) {
                    Some((daemon, written)) => (Some(daemon), written),
                    None => (None, false),
                };
            }
            "rs_init_notifies" => model.rs_init_notifies = node.on(),
            _ => return false,
        }
        true
    }

    fn snmp(&mut self, node: &Node) -> bool {
        let snmp = &mut self.model.snmp;
        match node.keyword.name {
            "enable_snmp_vrrp" => snmp.vrrp = true,
            "enable_snmp_checker" => snmp.checker = true,
            "enable_snmp_rfc" => (snmp.rfc_v2, snmp.rfc_v3) = (true, true),
            "enable_snmp_rfcv2" => snmp.rfc_v2 = true,
            "enable_snmp_rfcv3" => snmp.rfc_v3 = true,
            "enable_traps" => snmp.traps = true,
            "snmp_socket" => snmp.socket = node.text(0),
            "snmp_vs_stats_update_interval" => {
                snmp.vs_stats_interval = node.seconds(0).unwrap_or(snmp.vs_stats_interval)
            }
            "snmp_rs_stats_update_interval" => self.rs_stats = node.seconds(0),
            _ => return false,
        }
        true
    }

    fn other(&mut self, node: &Node, context: &mut Context) {
        let model = &mut self.model;
        let path = || node.arg(0).map(PathBuf::from);
        match node.keyword.name {
            "max_auto_priority" => model.max_auto_priority = node.int(0).map(|priority| priority as i32),
            "script_user" => {
                super::script_files::check_user(node, 0, context);
                model.script_user = node.text(0).map(|user| (user, node.text(1)));
            }
            "enable_script_security" => model.enable_script_security = true,
            "startup_script" => model.startup_script = script(node, context),
            "shutdown_script" => model.shutdown_script = script(node, context),
            "process_name" => model.process_name = node.text(0),
            "umask" => model.umask = node.arg(0).and_then(|text| u32::from_str_radix(text, 8).ok()),
            "state_dump_file" => model.state_dump_file = path(),
            "stats_dump_file" => model.stats_dump_file = path(),
            "json_dump_file" => model.json_dump_file = path(),
            _ => {}
        }
    }

    /// The model, defaults filled in.
    pub(super) fn finish(self, host: &str) -> Global {
        let mut model = self.model;
        let host = Name::from(host);
        model.router_id = self.router_id.unwrap_or_else(|| host.clone());
        model.smtp_helo_name = self.helo_name.unwrap_or(host);
        model.garp.lower_prio_delay = self.garp_lower_delay.unwrap_or(model.garp.master_delay);
        model.garp.lower_prio_repeat = self.garp_lower_repeat.unwrap_or(model.garp.master_repeat);
        model.snmp.rs_stats_interval = self.rs_stats.unwrap_or(model.snmp.vs_stats_interval);
        model
    }
}

fn mail_server(node: &Node, context: &mut Context) -> Option<MailServer> {
    let text = node.arg(0)?;
    let port = node.int(1).map_or(25, |port| port as u16);
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(MailServer::Address(SocketAddr::new(address, port)));
    }
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_');
    let numbers_only = text.chars().all(|character| character.is_ascii_digit() || character == '.');
    if text.is_empty() || numbers_only || !text.chars().all(fits) {
        context.report(
            Diagnostic::error("invalid-address", format!("`{text}` is neither an address nor a host name"))
                .at(node.arg_span(0), "no mail is sent"),
        );
        return None;
    }
    Some(MailServer::Host(text.into(), port))
}

/// `tcp 900 tcpfin 120 udp 300`
fn timeouts(to: &mut LvsTimeouts, node: &Node, context: &mut Context) {
    for pair in node.args.chunks(2) {
        let [name, value] = pair else {
            context.report(
                Diagnostic::error("missing-value", "`lvs_timeouts` needs a number after each name")
                    .at(node.span().after(), "missing here"),
            );
            return;
        };
        let slot = match &*name.text {
            "tcp" => &mut to.tcp,
            "tcpfin" => &mut to.tcp_fin,
            "udp" => &mut to.udp,
            other => {
                context.report(
                    Diagnostic::error("unknown-option", format!("`{other}` is no timeout"))
                        .at(name.span, "expected `tcp`, `tcpfin` or `udp`"),
                );
                return;
            }
        };
        let most = 31 * 86_400;
        *slot = line_number(value, 0, most, &name.text, context)
            .map(|seconds| Duration::from_secs(seconds as u64));
    }
}

/// `eth1 inst VI_1 id 51 maxlen 1000 port 8848 ttl 1 group 224.0.0.81`
fn sync_daemon(node: &Node, context: &mut Context) -> Option<(LvsSyncDaemon, bool)> {
    let mut written = false;
    let mut made = LvsSyncDaemon {
        interface: node.text(0)?,
        instance: "".into(),
        sync_id: 0,
        max_len: None,
        port: None,
        ttl: None,
        group: None,
    };
    let mut words = node.args.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        let name = &*word.text;
        if !matches!(name, "inst" | "id" | "maxlen" | "port" | "ttl" | "group") {
            // The instance may stand without `inst`.
            made.instance = name.into();
            if let Some(id) = words.next_if(|next| next.text.bytes().all(|byte| byte.is_ascii_digit())) {
                made.sync_id = line_number(id, 0, 255, "id", context)? as u8;
                written = true;
            }
            continue;
        }
        let Some(value) = words.next() else {
            context.report(
                Diagnostic::error("missing-value", format!("`{name}` needs a value"))
                    .at(word.span.after(), "missing here"),
            );
            break;
        };
        match name {
            "inst" => made.instance = (&*value.text).into(),
            "id" => {
                made.sync_id = line_number(value, 0, 255, name, context)? as u8;
                written = true;
            }
            "maxlen" => made.max_len = line_number(value, 1, 65507, name, context).map(|n| n as u16),
            "port" => made.port = line_number(value, 1, 65535, name, context).map(|n| n as u16),
            "ttl" => made.ttl = line_number(value, 1, 255, name, context).map(|n| n as u8),
            _ => made.group = crate::values::address(&value.text),
        }
    }
    Some((made, written))
}
