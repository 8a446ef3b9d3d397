//! Keywords of keepwatch's own block that say where events are delivered to.

use std::path::PathBuf;
use std::time::Duration;

use super::entry::Block;
use super::{Keyword, Kind, kw, one, opt, some};
use crate::diagnostics::Diagnostic;
use crate::model::{
    Header, Mail, MailGroup, MailTls, MailUser, Observability, Otlp, OtlpProtocol, Secret, Webhook,
    WebhookForm,
};
use crate::preprocess::Context;
use crate::tree::Node;

/// What collectors and webhooks are sent besides.
const HEADER: Keyword = kw(
    "header",
    &[one("NAME", Kind::Word), one("VALUE", Kind::Word).secret()],
    "Sent with each request; may be given several times. The value is kept secret.",
)
.repeats()
.example("header authorization \"Bearer 12345\"");

/// How long they may take.
const TIMEOUT: Keyword =
    kw("timeout", &[one("SECONDS", Kind::Seconds(1000, 3_600_000_000))], "Bound of one try.")
        .default("10")
        .example("timeout 5");

/// `observability { otlp { … } }`.
pub(super) const OTLP: Block<Otlp> = Block(&[
    kw(
        "endpoint",
        &[one("URL", Kind::Word)],
        "The collector. `/v1/traces` and `/v1/logs` are added to it, but for gRPC. Nothing is sent without one.",
    )
    .example("endpoint http://10.0.0.9:4318")
    .sets(|to, node, context| to.endpoint = address(node, context)),
    kw("protocol", &[one("PROTOCOL", Kind::Choice(&["http/protobuf", "grpc"]))], "How it is spoken to.")
        .default("http/protobuf")
        .example("protocol grpc")
        .sets(|to, node, _| {
            to.protocol =
                if node.arg(0) == Some("grpc") { OtlpProtocol::Grpc } else { OtlpProtocol::Http };
        }),
    HEADER.sets(|to, node, context| to.headers.extend(header(node, context))),
    TIMEOUT.sets(|to, node, _| to.timeout = node.seconds(0).unwrap_or(to.timeout)),
    kw(
        "sample_checks",
        &[one("NUMBER", Kind::Int(0, 1_000_000))],
        "Of chains in which nothing but checks happened, one in so many is sent; none if 0. Chains in which something \
         followed from a check are sent in any case.",
    )
    .default("100")
    .example("sample_checks 1")
    .sets(|to, node, _| to.sample_checks = node.number(0).unwrap_or(to.sample_checks)),
]);

/// `observability { webhook NAME { … } }`.
pub(super) const WEBHOOK: Block<Webhook> = Block(&[
    kw("url", &[one("URL", Kind::Word)], "Where to post; of an Alertmanager its address is enough.")
        .example("url https://pager.example.com/hook")
        .sets(|to, node, context| to.url = address(node, context).unwrap_or_default()),
    kw(
        "form",
        &[one("FORM", Kind::Choice(&["event", "alertmanager"]))],
        "`event`: each event with what led to it, in JSON. `alertmanager`: alerts that begin and end, as Prometheus' \
         Alertmanager takes them (API version 2).",
    )
    .default("event")
    .example("form alertmanager")
    .sets(|to, node, _| {
        to.form = if node.arg(0) == Some("alertmanager") { WebhookForm::Alertmanager } else { WebhookForm::Event };
    }),
    HEADER.sets(|to, node, context| to.headers.extend(header(node, context))),
    kw(
        "subjects",
        &[some("NAME", Kind::Word)],
        "Only what is about one of these: instances, groups, interfaces, addresses with or without port and so on.",
    )
    .default("whatever it is about")
    .repeats()
    .example("subjects VI_1 10.0.0.1:80")
    .sets(|to, node, _| to.subjects.extend(node.args.iter().map(|word| (&*word.text).into()))),
    kw(
        "kinds",
        &[some("KIND", Kind::Word)],
        "Only events of these kinds (`state_changed`, `real_server_removed`, …, as `keepwatch events --json` names them) \
         or subsystems of the log (`vrrp`, `check`, …). Not for the form `alertmanager`.",
    )
    .default("what is logged without -D")
    .repeats()
    .example("kinds vrrp real_server_removed")
    .sets(|to, node, _| to.kinds.extend(node.args.iter().map(|word| (&*word.text).into()))),
    TIMEOUT.sets(|to, node, _| to.timeout = node.seconds(0).unwrap_or(to.timeout)),
    kw(
        "queue",
        &[one("NUMBER", Kind::Int(1, 1_000_000))],
        "Messages that may wait while the receiver takes none; then the oldest is lost.",
    )
    .default("1000")
    .example("queue 5000")
    .sets(|to, node, _| to.queue = node.number(0).unwrap_or(to.queue)),
]);

