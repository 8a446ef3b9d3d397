//! `virtual_server`, `real_server` and `virtual_server_group` as written.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Draft;
use super::checker::{CheckerDraft, Timing};
use super::script::script;
use super::track::TrackedDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{Family, Forwarding, FwMark, Name, Protocol, SchedulerFlags, Script};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// What a virtual server answers to, as written.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    Mark(FwMark),
    Group(Name),
}

/// A real or sorry server as written.
#[derive(Debug)]
pub(super) struct RealDraft {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) at: Span,
    pub(super) weight: Option<u32>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) upper_threshold: u32,
    pub(super) lower_threshold: u32,
    pub(super) inhibit: Option<bool>,
    pub(super) alpha: Option<bool>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) notify_up: Option<Script>,
    pub(super) notify_down: Option<Script>,
    pub(super) virtualhost: Option<Name>,
    pub(super) snmp_name: Option<Name>,
    pub(super) timing: Timing,
    pub(super) checkers: Vec<CheckerDraft>,
    pub(super) tracked: Vec<(&'static str, TrackedDraft)>,
}

/// A virtual server as written.
#[derive(Debug)]
pub(super) struct ServerDraft {
    pub(super) target: Target,
    pub(super) at: Span,
    /// Keywords whose values are wrong.
    pub(super) bad: Vec<&'static str>,
    pub(super) family: Option<(Family, Span)>,
    pub(super) scheduler: Option<Name>,
    pub(super) flags: SchedulerFlags,
    /// Flags that go with one scheduler: the keyword, and which scheduler.
    pub(super) scheduler_flags: Vec<(&'static str, &'static str, Span)>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) persistence_timeout: Option<Duration>,
    pub(super) granularity: Option<(u8, bool, Span)>,
    pub(super) persistence_engine: Option<Name>,
    pub(super) protocol: Option<(Protocol, Span)>,
    pub(super) one_packet: Option<Span>,
    pub(super) timing: Timing,
    pub(super) quorum: Option<(u32, Span)>,
    pub(super) hysteresis: Option<(u32, Span)>,
    pub(super) weight: u32,
    pub(super) inhibit: bool,
    pub(super) alpha: bool,
    pub(super) omega: bool,
    pub(super) ha_suspend: Option<Span>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) quorum_up: Option<Script>,
    pub(super) quorum_down: Option<Script>,
    pub(super) virtualhost: Option<Name>,
    pub(super) snmp_name: Option<Name>,
    pub(super) sorry: Option<RealDraft>,
    pub(super) reals: Vec<RealDraft>,
}

impl Draft {
    pub(super) fn server(&mut self, node: &Node, context: &mut Context) {
        let Some(target) = target(node, context) else { return };
        let at = if node.args.len() > 1 { node.arg_span(0).to(node.arg_span(1)) } else { node.arg_span(0) };
        let mut draft = ServerDraft {
            target,
            at,
            bad: node.bad_children(),
            family: None,
            scheduler: None,
            flags: SchedulerFlags::default(),
            scheduler_flags: Vec::new(),
            forwarding: None,
            persistence_timeout: None,
            granularity: None,
            persistence_engine: None,
            protocol: None,
            one_packet: None,
            timing: Timing::default(),
            quorum: None,
            hysteresis: None,
            weight: 1,
            inhibit: false,
            alpha: false,
            omega: false,
            ha_suspend: None,
            smtp_alert: None,
            quorum_up: None,
            quorum_down: None,
            virtualhost: None,
            snmp_name: None,
            sorry: None,
            reals: Vec::new(),
        };
        for child in node.children.iter().filter(|child| !child.bad) {
            check_method(child, context);
            if !draft.timing.take(child) && !draft.value(child) {
                draft.block(child, context);
            }
        }
        self.servers.push(draft);
    }
}

