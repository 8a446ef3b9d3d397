//! `UDP_CHECK` as written.

use super::idle::nothing;
use crate::diagnostics::Diagnostic;
use crate::model::{Bytes, Connection, UdpCheck, UdpReply};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// A `UDP_CHECK` as written.
#[derive(Debug)]
pub(super) struct UdpDraft {
    payload: Option<Bytes>,
    /// `require_reply`, and the pattern after it.
    pattern: Option<Bytes>,
    min_length: u16,
    max_length: u16,
}

impl UdpDraft {
    pub(super) fn new(own: &[&Node], context: &mut Context) -> Self {
        let mut draft = Self { payload: None, pattern: None, min_length: 0, max_length: u16::from(u8::MAX) };
        let mut least: Option<Span> = None;
        for node in own {
            match node.keyword.name {
                "payload" => draft.payload = bytes(node),
                "require_reply" => draft.pattern = bytes(node).or_else(|| Some(Bytes::default())),
                "min_reply_length" => {
                    least = Some(node.arg_span(0));
                    draft.min_length = node.number(0).unwrap_or(draft.min_length);
                }
                "max_reply_length" => {
                    least = least.or(Some(node.arg_span(0)));
                    draft.max_length = node.number(0).unwrap_or(draft.max_length);
                }
                _ => {}
            }
        }
        if let Some(span) = least.filter(|_| draft.min_length > draft.max_length) {
            let message = format!(
                "no answer is at least {} and at most {} bytes long",
                draft.min_length, draft.max_length
            );
            context.report(Diagnostic::error("conflict", message).at(span, "every check will fail"));
        } else if let Some(span) = least.filter(|_| draft.pattern.as_ref().is_none_or(|p| p.data.is_empty()))
        {
            let why = "without a pattern after `require_reply` nothing of an answer is looked at";
            nothing(span, why, context);
        }
        draft
    }

    pub(super) fn resolve(self, connection: Connection) -> UdpCheck {
        let (min_length, max_length) = (self.min_length, self.max_length);
        UdpCheck {
            connection,
            payload: self.payload,
            reply: self.pattern.map(|pattern| UdpReply { pattern, min_length, max_length }),
        }
    }
}

/// The values of a keyword as bytes; each word begins a new one.
fn bytes(node: &Node) -> Option<Bytes> {
    let words: Vec<&str> = node.args.iter().map(|word| &*word.text).collect();
    Bytes::parse(&words.join(" "))
}
