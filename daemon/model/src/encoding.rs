//! Bytes that are no UTF-8, kept in text: each stands as a character of its own, so that nothing is lost.
//!
//! A byte from 0x80 on that belongs to no UTF-8 sequence becomes U+EF00 plus the byte, of Unicode's private use area.
//! Passwords, commands and whatever else ends as bytes go back through [`bytes`]; what people see goes through [`shown`].

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What a byte is added to.
const BASE: u32 = 0xef00;
/// The characters that stand for bytes begin with these bytes in UTF-8.
const LEADS: [[u8; 2]; 2] = [[0xee, 0xbe], [0xee, 0xbf]];

/// The text that these bytes are.
pub fn text(bytes: Vec<u8>) -> String {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(bytes.len() + 64);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(BASE + u32::from(*byte))));
    }
    text
}

/// The bytes that a text was made of.
pub fn bytes(text: &str) -> Cow<'_, [u8]> {
    if !has_foreign(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte_of(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The same as an argument or a path.
pub fn os_string(text: &str) -> OsString {
    OsString::from_vec(bytes(text).into_owned())
}

/// The text as people can read it, of the same length.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !has_foreign(text) {
        return Cow::Borrowed(text);
    }
    let replaced = |character| if byte_of(character).is_some() { '\u{fffd}' } else { character };
    Cow::Owned(text.chars().map(replaced).collect())
}

/// How many bytes a character has that stands for a byte.
pub const LENGTH: usize = 3;

/// Is there a byte in it that is no UTF-8?
pub fn has_foreign(text: &str) -> bool {
    !text.is_ascii() && first_foreign(text).is_some()
}

/// The first byte that is no UTF-8, and where its character begins.
pub fn first_foreign(text: &str) -> Option<(usize, u8)> {
    let leads = |pair: &[u8]| LEADS.iter().any(|lead| lead == pair);
    let at = text.as_bytes().windows(2).position(leads)?;
    Some((at, byte_of(text.get(at..)?.chars().next()?)?))
}

/// The byte, no UTF-8, that a character stands for; none if it is a character like others.
pub fn byte_of(character: char) -> Option<u8> {
    let byte = u32::from(character).checked_sub(BASE)?;
    u8::try_from(byte).ok().filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain([0xc3, 0xa9, 0xc3, 0xe2, 0x82]).collect();
        let made = text(all.clone());
        assert_eq!(*bytes(&made), *all);
        assert!(made.contains("é"));
        assert_eq!(first_foreign(&made), Some((128, 0x80)));
        assert_eq!(shown(&made).len(), made.len());
        assert!(shown(&made).ends_with("é\u{fffd}\u{fffd}\u{fffd}"));
    }

    #[test]
    fn text_stays_as_it_is() {
        for plain in ["", "abc", "Zürich 한 \u{10ffff}"] {
            assert_eq!(text(plain.as_bytes().to_vec()), plain);
            assert_eq!(*bytes(plain), *plain.as_bytes());
            assert_eq!(first_foreign(plain), None);
        }
    }
}
