//! `auth_hmac`: adverts that carry a signature after them, keepalived's extension of both versions of VRRP.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Secret, secret};

/// An `auth_hmac` block. The only algorithm is HMAC-SHA256, cut to 16 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthHmac {
    /// `key`: what signatures are checked with, each key with a number of its own.
    pub keys: Vec<HmacKey>,
    /// `active_key`: number of the key that our own adverts are signed with; always one of `keys`.
    pub active_key: u8,
    /// `anti_replay`, with `time_window`.
    pub anti_replay: AntiReplay,
    /// `mode`.
    pub mode: HmacMode,
}

/// A `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacKey {
    /// Its number, 1 to 255, which goes with each signature.
    pub id: u8,
    /// The key itself: 32 to 64 bytes.
    #[serde(serialize_with = "secret::hidden", deserialize_with = "secret::absent")]
    pub secret: Secret<Box<[u8]>>,
}

impl HmacKey {
    /// Fewest bytes of a key.
    pub const SHORTEST: usize = 32;
    /// Most bytes of a key.
    pub const LONGEST: usize = 64;
}

/// How an advert that somebody sends a second time is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AntiReplay {
    /// `time`, the default: its time stamp may be this old, or this far ahead, `time_window`; three times the
    /// `advert_int` unless given, but 5 s at least.
    Time(Duration),
    /// `monotonic`: its time stamp must be later than that of the one before, however wrong the clocks are.
    Monotonic,
}

/// `mode`: what happens to adverts without signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HmacMode {
    /// Ours are signed, and those of others must be. The default.
    #[default]
    Enforce,
    /// Ours are signed; those of others are taken without signature too.
    Permissive,
    /// Ours are not signed yet; signatures of others are checked where there are any.
    ReceiveOnly,
}
