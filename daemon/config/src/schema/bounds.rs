//! Bounds that several keywords have in common.

/// Greatest number of 16 bits: ports, lengths.
pub(crate) const U16: i64 = u16::MAX as i64;
/// Greatest number of 32 bits.
pub(crate) const U32: i64 = u32::MAX as i64;
/// Greatest number of 32 bits with a sign.
pub(crate) const I32: i64 = i32::MAX as i64;
/// Most microseconds that fit into 32 bits: the longest time of most timers, 4294.967295 s.
pub(crate) const MICROS: u64 = u32::MAX as u64;
/// Most whole seconds whose microseconds fit into 32 bits.
pub(crate) const SECS: i64 = (MICROS / 1_000_000) as i64;
/// Seconds in a day.
pub(crate) const DAY: i64 = 86_400;
/// Most seconds that the kernel takes as a timeout of IPVS: 31 days.
pub(crate) const IPVS_TIMEOUT: i64 = 31 * DAY;
