//! The bodies of the packets, one layout after the other as in RFC 2741 section 6.2.

use bytes::Bytes;

use crate::pdu::{Body, CloseReason, ErrorStatus, IndexChoice, SearchRange, Subtree, flag};
use crate::value;
use crate::wire::{DecodeError, EncodeError, Reader, Writer, octet_string};

pub(crate) use kind::RESPONSE;

/// `h.type` (section 6.1).
mod kind {
    pub(super) const OPEN: u8 = 1;
    pub(super) const CLOSE: u8 = 2;
    pub(super) const REGISTER: u8 = 3;
    pub(super) const UNREGISTER: u8 = 4;
    pub(super) const GET: u8 = 5;
    pub(super) const GET_NEXT: u8 = 6;
    pub(super) const GET_BULK: u8 = 7;
    pub(super) const TEST_SET: u8 = 8;
    pub(super) const COMMIT_SET: u8 = 9;
    pub(super) const UNDO_SET: u8 = 10;
    pub(super) const CLEANUP_SET: u8 = 11;
    pub(super) const NOTIFY: u8 = 12;
    pub(super) const PING: u8 = 13;
    pub(super) const INDEX_ALLOCATE: u8 = 14;
    pub(super) const INDEX_DEALLOCATE: u8 = 15;
    pub(super) const ADD_AGENT_CAPS: u8 = 16;
    pub(super) const REMOVE_AGENT_CAPS: u8 = 17;
    pub(crate) const RESPONSE: u8 = 18;
}

pub(crate) fn kind(body: &Body) -> u8 {
    match body {
        Body::Open { .. } => kind::OPEN,
        Body::Close(_) => kind::CLOSE,
        Body::Register { .. } => kind::REGISTER,
        Body::Unregister(_) => kind::UNREGISTER,
        Body::Get(_) => kind::GET,
        Body::GetNext(_) => kind::GET_NEXT,
        Body::GetBulk { .. } => kind::GET_BULK,
        Body::TestSet(_) => kind::TEST_SET,
        Body::CommitSet => kind::COMMIT_SET,
        Body::UndoSet => kind::UNDO_SET,
        Body::CleanupSet => kind::CLEANUP_SET,
        Body::Notify(_) => kind::NOTIFY,
        Body::Ping => kind::PING,
        Body::IndexAllocate(..) => kind::INDEX_ALLOCATE,
        Body::IndexDeallocate(_) => kind::INDEX_DEALLOCATE,
        Body::AddAgentCaps(..) => kind::ADD_AGENT_CAPS,
        Body::RemoveAgentCaps(_) => kind::REMOVE_AGENT_CAPS,
        Body::Response { .. } => kind::RESPONSE,
    }
}

/// The flags that belong to the body, not to the header.
pub(crate) fn flags(body: &Body) -> u8 {
    match body {
        Body::Register { instance: true, .. } => flag::INSTANCE_REGISTRATION,
        Body::IndexAllocate(IndexChoice::New, _) => flag::NEW_INDEX,
        Body::IndexAllocate(IndexChoice::Any, _) => flag::ANY_INDEX,
        _ => 0,
    }
}

pub(crate) fn encode(body: &Body, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    match body {
        Body::Open { timeout, id, description } => {
            w.bytes(&[*timeout, 0, 0, 0]);
            w.oid(id, false)?;
            w.octets(description)
        }
        Body::Close(reason) => {
            w.bytes(&[close_code(*reason), 0, 0, 0]);
            Ok(())
        }
        Body::Register { timeout, instance: _, subtree } => encode_subtree(*timeout, subtree, w),
        Body::Unregister(subtree) => encode_subtree(0, subtree, w),
        Body::Get(ranges) | Body::GetNext(ranges) => encode_ranges(ranges, w),
        Body::GetBulk { non_repeaters, max_repetitions, ranges } => {
            w.u16(*non_repeaters);
            w.u16(*max_repetitions);
            encode_ranges(ranges, w)
        }
        Body::TestSet(binds)
        | Body::Notify(binds)
        | Body::IndexAllocate(_, binds)
        | Body::IndexDeallocate(binds) => value::encode_list(binds, w),
        Body::CommitSet | Body::UndoSet | Body::CleanupSet | Body::Ping => Ok(()),
        Body::AddAgentCaps(id, description) => {
            w.oid(id, false)?;
            w.octets(description)
        }
        Body::RemoveAgentCaps(id) => w.oid(id, false),
        Body::Response { uptime, error, index, binds } => {
            encode_response(*uptime, *error, *index, w);
            value::encode_list(binds, w)
        }
    }
}

