//! The body of a netlink message, written by whoever knows what it means: a header of that subsystem, then attributes
//! (`struct nlattr` of include/uapi/linux/netlink.h), which may hold others.

use std::net::IpAddr;

/// Says of an attribute that it holds others.
const NLA_F_NESTED: u16 = 1 << 15;

/// A header and attributes, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// Begins with the header of the message's subsystem (`struct rtmsg` and its like).
    pub fn after(header: &[u8]) -> Self {
        let mut bytes = header.to_vec();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Self(bytes)
    }

    /// The whole body.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds an attribute. A value longer than an attribute can be is cut.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let value = value.get(..usize::from(u16::MAX) - 4).unwrap_or(value);
        let length = (value.len() + 4) as u16;
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
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
        self.bytes(kind | NLA_F_NESTED, &inner.0)
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
}
