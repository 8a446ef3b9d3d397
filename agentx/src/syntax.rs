//! Syntaxes of objects: the name that stands in the text of a MIB, and what goes over the wire for it.

use rasn_smi::v2::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
use rasn_snmp::v2::VarBindValue;

/// The types of RFC 2578 section 7.1 that a value can have on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Base {
    Integer,
    OctetString,
    ObjectIdentifier,
    IpAddress,
    Counter32,
    /// Unsigned32 too.
    Gauge32,
    TimeTicks,
    Opaque,
    Counter64,
}

/// The syntax of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Syntax {
    /// The type or textual convention that the MIB's text names.
    pub name: &'static str,
    /// What its values are on the wire.
    pub base: Base,
}

impl Syntax {
    /// A syntax of this name, for textual conventions that are not among this module's constants.
    pub const fn new(name: &'static str, base: Base) -> Self {
        Self { name, base }
    }

    /// Whether the value is of this type.
    pub fn fits(self, value: &VarBindValue) -> bool {
        let VarBindValue::Value(value) = value else { return false };
        let base = match value {
            ObjectSyntax::Simple(SimpleSyntax::Integer(_)) => Base::Integer,
            ObjectSyntax::Simple(SimpleSyntax::String(_)) => Base::OctetString,
            ObjectSyntax::Simple(SimpleSyntax::ObjectId(_)) => Base::ObjectIdentifier,
            ObjectSyntax::ApplicationWide(ApplicationSyntax::Address(_)) => Base::IpAddress,
            ObjectSyntax::ApplicationWide(ApplicationSyntax::Counter(_)) => Base::Counter32,
            ObjectSyntax::ApplicationWide(ApplicationSyntax::Unsigned(_)) => Base::Gauge32,
            ObjectSyntax::ApplicationWide(ApplicationSyntax::Ticks(_)) => Base::TimeTicks,
            ObjectSyntax::ApplicationWide(ApplicationSyntax::Arbitrary(_)) => Base::Opaque,
            ObjectSyntax::ApplicationWide(ApplicationSyntax::BigCounter(_)) => Base::Counter64,
        };
        base == self.base
    }
}

macro_rules! syntaxes {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $base:ident;)*) => {
        $($(#[$doc])* pub const $constant: Syntax = Syntax::new($name, Base::$base);)*
    };
}

syntaxes! {
    /// INTEGER, mostly with an enumeration behind it.
    INTEGER = "INTEGER", Integer;
    /// Integer32 of SNMPv2-SMI.
    INTEGER32 = "Integer32", Integer;
    /// Unsigned32 of SNMPv2-SMI.
    UNSIGNED32 = "Unsigned32", Gauge32;
    /// Gauge32 of SNMPv2-SMI.
    GAUGE32 = "Gauge32", Gauge32;
    /// Counter32 of SNMPv2-SMI.
    COUNTER32 = "Counter32", Counter32;
    /// Counter64 of SNMPv2-SMI.
    COUNTER64 = "Counter64", Counter64;
    /// TimeTicks of SNMPv2-SMI.
    TIME_TICKS = "TimeTicks", TimeTicks;
    /// IpAddress of SNMPv2-SMI.
    IP_ADDRESS = "IpAddress", IpAddress;
    /// TruthValue of SNMPv2-TC: true(1), false(2).
    TRUTH_VALUE = "TruthValue", Integer;
    /// DisplayString of SNMPv2-TC.
    DISPLAY_STRING = "DisplayString", OctetString;
    /// InetAddressType of INET-ADDRESS-MIB.
    INET_ADDRESS_TYPE = "InetAddressType", Integer;
    /// InetAddress of INET-ADDRESS-MIB.
    INET_ADDRESS = "InetAddress", OctetString;
    /// InetAddressPrefixLength of INET-ADDRESS-MIB.
    INET_ADDRESS_PREFIX_LENGTH = "InetAddressPrefixLength", Gauge32;
    /// InetPortNumber of INET-ADDRESS-MIB.
    INET_PORT_NUMBER = "InetPortNumber", Gauge32;
    /// InetScopeType of INET-ADDRESS-MIB.
    INET_SCOPE_TYPE = "InetScopeType", Integer;
    /// InterfaceIndex of IF-MIB.
    INTERFACE_INDEX = "InterfaceIndex", Integer;
}
