//! The packets of RFC 2741 section 6, decoded and encoded.
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------+---------------+---------------+---------------+
//! |   h.version   |    h.type     |    h.flags    |  <reserved>   |
//! +---------------+---------------+---------------+---------------+
//! |                          h.sessionID                          |
//! |                        h.transactionID                        |
//! |                           h.packetID                          |
//! |                        h.payload_length                       |
//! +---------------------------------------------------------------+
//! |  context, when NON_DEFAULT_CONTEXT is set; then by type …     |
//! ```
//!
//! Goes in: one whole packet ([`Framer`](crate::framer::Framer) cuts them from a stream), or a [`Packet`].
//! Comes out: the other.

use bytes::Bytes;
use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBind;

use crate::body;
use crate::wire::{ByteOrder, DecodeError, EncodeError, Reader, Writer};

/// Bytes of the header.
pub const HEADER_LENGTH: usize = 20;
/// `h.version`.
const VERSION: u8 = 1;

pub(crate) mod flag {
    pub(crate) const INSTANCE_REGISTRATION: u8 = 0x01;
    pub(crate) const NEW_INDEX: u8 = 0x02;
    pub(crate) const ANY_INDEX: u8 = 0x04;
    pub(crate) const NON_DEFAULT_CONTEXT: u8 = 0x08;
    pub(crate) const NETWORK_BYTE_ORDER: u8 = 0x10;
}

/// The header's fields that every packet has, whatever its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `h.sessionID`: 0 in an Open.
    pub session: u32,
    /// `h.transactionID`: ties the packets of one SNMP request together.
    pub transaction: u32,
    /// `h.packetID`: ties a response to its request.
    pub packet: u32,
    /// The byte order of this packet.
    pub order: ByteOrder,
}

/// One packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Who it belongs to.
    pub header: Header,
    /// The context's name, where it is not the default one. Only bodies for which [`Body::takes_context`] holds
    /// carry it on the wire.
    pub context: Option<Bytes>,
    /// What it says.
    pub body: Body,
}

/// A range of names that a Get, GetNext or GetBulk asks for (section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRange {
    /// Where to begin.
    pub start: ObjectIdentifier,
    /// Whether `start` itself may be the answer to a GetNext.
    pub include: bool,
    /// The first name that is not an answer any more; without sub-identifiers there is no such bound.
    pub end: ObjectIdentifier,
}

/// What a Register or Unregister speaks of (sections 6.2.3 and 6.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// `r.priority`: of two registrations of one subtree, the one with the lower number is asked.
    pub priority: u8,
    /// The subtree's root.
    pub root: ObjectIdentifier,
    /// `r.range_subid` (counted from 1) and `r.upper_bound`: the root stands for a range in that sub-identifier.
    pub range: Option<(u8, u32)>,
}

/// How an index is asked for (sections 6.2.12 and 6.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexChoice {
    /// The values given.
    Given,
    /// Any value that was never in use (NEW_INDEX).
    New,
    /// Any value not in use now (ANY_INDEX).
    Any,
}

/// `c.reason` of a Close (section 6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// None of the others.
    Other,
    /// Too many packets that could not be parsed.
    ParseError,
    /// Too many packets that broke the protocol.
    ProtocolError,
    /// Too many requests without an answer.
    Timeouts,
    /// The sender is going away.
    Shutdown,
    /// A manager closed it (agentxSessionAdminStatus).
    ByManager,
}

/// `res.error` (section 6.2.16): 0 to 18 are SNMP's, 256 on are AgentX's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ErrorStatus(pub u16);

#[allow(missing_docs)]
impl ErrorStatus {
    pub const NO_ERROR: Self = Self(0);
    pub const TOO_BIG: Self = Self(1);
    pub const GEN_ERR: Self = Self(5);
    pub const NO_ACCESS: Self = Self(6);
    pub const WRONG_TYPE: Self = Self(7);
    pub const WRONG_LENGTH: Self = Self(8);
    pub const WRONG_VALUE: Self = Self(10);
    pub const NO_CREATION: Self = Self(11);
    pub const INCONSISTENT_VALUE: Self = Self(12);
    pub const RESOURCE_UNAVAILABLE: Self = Self(13);
    pub const COMMIT_FAILED: Self = Self(14);
    pub const UNDO_FAILED: Self = Self(15);
    pub const NOT_WRITABLE: Self = Self(17);
    pub const OPEN_FAILED: Self = Self(256);
    pub const NOT_OPEN: Self = Self(257);
    pub const INDEX_WRONG_TYPE: Self = Self(258);
    pub const INDEX_ALREADY_ALLOCATED: Self = Self(259);
    pub const INDEX_NONE_AVAILABLE: Self = Self(260);
    pub const INDEX_NOT_ALLOCATED: Self = Self(261);
    pub const UNSUPPORTED_CONTEXT: Self = Self(262);
    pub const DUPLICATE_REGISTRATION: Self = Self(263);
    pub const UNKNOWN_REGISTRATION: Self = Self(264);
    pub const UNKNOWN_AGENT_CAPS: Self = Self(265);
    pub const PARSE_ERROR: Self = Self(266);
    pub const REQUEST_DENIED: Self = Self(267);
    pub const PROCESSING_ERROR: Self = Self(268);
}

