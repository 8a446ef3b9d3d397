//! `global_defs`, and the keywords of the top level that belong with it.

mod buffers;
mod fifo;
mod files;
mod firewall;
mod ipvs;
mod links;
mod mailbox;
mod processes;
mod smtp;
mod umask;
mod vrrp;

use std::time::Duration;

use super::Draft;
use super::sync_daemon::SyncDaemonPlace;
use crate::diagnostics::Diagnostic;
use crate::model::{Global, IpvsNamespace, Name};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::values::command::script;
use crate::values::user;

/// `global_defs` as written: the model's own struct with what needs defaults kept apart.
#[derive(Debug, Default)]
pub(crate) struct GlobalDraft {
    model: Global,
    router_id: Option<Name>,
    helo_name: Option<Name>,
    garp_lower_delay: Option<Duration>,
    garp_lower_repeat: Option<u32>,
    rs_stats: Option<Duration>,
    vmac_address_prefix: Option<Name>,
    fifos: fifo::FifoDrafts,
    pub(super) sync_daemon: SyncDaemonPlace,
}

impl Draft {
    pub(super) fn global_defs(&mut self, node: &Node, context: &mut Context) {
        for child in node.children.iter().filter(|child| !child.bad) {
            let global = &mut self.global;
            if !(global.mail(child, context)
                || global.garp(child, context)
                || global.vrrp(child, context)
                || global.links(child, context)
                || global.processes(child, context)
                || global.buffers(child, context)
                || global.firewall(child, context)
                || global.fifos.take(child, context)
                || global.lvs(child, context)
                || global.snmp(child, context)
                || global.files(child, context))
            {
                global.other(child, context);
            }
        }
    }
}

impl GlobalDraft {
    pub(super) fn iproute(&self) -> &crate::model::IprouteDirectories {
        &self.model.iproute
    }

    /// A keyword of the top level.
    pub(super) fn root(&mut self, node: &Node, context: &mut Context) -> bool {
        let model = &mut self.model;
        match node.keyword.name {
            "net_namespace" => (model.net_namespace, model.use_pid_dir) = (node.text(0), true),
            "net_namespace_ipvs" => {
                model.net_namespace_ipvs =
                    Some(node.text(0).map_or(IpvsNamespace::Default, IpvsNamespace::Named));
            }
            // No ipset is made.
            "namespace_with_ipsets" => {}
            "instance" => (model.instance_name, model.use_pid_dir) = (node.text(0), true),
            "use_pid_dir" => model.use_pid_dir = true,
            "child_wait_time" => {
                model.child_wait_time = node.whole_seconds(0).unwrap_or(model.child_wait_time);
            }
            "linkbeat_use_polling" => model.linkbeat_use_polling = true,
            "linkbeat_interfaces" => {
                model
                    .linkbeat_interfaces
                    .extend(node.lines.iter().filter_map(|words| links::linkbeat(words, context)));
            }
            "interface_up_down_delays" => {
                model
                    .interface_delays
                    .extend(node.lines.iter().filter_map(|words| links::delays(words, context)));
            }
            _ => {}
        }
        true
    }

    fn snmp(&mut self, node: &Node, context: &mut Context) -> bool {
        let (snmp, dbus) = (&mut self.model.snmp, &mut self.model.dbus);
        match node.keyword.name {
            "enable_snmp_vrrp" => snmp.vrrp = true,
            "enable_snmp_checker" => snmp.checker = true,
            "enable_snmp_rfc" => (snmp.rfc_v2, snmp.rfc_v3) = (true, true),
            "enable_snmp_rfcv2" => snmp.rfc_v2 = true,
            "enable_snmp_rfcv3" => snmp.rfc_v3 = true,
            "enable_traps" => snmp.traps = true,
            "snmp_socket" => snmp.socket = snmp_socket(node, context),
            "snmp_vs_stats_update_interval" => {
                snmp.vs_stats_interval = node.seconds(0).unwrap_or(snmp.vs_stats_interval)
            }
            "snmp_rs_stats_update_interval" => self.rs_stats = node.seconds(0),
            "enable_dbus" => dbus.enabled = true,
            "dbus_service_name" => dbus.service_name = node.text(0).unwrap_or_default(),
            "dbus_no_interface_name" => dbus.no_interface_name = node.text(0).unwrap_or_default(),
            _ => return false,
        }
        true
    }

