//! The primitives of RFC 2741 section 5: integers in either byte order, padded octet strings, object identifiers.
//!
//! Goes in: the payload of one packet and its byte order. Comes out: values, or a [`DecodeError`] that says what
//! was wrong. Nothing here trusts a length before it has compared it with the bytes that are there, and nothing
//! allocates more than the packet itself is long.

use bytes::Bytes;
use rasn::types::ObjectIdentifier;

/// RFC 2741 section 5.1: "an object identifier has at most 128 sub-identifiers".
pub const MAX_SUBIDS: usize = 128;

/// The sub-identifiers that a non-zero prefix byte stands for: 1.3.6.1 (internet), followed by the prefix itself.
const INTERNET: [u32; 4] = [1, 3, 6, 1];

/// The order of the bytes of every multi-byte integer in a packet (`NETWORK_BYTE_ORDER`, RFC 2741 section 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first: the flag is clear.
    Little,
    /// Most significant byte first: the flag is set. What this crate sends.
    #[default]
    Network,
}

/// Why bytes are not an AgentX packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the field does.
    #[error("the packet ends inside {0}")]
    Truncated(&'static str),
    /// `h.version` is not 1.
    #[error("AgentX version {0} where 1 is the only one")]
    Version(u8),
    /// `h.type` is none of RFC 2741's.
    #[error("packet type {0} is unknown")]
    PacketType(u8),
    /// `h.payload_length` is not a multiple of 4, or more than this end accepts.
    #[error("a payload of {0} bytes: not a multiple of 4, or too long")]
    PayloadLength(u32),
    /// Bytes are left after the last field.
    #[error("{0} bytes after the last field")]
    Trailing(usize),
    /// An object identifier of more than [`MAX_SUBIDS`] sub-identifiers.
    #[error("an object identifier of {0} sub-identifiers where 128 is the most")]
    LongOid(usize),
    /// `v.type` is none of RFC 2741's.
    #[error("value type {0} is unknown")]
    ValueType(u16),
    /// An IpAddress that is not 4 bytes long.
    #[error("an address of {0} bytes")]
    AddressLength(usize),
    /// An Opaque value that rasn does not take.
    #[error("an opaque value that can't be represented")]
    Opaque,
    /// `u.reason` of a Close is none of RFC 2741's.
    #[error("close reason {0} is unknown")]
    CloseReason(u8),
}

/// Why a packet can't be put on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// An object identifier of more than [`MAX_SUBIDS`] sub-identifiers.
    #[error("an object identifier of {0} sub-identifiers where 128 is the most")]
    LongOid(usize),
    /// An INTEGER that does not fit 32 bits.
    #[error("an integer that does not fit 32 bits")]
    IntegerRange,
    /// A string or payload of 4 GiB or more.
    #[error("a field of {0} bytes is too long for its length")]
    TooLong(usize),
}

/// Takes fields off the front of a packet's payload.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(payload: &'a [u8], order: ByteOrder) -> Self {
        Self { rest: payload, order }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All fields have been read: says so if bytes are left.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated(field))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn bytes<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        self.array(field)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let raw = self.array(field)?;
        Ok(match self.order {
            ByteOrder::Little => u16::from_le_bytes(raw),
            ByteOrder::Network => u16::from_be_bytes(raw),
        })
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let raw = self.array(field)?;
        Ok(match self.order {
            ByteOrder::Little => u32::from_le_bytes(raw),
            ByteOrder::Network => u32::from_be_bytes(raw),
        })
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let raw = self.array(field)?;
        Ok(match self.order {
            ByteOrder::Little => u64::from_le_bytes(raw),
            ByteOrder::Network => u64::from_be_bytes(raw),
        })
    }

    /// Section 5.3: a length, that many bytes, and zeros up to a multiple of 4.
    pub(crate) fn octets(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.u32(field)?;
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated(field))?;
        let padded = length.checked_next_multiple_of(4).ok_or(DecodeError::Truncated(field))?;
        let (padded, rest) = self.rest.split_at_checked(padded).ok_or(DecodeError::Truncated(field))?;
        self.rest = rest;
        padded.get(..length).ok_or(DecodeError::Truncated(field))
    }

    /// Section 5.1: an object identifier, with its `include` field.
    pub(crate) fn oid_include(&mut self) -> Result<(ObjectIdentifier, bool), DecodeError> {
        let [count, prefix, include, _reserved] = self.array::<4>("an object identifier")?;
        let head = if prefix == 0 { 0 } else { INTERNET.len() + 1 };
        let total = usize::from(count) + head;
        if total > MAX_SUBIDS {
            return Err(DecodeError::LongOid(total));
        }
        let mut arcs = Vec::with_capacity(total);
        if prefix != 0 {
            arcs.extend_from_slice(&INTERNET);
            arcs.push(u32::from(prefix));
        }
        for _ in 0..count {
            arcs.push(self.u32("an object identifier")?);
        }
        Ok((ObjectIdentifier::new_unchecked(arcs.into()), include != 0))
    }

    pub(crate) fn oid(&mut self) -> Result<ObjectIdentifier, DecodeError> {
        self.oid_include().map(|(oid, _)| oid)
    }
}

/// Appends fields to a packet.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    order: ByteOrder,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, order: ByteOrder) -> Self {
        Self { out, order }
    }

    pub(crate) fn bytes(&mut self, raw: &[u8]) {
        self.out.extend_from_slice(raw);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        match self.order {
            ByteOrder::Little => self.bytes(&value.to_le_bytes()),
            ByteOrder::Network => self.bytes(&value.to_be_bytes()),
        }
    }

    pub(crate) fn u32(&mut self, value: u32) {
        match self.order {
            ByteOrder::Little => self.bytes(&value.to_le_bytes()),
            ByteOrder::Network => self.bytes(&value.to_be_bytes()),
        }
    }

    pub(crate) fn u64(&mut self, value: u64) {
        match self.order {
            ByteOrder::Little => self.bytes(&value.to_le_bytes()),
            ByteOrder::Network => self.bytes(&value.to_be_bytes()),
        }
    }

    pub(crate) fn octets(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        let length = u32::try_from(value.len()).map_err(|_| EncodeError::TooLong(value.len()))?;
        self.u32(length);
        self.bytes(value);
        let padding = value.len().next_multiple_of(4) - value.len();
        self.bytes(&[0; 3][..padding]);
        Ok(())
    }

    /// An object identifier in its shorter form: below 1.3.6.1.X with X in 1..=255, X goes into the prefix byte.
    pub(crate) fn oid(&mut self, oid: &[u32], include: bool) -> Result<(), EncodeError> {
        if oid.len() > MAX_SUBIDS {
            return Err(EncodeError::LongOid(oid.len()));
        }
        let (prefix, rest) = match oid.strip_prefix(&INTERNET) {
            Some([first @ 1..=255, rest @ ..]) => (*first as u8, rest),
            _ => (0, oid),
        };
        self.bytes(&[rest.len() as u8, prefix, u8::from(include), 0]);
        for arc in rest {
            self.u32(*arc);
        }
        Ok(())
    }
}

/// An object identifier of these sub-identifiers, without rasn's check of the first two: AgentX's null identifier
/// (0.0, or none at all) is legal here.
pub fn oid(arcs: &[u32]) -> ObjectIdentifier {
    ObjectIdentifier::new_unchecked(arcs.to_vec().into())
}

/// A copy of borrowed bytes, as rasn's octet string.
pub(crate) fn octet_string(raw: &[u8]) -> Bytes {
    Bytes::copy_from_slice(raw)
}
