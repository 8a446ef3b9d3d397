//! Reads the block `vrrp_instance`.

use std::collections::HashSet;
use std::net::IpAddr;

use super::auth_hmac::HmacDraft;
use super::draft::InstanceDraft;
use super::{path, vmac};
use crate::diagnostics::Diagnostic;
use crate::lower::routing::{Block, Routing, address, route, rule};
use crate::lower::script::script;
use crate::lower::{Draft, garp, track};
use crate::model::{Family, InitialState, InterfaceAddress, LinkTarget, Priority, VrrpVersion};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

impl Draft {
    pub(in crate::lower) fn instance(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut draft = InstanceDraft {
            name,
            at: node.arg_span(0),
            bad: node.bad_children(),
            ..InstanceDraft::default()
        };
        for child in &node.children {
            if child.bad {
                // A priority that is out of range becomes the default, not the owner's.
                if child.keyword.name == "priority" {
                    draft.priority = Some((100, child.name.span));
                }
                continue;
            }
            garp::at_least_one(child, context);
            let taken = draft.value(child)
                || draft.follow(child, context)
                || garp::read(&mut draft.garp, child, context)
                || path::read(&mut draft, child, context);
            if !taken {
                draft.block(child, &mut self.routing, context);
            }
        }
        self.instances.push(Box::new(draft));
    }
}

impl InstanceDraft {
    /// Takes a keyword that only sets a value; false when it is none of these.
    fn value(&mut self, node: &Node) -> bool {
        let span = node.arg_span(0);
        match node.keyword.name {
            "virtual_router_id" => self.vrid = node.number(0).map(|value| (value, span)),
            "priority" => self.priority = node.number(0).map(|value| (value, span)),
            "advert_int" => self.advert_int = node.seconds(0).map(|value| (value, span)),
            "no_virtual_ipaddress" => self.no_virtual_ipaddress = Some(node.name.span),
            "promote_secondaries" => self.promote_secondaries = Some(node.name.span),
            "nopreempt" => self.nopreempt = Some(node.name.span),
            "preempt" => self.nopreempt = None,
            "preempt_delay" => self.preempt_delay = node.seconds(0).map(|value| (value, span)),
            "vmac_xmit_base" => self.vmac_xmit_base = Some(node.name.span),
            "use_vmac_addr" => self.vmac_addr = true,
            "dont_track_primary" => self.dont_track_primary = true,
            "linkbeat_use_polling" => self.poll_link = true,
            "timer_expired_backup" | "thread_timer_expired" => {
                // Without a value the highest that is not the owner's: the shortest wait.
                let priority = node.number(0).unwrap_or(Priority::OWNER.0 - 1);
                self.timer_expired = Some((Priority(priority), node.name.span));
            }
            "v3_checksum_as_v2" => self.v3_checksum_as_v2 = Some(node.on()),
            "accept" => self.accept = Some((true, node.name.span)),
            "no_accept" => self.accept = Some((false, node.name.span)),
            "skip_check_adv_addr" => self.skip_check_adv_addr = Some(node.on()),
            "strict_mode" => self.strict = Some(node.on()),
            "debug" => self.debug = node.number(0).unwrap_or(0),
            "smtp_alert" => self.smtp_alert = Some(node.on()),
            "notify_priority_changes" => self.notify_priority_changes = Some(node.on()),
            "lvs_sync_daemon_interface" => self.lvs_sync_daemon_interface = node.text(0),
            "down_timer_adverts" => self.down_timer_adverts = node.number(0).map(|value| (value, span)),
            "lower_prio_no_advert" => self.lower_prio_no_advert = Some((node.on(), node.name.span)),
            "higher_prio_send_advert" => self.higher_prio_send_advert = Some((node.on(), node.name.span)),
            "owner_ignore_adverts" => self.owner_ignore_adverts = Some((node.on(), node.name.span)),
            "kernel_rx_buf_size" => self.kernel_rx_buf_size = node.number(0),
            _ => return false,
        }
        true
    }

