//! `virtual_server` as written.
//!
//! As in keepalived, lines are taken in their order: a real server has the method that was given before it, and a
//! family that is not written is that of the first line that has one.

use std::net::SocketAddr;
use std::time::Duration;

use super::forwarding::forwarding;
use super::real_server::RealDraft;
use super::{METHOD, SNMP_NAME, VIRTUALHOST};
use crate::diagnostics::Diagnostic;
use crate::model::{CheckTiming, Family, Forwarding, FwMark, Name, Protocol, SchedulerFlags, Script};
use crate::preprocess::Context;
use crate::schema::bounds::{I32, IPVS_TIMEOUT, U16, U32};
use crate::schema::compose::compose;
use crate::schema::entry::{Block, keywords_of};
use crate::schema::timing::OF_VIRTUAL_SERVER;
use crate::schema::{BlockId, Keyword, Kind, flag, kw, one, opt, script, switch};
use crate::source::{Placed, Span};
use crate::tree::Node;
use crate::values::command;

/// What a virtual server answers to, as written.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Address(SocketAddr),
    Mark(FwMark),
    Group(Name),
}

/// A virtual server as written.
#[derive(Debug)]
pub(crate) struct ServerDraft {
    pub(crate) target: Target,
    pub(crate) at: Span,
    /// Which block of the top level it is.
    pub(crate) block: usize,
    /// Keywords whose values are wrong.
    pub(crate) bad: Vec<&'static str>,
    /// Of its address, else of the first line that has one.
    pub(crate) family: Option<Family>,
    pub(crate) scheduler: Option<Name>,
    pub(crate) flags: SchedulerFlags,
    pub(crate) forwarding: Option<Forwarding>,
    pub(crate) persistence_timeout: Option<Duration>,
    pub(crate) granularity: Option<u8>,
    pub(crate) persistence_engine: Option<Name>,
    pub(crate) protocol: Placed<Protocol>,
    pub(crate) one_packet: Option<Span>,
    pub(crate) timing: CheckTiming,
    pub(crate) quorum: Placed<u32>,
    pub(crate) hysteresis: Placed<u32>,
    pub(crate) weight: u32,
    pub(crate) inhibit: bool,
    pub(crate) alpha: bool,
    pub(crate) omega: bool,
    pub(crate) ha_suspend: Option<Span>,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) quorum_up: Option<Script>,
    pub(crate) quorum_down: Option<Script>,
    pub(crate) virtualhost: Option<Name>,
    pub(crate) snmp_name: Option<Name>,
    pub(crate) sorry: Option<RealDraft>,
    pub(crate) reals: Vec<RealDraft>,
    /// A real server was left out.
    pub(crate) dropped_real: bool,
}

