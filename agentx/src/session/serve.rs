//! Answers to the master's requests (RFC 2741 section 7.2), from a [`Tree`], written as they are found.

use bytes::Bytes;
use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBindValue;

use crate::pdu::{Body, ErrorStatus, Header, Packet, RawHeader, SearchRange, Writing};
use crate::tree::Tree;
use crate::value;
use crate::wire::EncodeError;

use super::sets::Sets;

/// The most bindings in one answer to a GetBulk. The master asks again for more; a manager's packet holds fewer.
const MAX_BULK_BINDS: usize = 2048;
/// The most bytes of bindings in one answer.
const MAX_ANSWER: usize = 256 * 1024;

/// The answer to a packet of which only the header makes sense: parseError, except to what has no answers.
pub(super) fn unparsable(header: &RawHeader, uptime: u32) -> Option<Vec<u8>> {
    const CLEANUP_SET: u8 = 11;
    const RESPONSE: u8 = 18;
    if matches!(header.kind, CLEANUP_SET | RESPONSE) {
        return None;
    }
    Some(Answer::new(header.header, uptime).error(ErrorStatus::PARSE_ERROR, 0))
}

/// The answer to a request. `session` is ours, if one is open.
pub(super) fn answer(
    request: &Packet,
    session: Option<u32>,
    tree: &dyn Tree,
    sets: &mut Sets,
    uptime: u32,
) -> Option<Vec<u8>> {
    match request.body {
        Body::Response { .. } => return None,
        Body::CleanupSet => {
            sets.forget();
            return None;
        }
        _ => {}
    }
    let answer = Answer::new(request.header, uptime);
    if session != Some(request.header.session) {
        return Some(answer.error(ErrorStatus::NOT_OPEN, 0));
    }
    let view = View { tree, context: request.context.as_ref() };
    Some(match &request.body {
        Body::Get(ranges) => view.get(ranges, answer),
        Body::GetNext(ranges) => view.get_next(ranges, answer),
        Body::GetBulk { non_repeaters, max_repetitions, ranges } => {
            view.get_bulk((*non_repeaters).into(), (*max_repetitions).into(), ranges, answer)
        }
        Body::TestSet(binds) => sets.test(view, request.header.transaction, binds, answer),
        Body::CommitSet => sets.commit(view, request.header.transaction, answer),
        Body::UndoSet => sets.undo(view, request.header.transaction, answer),
        Body::Ping => answer.finish(),
        // Only a master answers these, and it is not for a master to send them.
        Body::Open { .. }
        | Body::Close(_)
        | Body::Register { .. }
        | Body::Unregister(_)
        | Body::Notify(_)
        | Body::IndexAllocate(..)
        | Body::IndexDeallocate(_)
        | Body::AddAgentCaps(..)
        | Body::RemoveAgentCaps(_)
        | Body::CleanupSet
        | Body::Response { .. } => answer.error(ErrorStatus::PROCESSING_ERROR, 0),
    })
}

/// A Response that is being written.
pub(super) struct Answer {
    uptime: u32,
    packet: Writing,
    binds: usize,
}

impl Answer {
    fn new(header: Header, uptime: u32) -> Self {
        Self { uptime, packet: Writing::response(header, uptime, ErrorStatus::NO_ERROR, 0), binds: 0 }
    }

    /// The finished packet, with what was added.
    pub(super) fn finish(self) -> Vec<u8> {
        self.packet.finish()
    }

    /// A packet that says nothing but this.
    pub(super) fn error(self, error: ErrorStatus, index: usize) -> Vec<u8> {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        Writing::response(self.packet.header(), self.uptime, error, index).finish()
    }

    fn fits(&self) -> bool {
        self.packet.len() <= MAX_ANSWER
    }

    fn add(&mut self, name: &[u32], value: &VarBindValue) -> Result<(), EncodeError> {
        self.binds += 1;
        value::encode(name, value, &mut self.packet.writer())
    }
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) context: Option<&'a Bytes>,
}

impl View<'_> {
    fn get(self, ranges: &[SearchRange], mut answer: Answer) -> Vec<u8> {
        for range in ranges {
            let value = self.tree.get(self.context, &range.start);
            if answer.add(&range.start, &value).is_err() || !answer.fits() {
                let failed = answer.binds;
                return answer.error(ErrorStatus::GEN_ERR, failed);
            }
        }
        answer.finish()
    }

    fn get_next(self, ranges: &[SearchRange], mut answer: Answer) -> Vec<u8> {
        for range in ranges {
            if self.next(range, &mut answer).is_err() || !answer.fits() {
                let failed = answer.binds;
                return answer.error(ErrorStatus::GEN_ERR, failed);
            }
        }
        answer.finish()
    }

    /// Section 7.2.3.2: adds the next name before the end of the range, and returns it; at the end adds endOfMibView
    /// under the range's own start.
    fn next(self, range: &SearchRange, answer: &mut Answer) -> Result<Option<ObjectIdentifier>, EncodeError> {
        match self.tree.next(self.context, &range.start, range.include) {
            Some((name, value)) if range.end.is_empty() || name < range.end => {
                answer.add(&name, &value)?;
                Ok(Some(name))
            }
            _ => {
                answer.add(&range.start, &VarBindValue::EndOfMibView)?;
                Ok(None)
            }
        }
    }

    /// Section 7.2.3.3: one round of GetNext after the other, whole rounds only, until all have come to their end or
    /// the answer is long enough.
    fn get_bulk(
        self,
        non_repeaters: usize,
        max_repetitions: usize,
        ranges: &[SearchRange],
        mut answer: Answer,
    ) -> Vec<u8> {
        let (once, repeated) = ranges.split_at(non_repeaters.min(ranges.len()));
        let mut repeated = repeated.to_vec();
        for range in once {
            if self.next(range, &mut answer).is_err() || !answer.fits() {
                let failed = answer.binds;
                return answer.error(ErrorStatus::GEN_ERR, failed);
            }
        }
        for round in 0..max_repetitions {
            if round > 0 && (answer.binds + repeated.len() > MAX_BULK_BINDS || !answer.fits()) {
                break;
            }
            let mut ended = true;
            for (at, range) in repeated.iter_mut().enumerate() {
                match self.next(range, &mut answer) {
                    // A single round is as long as the request has ranges: it may overshoot, but not without bound.
                    Ok(found) if answer.packet.len() <= 2 * MAX_ANSWER => {
                        if let Some(name) = found {
                            ended = false;
                            range.start = name;
                            range.include = false;
                        }
                    }
                    _ => return answer.error(ErrorStatus::GEN_ERR, once.len() + at + 1),
                }
            }
            if ended {
                break;
            }
        }
        answer.finish()
    }
}