    /// Scripts.
    fn other(&mut self, node: &Node, context: &mut Context) {
        let model = &mut self.model;
        match node.keyword.name {
            "script_user" => {
                // One that there is not stays: nobody else, least of all root, may run what was meant for it.
                model.script_user = user(node, 0, context).unwrap_or_else(|missing| Some(missing.0));
            }
            "enable_script_security" => model.enable_script_security = true,
            "use_symlink_paths" => model.use_symlink_paths = node.on(),
            "set_supplementary_groups" => model.set_supplementary_groups = node.on(),
            "startup_script" => model.startup_script = script(node, context),
            "startup_script_timeout" => {
                model.startup_script_timeout = node.whole_seconds(0).unwrap_or(model.startup_script_timeout);
            }
            "shutdown_script" => model.shutdown_script = script(node, context),
            "shutdown_script_timeout" => {
                model.shutdown_script_timeout =
                    node.whole_seconds(0).unwrap_or(model.shutdown_script_timeout);
            }
            "rs_init_notifies" => model.rs_init_notifies = node.on(),
            _ => {}
        }
    }

    /// The model, defaults filled in.
    pub(super) fn finish(self, host: &str, context: &mut Context) -> Global {
        let mut model = self.model;
        let host = Name::from(host);
        model.router_id = self.router_id.unwrap_or_else(|| host.clone());
        model.smtp_helo_name = self.helo_name.unwrap_or(host);
        model.garp.lower_prio_delay = self.garp_lower_delay.unwrap_or(model.garp.master_delay);
        model.garp.lower_prio_repeat = self.garp_lower_repeat.unwrap_or(model.garp.master_repeat);
        model.snmp.rs_stats_interval = self.rs_stats.unwrap_or(model.snmp.vs_stats_interval);
        model.vmac_prefixes.addresses =
            self.vmac_address_prefix.unwrap_or_else(|| model.vmac_prefixes.instances.clone());
        model.notify_fifos = self.fifos.finish(context);
        model
    }
}

/// As many bytes of a text as fit, and no half characters.
fn cut(text: &str, most: usize) -> &str {
    (0..=most.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// Says that a number is not as it must be, and what is used in place of it.
fn instead(node: &Node, must: &str, used: impl std::fmt::Display, context: &mut Context) {
    context.report(
        Diagnostic::error("out-of-range", format!("`{}` must be {must}", node.keyword.name))
            .at(node.arg_span(0), format!("{used} is used")),
    );
}

/// Where the master agent listens. AgentX needs a stream (RFC 2741 §8.1): over another transport, which keepalived's
/// manual page has as its example, nothing is reached, and the usual place is tried.
fn snmp_socket(node: &Node, context: &mut Context) -> Option<Name> {
    const NO_STREAM: &[&str] = &["udp:", "udp6:", "udpv6:", "udpipv6:", "dtlsudp:", "dtlsudp6:"];
    let text = node.text(0)?;
    let Some(address) = NO_STREAM.iter().find_map(|transport| text.strip_prefix(transport)) else {
        return Some(text);
    };
    let transport = text.split(':').next().unwrap_or("");
    let diagnostic = Diagnostic::warning("snmp-transport", format!("AgentX does not go over `{transport}`"))
        .at(node.arg_span(0), "expected `unix:PATH` or `tcp:HOST:PORT`; unix:/var/agentx/master is used");
    context.report(diagnostic.suggest(node.arg_span(0), format!("tcp:{address}"), "use TCP"));
    None
}