const SCHEDULERS: &[&str] =
    &["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];

/// What a virtual server says of itself.
const OF_ITSELF: Block<ServerDraft> = Block(&[
    kw("ip_family", &[one("FAMILY", Kind::Choice(&["inet", "inet6"]))], "Family of a firewall mark.")
        .default("the real servers'")
        .example("ip_family inet")
        .sets(ServerDraft::ip_family),
    flag("inhibit_on_failure", "A failed server gets weight 0 and stays.")
        .example("inhibit_on_failure")
        .sets(|to, _, _| to.inhibit = true),
    kw("lvs_sched", &[one("SCHEDULER", Kind::Choice(SCHEDULERS))], "How a server is chosen.")
        .alias(&["lb_algo"])
        .default("wlc")
        .example("lvs_sched wlc")
        .sets(|to, node, _| to.scheduler = node.text(0)),
    flag("hashed", "Accepted; today's kernels always do so.")
        .example("hashed")
        .sets(|to, _, _| to.flags.hashed = true),
    flag("ops", "Schedule each UDP packet by itself.").example("ops").sets(|to, node, _| {
        to.flags.one_packet = true;
        to.one_packet = Some(node.name.span);
    }),
    flag("flag-1", "First flag of the scheduler.").example("flag-1").sets(|to, _, _| to.flags.sched_1 = true),
    flag("flag-2", "Second flag of the scheduler.")
        .example("flag-2")
        .sets(|to, _, _| to.flags.sched_2 = true),
    flag("flag-3", "Third flag of the scheduler.").example("flag-3").sets(|to, _, _| to.flags.sched_3 = true),
    flag("sh-port", "`sh`: count the port in.")
        .example("sh-port")
        .sets(|to, node, context| to.flags.sched_2 |= to.goes_with("sh", node, context)),
    flag("sh-fallback", "`sh`: take another server when the chosen one is away.")
        .example("sh-fallback")
        .sets(|to, node, context| to.flags.sched_1 |= to.goes_with("sh", node, context)),
    flag("mh-port", "`mh`: count the port in.")
        .example("mh-port")
        .sets(|to, node, context| to.flags.sched_2 |= to.goes_with("mh", node, context)),
    flag("mh-fallback", "`mh`: take another server when the chosen one is away.")
        .example("mh-fallback")
        .sets(|to, node, context| to.flags.sched_1 |= to.goes_with("mh", node, context)),
    METHOD.sets(|to, node, context| to.forwarding = forwarding(node, context).or(to.forwarding)),
    kw("nat_mask", &[opt("NETMASK", Kind::Address4)], "Of kernel 2.2.")
        .replaced_by("nothing")
        .example("nat_mask 255.255.255.0")
        .sets_nothing(),
    kw(
        "persistence_engine",
        &[one("ENGINE", Kind::Limited(16))],
        "What decides who is the same client, e.g. `sip`.",
    )
    .example("persistence_engine sip")
    .sets(|to, node, _| to.persistence_engine = node.text(0)),
    kw(
        "persistence_timeout",
        &[opt("SECONDS", Kind::Int(1, IPVS_TIMEOUT))],
        "How long a client stays with its server.",
    )
    .default("not persistent; 360 without a number")
    .example("persistence_timeout 50")
    .sets(|to, node, _| to.persistence_timeout = Some(node.whole_seconds(0).unwrap_or(PERSISTENCE))),
    kw(
        "persistence_granularity",
        &[one("NETMASK | PREFIX", Kind::Granularity)],
        "Clients of one network that count as one.",
    )
    .default("each address")
    .example("persistence_granularity 255.255.255.0")
    .sets(ServerDraft::granularity),
    kw("protocol", &[one("PROTOCOL", Kind::ChoiceNoCase(&["TCP", "UDP", "SCTP"]))], "Transport protocol.")
        .default("UDP")
        .example("protocol TCP")
        .sets(|to, node, _| {
            let protocol = match node.arg(0).unwrap_or("").to_ascii_uppercase().as_str() {
                "TCP" => Protocol::Tcp,
                "SCTP" => Protocol::Sctp,
                _ => Protocol::Udp,
            };
            to.protocol = node.placed(Some(protocol));
        }),
    flag("ha_suspend", "Checkers rest while the address is not here.")
        .example("ha_suspend")
        .sets(|to, node, _| to.ha_suspend = Some(node.name.span)),
    switch("smtp_alert", "Mail on quorum changes.")
        .default("smtp_alert_checker, else smtp_alert of global_defs, else off")
        .example("smtp_alert")
        .sets(|to, node, _| to.smtp_alert = Some(node.on())),
    VIRTUALHOST.sets(|to, node, _| to.virtualhost = node.text(0)),
    SNMP_NAME.sets(|to, node, _| to.snmp_name = node.text(0)),
    flag("alpha", "Real servers begin as failed.").example("alpha").sets(|to, _, _| to.alpha = true),
    flag("omega", "Run `quorum_down` and `notify_down` on stopping.")
        .example("omega")
        .sets(|to, _, _| to.omega = true),
    script("quorum_up", "Command to run when quorum is gained.")
        .example("quorum_up \"/etc/keepalived/up.sh\"")
        .first_counts()
        .sets(|to, node, context| to.quorum_up = command::script(node, context)),
    script("quorum_down", "Command to run when quorum is lost.")
        .example("quorum_down \"/etc/keepalived/down.sh\"")
        .first_counts()
        .sets(|to, node, context| to.quorum_down = command::script(node, context)),
    kw("quorum", &[one("WEIGHT", Kind::Int(1, U32))], "Weight of living servers that keeps the service up.")
        .default("1")
        .example("quorum 2")
        .sets(|to, node, _| to.quorum = node.placed(node.number(0))),
    kw("hysteresis", &[one("WEIGHT", Kind::Int(0, U32))], "Margin around the quorum.")
        .default("0")
        .example("hysteresis 1")
        .sets(|to, node, _| to.hysteresis = node.placed(node.number(0))),
    kw("weight", &[one("WEIGHT", Kind::Int(1, I32))], "Weight of real servers that have none.")
        .default("1")
        .example("weight 5")
        .sets(|to, node, _| to.weight = node.number(0).unwrap_or(1)),
    kw(
        "sorry_server",
        &[one("ADDRESS", Kind::Host), opt("PORT", Kind::Int(0, U16))],
        "Serves when the quorum is lost.",
    )
    .example("sorry_server 192.0.2.99 80")
    .sets(|to, node, context| to.sorry = RealDraft::read(node, to.forwarding, context)),
    flag("sorry_server_inhibit", "The sorry server fails with weight 0 and stays.")
        .example("sorry_server_inhibit")
        .sets(|to, node, context| {
            if let Some(sorry) = to.sorry(node, context) {
                sorry.inhibit = Some(true);
            }
        }),
    Keyword {
        name: "sorry_server_lvs_method",
        aliases: &[],
        help: "How packets reach the sorry server.",
        default: "lvs_method",
        example: "sorry_server_lvs_method NAT",
        ..METHOD
    }
    .sets(|to, node, context| {
        if let Some(sorry) = to.sorry(node, context) {
            sorry.forwarding = forwarding(node, context).or(sorry.forwarding);
        }
    }),
    kw(
        "real_server",
        &[one("ADDRESS", Kind::Host), opt("PORT", Kind::Int(0, U16))],
        "A server that does the work.",
    )
    .block(BlockId::RealServer)
    .repeats()
    .example(
        "real_server 192.0.2.11 80 {\n    weight 1\n    TCP_CHECK {\n        connect_timeout 3\n    }\n}",
    )
    .sets(ServerDraft::real_server),
]);

/// `virtual_server … { … }`.
pub(in crate::schema) const VIRTUAL_SERVER: &[Keyword] =
    compose!(keywords_of!(OF_VIRTUAL_SERVER), keywords_of!(OF_ITSELF));

impl ServerDraft {
    /// Reads its block, which is of this number at the top level.
    pub(crate) fn read(target: Target, block: usize, node: &Node, context: &mut Context) -> Self {
        let family = match &target {
            Target::Address(address) => Some(Family::of(address.ip())),
            Target::Mark(_) | Target::Group(_) => None,
        };
        let mut draft = Self {
            target,
            at: if node.args.len() > 1 { node.arg_span(0).to(node.arg_span(1)) } else { node.arg_span(0) },
            block,
            bad: node.bad_children(),
            family,
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
        for child in &node.children {
            let _ = OF_VIRTUAL_SERVER.take(&mut draft.timing, child, context)
                || OF_ITSELF.take(&mut draft, child, context);
        }
        draft.sorry =
            draft.sorry.take().filter(|sorry| fits(&mut draft.family, sorry, "sorry server", context));
        draft
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

    /// Has its own scheduler been given, with which alone `sh-port` and the like go? If not, says so.
    fn goes_with(&self, wanted: &str, node: &Node, context: &mut Context) -> bool {
        let keyword = node.keyword.name;
        let diagnostic = match self.scheduler.as_deref() {
            Some(scheduler) if scheduler == wanted => return true,
            None if self.bad.contains(&"lvs_sched") => return false,
            // keepalived passes over a flag of the one with the other.
            Some("sh" | "mh") => Diagnostic::warning,
            Some(_) | None => Diagnostic::error,
        };
        context.report(
            diagnostic("conflict", format!("`{keyword}` goes with the scheduler {wanted} only"))
                .at(node.name.span, "has no effect")
                .help(format!("`lvs_sched {wanted}` must stand before it")),
        );
        false
    }

    /// The sorry server that this keyword is about; `None` when none has been given (reported).
    fn sorry(&mut self, node: &Node, context: &mut Context) -> Option<&mut RealDraft> {
        if self.sorry.is_none() {
            let message = format!("`{}` stands before `sorry_server`", node.keyword.name);
            let diagnostic = Diagnostic::error("conflict", message);
            context.report(diagnostic.at(node.name.span, "has no effect here"));
        }
        self.sorry.as_mut()
    }

    fn real_server(&mut self, node: &Node, context: &mut Context) {
        let real = RealDraft::read(node, self.forwarding, context)
            .filter(|real| fits(&mut self.family, real, "real server", context));
        self.dropped_real |= real.is_none();
        self.reals.extend(real);
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
pub(crate) const PERSISTENCE: Duration = Duration::from_secs(360);

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
