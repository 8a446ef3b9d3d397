//! The end of what a command wrote.

use std::collections::VecDeque;

/// The last bytes of a stream, never more than a bound.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
    bound: usize,
    /// Bytes in front of them that are not kept.
    cut: bool,
}

impl Tail {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bytes: VecDeque::new(), bound, cut: false }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.bound)..];
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(self.bound);
        self.cut |= surplus > 0 || kept.len() < bytes.len();
        self.bytes.drain(..surplus);
        self.bytes.extend(kept);
    }

    /// As text: what is no UTF-8 replaced, control characters but line feeds left out, a first line that is not whole
    /// marked.
    pub(crate) fn text(self) -> String {
        let bytes: Vec<u8> = self.bytes.into();
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        let shown =
            text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| *c == '\n' || !c.is_control());
        let mark = if self.cut { "…" } else { "" };
        mark.chars().chain(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let cases: [(&[&str], &str); 5] = [
            (&["one\n", "two\n"], "one\ntwo"),
            (&["0123456789", "abc"], "…3456789abc"),
            (&["0123456789abcdef"], "…6789abcdef"),
            (&["\x1b[31mred\x07\n"], "[31mred"),
            (&[], ""),
        ];
        for (parts, expected) in cases {
            let mut tail = Tail::new(10);
            parts.iter().for_each(|part| tail.push(part.as_bytes()));
            assert_eq!(tail.text(), expected, "{parts:?}");
        }
    }
}
