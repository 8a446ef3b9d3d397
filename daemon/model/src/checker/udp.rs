//! `UDP_CHECK`: a datagram is answered, or at least not refused.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Connection;

/// A `UDP_CHECK` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpCheck {
    /// Whom to send to.
    #[serde(flatten)]
    pub connection: Connection,
    /// `payload`: what is sent; something of the checker's own unless given.
    pub payload: Option<Bytes>,
    /// `require_reply`: an answer must come; without it, silence is success.
    pub reply: Option<UdpReply>,
}

/// What an answer must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpReply {
    /// The bytes after `require_reply`: what the answer begins with. Empty when none are written; then keepalived does
    /// not look at the lengths either.
    pub pattern: Bytes,
    /// `min_reply_length` in bytes, 0 to 65535; 0 unless given.
    pub min_length: u16,
    /// `max_reply_length` in bytes, 0 to 65535; 255 unless given.
    pub max_length: u16,
}

/// Bytes, or a pattern of bytes, written in hexadecimal; `X` is a digit that does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// The bytes; bits that do not matter are 0.
    pub data: Vec<u8>,
    /// For each byte, the bits that do matter.
    pub mask: Vec<u8>,
}

impl Bytes {
    /// Reads hexadecimal digits; blanks end a byte, and a byte of one digit is as if a 0 stood before it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Self::default();
        for word in text.split_ascii_whitespace() {
            for pair in word.as_bytes().chunks(2) {
                let (mut data, mut mask) = (0u8, if pair.len() == 1 { 0xf } else { 0 });
                for digit in pair {
                    let (value, counts) = match char::from(*digit).to_digit(16) {
                        Some(value) => (value as u8, 0xf),
                        None if digit.eq_ignore_ascii_case(&b'x') => (0, 0),
                        None => return None,
                    };
                    data = data << 4 | value;
                    mask = mask << 4 | counts;
                }
                bytes.data.push(data);
                bytes.mask.push(mask);
            }
        }
        Some(bytes)
    }

    /// Where an answer first differs, as far as both go; none if it fits. Whether it is long enough is for
    /// [`UdpReply::min_length`] to say.
    pub fn first_mismatch(&self, answer: &[u8]) -> Option<usize> {
        let mut pairs = self.data.iter().zip(&self.mask).zip(answer);
        pairs.position(|((data, mask), byte)| byte & mask != *data)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (data, mask) in self.data.iter().zip(&self.mask) {
            for shift in [4, 0] {
                match mask >> shift & 0xf {
                    0 => f.write_str("X")?,
                    _ => write!(f, "{:x}", data >> shift & 0xf)?,
                }
            }
        }
        Ok(())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("`{text}`: no hexadecimal bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_keepalived_reads_them() {
        let cases: &[(&str, Option<&str>)] = &[
            ("00ff", Some("00ff")),
            ("00 FF", Some("00ff")),
            ("1 2", Some("0102")),
            ("123", Some("1203")),
            ("0X xf", Some("0XXf")),
            ("", Some("")),
            ("0g", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Bytes::parse(text).map(|bytes| bytes.to_string()).as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn a_pattern_matches_as_far_as_both_go() {
        let pattern = Bytes::parse("01X2").unwrap_or_default();
        assert_eq!(pattern.first_mismatch(&[1, 0xf2, 9]), None);
        assert_eq!(pattern.first_mismatch(&[1, 0xf3]), Some(1));
        assert_eq!(pattern.first_mismatch(&[1]), None);
    }
}
