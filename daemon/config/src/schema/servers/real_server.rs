//! `real_server` and `sorry_server` as written.

use std::net::IpAddr;

use super::forwarding::forwarding;
use super::{METHOD, SNMP_NAME, VIRTUALHOST};
use crate::model::{CheckTiming, Forwarding, Name, Script};
use crate::preprocess::Context;
use crate::schema::bounds::{I32, U32};
use crate::schema::checkers::read::{self, CheckerBlock, FollowedBfd, FollowedFile};
use crate::schema::compose::compose;
use crate::schema::entry::{Block, keywords_of};
use crate::schema::timing::OF_REAL_SERVER;
use crate::schema::{BlockId, Keyword, Kind, kw, one, script, switch};
use crate::source::Span;
use crate::tree::Node;
use crate::values::command;

/// A real or sorry server as written.
#[derive(Debug)]
pub(crate) struct RealDraft {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) at: Span,
    pub(crate) weight: Option<u32>,
    /// Its own method, else the one that the virtual server had been given when this server was read.
    pub(crate) forwarding: Option<Forwarding>,
    pub(crate) upper_threshold: u32,
    pub(crate) lower_threshold: u32,
    pub(crate) lower_threshold_at: Option<Span>,
    pub(crate) inhibit: Option<bool>,
    pub(crate) alpha: Option<bool>,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) notify_up: Option<Script>,
    pub(crate) notify_down: Option<Script>,
    pub(crate) virtualhost: Option<Name>,
    pub(crate) snmp_name: Option<Name>,
    pub(crate) timing: CheckTiming,
    pub(crate) checkers: Vec<CheckerBlock>,
    pub(crate) file_checks: Vec<FollowedFile>,
    pub(crate) bfd_checks: Vec<FollowedBfd>,
}

/// What a real server says of itself.
const OF_ITSELF: Block<RealDraft> = Block(&[
    kw("weight", &[one("WEIGHT", Kind::Int(0, I32))], "Share of connections; 0 takes no new ones.")
        .default("the virtual server's")
        .example("weight 5")
        .sets(|to, node, _| to.weight = node.number(0)),
    Keyword { aliases: &[], default: "the virtual server's", ..METHOD }
        .sets(|to, node, context| to.forwarding = forwarding(node, context).or(to.forwarding)),
    kw("uthreshold", &[one("CONNECTIONS", Kind::Int(0, U32))], "Most connections.")
        .default("0, no limit")
        .example("uthreshold 1000")
        .sets(|to, node, _| to.upper_threshold = node.number(0).unwrap_or(0)),
    kw(
        "lthreshold",
        &[one("CONNECTIONS", Kind::Int(0, U32))],
        "Below this an overloaded server takes connections again.",
    )
    .default("3/4 of uthreshold")
    .example("lthreshold 800")
    .sets(|to, node, _| {
        to.lower_threshold = node.number(0).unwrap_or(0);
        to.lower_threshold_at = Some(node.span());
    }),
    switch("inhibit_on_failure", "When failed, gets weight 0 and stays.")
        .default("the virtual server's")
        .example("inhibit_on_failure")
        .sets(|to, node, _| to.inhibit = Some(node.on())),
    script("notify_up", "Command to run when it is up.")
        .example("notify_up \"/etc/keepalived/up.sh\"")
        .first_counts()
        .sets(|to, node, context| to.notify_up = command::script(node, context)),
    script("notify_down", "Command to run when it is down.")
        .example("notify_down \"/etc/keepalived/down.sh\"")
        .first_counts()
        .sets(|to, node, context| to.notify_down = command::script(node, context)),
    switch("alpha", "Begins as failed.")
        .default("the virtual server's")
        .example("alpha")
        .sets(|to, node, _| to.alpha = Some(node.on())),
    switch("smtp_alert", "Mail when it goes up or down.")
        .default("smtp_alert_checker, else smtp_alert of global_defs, else on")
        .example("smtp_alert off")
        .sets(|to, node, _| to.smtp_alert = Some(node.on())),
    VIRTUALHOST.sets(|to, node, _| to.virtualhost = node.text(0)),
    SNMP_NAME.sets(|to, node, _| to.snmp_name = node.text(0)),
]);

