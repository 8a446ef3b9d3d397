//! The kernel's IPVS table: `lvs_…`.

use std::time::Duration;

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::{line_number, line_value};
use crate::lower::sync_daemon::SyncDaemonPlace;
use crate::model::{LvsFlushOnStop, LvsSyncDaemon, LvsTimeouts};
use crate::preprocess::Context;
use crate::schema::bounds::IPVS_TIMEOUT;
use crate::tree::Node;
use crate::words::Word;

impl GlobalDraft {
    pub(super) fn lvs(&mut self, node: &Node, context: &mut Context) -> bool {
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
                if let Some((daemon, has_id)) = sync_daemon(node, context) {
                    model.lvs_sync_daemon = Some(daemon);
                    self.sync_daemon = SyncDaemonPlace { at: node.span(), has_id };
                }
            }
            _ => return false,
        }
        true
    }
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

/// `eth1 inst VI_1 id 51 maxlen 1000 port 8848 ttl 1 group 224.0.0.81`
fn sync_daemon(node: &Node, context: &mut Context) -> Option<(LvsSyncDaemon, bool)> {
    let mut written = false;
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
    let mut first = true;
    while let Some(word) = words.next() {
        let name = &*word.text;
        let bare = first && !matches!(name, "inst" | "id" | "maxlen" | "port" | "ttl" | "group");
        first = false;
        if bare {
            // The instance may stand without `inst`, and then the id without `id`.
            made.instance = Some(name.into());
            if let Some(id) = words.next_if(|next| next.text.bytes().all(|byte| byte.is_ascii_digit())) {
                context.report(
                    Diagnostic::error("deprecated-spelling", "the number needs `id` before it")
                        .at(id.span, "understood as the id")
                        .suggest(id.span, format!("id {}", id.text), "write"),
                );
                (made.sync_id, written) = id_of(id, context).map_or((0, false), |id| (id, true));
            }
            continue;
        }
        if !matches!(name, "inst" | "id" | "maxlen" | "port" | "ttl" | "group") {
            context.report(
                Diagnostic::error("unknown-option", format!("`{name}` is no option of `lvs_sync_daemon`"))
                    .at(word.span, "expected `inst`, `id`, `maxlen`, `port`, `ttl` or `group`"),
            );
            continue;
        }
        let Some(value) = line_value(word, words.next(), context) else { break };
        let mut number = |least, most| line_number(value, least, most, name, context);
        match name {
            "inst" if made.instance.is_some() => context.report(
                Diagnostic::error("duplicate-keyword", "`lvs_sync_daemon` follows one instance")
                    .at(value.span, "left out"),
            ),
            "inst" => made.instance = Some((&*value.text).into()),
            "id" => (made.sync_id, written) = id_of(value, context).map_or((0, false), |id| (id, true)),
            "maxlen" => made.max_len = number(1, 65_507),
            "port" => made.port = number(1, 65_535),
            "ttl" => made.ttl = number(1, 255).and_then(|ttl| u8::try_from(ttl).ok()),
            _ => {
                made.group = crate::values::address(&value.text).filter(std::net::IpAddr::is_multicast);
                if made.group.is_none() {
                    context.report(
                        Diagnostic::error(
                            "invalid-address",
                            format!("`{}` is no multicast address", value.text),
                        )
                        .at(value.span, "left out"),
                    );
                }
            }
        }
    }
    Some((made, written))
}

fn id_of(word: &Word, context: &mut Context) -> Option<u8> {
    line_number(word, 0, 255, "id", context)
}
