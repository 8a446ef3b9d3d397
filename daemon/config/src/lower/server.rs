//! `virtual_server` as written.
//!
//! As in keepalived, lines are taken in their order: a real server has the method that was given before it, and a
//! family that is not written is that of the first line that has one.

use std::net::SocketAddr;
use std::time::Duration;

use super::Draft;
use super::forwarding::forwarding;
use super::real_server::RealDraft;
use super::script::script;
use super::timing;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{CheckTiming, Family, Forwarding, FwMark, Name, Protocol, SchedulerFlags, Script};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::values::mend::With;
use crate::values::say_what_is_lost;

/// What a virtual server answers to, as written.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    Mark(FwMark),
    Group(Name),
}

/// A virtual server as written.
#[derive(Debug)]
pub(super) struct ServerDraft {
    pub(super) target: Target,
    pub(super) at: Span,
    /// Which block of the top level it is.
    pub(super) block: usize,
    /// Keywords whose values are wrong.
    pub(super) bad: Vec<&'static str>,
    /// Of its address, else of the first line that has one.
    pub(super) family: Option<Family>,
    pub(super) scheduler: Option<Name>,
    pub(super) flags: SchedulerFlags,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) persistence_timeout: Option<Duration>,
    pub(super) granularity: Option<u8>,
    pub(super) persistence_engine: Option<Name>,
    pub(super) protocol: Option<(Protocol, Span)>,
    pub(super) one_packet: Option<Span>,
    pub(super) timing: CheckTiming,
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
    /// A real server was left out.
    pub(super) dropped_real: bool,
}

impl Draft {
    pub(super) fn server(&mut self, node: &Node, context: &mut Context) {
        let Some(target) = target(node, context) else { return };
        let at = if node.args.len() > 1 { node.arg_span(0).to(node.arg_span(1)) } else { node.arg_span(0) };
        let mut draft = ServerDraft {
            family: family_of(&target),
            target,
            at,
            block: self.taken,
            bad: node.bad_children(),
            scheduler: None,
            flags: SchedulerFlags::default(),
            forwarding: None,
            persistence_timeout: None,
            granularity: None,
            persistence_engine: None,
            protocol: None,
            one_packet: None,
            timing: CheckTiming::default(),
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
            dropped_real: false,
        };
        for child in node.children.iter().filter(|child| !child.bad) {
            if !timing::take(&mut draft.timing, child) && !draft.value(child) {
                draft.block(child, context);
            }
        }
        draft.sorry =
            draft.sorry.take().filter(|sorry| fits(&mut draft.family, sorry, "sorry server", context));
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
            .map(|mark| Target::Mark(FwMark(mark))),
        ("group", Some(name)) => Some(Target::Group((&*name.text).into())),
        (text, port) => {
            let Some(address) = crate::values::host(text) else {
                context.report(
                    Diagnostic::error("invalid-address", format!("`{text}` is no address"))
                        .at(first.span, "expected an address, `fwmark` or `group`")
                        .suggest_address(first, if port.is_none() { With::Port } else { With::Nothing })
                        .help("the virtual server is left out"),
                );
                return None;
            };
            say_what_is_lost(first, context);
            let port = match port {
                None => 0,
                Some(word) => line_number(word, 0, u16::MAX.into(), "port", context)?,
            };
            Some(Target::Address(SocketAddr::new(address, port)))
        }
    }
}