    /// Takes what it follows; false when it is something else.
    fn follow(&mut self, node: &Node, context: &mut Context) -> bool {
        match node.keyword.name {
            "track_script" => track::objects(&mut self.scripts, node, context),
            "track_file" => track::objects(&mut self.files, node, context),
            "track_process" => track::objects(&mut self.processes, node, context),
            "track_bfd" => track::objects(&mut self.bfds, node, context),
            "track_interface" => track::interfaces(&mut self.interfaces, node, context),
            _ => return false,
        }
        true
    }

    /// Takes a block, a script, or what says of which family the instance is.
    fn block(&mut self, node: &Node, routing: &mut Routing, context: &mut Context) {
        let lines = node.lines.iter();
        match node.keyword.name {
            "authentication" => self.authentication(node),
            "auth_hmac" => {
                let hmac = &mut self.auth.make_mut().hmac;
                hmac.get_or_insert_with(|| Box::new(HmacDraft::at(node.name.span))).read(node, context);
            }
            "virtual_ipaddress" => {
                self.addresses_written |= !node.lines.is_empty();
                self.addresses(node, routing, context);
            }
            "virtual_ipaddress_excluded" => self.excluded(node, routing, context),
            "virtual_routes" => self
                .routes
                .extend(lines.filter_map(|words| route::route(words, Block::Virtual, routing, context))),
            "virtual_rules" => self
                .rules
                .extend(lines.filter_map(|words| rule::rule(words, Block::Virtual, routing, context))),
            "state" => self.state(node, context),
            "interface" => self.interface(node, context),
            "native_ipv6" => self.native_ipv6(node, context),
            "version" => self.version(node, context),
            "use_vmac" | "use_ipvlan" => vmac::read(self, node, routing, context),
            _ => self.command(node, context),
        }
    }

    fn command(&mut self, node: &Node, context: &mut Context) {
        let notify = &mut self.notify;
        match node.keyword.name {
            "notify_master" => notify.make_mut().master = script(node, context),
            "notify_backup" => notify.make_mut().backup = script(node, context),
            "notify_fault" => notify.make_mut().fault = script(node, context),
            "notify_stop" => notify.make_mut().stop = script(node, context),
            "notify" => notify.make_mut().any = script(node, context),
            "notify_master_rx_lower_pri" => {
                notify.make_mut().master_rx_lower_priority = script(node, context)
            }
            "notify_deleted" => {
                notify.make_mut().tell_deleted = true;
                if !node.args.is_empty() {
                    notify.make_mut().deleted = script(node, context);
                }
            }
            _ => {}
        }
    }

    /// `state`; MASTER stays once it is said.
    fn state(&mut self, node: &Node, context: &mut Context) {
        let at = node.arg_span(0);
        match (node.arg(0) == Some("MASTER"), self.state) {
            (false, Some((InitialState::Master, first))) => {
                let diagnostic =
                    Diagnostic::error("conflict", "`state` was MASTER before").at(at, "has no effect");
                context.report(diagnostic.also(first, "here"));
            }
            (true, _) => self.state = Some((InitialState::Master, at)),
            (false, _) => self.state = Some((InitialState::Backup, at)),
        }
    }

    fn interface(&mut self, node: &Node, context: &mut Context) {
        if node.arg(0) != Some("lo") {
            self.interface = node.text(0);
            return;
        }
        let diagnostic =
            Diagnostic::error("invalid-value", "virtual routers can't be on the loopback interface");
        context.report(diagnostic.at(node.arg_span(0), "left out"));
        self.interface = None;
        self.bad.push(node.keyword.name);
    }

