//! Variable bindings (RFC 2741 section 5.4) in the types of RFC 3416 as rasn has them.
//!
//! Goes in: bytes or a [`VarBind`]. Comes out: the other. The functions [`integer`], [`text`], [`counter32`]… build
//! the values that an agent serves, so that its tables don't have to spell out rasn's nested choices.

use std::net::Ipv4Addr;

use rasn::types::{FixedOctetString, Integer, ObjectIdentifier};
use rasn_smi::v1;
use rasn_smi::v2::{ApplicationSyntax, Counter64, ObjectSyntax, SimpleSyntax};
pub use rasn_snmp::v2::{VarBind, VarBindValue};

use crate::wire::{DecodeError, EncodeError, Reader, Writer, octet_string};

/// `v.type` of RFC 2741 section 5.4.
mod tag {
    pub(super) const INTEGER: u16 = 2;
    pub(super) const OCTET_STRING: u16 = 4;
    pub(super) const NULL: u16 = 5;
    pub(super) const OBJECT_IDENTIFIER: u16 = 6;
    pub(super) const IP_ADDRESS: u16 = 64;
    pub(super) const COUNTER32: u16 = 65;
    pub(super) const GAUGE32: u16 = 66;
    pub(super) const TIME_TICKS: u16 = 67;
    pub(super) const OPAQUE: u16 = 68;
    pub(super) const COUNTER64: u16 = 70;
    pub(super) const NO_SUCH_OBJECT: u16 = 128;
    pub(super) const NO_SUCH_INSTANCE: u16 = 129;
    pub(super) const END_OF_MIB_VIEW: u16 = 130;
}

/// INTEGER / Integer32, also for enumerations and TruthValue.
pub fn integer(value: i32) -> VarBindValue {
    VarBindValue::Value(ObjectSyntax::Simple(SimpleSyntax::Integer(Integer::from(value))))
}

/// The number of an INTEGER, if it is one.
pub fn as_integer(value: &VarBindValue) -> Option<i32> {
    match value {
        VarBindValue::Value(ObjectSyntax::Simple(SimpleSyntax::Integer(number))) => {
            i32::try_from(number).ok()
        }
        _ => None,
    }
}

/// OCTET STRING: DisplayString, InetAddress…
pub fn octets(value: &[u8]) -> VarBindValue {
    VarBindValue::Value(ObjectSyntax::Simple(SimpleSyntax::String(octet_string(value).into())))
}

/// OCTET STRING that holds text.
pub fn text(value: &str) -> VarBindValue {
    octets(value.as_bytes())
}

/// OBJECT IDENTIFIER.
pub fn object(value: ObjectIdentifier) -> VarBindValue {
    VarBindValue::Value(ObjectSyntax::Simple(SimpleSyntax::ObjectId(value)))
}

/// IpAddress.
pub fn address(value: Ipv4Addr) -> VarBindValue {
    application(ApplicationSyntax::Address(v1::IpAddress(FixedOctetString::new(value.octets()))))
}

/// Counter32: the low 32 bits of a counter that wraps.
pub fn counter32(value: u64) -> VarBindValue {
    application(ApplicationSyntax::Counter(v1::Counter((value & u64::from(u32::MAX)) as u32)))
}

/// Gauge32 / Unsigned32.
pub fn unsigned(value: u32) -> VarBindValue {
    application(ApplicationSyntax::Unsigned(v1::Gauge(value)))
}

/// TimeTicks, in hundredths of a second.
pub fn ticks(value: u32) -> VarBindValue {
    application(ApplicationSyntax::Ticks(v1::TimeTicks(value)))
}

/// Counter64.
pub fn counter64(value: u64) -> VarBindValue {
    application(ApplicationSyntax::BigCounter(Counter64(value)))
}

fn application(value: ApplicationSyntax) -> VarBindValue {
    VarBindValue::Value(ObjectSyntax::ApplicationWide(value))
}

pub(crate) fn encode(name: &[u32], value: &VarBindValue, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.u16(tag_of(value));
    w.u16(0);
    w.oid(name, false)?;
    match value {
        VarBindValue::Value(ObjectSyntax::Simple(simple)) => match simple {
            SimpleSyntax::Integer(value) => {
                let value = i32::try_from(value).map_err(|_| EncodeError::IntegerRange)?;
                w.u32(value as u32);
                Ok(())
            }
            SimpleSyntax::String(value) => w.octets(value),
            SimpleSyntax::ObjectId(value) => w.oid(value, false),
        },
        VarBindValue::Value(ObjectSyntax::ApplicationWide(application)) => {
            match application {
                ApplicationSyntax::Address(value) => return w.octets(&value.0[..]),
                ApplicationSyntax::Counter(value) => w.u32(value.0),
                ApplicationSyntax::Ticks(value) => w.u32(value.0),
                ApplicationSyntax::Arbitrary(value) => return w.octets(value.as_ref()),
                ApplicationSyntax::BigCounter(value) => w.u64(value.0),
                ApplicationSyntax::Unsigned(value) => w.u32(value.0),
            }
            Ok(())
        }
        VarBindValue::Unspecified
        | VarBindValue::NoSuchObject
        | VarBindValue::NoSuchInstance
        | VarBindValue::EndOfMibView => Ok(()),
    }
}