impl ServerDraft {
    fn value(&mut self, node: &Node) -> bool {
        let span = node.arg_span(0);
        let flags = &mut self.flags;
        match node.keyword.name {
            "lvs_sched" => self.scheduler = node.text(0),
            "hashed" => flags.hashed = true,
            "ops" => {
                flags.one_packet = true;
                self.one_packet = Some(node.name.span);
            }
            "flag-1" => flags.sched_1 = true,
            "flag-2" => flags.sched_2 = true,
            "flag-3" => flags.sched_3 = true,
            "persistence_timeout" => {
                self.persistence_timeout = Some(node.whole_seconds(0).unwrap_or(PERSISTENCE));
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
            "quorum" => self.quorum = node.number(0).map(|value| (value, span)),
            "hysteresis" => self.hysteresis = node.number(0).map(|value| (value, span)),
            "weight" => self.weight = node.number(0).unwrap_or(1),
            "inhibit_on_failure" => self.inhibit = true,
            "alpha" => self.alpha = true,
            "omega" => self.omega = true,
            "ha_suspend" => self.ha_suspend = Some(node.name.span),
            "smtp_alert" => self.smtp_alert = Some(node.on()),
            _ => return false,
        }
        true
    }

    fn block(&mut self, node: &Node, context: &mut Context) {
        match node.keyword.name {
            "ip_family" => self.ip_family(node, context),
            "lvs_method" => self.forwarding = forwarding(node, context).or(self.forwarding),
            "sh-fallback" | "mh-fallback" | "sh-port" | "mh-port" => self.scheduler_flag(node, context),
            "persistence_granularity" => self.granularity(node, context),
            "virtualhost" => self.virtualhost = node.text(0),
            "snmp_name" => self.snmp_name = node.text(0),
            "quorum_up" => self.quorum_up = script(node, context),
            "quorum_down" => self.quorum_down = script(node, context),
            "sorry_server" => self.sorry = RealDraft::new(node, self.forwarding, context),
            "sorry_server_inhibit" | "sorry_server_lvs_method" => match &mut self.sorry {
                Some(sorry) if node.keyword.name == "sorry_server_inhibit" => sorry.inhibit = Some(true),
                Some(sorry) => sorry.forwarding = forwarding(node, context).or(sorry.forwarding),
                None => context.report(
                    Diagnostic::error(
                        "conflict",
                        format!("`{}` stands before `sorry_server`", node.keyword.name),
                    )
                    .at(node.name.span, "has no effect here"),
                ),
            },
            "real_server" => {
                let family = &mut self.family;
                let real = RealDraft::new(node, self.forwarding, context)
                    .filter(|real| fits(family, real, "real server", context));
                self.dropped_real |= real.is_none();
                self.reals.extend(real);
            }
            _ => {}
        }
    }

    fn ip_family(&mut self, node: &Node, context: &mut Context) {
        let written = if node.arg(0) == Some("inet6") { Family::Inet6 } else { Family::Inet };
        let family = *self.family.get_or_insert(written);
        if family != written {
            context.report(
                Diagnostic::error(
                    "family-mix",
                    format!("`ip_family` says {written}, but the virtual server is {family}"),
                )
                .at(node.arg_span(0), "has no effect"),
            );
        }
    }

    /// `sh-port` and the like go with their own scheduler, which must have been given before.
    fn scheduler_flag(&mut self, node: &Node, context: &mut Context) {
        let keyword = node.keyword.name;
        let Some((wanted, flag)) = keyword.split_once('-') else { return };
        let diagnostic = match self.scheduler.as_deref() {
            Some(scheduler) if scheduler == wanted => {
                match flag {
                    "port" => self.flags.sched_2 = true,
                    _ => self.flags.sched_1 = true,
                }
                return;
            }
            None if self.bad.contains(&"lvs_sched") => return,
            // keepalived passes over a flag of the one with the other.
            Some("sh" | "mh") => Diagnostic::warning,
            Some(_) | None => Diagnostic::error,
        };
        context.report(
            diagnostic("conflict", format!("`{keyword}` goes with the scheduler {wanted} only"))
                .at(node.name.span, "has no effect")
                .help(format!("`lvs_sched {wanted}` must stand before it")),
        );
    }

    fn granularity(&mut self, node: &Node, context: &mut Context) {
        let Some((length, is_mask)) = node.arg(0).and_then(crate::values::granularity) else { return };
        let by_form = if is_mask { Family::Inet } else { Family::Inet6 };
        let family = *self.family.get_or_insert(by_form);
        if (is_mask || length > 32) && by_form != family {
            context.report(
                Diagnostic::error("family-mix", format!("this `persistence_granularity` is not of {family}"))
                    .at(node.arg_span(0), "has no effect"),
            );
            return;
        }
        self.granularity = Some(length);
        self.persistence_timeout = self.persistence_timeout.or(Some(PERSISTENCE));
    }
}

/// The kernel's own persistence time.
pub(super) const PERSISTENCE: Duration = Duration::from_secs(360);

fn family_of(target: &Target) -> Option<Family> {
    match target {
        Target::Address(address) => Some(Family::of(address.ip())),
        Target::Mark(_) | Target::Group(_) => None,
    }
}

/// Is a real or sorry server of the family of its virtual server, or reached by a tunnel? If not, says so. One that is
/// not reached by a tunnel decides for a virtual server that has no family yet.
fn fits(family: &mut Option<Family>, real: &RealDraft, what: &str, context: &mut Context) -> bool {
    if real.forwarding.is_some_and(Forwarding::is_tunnel) {
        return true;
    }
    let own = Family::of(real.address);
    let family = *family.get_or_insert(own);
    if own != family {
        context.report(
            Diagnostic::error(
                "family-mix",
                format!("the {what} {} is not {family} as its virtual server is", real.address),
            )
            .at(real.at, "left out")
            .help("only `lvs_method TUN`, written before it or in it, can go from one family to the other"),
        );
    }
    own == family
}