/// `ADDRESS [PORT]`, `fwmark MARK` or `group NAME`.
fn target(node: &Node, context: &mut Context) -> Option<Target> {
    let first = node.args.first()?;
    let needs_second = matches!(&*first.text, "fwmark" | "group");
    let second = node.args.get(1);
    if needs_second && second.is_none() {
        context.report(
            Diagnostic::error("missing-part", format!("`{}` needs a value", first.text))
                .at(first.span.after(), "missing here"),
        );
        return None;
    }
    match (&*first.text, second) {
        ("fwmark", Some(mark)) => line_number(mark, 1, i64::from(u32::MAX), "fwmark", context)
            .map(|mark| Target::Mark(FwMark(mark as u32))),
        ("group", Some(name)) => Some(Target::Group((&*name.text).into())),
        (text, port) => {
            let Some(address) = crate::values::address(text) else {
                context.report(
                    Diagnostic::error("invalid-address", format!("`{text}` is no address"))
                        .at(first.span, "expected an address, `fwmark` or `group`")
                        .help("the virtual server is left out"),
                );
                return None;
            };
            let port = match port {
                None => 0,
                Some(word) => line_number(word, 0, 65535, "port", context)? as u16,
            };
            Some(Target::Address(SocketAddr::new(address, port)))
        }
    }
}

impl ServerDraft {
    fn value(&mut self, node: &Node) -> bool {
        let span = node.arg_span(0);
        let count = || node.int(0).and_then(|value| u32::try_from(value).ok());
        let flags = &mut self.flags;
        match node.keyword.name {
            "ip_family" => {
                let family = if node.arg(0) == Some("inet6") { Family::V6 } else { Family::V4 };
                self.family = Some((family, span));
            }
            "lvs_sched" => self.scheduler = node.text(0),
            "lvs_method" => self.forwarding = forwarding(node),
            "hashed" => flags.hashed = true,
            "ops" => {
                flags.one_packet = true;
                self.one_packet = Some(node.name.span);
            }
            "flag-1" => flags.sched_1 = true,
            "flag-2" => flags.sched_2 = true,
            "sh-fallback" | "mh-fallback" | "sh-port" | "mh-port" => {
                let scheduler = node.keyword.name.get(..2).unwrap_or("");
                self.scheduler_flags.push((node.keyword.name, scheduler, node.name.span));
            }
            "flag-3" => flags.sched_3 = true,
            "persistence_timeout" => {
                self.persistence_timeout = Some(node.whole_seconds(0).unwrap_or(Duration::from_secs(360)));
            }
            "persistence_granularity" => {
                self.granularity =
                    node.arg(0).and_then(crate::values::granularity).map(|(length, v4)| (length, v4, span));
            }
            "persistence_engine" => self.persistence_engine = node.text(0),
            "protocol" => {
                let protocol = match node.arg(0).unwrap_or("").to_ascii_uppercase().as_str() {
                    "TCP" => Protocol::Tcp,
                    "SCTP" => Protocol::Sctp,
                    _ => Protocol::Udp,
                };
                self.protocol = Some((protocol, span));
            }
            "quorum" => self.quorum = count().map(|value| (value, span)),
            "hysteresis" => self.hysteresis = count().map(|value| (value, span)),
            "weight" => self.weight = count().unwrap_or(1),
            "inhibit_on_failure" => self.inhibit = true,
            "alpha" => self.alpha = true,
            "omega" => self.omega = true,
            "ha_suspend" => self.ha_suspend = Some(node.name.span),
            "smtp_alert" => self.smtp_alert = Some(node.on()),
            "virtualhost" => self.virtualhost = node.text(0),
            "snmp_name" => self.snmp_name = node.text(0),
            _ => return false,
        }
        true
    }

    fn block(&mut self, node: &Node, context: &mut Context) {
        match node.keyword.name {
            "quorum_up" => self.quorum_up = script(node, context),
            "quorum_down" => self.quorum_down = script(node, context),
            "sorry_server" => self.sorry = real(node, context),
            "sorry_server_inhibit" | "sorry_server_lvs_method" => match &mut self.sorry {
                Some(sorry) if node.keyword.name == "sorry_server_inhibit" => sorry.inhibit = Some(true),
                Some(sorry) => sorry.forwarding = forwarding(node),
                None => context.report(
                    Diagnostic::error(
                        "conflict",
                        format!("`{}` stands before `sorry_server`", node.keyword.name),
                    )
                    .at(node.name.span, "has no effect here"),
                ),
            },
            "real_server" => self.reals.extend(real(node, context)),
            _ => {}
        }
    }
}