/// `observability { mail { … } }`.
pub(super) const MAIL: Block<Mail> = Block(&[
    kw(
        "tls",
        &[one("MODE", Kind::Choice(&["off", "starttls", "implicit"]))],
        "Encryption of the connection to `smtp_server`: after the greeting, or from the beginning (port 465). A server \
         that does not offer what is asked for gets no mail.",
    )
    .default("off, but starttls where there is a user")
    .example("tls starttls")
    .sets(|to, node, _| {
        to.tls = Some(match node.arg(0) {
            Some("starttls") => MailTls::StartTls,
            Some("implicit") => MailTls::Implicit,
            _ => MailTls::Off,
        });
    }),
    kw("certificates", &[one("FILE", Kind::Word)], "Whom to trust (PEM), instead of the system's list.")
        .example("certificates /etc/ssl/mail.pem")
        .sets(|to, node, _| to.certificates = node.arg(0).map(PathBuf::from)),
    kw(
        "user",
        &[one("NAME", Kind::Word), one("PASSWORD", Kind::Word).secret()],
        "Who keepwatchd is to the mail server. The password is kept secret.",
    )
    .example("user keepwatch 12345678")
    .sets(|to, node, _| {
        let user = node.arg(0).zip(node.arg(1));
        to.user = user.map(|(name, password)| MailUser {
            name: name.into(),
            password: Secret::new(password.into()),
        });
    }),
    kw(
        "group",
        &[one("NUMBER", Kind::Int(2, 1_000_000)), opt("SECONDS", Kind::Seconds(0, 3_600_000_000))],
        "From so many mails on that wait for the mail server, they are sent as one. With SECONDS, each mail waits so \
         long for others.",
    )
    .default("each mail by itself")
    .example("group 5 10")
    .sets(|to, node, _| {
        let wait = node.seconds(1).unwrap_or(Duration::ZERO);
        to.group = node.number(0).map(|least| MailGroup { least, wait });
    }),
    kw(
        "queue",
        &[one("DIRECTORY | off", Kind::Word)],
        "Where mails wait that the mail server has not taken, so that they outlive a restart.",
    )
    .default("mail in the state directory")
    .example("queue /var/lib/keepwatch/mail")
    .sets(|to, node, _| match node.arg(0) {
        Some("off") => to.queue_off = true,
        path => to.queue = path.map(PathBuf::from),
    }),
]);

/// A webhook; one that has no address, or a name that another has, is reported and left out.
pub(super) fn webhook(to: &mut Observability, node: &Node, context: &mut Context) {
    let mut webhook = Webhook::new(node.arg(0).unwrap_or("").into());
    let addressed = node.children.iter().any(|child| child.keyword.name == "url");
    WEBHOOK.read(&mut webhook, node, context);
    if !addressed {
        context.report(
            Diagnostic::error("missing-url", "this webhook has no `url`")
                .at(node.arg_span(0), "nobody to post to")
                .help("for example: `url https://pager.example.com/hook`"),
        );
    } else if to.webhooks.iter().any(|other| other.name == webhook.name) {
        context.report(
            Diagnostic::error("duplicate-name", "another webhook has this name")
                .at(node.arg_span(0), "taken")
                .help("metrics and messages tell them apart by their names"),
        );
    } else if !webhook.url.is_empty() {
        to.webhooks.push(webhook);
    }
}

/// The value as the address of an HTTP server, if it is one.
fn address(node: &Node, context: &mut Context) -> Option<Box<str>> {
    let text = node.arg(0).unwrap_or("");
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', ':'])) {
        return Some(text.into());
    }
    context.report(
        Diagnostic::error("invalid-url", "an address that begins with `http://` or `https://` is needed")
            .at(node.arg_span(0), "no such address")
            .help("for example: `http://10.0.0.9:4318`"),
    );
    None
}

/// A header, if it can be sent.
fn header(node: &Node, context: &mut Context) -> Option<Header> {
    let (name, value) = (node.arg(0)?, node.arg(1)?);
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let wrong = if name.is_empty() || !name.chars().all(token) {
        Some((0, "a name has letters, digits and `-` (RFC 9110 section 5.1)"))
    } else if !value.chars().all(|c| matches!(c, ' '..='~')) {
        Some((1, "a value has printable ASCII characters"))
    } else {
        None
    };
    let Some((place, help)) = wrong else {
        return Some(Header { name: name.into(), value: Secret::new(value.into()) });
    };
    context.report(
        Diagnostic::error("invalid-header", "this can't be sent as a header")
            .at(node.arg_span(place), "not this")
            .help(help),
    );
    None
}