/// What is checked of it.
const CHECKERS: Block<RealDraft> = Block(&[
    kw("TCP_CHECK", &[], "A connection can be opened.")
        .block(BlockId::TcpCheck)
        .repeats()
        .example("TCP_CHECK {\n    connect_timeout 3\n}")
        .sets(|to, node, context| to.check(read::tcp, node, context)),
    kw("HTTP_GET", &[], "A page is as it should be.")
        .block(BlockId::HttpGet)
        .repeats()
        .example("HTTP_GET {\n    url {\n        path /\n        status_code 200\n    }\n}")
        .sets(|to, node, context| to.check(read::http, node, context)),
    kw("SSL_GET", &[], "A page over TLS is as it should be.")
        .block(BlockId::SslGet)
        .repeats()
        .example("SSL_GET {\n    url {\n        path /\n        status_code 200\n    }\n}")
        .sets(|to, node, context| to.check(read::https, node, context)),
    kw("SMTP_CHECK", &[], "A mail server answers.")
        .block(BlockId::SmtpCheck)
        .repeats()
        .example("SMTP_CHECK {\n    helo_name me.example.com\n}")
        .sets(|to, node, context| to.check(read::smtp, node, context)),
    kw("DNS_CHECK", &[], "A DNS server answers.")
        .block(BlockId::DnsCheck)
        .repeats()
        .example("DNS_CHECK {\n    type A\n    name example.com\n}")
        .sets(|to, node, context| to.check(read::dns, node, context)),
    kw("MISC_CHECK", &[], "A command succeeds.")
        .block(BlockId::MiscCheck)
        .repeats()
        .example("MISC_CHECK {\n    misc_path \"/usr/bin/true\"\n}")
        .sets(|to, node, context| to.check(read::misc, node, context)),
    kw("PING_CHECK", &[], "It answers ICMP echo.")
        .block(BlockId::PingCheck)
        .repeats()
        .example("PING_CHECK {\n    retry 2\n}")
        .sets(|to, node, context| to.check(read::ping, node, context)),
    kw("UDP_CHECK", &[], "It answers a packet.")
        .block(BlockId::UdpCheck)
        .repeats()
        .example("UDP_CHECK {\n    payload 00\n}")
        .sets(|to, node, context| to.check(read::udp, node, context)),
    kw("FILE_CHECK", &[], "The number in a file sets the weight.")
        .block(BlockId::FileCheck)
        .repeats()
        .example("FILE_CHECK {\n    track_file offset\n}")
        .sets(|to, node, context| to.file_checks.extend(FollowedFile::new(node, context))),
    kw("BFD_CHECK", &[], "A BFD session is up.")
        .block(BlockId::BfdCheck)
        .repeats()
        .example("BFD_CHECK {\n    name B1\n}")
        .sets(|to, node, context| to.bfd_checks.extend(FollowedBfd::new(node, context))),
]);

/// `real_server … { … }`.
pub(in crate::schema) const REAL_SERVER: &[Keyword] =
    compose!(keywords_of!(OF_REAL_SERVER), keywords_of!(OF_ITSELF), keywords_of!(CHECKERS));

impl RealDraft {
    /// Reads a block; `outer` is the method that the virtual server has so far.
    pub(super) fn read(node: &Node, outer: Option<Forwarding>, context: &mut Context) -> Option<Self> {
        let mut draft = Self {
            address: node.host(0)?,
            port: node.number::<u16>(1).unwrap_or(0),
            at: if node.args.len() > 1 { node.arg_span(0).to(node.arg_span(1)) } else { node.arg_span(0) },
            weight: None,
            forwarding: outer,
            upper_threshold: 0,
            lower_threshold: 0,
            lower_threshold_at: None,
            inhibit: None,
            alpha: None,
            smtp_alert: None,
            notify_up: None,
            notify_down: None,
            virtualhost: None,
            snmp_name: None,
            timing: CheckTiming::default(),
            checkers: Vec::new(),
            file_checks: Vec::new(),
            bfd_checks: Vec::new(),
        };
        for child in &node.children {
            let _ = OF_REAL_SERVER.take(&mut draft.timing, child, context)
                || OF_ITSELF.take(&mut draft, child, context)
                || CHECKERS.take(&mut draft, child, context);
        }
        Some(draft)
    }

    fn check(&mut self, read: read::Reader, node: &Node, context: &mut Context) {
        self.checkers.extend(CheckerBlock::new(read, node, self.address, context));
    }
}
