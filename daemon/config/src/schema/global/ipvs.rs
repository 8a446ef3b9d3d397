//! The kernel's IPVS table.

use std::time::Duration;

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::{line_number, line_value};
use crate::model::{LvsFlushOnStop, LvsSyncDaemon, LvsTimeouts};
use crate::preprocess::Context;
use crate::schema::bounds::IPVS_TIMEOUT;
use crate::schema::entry::Block;
use crate::schema::{Kind, any, flag, kw, one, opt, some};
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

pub(super) const IPVS: Block<GlobalDraft> = Block(&[
    kw(
        "lvs_timeouts",
        &[some("[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]", Kind::Options("timeouts"))],
        "Timeouts of IPVS connections.",
    )
    .default("the kernel's")
    .repeats()
    .example("lvs_timeouts tcp 900 tcpfin 120 udp 300")
    .sets(|to, node, context| timeouts(&mut to.model.lvs_timeouts, node, context)),
    flag("lvs_flush", "Empty the IPVS table at start.")
        .example("lvs_flush")
        .sets(|to, _, _| to.model.lvs_flush = true),
    kw("lvs_flush_on_stop", &[opt("VS", Kind::Choice(&["VS"]))], "Empty the IPVS table on stopping.")
        .old(&["lvs_flush_onstop"])
        .example("lvs_flush_on_stop")
        .sets(|to, node, _| {
            let only_servers = node.arg(0).is_some();
            to.model.lvs_flush_on_stop =
                if only_servers { LvsFlushOnStop::VirtualServers } else { LvsFlushOnStop::All };
        }),
    kw(
        "lvs_sync_daemon",
        &[
            one("INTERFACE", Kind::Interface),
            any(
                "[inst] INSTANCE [id ID] [maxlen BYTES] [port PORT] [ttl TTL] [group ADDRESS]",
                Kind::Options("sync daemon"),
            ),
        ],
        "Synchronise IPVS connections with the other director.",
    )
    .first_counts()
    .example("lvs_sync_daemon eth1 inst VI_1 id 51")
    .sets(|to, node, context| {
        if let Some((daemon, has_id)) = sync_daemon(node, context) {
            to.model.lvs_sync_daemon = Some(daemon);
            to.sync_daemon = SyncDaemonPlace { at: node.span(), has_id };
        }
    }),
]);

/// Where `lvs_sync_daemon` is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncDaemonPlace {
    pub(crate) at: Span,
    /// It has an id; else that is the instance's VRID.
    pub(crate) has_id: bool,
}

/// `tcp 900 tcpfin 120 udp 300`
fn timeouts(to: &mut LvsTimeouts, node: &Node, context: &mut Context) {
    let mut words = node.args.iter();
    while let Some(name) = words.next() {
        let slot = match &*name.text {
            "tcp" => &mut to.tcp,
            "tcpfin" => &mut to.tcp_fin,
            "udp" => &mut to.udp,
            other => {
                context.report(
                    Diagnostic::error("unknown-option", format!("`{other}` is no timeout"))
                        .at(name.span, "expected `tcp`, `tcpfin` or `udp`"),
                );
                // Its value is no timeout either.
                words.next();
                continue;
            }
        };
        let Some(value) = line_value(name, words.next(), context) else { return };
        if let Some(seconds) = line_number(value, 0, IPVS_TIMEOUT, &name.text, context) {
            // 0 leaves the kernel's as it is.
            *slot = Some(Duration::from_secs(seconds)).filter(|timeout| !timeout.is_zero());
        }
    }
}

/// The options of `lvs_sync_daemon`, each with a value.
const SYNC_OPTIONS: &[&str] = &["inst", "id", "maxlen", "port", "ttl", "group"];

/// `eth1 inst VI_1 id 51 maxlen 1000 port 8848 ttl 1 group 224.0.0.81`, and whether there is an id in it.
fn sync_daemon(node: &Node, context: &mut Context) -> Option<(LvsSyncDaemon, bool)> {
    let mut id = None;
    let mut made = LvsSyncDaemon {
        interface: node.text(0)?,
        instance: None,
        sync_id: 0,
        max_len: None,
        port: None,
        ttl: None,
        group: None,
    };
    let mut words = node.args.iter().skip(1).peekable();
    // The instance may stand without `inst`, and then the id without `id`.
    if let Some(name) = words.next_if(|word| !SYNC_OPTIONS.contains(&&*word.text)) {
        made.instance = Some((&*name.text).into());
        if let Some(number) = words.next_if(|next| next.text.bytes().all(|byte| byte.is_ascii_digit())) {
            context.report(
                Diagnostic::error("deprecated-spelling", "the number needs `id` before it")
                    .at(number.span, "understood as the id")
                    .suggest(number.span, format!("id {}", number.text), "write"),
            );
            id = sync_id(number, context);
        }
    }
    while let Some(word) = words.next() {
        if !SYNC_OPTIONS.contains(&&*word.text) {
            let message = format!("`{}` is no option of `lvs_sync_daemon`", word.text);
            let expected = "expected `inst`, `id`, `maxlen`, `port`, `ttl` or `group`";
            context.report(Diagnostic::error("unknown-option", message).at(word.span, expected));
            continue;
        }
        let Some(value) = line_value(word, words.next(), context) else { break };
        match &*word.text {
            "id" => id = sync_id(value, context),
            option => sync_option(&mut made, option, value, context),
        }
    }
    made.sync_id = id.unwrap_or(0);
    Some((made, id.is_some()))
}

fn sync_id(word: &Word, context: &mut Context) -> Option<u8> {
    line_number(word, 0, 255, "id", context)
}

fn sync_option(made: &mut LvsSyncDaemon, option: &str, value: &Word, context: &mut Context) {
    match option {
        "inst" if made.instance.is_some() => {
            let message = "`lvs_sync_daemon` follows one instance";
            context.report(Diagnostic::error("duplicate-keyword", message).at(value.span, "left out"));
        }
        "inst" => made.instance = Some((&*value.text).into()),
        // As long as UDP over IPv4 can carry: 65535 less the headers of both.
        "maxlen" => made.max_len = line_number(value, 1, 65_507, option, context),
        "port" => made.port = line_number(value, 1, u16::MAX.into(), option, context),
        "ttl" => made.ttl = line_number(value, 1, u8::MAX.into(), option, context),
        _ => {
            made.group = crate::values::address(&value.text).filter(std::net::IpAddr::is_multicast);
            if made.group.is_none() {
                let message = format!("`{}` is no multicast address", value.text);
                context.report(Diagnostic::error("invalid-address", message).at(value.span, "left out"));
            }
        }
    }
}
