//! `UDP_CHECK`: a datagram is answered, or at least not refused.
//!
//! Without `require_reply` silence is success, since many services answer nothing that they do not know; ICMP errors
//! are a failure in any case. A host that is off is noticed by those alone, and the kernel tries for about three
//! seconds to find its hardware address before it gives up: `connect_timeout` must be longer.

use keepwatch_bus::fact::{Failure, FailureReason};
use keepwatch_model::{UdpCheck, UdpReply};

use crate::datagram::{self, Judgement};
use crate::outcome::Outcome;

/// What keepalived sends when no `payload` is configured.
const PAYLOAD: &[u8; 32] = b"keepalived check - keepalived ch";

/// Makes one check.
pub(super) async fn check(settings: &UdpCheck) -> Outcome {
    let connection = &settings.connection;
    let socket = match datagram::open(connection) {
        Ok(socket) => socket,
        Err(outcome) => return outcome,
    };
    let payload = settings.payload.as_ref().map_or(&PAYLOAD[..], |payload| &payload.data);
    // One byte more than allowed tells an answer that is too long from one that just fits.
    let room = settings.reply.as_ref().map_or(1, |reply| usize::from(reply.max_length) + 1);
    let judge = |answer: &[u8]| settings.reply.as_ref().map_or(Some(Ok(())), |reply| judge(reply, answer));
    match datagram::ask(&socket, connection, payload, room, judge).await {
        Ok(false) if settings.reply.is_some() => Outcome::Failed(datagram::silence(connection)),
        Ok(_) => Outcome::GOOD,
        Err(outcome) => outcome,
    }
}

/// Whether an answer is as it should be; the first one decides.
fn judge(reply: &UdpReply, answer: &[u8]) -> Judgement {
    let UdpReply { pattern, min_length, max_length } = reply;
    // keepalived looks at nothing of the answer where there is no pattern.
    if pattern.data.is_empty() {
        return Some(Ok(()));
    }
    let length = answer.len();
    let wrong = |what: String| Some(Err(Failure::new(FailureReason::Mismatch, what)));
    if length < usize::from(*min_length) {
        return wrong(format!("an answer of {length} bytes, at least {min_length} must come"));
    }
    if length > usize::from(*max_length) {
        return wrong(format!("an answer of more than {max_length} bytes"));
    }
    match pattern.first_mismatch(answer) {
        Some(at) => {
            let found = answer.get(at).copied().unwrap_or_default();
            wrong(format!("byte {} of the answer is {found:02x}, not as in {pattern}", at + 1))
        }
        None => Some(Ok(())),
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_model::Bytes;

    use super::*;

    fn said(pattern: &str, lengths: (u16, u16), answer: &[u8]) -> Option<String> {
        let pattern = Bytes::parse(pattern).unwrap();
        let reply = UdpReply { pattern, min_length: lengths.0, max_length: lengths.1 };
        judge(&reply, answer).unwrap().err().map(|failure| failure.to_string())
    }

    #[test]
    fn an_answer_is_compared_as_far_as_both_go_and_must_have_the_right_length() {
        let any = (0, 255);
        assert_eq!(said("", (3, 2), b"x"), None, "without a pattern nothing is looked at");
        assert_eq!(said("01 X2 03", any, &[1, 0x92, 3, 4]), None);
        assert_eq!(said("01 X2 03", any, &[1]), None);
        assert_eq!(said("01 X2 03", any, &[]), None);
        let wrong = said("01 X2 03", any, &[1, 0x93, 3]);
        assert_eq!(wrong.as_deref(), Some("byte 2 of the answer is 93, not as in 01X203"));
        let short = said("01", (2, 9), &[1]);
        assert_eq!(short.as_deref(), Some("an answer of 1 bytes, at least 2 must come"));
        let long = said("01", (0, 2), &[1, 1, 1]);
        assert_eq!(long.as_deref(), Some("an answer of more than 2 bytes"));
        assert_eq!(said("01", (2, 2), &[1, 9]), None);
    }
}
