//! The signature that keepalived's `auth_hmac` puts behind a message of either version: its fields, and the digest in
//! it. In goes a message with its sender and the key; out comes whether they belong together, or the trailer filled in.
//!
//! ```text
//! message (RFC 3768 §5.1, RFC 9568 §5.1) │ trailer
//!
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |    Type  1    |    Key Id     |             zero              |  0   type 1: HMAC-SHA256, cut to 16 bytes
//! +---------------+---------------+-------------------------------+
//! |                    seconds since 1970                         |  4
//! +-------------------------------+-------------------------------+
//! |    second in 65536ths         |           counter             |  8   0 while the clock goes forward
//! +-------------------------------+-------------------------------+
//! |                 digest, 16 bytes                              | 12
//! +---------------------------------------------------------------+
//! ```
//!
//! The digest covers, in this order: 4 or 6, the version, the virtual router id, zero; the sender's address in 16 bytes,
//! an IPv4 one padded with zeros; the message with its checksum as zero; the trailer with its digest as zero. What
//! stands in the IP header otherwise, the destination too, is not covered, so the copies to several peers are alike.
//!
//! Total and payload lengths of IP include the trailer. Over IPv4 the checksum of the message does not, over IPv6 it
//! does, as keepalived has the kernel compute it there.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::message::field as message_field;

/// Bytes of a trailer.
pub const TRAILER_LEN: usize = 28;
/// Bytes of the digest in it.
const DIGEST_LEN: usize = 16;
/// HMAC-SHA256, cut to 16 bytes: the only type there is.
const HMAC_SHA256_128: u8 = 1;

/// Offsets in the trailer.
mod field {
    use std::ops::Range;

    pub(super) const TYPE: usize = 0;
    pub(super) const KEY_ID: usize = 1;
    pub(super) const RESERVED: Range<usize> = 2..4;
    pub(super) const STAMP: Range<usize> = 4..12;
    pub(super) const DIGEST: Range<usize> = 12..super::TRAILER_LEN;
}

/// When a trailer was made: seconds since 1970 (32 bits), 65536ths of a second, a counter. Later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The stamp of a time since 1970, its counter 0.
    pub fn at(since_1970: Duration) -> Self {
        let fraction = (u64::from(since_1970.subsec_nanos()) << 16) / 1_000_000_000;
        Self(since_1970.as_secs() << 32 | fraction << 16)
    }

    /// The least that is later.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Whether it is later than `other`, as serial numbers are compared (RFC 1982): in the year 2106 the seconds begin
    /// again.
    pub fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }

    /// Whole seconds from `self` to `other`, negative if `other` is earlier.
    pub fn seconds_to(self, other: Self) -> i32 {
        let seconds = |stamp: Self| (stamp.0 >> 32) as u32;
        seconds(other).wrapping_sub(seconds(self)).cast_signed()
    }
}

/// A trailer of a received message; its length was checked: every accessor is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer<'a> {
    /// The message before it.
    message: &'a [u8],
    bytes: &'a [u8; TRAILER_LEN],
}

impl<'a> Trailer<'a> {
    /// The trailer `bytes` behind `message`, which is at least a header long.
    pub(super) fn new(message: &'a [u8], bytes: &'a [u8; TRAILER_LEN]) -> Self {
        Self { message, bytes }
    }

    /// Whether its type is known, and what must be zero is.
    pub fn is_well_formed(&self) -> bool {
        self.bytes[field::TYPE] == HMAC_SHA256_128 && self.bytes[field::RESERVED] == [0, 0]
    }

    /// The number of the key that it was made with.
    pub fn key_id(&self) -> u8 {
        self.bytes[field::KEY_ID]
    }

    /// When it was made, by the sender's clock.
    pub fn stamp(&self) -> Stamp {
        let mut octets = [0; 8];
        octets.copy_from_slice(&self.bytes[field::STAMP]);
        Stamp(u64::from_be_bytes(octets))
    }
}

/// A key, ready for use. Computing a digest with it allocates nothing.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// The key of these bytes; there are at most 64, and what is beyond them would not count.
    pub fn new(secret: &[u8]) -> Self {
        // HMAC pads with zeros up to its block (RFC 2104 §2), which is 64 bytes.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        let len = secret.len().min(block.len());
        block[..len].copy_from_slice(&secret[..len]);
        Self(Hmac::new(&block))
    }

    /// Whether the digest of a trailer is that of its message from `source` under this key. Takes the same time for every
    /// wrong one.
    pub fn fits(&self, trailer: &Trailer<'_>, source: IpAddr) -> bool {
        let head = &trailer.bytes[..field::DIGEST.start];
        self.digest(source, trailer.message, head).ct_eq(&trailer.bytes[field::DIGEST]).into()
    }

    /// Fills in the trailer at the end of `bytes`, which are a message and room for it. Anything shorter stays as it is.
    pub(super) fn sign(&self, key_id: u8, stamp: Stamp, source: IpAddr, bytes: &mut [u8]) {
        let Some(end) = bytes.len().checked_sub(TRAILER_LEN) else { return };
        let (message, trailer) = bytes.split_at_mut(end);
        if message.len() < super::HEADER_LEN {
            return;
        }
        trailer[field::TYPE] = HMAC_SHA256_128;
        trailer[field::KEY_ID] = key_id;
        trailer[field::RESERVED].fill(0);
        trailer[field::STAMP].copy_from_slice(&stamp.0.to_be_bytes());
        let digest = self.digest(source, message, &trailer[..field::DIGEST.start]);
        trailer[field::DIGEST].copy_from_slice(&digest);
    }

    /// The digest of a message that has at least a header, and of the trailer's fields before it.
    fn digest(&self, source: IpAddr, message: &[u8], head: &[u8]) -> [u8; DIGEST_LEN] {
        let mut about = [0; 20];
        about[1] = message[message_field::VERSION_TYPE] >> 4;
        about[2] = message[message_field::VRID];
        match source {
            IpAddr::V4(source) => {
                about[0] = 4;
                about[4..8].copy_from_slice(&source.octets());
            }
            IpAddr::V6(source) => {
                about[0] = 6;
                about[4..20].copy_from_slice(&source.octets());
            }
        }
        let mut mac = self.0.clone();
        mac.update(&about);
        mac.update(&message[..message_field::CHECKSUM.start]);
        mac.update(&[0, 0]);
        mac.update(&message[message_field::CHECKSUM.end..]);
        mac.update(head);
        mac.update(&[0; DIGEST_LEN]);
        let whole = mac.finalize().into_bytes();
        let mut digest = [0; DIGEST_LEN];
        digest.copy_from_slice(&whole[..DIGEST_LEN]);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_seconds_65536ths_and_a_counter() {
        let stamp = Stamp::at(Duration::new(1_795_841_209, 963_378_907));
        assert_eq!(stamp.0, 0x6b0a_5cb9_f6a0_0000);
        assert_eq!(stamp.next().0, 0x6b0a_5cb9_f6a0_0001);
        assert!(stamp.next().is_after(stamp) && !stamp.is_after(stamp.next()) && !stamp.is_after(stamp));
    }

    #[test]
    fn seconds_that_began_again_are_later() {
        let (last, first) = (Stamp(u64::MAX), Stamp(1));
        assert!(first.is_after(last));
        assert_eq!(last.seconds_to(Stamp(2 << 32)), 3);
        assert_eq!(Stamp(2 << 32).seconds_to(last), -3);
    }
}