pub(crate) fn decode(kind: u8, flags: u8, r: &mut Reader<'_>) -> Result<(Option<Bytes>, Body), DecodeError> {
    let context = match (flags & flag::NON_DEFAULT_CONTEXT != 0, kind) {
        (false, _) => None,
        // The flag means nothing on these (section 6.1.1), so there is no context to read.
        (_, kind::OPEN | kind::CLOSE | kind::COMMIT_SET | kind::UNDO_SET | kind::CLEANUP_SET)
        | (_, kind::RESPONSE) => None,
        (true, _) => Some(octet_string(r.octets("the context")?)),
    };
    let body = match kind {
        kind::OPEN => {
            let [timeout, ..] = r.bytes::<4>("an Open")?;
            let id = r.oid()?;
            Body::Open { timeout, id, description: octet_string(r.octets("an Open's description")?) }
        }
        kind::CLOSE => {
            let [reason, ..] = r.bytes::<4>("a Close")?;
            Body::Close(close_reason(reason)?)
        }
        kind::REGISTER => {
            let (timeout, subtree) = decode_subtree(r)?;
            Body::Register { timeout, instance: flags & flag::INSTANCE_REGISTRATION != 0, subtree }
        }
        kind::UNREGISTER => Body::Unregister(decode_subtree(r)?.1),
        kind::GET => Body::Get(decode_ranges(r)?),
        kind::GET_NEXT => Body::GetNext(decode_ranges(r)?),
        kind::GET_BULK => Body::GetBulk {
            non_repeaters: r.u16("a GetBulk")?,
            max_repetitions: r.u16("a GetBulk")?,
            ranges: decode_ranges(r)?,
        },
        kind::TEST_SET => Body::TestSet(value::decode_list(r)?),
        kind::COMMIT_SET => Body::CommitSet,
        kind::UNDO_SET => Body::UndoSet,
        kind::CLEANUP_SET => Body::CleanupSet,
        kind::NOTIFY => Body::Notify(value::decode_list(r)?),
        kind::PING => Body::Ping,
        kind::INDEX_ALLOCATE => {
            let choice = match flags {
                _ if flags & flag::NEW_INDEX != 0 => IndexChoice::New,
                _ if flags & flag::ANY_INDEX != 0 => IndexChoice::Any,
                _ => IndexChoice::Given,
            };
            Body::IndexAllocate(choice, value::decode_list(r)?)
        }
        kind::INDEX_DEALLOCATE => Body::IndexDeallocate(value::decode_list(r)?),
        kind::ADD_AGENT_CAPS => {
            let id = r.oid()?;
            Body::AddAgentCaps(id, octet_string(r.octets("an AddAgentCaps")?))
        }
        kind::REMOVE_AGENT_CAPS => Body::RemoveAgentCaps(r.oid()?),
        kind::RESPONSE => Body::Response {
            uptime: r.u32("a Response")?,
            error: ErrorStatus(r.u16("a Response")?),
            index: r.u16("a Response")?,
            binds: value::decode_list(r)?,
        },
        unknown => return Err(DecodeError::PacketType(unknown)),
    };
    Ok((context, body))
}

/// What stands in front of a Response's bindings.
pub(crate) fn encode_response(uptime: u32, error: ErrorStatus, index: u16, w: &mut Writer<'_>) {
    w.u32(uptime);
    w.u16(error.0);
    w.u16(index);
}

fn encode_subtree(timeout: u8, subtree: &Subtree, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    // A range_subid of 0 says that there is no range, so a range in "sub-identifier 0" can't be sent as one.
    let range = subtree.range.filter(|(position, _)| *position != 0);
    w.bytes(&[timeout, subtree.priority, range.map_or(0, |(position, _)| position), 0]);
    w.oid(&subtree.root, false)?;
    if let Some((_, upper)) = range {
        w.u32(upper);
    }
    Ok(())
}

fn decode_subtree(r: &mut Reader<'_>) -> Result<(u8, Subtree), DecodeError> {
    let [timeout, priority, position, _reserved] = r.bytes::<4>("a registration")?;
    let root = r.oid()?;
    let range = match position {
        0 => None,
        position => Some((position, r.u32("a registration's upper bound")?)),
    };
    Ok((timeout, Subtree { priority, root, range }))
}

fn encode_ranges(ranges: &[SearchRange], w: &mut Writer<'_>) -> Result<(), EncodeError> {
    for range in ranges {
        w.oid(&range.start, range.include)?;
        w.oid(&range.end, false)?;
    }
    Ok(())
}

fn decode_ranges(r: &mut Reader<'_>) -> Result<Vec<SearchRange>, DecodeError> {
    let mut ranges = Vec::new();
    while !r.is_empty() {
        let (start, include) = r.oid_include()?;
        ranges.push(SearchRange { start, include, end: r.oid()? });
    }
    Ok(ranges)
}

fn close_code(reason: CloseReason) -> u8 {
    match reason {
        CloseReason::Other => 1,
        CloseReason::ParseError => 2,
        CloseReason::ProtocolError => 3,
        CloseReason::Timeouts => 4,
        CloseReason::Shutdown => 5,
        CloseReason::ByManager => 6,
    }
}

fn close_reason(code: u8) -> Result<CloseReason, DecodeError> {
    Ok(match code {
        1 => CloseReason::Other,
        2 => CloseReason::ParseError,
        3 => CloseReason::ProtocolError,
        4 => CloseReason::Timeouts,
        5 => CloseReason::Shutdown,
        6 => CloseReason::ByManager,
        unknown => return Err(DecodeError::CloseReason(unknown)),
    })
}
