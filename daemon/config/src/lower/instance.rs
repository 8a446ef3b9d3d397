//! `vrrp_instance`.

use std::net::IpAddr;
use std::time::Duration;

use super::Draft;
use super::address;
use super::script::script;
use super::track::{self, TrackedDraft};
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{
    InitialState, InterfaceAddress, Name, Notify, TrackedInterface, UnicastPeer, VrrpVersion,
};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

/// A value and where it is written.
pub(super) type Placed<T> = Option<(T, Span)>;

/// An instance as written.
#[derive(Debug, Default)]
pub(super) struct InstanceDraft {
    pub(super) name: Name,
    pub(super) at: Span,
    /// Keywords whose values are wrong.
    pub(super) bad: Vec<&'static str>,
    pub(super) state: Placed<InitialState>,
    pub(super) interface: Option<Name>,
    pub(super) vrid: Placed<u8>,
    pub(super) priority: Placed<u8>,
    pub(super) advert_int: Placed<Duration>,
    pub(super) version: Placed<VrrpVersion>,
    pub(super) auth_type: Placed<Name>,
    pub(super) auth_pass: Placed<Name>,
    pub(super) auth_hmac: Option<Span>,
    pub(super) addresses: Vec<(InterfaceAddress, Span)>,
    pub(super) excluded: Vec<(InterfaceAddress, Span)>,
    /// There are lines in `virtual_ipaddress`, whether they are right or not.
    pub(super) addresses_written: bool,
    pub(super) nopreempt: Option<Span>,
    pub(super) preempt_delay: Placed<Duration>,
    pub(super) down_timer_adverts: Placed<u8>,
    pub(super) accept: Placed<bool>,
    pub(super) strict: Option<bool>,
    pub(super) garp_delay: Option<Duration>,
    pub(super) garp_repeat: Option<u32>,
    pub(super) garp_refresh: Option<Duration>,
    pub(super) garp_refresh_repeat: Option<u32>,
    pub(super) garp_lower_delay: Placed<Duration>,
    pub(super) garp_lower_repeat: Placed<u32>,
    pub(super) lower_prio_no_advert: Placed<bool>,
    pub(super) higher_prio_send_advert: Placed<bool>,
    pub(super) owner_ignore_adverts: Placed<bool>,
    pub(super) dont_track_primary: bool,
    pub(super) interfaces: Vec<TrackedInterface>,
    pub(super) scripts: Vec<TrackedDraft>,
    pub(super) files: Vec<TrackedDraft>,
    pub(super) processes: Vec<TrackedDraft>,
    pub(super) bfds: Vec<TrackedDraft>,
    pub(super) source: Placed<IpAddr>,
    pub(super) track_source: bool,
    pub(super) multicast: Placed<IpAddr>,
    pub(super) peers: Vec<(UnicastPeer, Span)>,
    /// There are lines in `unicast_peer`, whether they are right or not.
    pub(super) peers_written: bool,
    pub(super) unicast_keyword: Option<Span>,
    pub(super) unicast_ttl: Placed<u8>,
    pub(super) check_unicast_source: bool,
    pub(super) skip_check_adv_addr: Option<bool>,
    pub(super) v3_checksum_as_v2: Option<bool>,
    pub(super) vrf: Option<Span>,
    pub(super) native_ipv6: Option<Span>,
    pub(super) promote_secondaries: bool,
    pub(super) smtp_alert: Option<bool>,
    /// Boxed, as most instances have none and there may be many instances.
    pub(super) notify: Option<Box<Notify>>,
    pub(super) notify_priority_changes: Option<bool>,
    pub(super) lvs_sync_daemon_interface: Option<Name>,
    pub(super) vmac: Option<crate::model::Vmac>,
    pub(super) vmac_xmit_base: Option<Span>,
    pub(super) vmac_addr: bool,
    pub(super) no_virtual_ipaddress: Option<Span>,
    pub(super) kernel_rx_buf_size: Option<u32>,
    pub(super) debug: u8,
}

impl Draft {
    pub(super) fn instance(&mut self, node: &Node, context: &mut Context) {
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
            at_least_one(child, context);
            if !draft.value(child) {
                draft.block(child, context);
            }
        }
        self.instances.push(Box::new(draft));
    }
}