impl std::fmt::Display for ErrorStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            0 => "noError",
            1 => "tooBig",
            5 => "genErr",
            6 => "noAccess",
            7 => "wrongType",
            8 => "wrongLength",
            10 => "wrongValue",
            11 => "noCreation",
            12 => "inconsistentValue",
            13 => "resourceUnavailable",
            14 => "commitFailed",
            15 => "undoFailed",
            17 => "notWritable",
            256 => "openFailed",
            257 => "notOpen",
            258 => "indexWrongType",
            259 => "indexAlreadyAllocated",
            260 => "indexNoneAvailable",
            261 => "indexNotAllocated",
            262 => "unsupportedContext",
            263 => "duplicateRegistration",
            264 => "unknownRegistration",
            265 => "unknownAgentCaps",
            266 => "parseError",
            267 => "requestDenied",
            268 => "processingError",
            other => return write!(f, "error {other}"),
        };
        f.write_str(name)
    }
}

/// What a packet says: one variant for each type of section 6.2.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A subagent asks for a session.
    Open {
        /// Seconds that the master should wait for this session's answers; 0 for the master's own choice.
        timeout: u8,
        /// Identifies the subagent; may be empty.
        id: ObjectIdentifier,
        /// The subagent in words.
        description: Bytes,
    },
    /// Either side ends a session.
    Close(CloseReason),
    /// A subagent offers to serve a subtree.
    Register {
        /// Seconds that the master should wait for answers below this subtree; 0 for the session's.
        timeout: u8,
        /// The root is a whole instance, not a subtree (INSTANCE_REGISTRATION).
        instance: bool,
        /// What is offered.
        subtree: Subtree,
    },
    /// A subagent takes its offer back.
    Unregister(Subtree),
    /// Asks for the values of names.
    Get(Vec<SearchRange>),
    /// Asks for the names that follow, and their values.
    GetNext(Vec<SearchRange>),
    /// Asks for many that follow.
    GetBulk {
        /// So many ranges at the front get one answer only.
        non_repeaters: u16,
        /// So many answers for each of the rest.
        max_repetitions: u16,
        /// The ranges.
        ranges: Vec<SearchRange>,
    },
    /// First step of a Set: could it be done?
    TestSet(Vec<VarBind>),
    /// Second step: do it.
    CommitSet,
    /// Second step for the others when one failed: take it back.
    UndoSet,
    /// Last step: forget it. Has no answer.
    CleanupSet,
    /// A notification (trap): optionally sysUpTime.0, then snmpTrapOID.0, then its objects.
    Notify(Vec<VarBind>),
    /// Is the other side there?
    Ping,
    /// A subagent asks for indexes of a shared table.
    IndexAllocate(IndexChoice, Vec<VarBind>),
    /// A subagent gives indexes back.
    IndexDeallocate(Vec<VarBind>),
    /// A subagent adds a row to sysORTable.
    AddAgentCaps(ObjectIdentifier, Bytes),
    /// A subagent takes its row out of sysORTable.
    RemoveAgentCaps(ObjectIdentifier),
    /// The answer to any of the others but CleanupSet.
    Response {
        /// The sender's idea of sysUpTime, in hundredths of a second.
        uptime: u32,
        /// How it went.
        error: ErrorStatus,
        /// Which binding went wrong, counted from 1; 0 for none.
        index: u16,
        /// The answers.
        binds: Vec<VarBind>,
    },
}

impl Body {
    /// Whether packets of this type may name a context.
    pub fn takes_context(&self) -> bool {
        match self {
            Body::Register { .. }
            | Body::Unregister(_)
            | Body::Get(_)
            | Body::GetNext(_)
            | Body::GetBulk { .. }
            | Body::TestSet(_)
            | Body::Notify(_)
            | Body::Ping
            | Body::IndexAllocate(..)
            | Body::IndexDeallocate(_)
            | Body::AddAgentCaps(..)
            | Body::RemoveAgentCaps(_) => true,
            Body::Open { .. }
            | Body::Close(_)
            | Body::CommitSet
            | Body::UndoSet
            | Body::CleanupSet
            | Body::Response { .. } => false,
        }
    }
}

