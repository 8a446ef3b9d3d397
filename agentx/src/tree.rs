//! What a session asks: names in order, each with a value. [`Mib`](crate::Mib) answers from tables; an agent with a
//! structure of its own may answer itself.

use bytes::Bytes;
use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBindValue;

use crate::pdu::ErrorStatus;

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

    /// First step of a Set (RFC 2741 section 7.2.4.1): whether this object could be given this value now. Changes
    /// nothing. Nothing can be set unless a tree says otherwise.
    ///
    /// # Errors
    /// Why not, of RFC 3416 section 4.2.5: `NOT_WRITABLE`, `WRONG_TYPE`, `WRONG_VALUE`…
    fn test(&self, context: Option<&Bytes>, name: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        let _ = (context, name, value);
        Err(ErrorStatus::NOT_WRITABLE)
    }

    /// Second step: gives it this value. It was tested before, with all others of its request; and it is what takes a Set
    /// back, with the value from before.
    ///
    /// # Errors
    /// Why it can't be done after all.
    fn set(&self, context: Option<&Bytes>, name: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        self.test(context, name, value)
    }
}
