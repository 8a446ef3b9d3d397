//! What a session asks: names in order, each with a value. [`Mib`](crate::Mib) answers from tables; an agent with a
//! structure of its own may answer itself.

use bytes::Bytes;
use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBindValue;

/// A lookup over names in lexicographic order.
pub trait Tree {
    /// The value of exactly this name: a value, `NoSuchInstance` or `NoSuchObject`.
    fn get(&self, context: Option<&Bytes>, name: &[u32]) -> VarBindValue;

    /// The first name that is after `start` (or `start` itself, when `include` is set), and its value.
    fn next(
        &self,
        context: Option<&Bytes>,
        start: &[u32],
        include: bool,
    ) -> Option<(ObjectIdentifier, VarBindValue)>;
}
