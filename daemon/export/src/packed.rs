//! Packing (gzip, RFC 1952) of a long answer that is asked for again and again. Most of a scrape is as it was the last time:
//! so each part is packed by itself, as blocks of its own (RFC 1951), and those that are as before are not packed again.
//! The whole is one ordinary member of gzip.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::thread;

use axum::body::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use parking_lot::Mutex;

use crate::metrics::Exposition;

/// How a family begins.
const FAMILY: &str = "# HELP ";
/// Magic, "deflate", no flags, no time, the fastest algorithm, unknown system (RFC 1952 section 2.3.1).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// The last block of all: of fixed codes, and empty (RFC 1951 section 3.2.6).
const LAST_BLOCK: [u8; 2] = [3, 0];

/// A part, packed.
struct Part {
    /// Its text by its length and by what is made of it.
    print: (usize, u64),
    crc: Crc,
    packed: Vec<u8>,
}

/// A part that is to be packed.
struct Work<'a> {
    text: &'a str,
    /// As it was packed the last time, if there was one in its place.
    before: Option<Part>,
    /// `None` until it is done.
    now: Option<Part>,
}

/// So many bytes are worth a second thread.
const MUCH: usize = 1 << 20;

/// The last answer: its parts, by the name of the family that the first of them begins with.
#[derive(Default)]
pub(crate) struct Packer(HashMap<Box<str>, Vec<Part>>);

impl Packer {
    /// Packs an answer; `None` if that can't be done.
    pub(crate) fn pack(&mut self, exposition: &Exposition) -> Option<Bytes> {
        let mut before = std::mem::take(&mut self.0);
        let mut work = Vec::new();
        // Each family, and how many parts it has.
        let mut families = Vec::new();
        let mut parts = exposition.parts().peekable();
        while let Some(first) = parts.next() {
            let name = name(first);
            let more = std::iter::from_fn(|| parts.next_if(|text| !text.starts_with(FAMILY)));
            let mut old = before.remove(name).unwrap_or_default().into_iter();
            let begin = work.len();
            work.extend(std::iter::once(first).chain(more).map(|text| Work {
                text,
                before: old.next(),
                now: None,
            }));
            families.push((name, work.len() - begin));
        }
        pack_all(&mut work, exposition.len());
        let packed: usize = work.iter().filter_map(|work| Some(work.now.as_ref()?.packed.len())).sum();
        let mut out = Vec::with_capacity(packed + 32);
        out.extend_from_slice(&HEADER);
        let mut crc = Crc::new();
        let mut work = work.into_iter();
        for (name, count) in families {
            let parts: Vec<Part> = work.by_ref().take(count).map(|work| work.now).collect::<Option<_>>()?;
            for part in &parts {
                out.extend_from_slice(&part.packed);
                crc.combine(&part.crc);
            }
            self.0.insert(name.into(), parts);
        }
        out.extend_from_slice(&LAST_BLOCK);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&crc.amount().to_le_bytes());
        Some(out.into())
    }
}

/// Packs all parts, `length` bytes of text. Of a long answer two threads take one part after the other.
fn pack_all(work: &mut [Work<'_>], length: usize) {
    let queue = Mutex::new(work.iter_mut());
    let packing = || {
        let mut compress = None;
        loop {
            let Some(work) = queue.lock().next() else { break };
            work.now = part(work.text, work.before.take(), &mut compress);
        }
    };
    thread::scope(|scope| {
        if length >= MUCH {
            // Where no thread can be had, this one packs all of it.
            let _ = thread::Builder::new().name("scrape".into()).spawn_scoped(scope, packing);
        }
        packing();
    });
}

/// One part: as it was packed before, if it is the same.
fn part(text: &str, before: Option<Part>, compress: &mut Option<Compress>) -> Option<Part> {
    let print = (text.len(), print(text));
    if let Some(before) = before.filter(|before| before.print == print) {
        return Some(before);
    }
    // Names and labels are the same over and over: the fastest level makes a tenth of it.
    let compress = compress.get_or_insert_with(|| Compress::new(Compression::fast(), false));
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    Some(Part { print, crc, packed: deflate(compress, text.as_bytes())? })
}

fn print(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// What parts are known by: the first words, which name the family.
fn name(text: &str) -> &str {
    let rest = text.strip_prefix(FAMILY).unwrap_or(text);
    rest.split([' ', '\n']).next().unwrap_or(rest)
}

/// Blocks that end at the end of a byte, so that others can follow.
fn deflate(compress: &mut Compress, text: &[u8]) -> Option<Vec<u8>> {
    compress.reset();
    let mut packed = Vec::with_capacity(text.len() / 8 + 64);
    loop {
        let taken = usize::try_from(compress.total_in()).ok()?;
        compress.compress_vec(text.get(taken..)?, &mut packed, FlushCompress::Sync).ok()?;
        // Where room is left, all that it had to say has been said.
        if compress.total_in() == text.len() as u64 && packed.len() < packed.capacity() {
            packed.shrink_to_fit();
            return Some(packed);
        }
        packed.reserve(packed.len() / 2 + 64);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::metrics::{Families, Format};

    fn written(value: f64, more: bool) -> Exposition {
        let mut families = Families::new(Format::OpenMetrics);
        families.gauge("a", "A", &[]).sample(&[], value);
        let mut long = families.gauge("b", "B", &["x"]);
        for number in 0..20_000 {
            let factor = if number == 10_000 { value } else { 0.37 };
            long.sample(&[&format!("{number:060}")], f64::from(number) * factor);
        }
        if more {
            families.gauge("c", "C", &[]).sample(&[], 1.0);
        }
        families.finish()
    }

    #[test]
    fn what_is_packed_is_what_was_written_and_only_what_is_new_is_packed() {
        let mut packer = Packer::default();
        let at = |packer: &Packer, name: &str| -> Vec<*const u8> {
            packer.0.get(name).into_iter().flatten().map(|part| part.packed.as_ptr()).collect()
        };
        for (value, more) in [(1.0, true), (2.0, true), (2.0, true), (3.0, false), (3.0, true)] {
            let exposition = written(value, more);
            assert!(exposition.len() > MUCH, "two threads are to pack it");
            let before = at(&packer, "a");
            let packed = packer.pack(&exposition).unwrap();
            let mut text = String::new();
            GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
            assert!(text == *exposition, "{value}");
            assert!(packed.len() < text.len() / 2, "{} of {}", packed.len(), text.len());
            let after = at(&packer, "a");
            assert!(after.len() > 10, "{}", after.len());
            // What changes is in the first part, in the middle and in the last part.
            let same = before.iter().zip(&after).filter(|(before, after)| before == after).count();
            assert!(before.is_empty() || same + 3 >= after.len(), "{same} of {}", after.len());
        }
    }

    #[test]
    fn an_empty_answer_can_be_packed_too() {
        let packed = Packer::default().pack(&Families::new(Format::Text).finish()).unwrap();
        let mut text = String::new();
        GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
    }
}