impl InstanceDraft {
    /// Takes a keyword that only sets a value; false when it is none of these.
    fn value(&mut self, node: &Node) -> bool {
        let span = node.arg_span(0);
        let byte = || node.int(0).and_then(|value| u8::try_from(value).ok());
        let count = || node.int(0).and_then(|value| u32::try_from(value).ok());
        match node.keyword.name {
            "state" => {
                let state =
                    if node.arg(0) == Some("MASTER") { InitialState::Master } else { InitialState::Backup };
                self.state = Some((state, span));
            }
            "interface" => self.interface = node.text(0),
            "virtual_router_id" => self.vrid = byte().map(|value| (value, span)),
            "priority" => self.priority = byte().map(|value| (value, span)),
            "advert_int" => self.advert_int = node.seconds(0).map(|value| (value, span)),
            "version" => {
                let version = if node.int(0) == Some(3) { VrrpVersion::V3 } else { VrrpVersion::V2 };
                self.version = Some((version, span));
            }
            "no_virtual_ipaddress" => self.no_virtual_ipaddress = Some(node.name.span),
            "promote_secondaries" => self.promote_secondaries = true,
            "nopreempt" => self.nopreempt = Some(node.name.span),
            "preempt" => self.nopreempt = None,
            "preempt_delay" => self.preempt_delay = node.seconds(0).map(|value| (value, span)),
            "vmac_xmit_base" => self.vmac_xmit_base = Some(node.name.span),
            "use_vmac_addr" => self.vmac_addr = true,
            "dont_track_primary" => self.dont_track_primary = true,
            "mcast_src_ip" => self.source = node.address(0).map(|value| (value, span)),
            "unicast_src_ip" => {
                self.source = node.address(0).map(|value| (value, span));
                self.unicast_keyword.get_or_insert(node.name.span);
            }
            "mcast_dst_ip" => self.multicast = node.address(0).map(|value| (value, span)),
            "track_src_ip" => self.track_source = true,
            "unicast_ttl" => self.unicast_ttl = byte().map(|ttl| (ttl, node.name.span)),
            "check_unicast_src" => {
                self.check_unicast_source = true;
                self.unicast_keyword.get_or_insert(node.name.span);
            }
            "unicast_fault_no_peer" | "old_unicast_checksum" => {
                self.unicast_keyword.get_or_insert(node.name.span);
            }
            "vrf" => self.vrf = Some(node.name.span),
            "native_ipv6" => self.native_ipv6 = Some(node.name.span),
            "v3_checksum_as_v2" => self.v3_checksum_as_v2 = Some(node.on()),
            "accept" => self.accept = Some((true, node.name.span)),
            "no_accept" => self.accept = Some((false, node.name.span)),
            "skip_check_adv_addr" => self.skip_check_adv_addr = Some(node.on()),
            "strict_mode" => self.strict = Some(node.on()),
            "debug" => self.debug = byte().unwrap_or(0),
            "smtp_alert" => self.smtp_alert = Some(node.on()),
            "notify_priority_changes" => self.notify_priority_changes = Some(node.on()),
            "lvs_sync_daemon_interface" => self.lvs_sync_daemon_interface = node.text(0),
            "garp_master_delay" => self.garp_delay = node.whole_seconds(0),
            "garp_master_repeat" => self.garp_repeat = count().map(|value| value.max(1)),
            "garp_master_refresh" => self.garp_refresh = node.whole_seconds(0),
            "garp_master_refresh_repeat" => self.garp_refresh_repeat = count().map(|value| value.max(1)),
            "garp_lower_prio_delay" => {
                self.garp_lower_delay = node.whole_seconds(0).map(|value| (value, span))
            }
            "garp_lower_prio_repeat" => self.garp_lower_repeat = count().map(|value| (value, span)),
            "down_timer_adverts" => self.down_timer_adverts = byte().map(|value| (value, span)),
            "lower_prio_no_advert" => self.lower_prio_no_advert = Some((node.on(), node.name.span)),
            "higher_prio_send_advert" => self.higher_prio_send_advert = Some((node.on(), node.name.span)),
            "owner_ignore_adverts" => self.owner_ignore_adverts = Some((node.on(), node.name.span)),
            "kernel_rx_buf_size" => self.kernel_rx_buf_size = count(),
            _ => return false,
        }
        true
    }