/// The options of a tunnel after `lvs_method TUN`.
fn check_method(node: &Node, context: &mut Context) {
    if !matches!(node.keyword.name, "lvs_method" | "sorry_server_lvs_method") {
        return;
    }
    let mut kind = "ipip";
    let mut port = None;
    let mut wrong = None;
    let mut words = node.args.iter().skip(1);
    while let Some(word) = words.next() {
        let value = match &*word.text {
            "type" | "port" => words.next(),
            "nocsum" | "csum" | "remcsum" => continue,
            _ => None,
        };
        match (&*word.text, value.map(|value| &*value.text)) {
            ("type", Some(known @ ("ipip" | "gue" | "gre"))) => kind = known,
            ("port", Some(number)) if number.parse::<u16>().is_ok_and(|port| port > 0) => {
                port = Some(word.span)
            }
            _ => wrong = wrong.or(Some(value.unwrap_or(word).span)),
        }
    }
    if let Some(span) = wrong {
        context.report(
            Diagnostic::error("unknown-option", "this is no option of a tunnel")
                .at(span, "expected `type ipip|gue|gre`, `port PORT`, `nocsum`, `csum` or `remcsum`"),
        );
    } else if (kind == "gue") != port.is_some() {
        context.report(
            Diagnostic::error("conflict", "a tunnel has a `port` if it is of `type gue`, and only then")
                .at(port.unwrap_or_else(|| node.span()), "here"),
        );
    } else if kind != "ipip" {
        context.report(
            Diagnostic::warning("not-acted-on", format!("`type {kind}` is understood, not acted on yet"))
                .at(node.span(), "plain IP in IP is used"),
        );
    }
}

fn forwarding(node: &Node) -> Option<Forwarding> {
    match node.arg(0)? {
        "NAT" => Some(Forwarding::Nat),
        "DR" => Some(Forwarding::Dr),
        "TUN" => Some(Forwarding::Tun),
        _ => None,
    }
}

fn real(node: &Node, context: &mut Context) -> Option<RealDraft> {
    let at = if node.args.len() > 1 { node.arg_span(0).to(node.arg_span(1)) } else { node.arg_span(0) };
    let mut draft = RealDraft {
        address: node.address(0)?,
        port: node.int(1).unwrap_or(0) as u16,
        at,
        weight: None,
        forwarding: None,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: None,
        alpha: None,
        smtp_alert: None,
        notify_up: None,
        notify_down: None,
        virtualhost: None,
        snmp_name: None,
        timing: Timing::default(),
        checkers: Vec::new(),
        tracked: Vec::new(),
    };
    for child in node.children.iter().filter(|child| !child.bad) {
        check_method(child, context);
        if !draft.timing.take(child) {
            draft.take(child, context);
        }
    }
    Some(draft)
}

impl RealDraft {
    fn take(&mut self, node: &Node, context: &mut Context) {
        let count = || node.int(0).and_then(|value| u32::try_from(value).ok());
        match node.keyword.name {
            "weight" => self.weight = count(),
            "lvs_method" => self.forwarding = forwarding(node),
            "uthreshold" => self.upper_threshold = count().unwrap_or(0),
            "lthreshold" => self.lower_threshold = count().unwrap_or(0),
            "inhibit_on_failure" => self.inhibit = Some(node.on()),
            "alpha" => self.alpha = Some(node.on()),
            "smtp_alert" => self.smtp_alert = Some(node.on()),
            "notify_up" => self.notify_up = script(node, context),
            "notify_down" => self.notify_down = script(node, context),
            "virtualhost" => self.virtualhost = node.text(0),
            "snmp_name" => self.snmp_name = node.text(0),
            "FILE_CHECK" | "BFD_CHECK" => match tracked(node) {
                Some(tracked) => self.tracked.push(tracked),
                None => context.report(
                    Diagnostic::error(
                        "missing-part",
                        format!("`{}` does not say what it follows", node.keyword.name),
                    )
                    .at(node.name.span, "left out"),
                ),
            },
            _ if super::checker_form::check(node, context) => self.checkers.push(CheckerDraft::new(node)),
            _ => {}
        }
    }
}

/// What a `FILE_CHECK` or `BFD_CHECK` follows.
fn tracked(node: &Node) -> Option<(&'static str, TrackedDraft)> {
    let mut name = None;
    let mut weight = None;
    let mut reverse = false;
    for child in node.children.iter().filter(|child| !child.bad) {
        match child.keyword.name {
            "track_file" | "name" => name = child.args.first().cloned(),
            "weight" => {
                weight = child.int(0).map(|value| value as i32);
                reverse = child.arg(1) == Some("reverse");
            }
            _ => {}
        }
    }
    Some((node.keyword.name, TrackedDraft { name: name?, weight, reverse }))
}
