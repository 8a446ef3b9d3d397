//! Answers to the master's requests (RFC 2741 section 7.2), from a [`Tree`].

use bytes::Bytes;
use rasn_snmp::v2::{VarBind, VarBindValue};

use crate::pdu::{Body, ErrorStatus, Packet, RawHeader, SearchRange};
use crate::tree::Tree;
use crate::value;
use crate::wire::{ByteOrder, EncodeError, Writer};

/// The most bindings in one answer to a GetBulk. The master asks again for more; a manager's packet holds fewer.
const MAX_BULK_BINDS: usize = 2048;
/// The most bytes of bindings in one answer.
const MAX_ANSWER: usize = 256 * 1024;

/// The answer to a packet of which only the header makes sense: parseError, except to what has no answers.
pub(super) fn unparsable(header: &RawHeader, uptime: u32) -> Option<Packet> {
    const CLEANUP_SET: u8 = 11;
    const RESPONSE: u8 = 18;
    if matches!(header.kind, CLEANUP_SET | RESPONSE) {
        return None;
    }
    let body = Body::Response { uptime, error: ErrorStatus::PARSE_ERROR, index: 0, binds: Vec::new() };
    Some(Packet { header: header.header, context: None, body })
}

/// The answer to a request. `session` is ours, if one is open.
pub(super) fn answer(request: &Packet, session: Option<u32>, tree: &dyn Tree, uptime: u32) -> Option<Packet> {
    let context = request.context.as_ref();
    let answer = if session != Some(request.header.session) {
        match request.body {
            Body::Response { .. } | Body::CleanupSet => return None,
            _ => Answer::error(ErrorStatus::NOT_OPEN, 0),
        }
    } else {
        match &request.body {
            Body::Get(ranges) => get(tree, context, ranges),
            Body::GetNext(ranges) => get_next(tree, context, ranges),
            Body::GetBulk { non_repeaters, max_repetitions, ranges } => {
                get_bulk(tree, context, (*non_repeaters).into(), (*max_repetitions).into(), ranges)
            }
            // Nothing is writable, which RFC 2741 7.2.4.1 lets an agent say of the first binding already.
            Body::TestSet(_) => Answer::error(ErrorStatus::NOT_WRITABLE, 1),
            // No TestSet succeeded, so there is nothing to commit or to take back.
            Body::CommitSet => Answer::error(ErrorStatus::COMMIT_FAILED, 0),
            Body::UndoSet => Answer::error(ErrorStatus::UNDO_FAILED, 0),
            Body::Ping => Answer::default(),
            Body::CleanupSet | Body::Response { .. } => return None,
            // Only a master answers these, and it is not for a master to send them.
            Body::Open { .. }
            | Body::Close(_)
            | Body::Register { .. }
            | Body::Unregister(_)
            | Body::Notify(_)
            | Body::IndexAllocate(..)
            | Body::IndexDeallocate(_)
            | Body::AddAgentCaps(..)
            | Body::RemoveAgentCaps(_) => Answer::error(ErrorStatus::PROCESSING_ERROR, 0),
        }
    };
    let Answer { error, index, binds, .. } = answer;
    let body = Body::Response { uptime, error, index, binds };
    Some(Packet { header: request.header, context: None, body })
}

/// An answer that is being put together, with its size on the wire.
#[derive(Default)]
struct Answer {
    error: ErrorStatus,
    index: u16,
    binds: Vec<VarBind>,
    size: usize,
}

impl Answer {
    fn error(error: ErrorStatus, index: u16) -> Self {
        Self { error, index, ..Self::default() }
    }

    fn fits(&self) -> bool {
        self.size <= MAX_ANSWER
    }

    /// Adds a binding that can be encoded.
    fn add(&mut self, bind: VarBind) -> Result<(), EncodeError> {
        let mut raw = Vec::new();
        value::encode(&bind, &mut Writer::new(&mut raw, ByteOrder::Network))?;
        self.size += raw.len();
        self.binds.push(bind);
        Ok(())
    }
}

fn get(tree: &dyn Tree, context: Option<&Bytes>, ranges: &[SearchRange]) -> Answer {
    each(ranges, |range| VarBind { name: range.start.clone(), value: tree.get(context, &range.start) })
}

fn get_next(tree: &dyn Tree, context: Option<&Bytes>, ranges: &[SearchRange]) -> Answer {
    each(ranges, |range| next(tree, context, range))
}

/// One answer for each range; if one can't be given, genErr says which.
fn each(ranges: &[SearchRange], mut lookup: impl FnMut(&SearchRange) -> VarBind) -> Answer {
    let mut answer = Answer::default();
    for (at, range) in ranges.iter().enumerate() {
        if answer.add(lookup(range)).is_err() || !answer.fits() {
            return Answer::error(ErrorStatus::GEN_ERR, u16::try_from(at + 1).unwrap_or(u16::MAX));
        }
    }
    answer
}

/// Section 7.2.3.2: the next name before the end of the range, else endOfMibView under the range's own start.
fn next(tree: &dyn Tree, context: Option<&Bytes>, range: &SearchRange) -> VarBind {
    match tree.next(context, &range.start, range.include) {
        Some((name, value)) if range.end.is_empty() || name < range.end => VarBind { name, value },
        _ => VarBind { name: range.start.clone(), value: VarBindValue::EndOfMibView },
    }
}

/// Section 7.2.3.3: one round of GetNext after the other, whole rounds only, until all have come to their end or
/// the answer is long enough.
fn get_bulk(
    tree: &dyn Tree,
    context: Option<&Bytes>,
    non_repeaters: usize,
    max_repetitions: usize,
    ranges: &[SearchRange],
) -> Answer {
    let (once, repeated) = ranges.split_at(non_repeaters.min(ranges.len()));
    let mut answer = each(once, |range| next(tree, context, range));
    if answer.error != ErrorStatus::NO_ERROR || repeated.is_empty() {
        return answer;
    }
    let mut ranges = repeated.to_vec();
    for round in 0..max_repetitions {
        if round > 0 && (answer.binds.len() + ranges.len() > MAX_BULK_BINDS || !answer.fits()) {
            break;
        }
        let mut ended = true;
        for (at, range) in ranges.iter_mut().enumerate() {
            let bind = next(tree, context, range);
            if bind.value != VarBindValue::EndOfMibView {
                ended = false;
                range.start = bind.name.clone();
                range.include = false;
            }
            // A single round is as long as the request has ranges: it may overshoot, but not without bound.
            if answer.add(bind).is_err() || answer.size > 2 * MAX_ANSWER {
                let index = u16::try_from(once.len() + at + 1).unwrap_or(u16::MAX);
                return Answer::error(ErrorStatus::GEN_ERR, index);
            }
        }
        if ended {
            break;
        }
    }
    answer
}
