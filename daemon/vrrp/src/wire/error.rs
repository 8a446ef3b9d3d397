//! Why an advertisement was refused. One variant is one counter, one object of the MIBs ([`DecodeError::kind`]), and
//! its text is the `detail` of the fact.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepwatch_bus::fact::AdvertError;

use super::trailer::TRAILER_LEN;

/// What was wrong with a packet, with what was expected and what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than its headers say, longer than its header says, or too short for any advertisement.
    #[error("{actual} bytes, expected {expected}")]
    PacketLength {
        /// Bytes that there should have been.
        expected: usize,
        /// Bytes that there were.
        actual: usize,
    },
    /// RFC 9568 §7.1: the TTL or hop limit must be 255.
    #[error("TTL {actual}, expected {expected}")]
    Ttl {
        /// What is accepted (the least of a range for a unicast peer).
        expected: u8,
        /// What came.
        actual: u8,
    },
    /// Another version than the virtual router's.
    #[error("version {actual}, expected {expected}")]
    Version {
        /// Ours.
        expected: u8,
        /// Theirs.
        actual: u8,
    },
    /// RFC 3768 §5.3.6: a type that does not exist.
    #[error("authentication type {actual} does not exist")]
    AuthTypeInvalid {
        /// What came.
        actual: u8,
    },
    /// Another authentication type than ours.
    #[error("authentication type {actual}, expected {expected}")]
    AuthTypeMismatch {
        /// Ours.
        expected: u8,
        /// Theirs.
        actual: u8,
    },
    /// An authentication header (AH) on a packet for a router without, or none for a router with one.
    #[error("{} authentication header (AH)", if *.expected { "no" } else { "an unexpected" })]
    AuthHeader {
        /// Whether there should have been one.
        expected: bool,
    },
    /// AH: the integrity check value (ICV) does not fit the packet under our key. The key is not repeated here.
    #[error(
        "wrong password, or changed on the way: the integrity check value of its authentication header does not fit"
    )]
    AuthIntegrity,
    /// AH: the security parameters index (SPI) is not the sender's address.
    #[error("SPI {actual} in its authentication header, expected {expected}")]
    AuthSpi {
        /// The sender's address.
        expected: IpAddr,
        /// What came.
        actual: Ipv4Addr,
    },
    /// AH: a sequence number that was seen before: a replayed packet, or a sender that began anew without listening.
    #[error("sequence number {actual} in its authentication header, expected more than {last}")]
    AuthReplayed {
        /// The greatest that was seen or sent.
        last: u32,
        /// What came.
        actual: u32,
    },
    /// There is a signature (`auth_hmac`), and we have no key. keepalived counts it as too long.
    #[error("{actual} bytes, expected {}: it is signed (`auth_hmac`), and this router has no key", .actual - TRAILER_LEN)]
    TrailerUnexpected {
        /// Bytes that there were.
        actual: usize,
    },
    /// `auth_hmac`: there is no signature, and `mode enforce` wants one.
    #[error("`mode enforce` wants one")]
    TrailerMissing,
    /// `auth_hmac`: a signature of a type that does not exist.
    #[error("not of type 1, HMAC-SHA256")]
    TrailerMalformed,
    /// `auth_hmac`: made too long ago, or in the future.
    #[error("clock skew {skew} sec exceeds window {window} sec")]
    TrailerStale {
        /// Our clock less theirs, in seconds.
        skew: i32,
        /// What is allowed, in seconds.
        window: i32,
    },
    /// `auth_hmac`: made with a key that is not here.
    #[error("key id {id}")]
    TrailerKey {
        /// The number of the key.
        id: u8,
    },
    /// `auth_hmac`: the digest does not fit the packet under that key. The key is not repeated here.
    #[error("another key of that number, or changed on the way")]
    TrailerDigest,
    /// `auth_hmac`: a signature not made later than the last one of the same sender.
    #[error("not later than the last one")]
    TrailerReplayed,
    /// The password differs. It is not repeated here.
    #[error("wrong password")]
    AuthFailure,
    /// Version 2: another interval than ours (RFC 3768 §7.1); version 3: none at all.
    #[error("advertisement interval {actual:?}, expected {expected:?}")]
    Interval {
        /// Ours.
        expected: Duration,
        /// Theirs.
        actual: Duration,
    },
    /// Not an ADVERTISEMENT.
    #[error("packet type {actual}, expected 1")]
    Type {
        /// What came.
        actual: u8,
    },
    /// The checksum does not match.
    #[error("checksum {actual:#06x} does not match")]
    Checksum {
        /// What came.
        actual: u16,
    },
    /// Other addresses than ours. keepalived counts this and takes the advertisement all the same.
    #[error("{actual} addresses, expected {expected}, or others than ours")]
    AddressList {
        /// How many we have.
        expected: u8,
        /// How many came.
        actual: u8,
    },
    /// A unicast packet for a virtual router that uses multicast, or the other way round.
    #[error("sent to {destination}, which is {}", if destination.is_multicast() { "multicast" } else { "unicast" })]
    Destination {
        /// Where it was sent.
        destination: IpAddr,
    },
    /// The sender is not among the unicast peers.
    #[error("{source_address} is not a unicast peer")]
    UnknownPeer {
        /// Who sent it.
        source_address: IpAddr,
    },
}

impl DecodeError {
    /// The counter, and the object of the MIBs, that this error is counted by.
    pub fn kind(&self) -> AdvertError {
        match self {
            Self::PacketLength { .. } | Self::TrailerUnexpected { .. } => AdvertError::PacketLength,
            Self::Ttl { .. } => AdvertError::Ttl,
            Self::Version { .. } => AdvertError::Version,
            Self::AuthTypeInvalid { .. } => AdvertError::AuthTypeInvalid,
            Self::AuthTypeMismatch { .. } | Self::AuthHeader { .. } => AdvertError::AuthTypeMismatch,
            Self::AuthFailure | Self::AuthIntegrity | Self::AuthSpi { .. } | Self::AuthReplayed { .. } => {
                AdvertError::AuthFailure
            }
            Self::TrailerMissing => AdvertError::AuthExtMissing,
            Self::TrailerMalformed => AdvertError::AuthExtMalformed,
            Self::TrailerStale { .. } => AdvertError::AuthExtStale,
            Self::TrailerKey { .. } => AdvertError::AuthExtUnknownKey,
            Self::TrailerDigest => AdvertError::AuthExtInvalidHmac,
            Self::TrailerReplayed => AdvertError::AuthExtReplay,
            Self::Interval { .. } => AdvertError::Interval,
            Self::Type { .. } => AdvertError::Type,
            Self::Checksum { .. } => AdvertError::Checksum,
            // keepalived counts a wrong destination as an address list error, and a stranger not at all; the
            // nearest object of the MIBs is the same.
            Self::AddressList { .. } | Self::Destination { .. } | Self::UnknownPeer { .. } => {
                AdvertError::AddressList
            }
        }
    }
}