/// The fixed part of a packet, read before its payload is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawHeader {
    /// `h.type`, any value.
    pub kind: u8,
    /// `h.flags`.
    pub flags: u8,
    /// The fields of use to everyone.
    pub header: Header,
    /// `h.payload_length`: a multiple of 4.
    pub payload: u32,
}

impl RawHeader {
    /// Reads the header off the front of `raw`.
    ///
    /// # Errors
    /// Too few bytes, a version other than 1, or a payload length that is no multiple of 4: after any of them the
    /// stream can't be followed any more.
    pub fn decode(raw: &[u8]) -> Result<Self, DecodeError> {
        let [version, kind, flags, _reserved] =
            Reader::new(raw, ByteOrder::Network).bytes::<4>("the header")?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let order = match flags & flag::NETWORK_BYTE_ORDER {
            0 => ByteOrder::Little,
            _ => ByteOrder::Network,
        };
        let mut r = Reader::new(raw.get(4..).unwrap_or_default(), order);
        let header = Header {
            session: r.u32("the header")?,
            transaction: r.u32("the header")?,
            packet: r.u32("the header")?,
            order,
        };
        let payload = r.u32("the header")?;
        if !payload.is_multiple_of(4) {
            return Err(DecodeError::PayloadLength(payload));
        }
        Ok(Self { kind, flags, header, payload })
    }
}

impl Packet {
    /// Decodes one whole packet.
    ///
    /// # Errors
    /// Any [`DecodeError`]: the bytes are not exactly one packet of RFC 2741.
    pub fn decode(raw: &[u8]) -> Result<Self, DecodeError> {
        let fixed = RawHeader::decode(raw)?;
        let payload = raw.get(HEADER_LENGTH..).unwrap_or_default();
        if usize::try_from(fixed.payload) != Ok(payload.len()) {
            return Err(match payload.len() < fixed.payload as usize {
                true => DecodeError::Truncated("the payload"),
                false => DecodeError::Trailing(payload.len() - fixed.payload as usize),
            });
        }
        let mut r = Reader::new(payload, fixed.header.order);
        let (context, body) = body::decode(fixed.kind, fixed.flags, &mut r)?;
        r.finish()?;
        Ok(Self { header: fixed.header, context, body })
    }

    /// Encodes it.
    ///
    /// # Errors
    /// A value that the format has no room for: see [`EncodeError`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let context = self.context.as_ref().filter(|_| self.body.takes_context());
        let mut flags = body::flags(&self.body);
        if context.is_some() {
            flags |= flag::NON_DEFAULT_CONTEXT;
        }
        let mut packet = Writing::new(self.header, body::kind(&self.body), flags);
        if let Some(context) = context {
            packet.writer().octets(context)?;
        }
        body::encode(&self.body, &mut packet.writer())?;
        match u32::try_from(packet.len()) {
            Ok(_) => Ok(packet.finish()),
            Err(_) => Err(EncodeError::TooLong(packet.len())),
        }
    }
}

/// A packet that is being written: its header, and as much of its payload as there is yet.
pub(crate) struct Writing {
    header: Header,
    raw: Vec<u8>,
}

impl Writing {
    /// Bytes in front of the header's last field, the length of the payload.
    const BEFORE_LENGTH: usize = HEADER_LENGTH - 4;

    fn new(header: Header, kind: u8, flags: u8) -> Self {
        let mut packet = Self { header, raw: Vec::with_capacity(256) };
        let order = if header.order == ByteOrder::Network { flag::NETWORK_BYTE_ORDER } else { 0 };
        let mut w = packet.writer();
        w.bytes(&[VERSION, kind, flags | order, 0]);
        w.u32(header.session);
        w.u32(header.transaction);
        w.u32(header.packet);
        w.u32(0);
        packet
    }

    /// A Response, to which bindings can be added.
    pub(crate) fn response(header: Header, uptime: u32, error: ErrorStatus, index: u16) -> Self {
        let mut packet = Self::new(header, body::RESPONSE, 0);
        body::encode_response(uptime, error, index, &mut packet.writer());
        packet
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Writes more of the payload.
    pub(crate) fn writer(&mut self) -> Writer<'_> {
        Writer::new(&mut self.raw, self.header.order)
    }

    /// The whole packet. A payload of 4 GiB is the caller's affair.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = (self.raw.len() - HEADER_LENGTH) as u32;
        let length = match self.header.order {
            ByteOrder::Little => length.to_le_bytes(),
            ByteOrder::Network => length.to_be_bytes(),
        };
        self.raw[Self::BEFORE_LENGTH..HEADER_LENGTH].copy_from_slice(&length);
        self.raw
    }
}
