//! `lvs_method` and what may follow `TUN`.

use crate::diagnostics::Diagnostic;
use crate::model::{Forwarding, Tunnel, TunnelChecksum};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// The method of a keyword; a tunnel whose options are wrong (reported) is a plain one.
pub(super) fn forwarding(node: &Node, context: &mut Context) -> Option<Forwarding> {
    let tunnel = match tunnel(node) {
        Ok(tunnel) => tunnel,
        Err(problem) => {
            context.report(problem.at_end("plain IP in IP is used"));
            Tunnel::default()
        }
    };
    let method = match node.arg(0)? {
        "NAT" => Forwarding::Nat,
        "DR" => Forwarding::Dr,
        "TUN" => return Some(Forwarding::Tun(tunnel)),
        _ => return None,
    };
    if tunnel != Tunnel::default() {
        context.report(
            Diagnostic::warning("conflict", format!("{method} is no tunnel, and has no options of one"))
                .at(node.arg_span(1), "has no effect"),
        );
    }
    Some(method)
}

/// What is wrong with the options of a tunnel.
struct Problem {
    code: &'static str,
    message: String,
    at: Span,
}

impl Problem {
    fn at_end(self, label: &str) -> Diagnostic {
        Diagnostic::error(self.code, self.message).at(self.at, label)
    }
}

/// The words after the method: `[type ipip|gue|gre] [port PORT] [nocsum|csum|remcsum]`.
fn tunnel(node: &Node) -> Result<Tunnel, Problem> {
    let mut kind = "ipip";
    let mut port: Option<(u16, Span)> = None;
    let mut checksum = (TunnelChecksum::None, node.span());
    let mut words = node.args.iter().skip(1);
    while let Some(word) = words.next() {
        let wrong = |at: Span, message: String| Problem { code: "unknown-option", message, at };
        let mut value = || {
            words.next().ok_or_else(|| Problem {
                code: "missing-value",
                message: format!("`{}` needs a value", word.text),
                at: word.span.after(),
            })
        };
        match &*word.text {
            "type" => {
                let value = value()?;
                kind = match &*value.text {
                    known @ ("ipip" | "gue" | "gre") => known,
                    other => {
                        let message = format!("`{other}` is no type of tunnel: ipip, gue or gre");
                        return Err(wrong(value.span, message));
                    }
                };
            }
            "port" => {
                let value = value()?;
                match crate::values::whole(&value.text, 1, 65535) {
                    Ok(number) => {
                        port = u16::try_from(number).ok().map(|number| (number, word.span.to(value.span)))
                    }
                    Err(problem) => {
                        let message = format!("`port`: {}", problem.message);
                        return Err(Problem { code: problem.code, message, at: value.span });
                    }
                }
            }
            "nocsum" => checksum = (TunnelChecksum::None, word.span),
            "csum" => checksum = (TunnelChecksum::Full, word.span),
            "remcsum" => checksum = (TunnelChecksum::Remote, word.span),
            other => {
                let message =
                    format!("`{other}` is no option of a tunnel: type, port, nocsum, csum or remcsum");
                return Err(wrong(word.span, message));
            }
        }
    }
    fits(kind, port, checksum, node.span())
}

fn fits(
    kind: &str,
    port: Option<(u16, Span)>,
    (checksum, at_checksum): (TunnelChecksum, Span),
    whole: Span,
) -> Result<Tunnel, Problem> {
    let conflict = |at: Span, message: &str| Problem { code: "conflict", message: message.to_owned(), at };
    match (kind, port) {
        ("gue", Some((port, _))) => Ok(Tunnel::Gue { port, checksum }),
        ("gue", None) => Err(conflict(whole, "a tunnel of `type gue` needs a `port`")),
        (_, Some((_, at))) => Err(conflict(at, "only a tunnel of `type gue` has a `port`")),
        ("gre", None) if checksum == TunnelChecksum::Remote => {
            Err(conflict(at_checksum, "only a tunnel of `type gue` has `remcsum`"))
        }
        ("gre", None) => Ok(Tunnel::Gre { checksum }),
        (_, None) if checksum != TunnelChecksum::None => {
            Err(conflict(at_checksum, "a tunnel of `type ipip` has no checksum of its own"))
        }
        (_, None) => Ok(Tunnel::Ipip),
    }
}