fn tag_of(value: &VarBindValue) -> u16 {
    match value {
        VarBindValue::Value(ObjectSyntax::Simple(simple)) => match simple {
            SimpleSyntax::Integer(_) => tag::INTEGER,
            SimpleSyntax::String(_) => tag::OCTET_STRING,
            SimpleSyntax::ObjectId(_) => tag::OBJECT_IDENTIFIER,
        },
        VarBindValue::Value(ObjectSyntax::ApplicationWide(application)) => match application {
            ApplicationSyntax::Address(_) => tag::IP_ADDRESS,
            ApplicationSyntax::Counter(_) => tag::COUNTER32,
            ApplicationSyntax::Ticks(_) => tag::TIME_TICKS,
            ApplicationSyntax::Arbitrary(_) => tag::OPAQUE,
            ApplicationSyntax::BigCounter(_) => tag::COUNTER64,
            ApplicationSyntax::Unsigned(_) => tag::GAUGE32,
        },
        VarBindValue::Unspecified => tag::NULL,
        VarBindValue::NoSuchObject => tag::NO_SUCH_OBJECT,
        VarBindValue::NoSuchInstance => tag::NO_SUCH_INSTANCE,
        VarBindValue::EndOfMibView => tag::END_OF_MIB_VIEW,
    }
}

pub(crate) fn decode(r: &mut Reader<'_>) -> Result<VarBind, DecodeError> {
    let kind = r.u16("a value's type")?;
    r.u16("a value's reserved field")?;
    let name = r.oid()?;
    let value = match kind {
        tag::INTEGER => integer(r.u32("an integer")? as i32),
        tag::OCTET_STRING => octets(r.octets("an octet string")?),
        tag::OBJECT_IDENTIFIER => object(r.oid()?),
        tag::IP_ADDRESS => {
            let raw = r.octets("an address")?;
            let raw = <[u8; 4]>::try_from(raw).map_err(|_| DecodeError::AddressLength(raw.len()))?;
            address(raw.into())
        }
        tag::COUNTER32 => counter32(r.u32("a counter")?.into()),
        tag::GAUGE32 => unsigned(r.u32("a gauge")?),
        tag::TIME_TICKS => ticks(r.u32("time ticks")?),
        tag::OPAQUE => application(ApplicationSyntax::Arbitrary(opaque(r.octets("an opaque value")?)?)),
        tag::COUNTER64 => counter64(r.u64("a counter")?),
        tag::NULL => VarBindValue::Unspecified,
        tag::NO_SUCH_OBJECT => VarBindValue::NoSuchObject,
        tag::NO_SUCH_INSTANCE => VarBindValue::NoSuchInstance,
        tag::END_OF_MIB_VIEW => VarBindValue::EndOfMibView,
        unknown => return Err(DecodeError::ValueType(unknown)),
    };
    Ok(VarBind { name, value })
}

/// rasn builds an Opaque only by decoding one, so wrap the bytes as BER's `[APPLICATION 4]` first.
fn opaque(raw: &[u8]) -> Result<v1::Opaque, DecodeError> {
    let length = u32::try_from(raw.len()).map_err(|_| DecodeError::Opaque)?;
    let mut ber = Vec::with_capacity(raw.len() + 6);
    ber.extend_from_slice(&[0x44, 0x84]);
    ber.extend_from_slice(&length.to_be_bytes());
    ber.extend_from_slice(raw);
    rasn::ber::decode(&ber).map_err(|_| DecodeError::Opaque)
}

pub(crate) fn encode_list(binds: &[VarBind], w: &mut Writer<'_>) -> Result<(), EncodeError> {
    binds.iter().try_for_each(|bind| encode(&bind.name, &bind.value, w))
}

/// Section 5.4: a list has no count; it goes on to the end of the payload.
pub(crate) fn decode_list(r: &mut Reader<'_>) -> Result<Vec<VarBind>, DecodeError> {
    let mut binds = Vec::new();
    while !r.is_empty() {
        binds.push(decode(r)?);
    }
    Ok(binds)
}