    /// Takes a block or a script.
    fn block(&mut self, node: &Node, context: &mut Context) {
        let lines = node.lines.iter();
        match node.keyword.name {
            "authentication" => self.authentication(node),
            "auth_hmac" => self.auth_hmac = Some(node.name.span),
            "virtual_ipaddress" => {
                self.addresses_written |= !node.lines.is_empty();
                add(&mut self.addresses, addresses(node, context));
            }
            "virtual_ipaddress_excluded" => add(&mut self.excluded, addresses(node, context)),
            "virtual_routes" => lines.for_each(|words| super::route::route(words, context)),
            "virtual_rules" => lines.for_each(|words| super::route::rule(words, context)),
            "unicast_peer" => {
                self.unicast_keyword.get_or_insert(node.name.span);
                self.peers_written |= !node.lines.is_empty();
                self.peers.extend(lines.filter_map(|words| peer(words, context)));
            }
            "track_interface" => {
                self.interfaces.extend(lines.filter_map(|words| track::interface(words, context)))
            }
            "track_script" => {
                add(&mut self.scripts, lines.filter_map(|words| track::object(words, 253, context)).collect())
            }
            "track_file" => {
                add(&mut self.files, lines.filter_map(|words| track::object(words, 254, context)).collect())
            }
            "track_process" => add(
                &mut self.processes,
                lines.filter_map(|words| track::object(words, 254, context)).collect(),
            ),
            "track_bfd" => {
                add(&mut self.bfds, lines.filter_map(|words| track::object(words, 253, context)).collect())
            }
            "notify_master" => self.notify().master = script(node, context),
            "notify_backup" => self.notify().backup = script(node, context),
            "notify_fault" => self.notify().fault = script(node, context),
            "notify_stop" => self.notify().stop = script(node, context),
            "notify_deleted" => self.notify().deleted = script(node, context),
            "notify" => self.notify().any = script(node, context),
            "notify_master_rx_lower_pri" => self.notify().master_rx_lower_priority = script(node, context),
            "use_vmac" | "use_ipvlan" => self.vmac = Some(vmac(node)),
            _ => {}
        }
    }

    fn notify(&mut self) -> &mut Notify {
        self.notify.get_or_insert_default()
    }

    fn authentication(&mut self, node: &Node) {
        self.bad.extend(node.bad_children());
        for child in node.children.iter().filter(|child| !child.bad) {
            let value = child.text(0).map(|text| (text, child.arg_span(0)));
            match child.keyword.name {
                "auth_type" => self.auth_type = value,
                "auth_pass" => self.auth_pass = value,
                _ => {}
            }
        }
    }
}

/// Repeats of 0 become 1, as in keepalived (reported).
pub(super) fn at_least_one(node: &Node, context: &mut Context) {
    let repeats = matches!(
        node.keyword.name,
        "garp_master_repeat"
            | "garp_master_refresh_repeat"
            | "vrrp_garp_master_repeat"
            | "vrrp_garp_master_refresh_repeat"
    );
    if repeats && node.int(0) == Some(0) {
        context.report(
            Diagnostic::error("out-of-range", format!("`{}` must be 1 or more", node.keyword.name))
                .at(node.arg_span(0), "1 is used"),
        );
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

fn addresses(node: &Node, context: &mut Context) -> Vec<(InterfaceAddress, Span)> {
    let line = |words: &Vec<Word>| Some((address::line(words, context)?, words.first()?.span));
    node.lines.iter().filter_map(line).collect()
}

fn peer(words: &[Word], context: &mut Context) -> Option<(UnicastPeer, Span)> {
    let first = words.first()?;
    let Some(address) = crate::values::address(&first.text) else {
        context.report(
            Diagnostic::error("invalid-address", format!("`{}` is no address", first.text))
                .at(first.span, "expected the address of a peer"),
        );
        return None;
    };
    let mut peer = UnicastPeer { address, min_ttl: None, max_ttl: None };
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let slot = match &*word.text {
            "min_ttl" => &mut peer.min_ttl,
            "max_ttl" => &mut peer.max_ttl,
            other => {
                context.report(
                    Diagnostic::error("unknown-option", format!("`{other}` is no option of a peer"))
                        .at(word.span, "expected `min_ttl` or `max_ttl`"),
                );
                break;
            }
        };
        let Some(value) = words.get(at + 1) else {
            context.report(
                Diagnostic::error("missing-value", format!("`{}` needs a number", word.text))
                    .at(word.span.after(), "missing here"),
            );
            break;
        };
        *slot = line_number(value, 0, 255, &word.text, context).map(|value| value as u8);
        at += 2;
    }
    Some((peer, first.span))
}

fn vmac(node: &Node) -> crate::model::Vmac {
    let mut made = crate::model::Vmac {
        ipvlan: node.keyword.name == "use_ipvlan",
        interface: None,
        mac: None,
        xmit_base: false,
        addresses: false,
    };
    let mut words = node.args.iter();
    while let Some(word) = words.next() {
        match &*word.text {
            "group" => {
                words.next();
            }
            "name" | "netlink_notify_msg" | "bridge" | "private" | "vepa" => {}
            text => match mac(text) {
                Some(mac) => made.mac = Some(mac),
                None if text.parse::<IpAddr>().is_ok() => {}
                None => made.interface = Some(text.into()),
            },
        }
    }
    made
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}
