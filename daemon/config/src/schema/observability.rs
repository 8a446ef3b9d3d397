//! keepwatch's own block.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::deliveries::{MAIL, OTLP, webhook};
use super::entry::Block;
use super::{BlockId, Kind, kw, one};
use crate::diagnostics::Diagnostic;
use crate::model::{History, Observability};
use crate::preprocess::Context;
use crate::tree::Node;

/// `observability { … }`.
pub(crate) const OBSERVABILITY: Block<Observability> = Block(&[
    kw(
        "listen",
        &[one("ADDRESS[:PORT] | off", Kind::Word)],
        "Where `/metrics` and the status page are served.",
    )
    .default("127.0.0.1:9165")
    .example("listen [::1]:9165")
    .sets(listen),
    kw(
        "web_config_file",
        &[one("PATH", Kind::Word)],
        "TLS and users of what is served there: a file in the web-config format of Prometheus.",
    )
    .example("web_config_file /etc/keepwatch/web.yml")
    .sets(|to, node, _| to.web_config_file = node.path()),
    kw("control_socket", &[one("PATH", Kind::Word)], "Unix socket of the `keepwatch` command.")
        .default("keepwatch.sock in the run directory")
        .example("control_socket /run/keepwatch.sock")
        .sets(|to, node, _| to.control_socket = node.path()),
    kw("history", &[], "What is remembered of the past.")
        .block(BlockId::History)
        .example("history {\n    events 10000\n}")
        .sets(|to, node, context| HISTORY.read(&mut to.history, node, context)),
    kw("otlp", &[], "Where traces and log records go, for OpenTelemetry.")
        .block(BlockId::Otlp)
        .example("otlp {\n    endpoint http://10.0.0.9:4318\n}")
        .sets(|to, node, context| OTLP.read(&mut to.otlp, node, context)),
    kw(
        "webhook",
        &[one("NAME", Kind::Word)],
        "Events are posted to an HTTP server, or as alerts to an Alertmanager. Any number of them, each with a name.",
    )
    .block(BlockId::Webhook)
    .example("webhook pager {\n    url https://pager.example.com/hook\n}")
    .sets(webhook),
    kw("mail", &[], "What keepalived has no keywords for: encryption, a user, many mails as one, where mails wait.")
        .block(BlockId::Mail)
        .example("mail {\n    tls starttls\n}")
        .sets(|to, node, context| MAIL.read(&mut to.mail, node, context)),
]);

/// `observability { history { … } }`.
pub(super) const HISTORY: Block<History> = Block(&[
    kw("file", &[one("PATH | off", Kind::Word)], "JSON-lines file that survives a restart, or `off`.")
        .default("history.jsonl in the state directory")
        .example("file /var/lib/keepwatch/history.jsonl")
        .sets(|to, node, _| match node.arg(0) {
            Some("off") => to.file_off = true,
            path => to.file = path.map(PathBuf::from),
        }),
    kw(
        "max_bytes",
        &[one("BYTES", Kind::Int(4096, i64::MAX))],
        "Bound of that file; one older file is kept beside it.",
    )
    .default("16777216")
    .example("max_bytes 67108864")
    .sets(|to, node, _| to.max_bytes = node.number(0).unwrap_or(to.max_bytes)),
    kw("events", &[one("NUMBER", Kind::Int(1, 100_000_000))], "How many events are kept in memory.")
        .default("10000")
        .example("events 50000")
        .sets(|to, node, _| to.events = node.number(0).unwrap_or(to.events)),
]);

fn listen(to: &mut Observability, node: &Node, context: &mut Context) {
    match address(node.arg(0).unwrap_or("")) {
        Some(listen) => (to.listen, to.listen_is_written) = (listen, true),
        None => context.report(
            Diagnostic::error("invalid-address", "`listen` needs an address with or without port, or `off`")
                .at(node.arg_span(0), "no such address")
                .help("for example: `listen 127.0.0.1:9165`, `listen [::]:9165`"),
        ),
    }
}

/// `ADDRESS[:PORT] | off`.
fn address(text: &str) -> Option<Option<SocketAddr>> {
    if text == "off" {
        return Some(None);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Some(address));
    }
    let address = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()?;
    Some(Some(SocketAddr::new(address, Observability::DEFAULT_PORT)))
}
