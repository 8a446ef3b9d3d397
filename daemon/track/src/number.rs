//! The number at the beginning of a tracked file.

use keepwatch_bus::fact::FileContent;

/// The number that a text begins with, as the C library's `strtol` with base 0 reads it: blanks, a sign, `0x` for
/// hexadecimal, `0` for octal; what follows the digits does not matter. `Err` says why there is none.
///
/// ```
/// use keepwatch_bus::fact::FileContent;
/// use keepwatch_track::number;
/// assert_eq!(number(b" -12abc\n"), Ok(-12));
/// assert_eq!(number(b"abc"), Err(FileContent::NoNumber));
/// ```
///
/// # Errors
/// [`FileContent::Empty`], [`FileContent::NoNumber`] or [`FileContent::TooLarge`].
pub fn number(text: &[u8]) -> Result<i32, FileContent> {
    if text.is_empty() {
        return Err(FileContent::Empty);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = &text[text.iter().take_while(|byte| is_blank(byte)).count()..];
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    let (base, text) = match text {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, &text[2..]),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let digits: Vec<u32> = text.iter().map_while(|byte| char::from(*byte).to_digit(base)).collect();
    if digits.is_empty() {
        return Err(FileContent::NoNumber);
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        value.checked_mul(base.into()).and_then(|value| value.checked_add((*digit).into()))
    });
    value.and_then(|value| i32::try_from(sign * value).ok()).ok_or(FileContent::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_keepalived_reads_them() {
        for (text, expected) in [
            ("5", Ok(5)),
            ("5 \n", Ok(5)),
            ("  \t-7\n", Ok(-7)),
            ("+3", Ok(3)),
            ("12abc", Ok(12)),
            ("0x1f", Ok(31)),
            ("-0X10", Ok(-16)),
            ("0x", Ok(0)),
            ("010", Ok(8)),
            ("09", Ok(0)),
            ("\n\n4", Ok(4)),
            ("2147483647", Ok(i32::MAX)),
            ("-2147483648", Ok(i32::MIN)),
            ("2147483648", Err(FileContent::TooLarge)),
            ("99999999999999999999999", Err(FileContent::TooLarge)),
            ("", Err(FileContent::Empty)),
            ("\n", Err(FileContent::NoNumber)),
            ("abc", Err(FileContent::NoNumber)),
            ("- 5", Err(FileContent::NoNumber)),
            ("−5", Err(FileContent::NoNumber)),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        }
    }
}