    /// The version must fit what is known so far; IPv6 that is known already has version 3.
    fn version(&mut self, node: &Node, context: &mut Context) {
        let version = if node.int(0) == Some(3) { VrrpVersion::V3 } else { VrrpVersion::V2 };
        let settled = match self.version {
            Some((settled, _)) => Some(settled),
            None => (self.family == Some(Family::Inet6) && !self.family_is_meant).then_some(VrrpVersion::V3),
        };
        match settled.filter(|settled| *settled != version) {
            Some(settled) => {
                let message = format!("`{}` is of version {settled} already", self.name);
                context.report(Diagnostic::error("conflict", message).at(node.arg_span(0), "has no effect"));
            }
            None => self.version = Some((version, node.arg_span(0))),
        }
    }

    fn native_ipv6(&mut self, node: &Node, context: &mut Context) {
        if self.family == Some(Family::Inet) {
            let message = format!("`native_ipv6` comes after what says that `{}` is of IPv4", self.name);
            context.report(Diagnostic::error("family-mix", message).at(node.name.span, "has no effect"));
            return;
        }
        (self.family, self.family_is_meant) = (Some(Family::Inet6), false);
        self.version = Some((VrrpVersion::V3, node.name.span));
    }

    /// The lines of `virtual_ipaddress`.
    fn addresses(&mut self, node: &Node, routing: &mut Routing, context: &mut Context) {
        let mut list = Vec::with_capacity(node.lines.len());
        let mut taken: HashSet<IpAddr> = self.addresses.iter().map(|(known, _)| known.address).collect();
        let excluded = places(&self.excluded);
        for words in &node.lines {
            let Some(first) = words.first() else { continue };
            let Some(address) = address::line(words, Block::Virtual, routing, context) else {
                // Its family was meant all the same: the good ones after it are not to blame.
                let meant = if first.text.contains(':') { Family::Inet6 } else { Family::Inet };
                if self.family.is_none() {
                    (self.family, self.family_is_meant) = (Some(meant), true);
                }
                continue;
            };
            if taken.contains(&address.address) || excluded.contains(&place(&address)) {
                say_duplicate(&address, first, context);
            } else if self.is_of_family(address.address, "address", first.span, context) {
                taken.insert(address.address);
                list.push((address, first.span));
            }
        }
        add(&mut self.addresses, list);
    }

    /// The lines of `virtual_ipaddress_excluded`: of either family. An address may stand once on each interface.
    fn excluded(&mut self, node: &Node, routing: &mut Routing, context: &mut Context) {
        let mut list = Vec::with_capacity(node.lines.len());
        let mut taken = places(self.addresses.iter().chain(&self.excluded));
        for words in &node.lines {
            let (Some(address), Some(first)) =
                (address::line(words, Block::Virtual, routing, context), words.first())
            else {
                continue;
            };
            if taken.insert(place(&address)) {
                list.push((address, first.span));
            } else {
                say_duplicate(&address, first, context);
            }
        }
        add(&mut self.excluded, list);
    }

    fn authentication(&mut self, node: &Node) {
        self.bad.extend(node.bad_children());
        for child in node.children.iter().filter(|child| !child.bad) {
            let value = child.text(0).map(|text| (text, child.arg_span(0)));
            match child.keyword.name {
                "auth_type" => self.auth.make_mut().kind = value,
                "auth_pass" => self.auth.make_mut().password = value,
                _ => {}
            }
        }
    }
}

/// Appends a list without room to spare: there may be very many of them.
fn add<T>(to: &mut Vec<T>, mut list: Vec<T>) {
    if to.is_empty() {
        list.shrink_to_fit();
        *to = list;
    } else {
        to.append(&mut list);
    }
}

/// What no two excluded addresses have in common.
fn place(address: &InterfaceAddress) -> (IpAddr, LinkTarget) {
    (address.address, address.link.clone())
}

fn places<'a>(
    addresses: impl IntoIterator<Item = &'a (InterfaceAddress, Span)>,
) -> HashSet<(IpAddr, LinkTarget)> {
    addresses.into_iter().map(|(address, _)| place(address)).collect()
}

fn say_duplicate(address: &InterfaceAddress, at: &Word, context: &mut Context) {
    let message = format!("the address {} is there already", address.address);
    context.report(Diagnostic::error("duplicate-address", message).at(at.span, "left out"));
}
