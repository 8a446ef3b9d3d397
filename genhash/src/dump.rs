//! Pages as text: hexadecimal dumps and the three forms that the `genhash` command prints.

use std::io::{self, Write};
use std::time::Duration;

use crate::{Algorithm, Page};

const HEADER_HEX: &str = "-----------------------[    HTTP Header Buffer    ]-----------------------";
const HEADER_ASCII: &str = "-----------------------[ HTTP Header Ascii Buffer ]-----------------------";
const BODY: &str = "-----------------------[        HTML Buffer        ]-----------------------";
const HASH: &str = "-----------------------[    HTML hash resulting    ]-----------------------";
const HASH_FINAL: &str = "-----------------------[ HTML hash final resulting ]-----------------------";

/// Bytes on one line of a dump.
const LINE: usize = 16;

/// Writes `bytes` 16 to a line: decimal offset, hexadecimal in two groups of eight, then what is printable ASCII.
///
/// # Errors
/// Those of `out`.
pub fn hex(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for (number, line) in bytes.chunks(LINE).enumerate() {
        // keepalived counts modulo 65536 and its offsets are read by people's scripts.
        write!(out, "{:04} ", (number * LINE) & 0xffff)?;
        for column in 0..LINE {
            match line.get(column) {
                Some(byte) => write!(out, " {byte:02x}")?,
                None => write!(out, "   ")?,
            }
            if column == LINE / 2 - 1 {
                write!(out, " -")?;
            }
        }
        let text: String = line.iter().map(|&byte| printable(byte)).collect();
        writeln!(out, "   {text:<LINE$}")?;
    }
    Ok(())
}

fn printable(byte: u8) -> char {
    if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' }
}

/// The form of keepalived's user guide: header dump, body dump, `MD5 Digest : …`.
///
/// # Errors
/// Those of `out`.
pub fn guide(out: &mut impl Write, page: &Page, algorithm: Algorithm) -> io::Result<()> {
    writeln!(out, "{HEADER_HEX}")?;
    hex(out, &page.header)?;
    writeln!(out, "{BODY}")?;
    hex(out, &page.body)?;
    writeln!(out, "{HASH_FINAL}")?;
    writeln!(out, "{algorithm} Digest : {}", page.digest)
}

/// Byte for byte what keepalived 2.2's genhash prints with `-v`, but for the measured time: header as hexadecimal and
/// as text, body, digest as a dump and in hexadecimal, response time.
///
/// # Errors
/// Those of `out`.
pub fn verbose(out: &mut impl Write, page: &Page, path: &str, took: Duration) -> io::Result<()> {
    writeln!(out, "{HEADER_HEX}")?;
    hex(out, &page.header)?;
    writeln!(out, "{HEADER_ASCII}")?;
    out.write_all(&page.header)?;
    writeln!(out)?;
    if !page.body.is_empty() {
        writeln!(out, "{BODY}")?;
        hex(out, &page.body)?;
    }
    writeln!(out, "\n{HASH}")?;
    hex(out, page.digest.as_bytes())?;
    writeln!(out, "{HASH_FINAL}\n{}", page.digest)?;
    writeln!(out, "\nGlobal response time for [{path}] = {} usecs", took.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        hex(&mut out, bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_look_like_keepalived_s() {
        // Taken from keepalived 2.2.7: `keepalived --genhash -v` of a file with these bytes.
        assert_eq!(
            dumped(b"abc\tdef\x00\x7f\x80\xff;[]0123456789xyz and more"),
            "0000  61 62 63 09 64 65 66 00 - 7f 80 ff 3b 5b 5d 30 31   abc.def....;[]01\n\
             0016  32 33 34 35 36 37 38 39 - 78 79 7a 20 61 6e 64 20   23456789xyz and \n\
             0032  6d 6f 72 65             -                           more            \n"
        );
        assert_eq!(dumped(b""), "");
    }

    #[test]
    fn offsets_wrap_at_64_kilobytes() {
        let text = dumped(&vec![b'a'; 65_552]);
        assert!(text.lines().last().unwrap().starts_with("0000  61"));
    }
}
