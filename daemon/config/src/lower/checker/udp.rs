//! `UDP_CHECK`: can an answer be right?

use super::idle::nothing;
use crate::diagnostics::Diagnostic;
use crate::model::{Connection, UdpCheck, UdpReply};
use crate::preprocess::Context;
use crate::schema::checkers::UdpDraft;

/// Bytes of the longest right answer unless given.
const MAX_LENGTH: u16 = u8::MAX as u16;

impl UdpDraft {
    /// Shortest and longest right answer.
    fn lengths(&self) -> (u16, u16) {
        let least = self.min_length.map_or(0, |(least, _)| least);
        (least, self.max_length.map_or(MAX_LENGTH, |(most, _)| most))
    }

    /// Says so when no answer can be right.
    pub(super) fn check(&self, context: &mut Context) {
        let (least, most) = self.lengths();
        let Some((_, span)) = self.min_length.or(self.max_length) else { return };
        if least > most {
            let message = format!("no answer is at least {least} and at most {most} bytes long");
            context.report(Diagnostic::error("conflict", message).at(span, "every check will fail"));
        } else if self.pattern.as_ref().is_none_or(|pattern| pattern.data.is_empty()) {
            let why = "without a pattern after `require_reply` nothing of an answer is looked at";
            nothing(span, why, context);
        }
    }

    pub(super) fn resolve(self, connection: Connection) -> UdpCheck {
        let (min_length, max_length) = self.lengths();
        UdpCheck {
            connection,
            payload: self.payload,
            reply: self.pattern.map(|pattern| UdpReply { pattern, min_length, max_length }),
        }
    }
}
