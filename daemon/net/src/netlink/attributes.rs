//! The body of a netlink message, written by whoever knows what it means: a header of that subsystem, then attributes
//! (`struct nlattr` of include/uapi/linux/netlink.h), which may hold others.

use std::net::IpAddr;

/// Says of an attribute that it holds others.
const NLA_F_NESTED: u16 = 1 << 15;

/// A header and attributes, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Attributes {
    /// Begins with the header of the message's subsystem (`struct rtmsg` and its like).
    pub fn after(header: &[u8]) -> Self {
        let mut bytes = header.to_vec();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Self { bytes, too_long: false }
    }

    /// The whole body.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a value was longer than an attribute can be: then it is left out, and no request may be made of this.
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// Adds an attribute. A value longer than an attribute can be makes the whole [too long](Self::is_too_long).
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let Ok(length) = u16::try_from(value.len().saturating_add(4)) else {
            self.too_long = true;
            return self;
        };
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// One byte.
    pub fn u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.bytes(kind, &[value])
    }

    /// In this host's order, as rtnetlink has it.
    pub fn u16(&mut self, kind: u16, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// In this host's order, as rtnetlink has it.
    pub fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// In network order, as nfnetlink has it.
    pub fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// A text, ended by a zero.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// An address of either family.
    pub fn ip(&mut self, kind: u16, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(address) => self.bytes(kind, &address.octets()),
            IpAddr::V6(address) => self.bytes(kind, &address.octets()),
        }
    }

    /// An attribute that holds others.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::default();
        fill(&mut inner);
        self.too_long |= inner.too_long;
        self.bytes(kind | NLA_F_NESTED, &inner.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned_and_hold_others() {
        let mut body = Attributes::after(&[7]);
        body.u8(1, 9).nest(2, |inner| {
            inner.text(3, "ab");
        });
        let mut expected = vec![7, 0, 0, 0];
        for (length, kind, value) in
            [(5u16, 1u16, [9, 0, 0, 0].as_slice()), (12, 2 | NLA_F_NESTED, &[7, 0, 3, 0, b'a', b'b', 0, 0])]
        {
            expected.extend(length.to_ne_bytes());
            expected.extend(kind.to_ne_bytes());
            expected.extend(value);
        }
        if cfg!(target_endian = "little") {
            assert_eq!(body.as_bytes(), expected);
        }
    }

    #[test]
    fn what_is_longer_than_an_attribute_can_be_is_said_and_not_cut() {
        let mut body = Attributes::default();
        body.bytes(1, &[0; 65531]);
        assert!(!body.is_too_long());
        body.nest(2, |inner| {
            inner.bytes(1, &[0; 65532]);
        });
        assert!(body.is_too_long());
    }
}
