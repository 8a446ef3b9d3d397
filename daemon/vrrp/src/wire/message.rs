//! A view of a VRRP message: field offsets with names, checked once, read in place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use keepwatch_bus::subject::Family;
use keepwatch_net::wire::checksum::Sum;

use super::DecodeError;
use super::checksum::with_pseudo_header;
use super::trailer::{TRAILER_LEN, Trailer};

/// Bytes of the header that both versions share.
pub const HEADER_LEN: usize = 8;
/// Bytes of authentication data behind the addresses of a version 2 message over IPv4.
pub const AUTH_DATA_LEN: usize = 8;

pub(crate) mod field {
    use std::ops::Range;

    pub(crate) const VERSION_TYPE: usize = 0;
    pub(crate) const VRID: usize = 1;
    pub(crate) const PRIORITY: usize = 2;
    pub(crate) const COUNT: usize = 3;
    pub(crate) const AUTH_TYPE: usize = 4;
    pub(crate) const ADVERT_SECONDS: usize = 5;
    pub(crate) const ADVERT_CENTISECONDS: Range<usize> = 4..6;
    pub(crate) const CHECKSUM: Range<usize> = 6..8;
    pub(crate) const ADDRESSES: usize = super::HEADER_LEN;
}

/// The packet type (RFC 9568 §5.2.2): there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketType {
    /// ADVERTISEMENT.
    Advertisement,
    /// A number that means nothing.
    Unknown(u8),
}

/// The authentication type of version 2 (RFC 2338 §5.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// No authentication (0).
    None,
    /// A password in clear (1).
    Password,
    /// IP authentication header (2).
    Ah,
    /// A number that means nothing.
    Unknown(u8),
}

impl AuthType {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Password => 1,
            Self::Ah => 2,
            Self::Unknown(number) => number,
        }
    }
}

impl From<u8> for AuthType {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Password,
            2 => Self::Ah,
            number => Self::Unknown(number),
        }
    }
}

/// A VRRP message whose length was checked against its own header: every accessor is total.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    trailer: Option<&'a [u8; TRAILER_LEN]>,
    family: Family,
}

impl<'a> Message<'a> {
    /// Checks that `bytes` are exactly as long as the version and the address count in them say.
    ///
    /// # Errors
    /// [`DecodeError::PacketLength`].
    pub fn new_checked(family: Family, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() < HEADER_LEN {
            return Err(DecodeError::PacketLength { expected: HEADER_LEN, actual: bytes.len() });
        }
        let message = Self { bytes, trailer: None, family };
        let expected = message.auth_data_start() + message.auth_data_len();
        if bytes.len() != expected {
            return Err(DecodeError::PacketLength { expected, actual: bytes.len() });
        }
        Ok(message)
    }

    /// The same, but a signature may stand behind the message. That there is one is told by the length alone.
    ///
    /// # Errors
    /// [`DecodeError::PacketLength`].
    pub fn new_signed(family: Family, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let plain = Self::new_checked(family, bytes);
        match (&plain, bytes.split_last_chunk::<TRAILER_LEN>()) {
            (Err(_), Some((message, trailer))) => match Self::new_checked(family, message) {
                Ok(message) => Ok(Self { trailer: Some(trailer), ..message }),
                Err(_) => plain,
            },
            _ => plain,
        }
    }

    /// The signature behind it, if there is one.
    pub fn trailer(&self) -> Option<Trailer<'a>> {
        self.trailer.map(|trailer| Trailer::new(self.bytes, trailer))
    }

    /// The version.
    pub fn version(&self) -> u8 {
        self.bytes[field::VERSION_TYPE] >> 4
    }

    /// The packet type.
    pub fn packet_type(&self) -> PacketType {
        match self.bytes[field::VERSION_TYPE] & 0x0f {
            1 => PacketType::Advertisement,
            other => PacketType::Unknown(other),
        }
    }

    /// The virtual router id.
    pub fn vrid(&self) -> u8 {
        self.bytes[field::VRID]
    }

    /// The priority: 0 says that the sender stops being master, 255 that it owns the addresses.
    pub fn priority(&self) -> u8 {
        self.bytes[field::PRIORITY]
    }

    /// How many addresses follow.
    pub fn count(&self) -> u8 {
        self.bytes[field::COUNT]
    }

    /// Version 2: the authentication type.
    pub fn auth_type(&self) -> AuthType {
        self.bytes[field::AUTH_TYPE].into()
    }

    /// Version 2: the interval in seconds.
    pub fn advert_seconds(&self) -> u8 {
        self.bytes[field::ADVERT_SECONDS]
    }

    /// Version 3: the interval in centiseconds, 12 bits; what the reserved bits hold is ignored (RFC 9568 §5.2.6).
    pub fn advert_centiseconds(&self) -> u16 {
        let range = field::ADVERT_CENTISECONDS;
        u16::from_be_bytes([self.bytes[range.start], self.bytes[range.start + 1]]) & 0x0fff
    }

    /// The interval, in the unit of the message's version.
    pub fn advert_interval(&self) -> Duration {
        if self.version() == 2 {
            Duration::from_secs(self.advert_seconds().into())
        } else {
            Duration::from_millis(u64::from(self.advert_centiseconds()) * 10)
        }
    }

    /// The checksum as it came.
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.bytes[field::CHECKSUM.start], self.bytes[field::CHECKSUM.start + 1]])
    }

    /// Whether the checksum fits the message alone: version 2, or version 3 made to do the same.
    pub fn checksum_fits(&self) -> bool {
        Sum::default().with(self.bytes).finish() == 0
    }

    /// Whether the checksum fits the message and its pseudo-header: version 3. Over IPv6 it covers a signature too.
    pub fn checksum_fits_between(&self, source: IpAddr, destination: IpAddr) -> bool {
        let covered = match self.family {
            Family::Inet => &[][..],
            Family::Inet6 => self.trailer.map_or(&[][..], |trailer| trailer),
        };
        let len = self.bytes.len() + covered.len();
        let sum = with_pseudo_header(Sum::default(), source, destination, len);
        sum.with(self.bytes).with(covered).finish() == 0
    }

    /// The addresses, in the sender's order.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + 'a {
        let family = self.family;
        let range = field::ADDRESSES..self.auth_data_start();
        self.bytes[range].chunks_exact(address_len(family)).map(move |octets| address(family, octets))
    }

    /// Version 2 over IPv4: the 8 bytes of authentication data; empty otherwise.
    pub fn auth_data(&self) -> &'a [u8] {
        &self.bytes[self.auth_data_start()..]
    }

    fn auth_data_start(&self) -> usize {
        HEADER_LEN + usize::from(self.count()) * address_len(self.family)
    }

    fn auth_data_len(&self) -> usize {
        auth_data_len(self.version(), self.family)
    }
}

pub(crate) fn auth_data_len(version: u8, family: Family) -> usize {
    match (version, family) {
        (2, Family::Inet) => AUTH_DATA_LEN,
        _ => 0,
    }
}

pub(crate) fn address_len(family: Family) -> usize {
    match family {
        Family::Inet => 4,
        Family::Inet6 => 16,
    }
}

fn address(family: Family, octets: &[u8]) -> IpAddr {
    match family {
        Family::Inet => {
            let mut array = [0; 4];
            array.copy_from_slice(octets);
            Ipv4Addr::from(array).into()
        }
        Family::Inet6 => {
            let mut array = [0; 16];
            array.copy_from_slice(octets);
            Ipv6Addr::from(array).into()
        }
    }
}
