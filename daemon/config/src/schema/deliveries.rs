//! Keywords of keepwatch's own block that say where events are delivered to.

use super::entry::Block;
use super::{Kind, kw, one};
use crate::diagnostics::Diagnostic;
use crate::model::{Header, Otlp, OtlpProtocol, Secret};
use crate::preprocess::Context;
use crate::tree::Node;

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
    kw(
        "header",
        &[one("NAME", Kind::Word), one("VALUE", Kind::Word)],
        "Sent with each request; may be given several times. The value is kept secret.",
    )
    .example("header authorization \"Bearer 12345\"")
    .sets(|to, node, context| to.headers.extend(header(node, context))),
    kw("timeout", &[one("SECONDS", Kind::Seconds(1000, 3_600_000_000))], "Bound of one try.")
        .default("10")
        .example("timeout 5")
        .sets(|to, node, _| to.timeout = node.seconds(0).unwrap_or(to.timeout)),
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
