//! The Internet checksum (RFC 1071) over any number of byte slices.

/// Adds 16-bit words in one's complement arithmetic; feed it slices, then take the checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Adds `bytes`, which start at an even offset of the whole; an odd last byte is padded with zero.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        let mut words = bytes.chunks_exact(2);
        for word in &mut words {
            self.0 += u64::from(u16::from_be_bytes([word[0], word[1]]));
        }
        if let [last] = words.remainder() {
            self.0 += u64::from(*last) << 8;
        }
        self
    }

    /// Adds one 16-bit word.
    #[must_use]
    pub fn with_u16(mut self, word: u16) -> Self {
        self.0 += u64::from(word);
        self
    }

    /// Adds a 32-bit number in network order, as the pseudo-headers need it.
    #[must_use]
    pub fn with_u32(self, number: u32) -> Self {
        self.with(&number.to_be_bytes())
    }

    /// The checksum: the complement of the folded sum. Over data that already holds a right checksum it is 0.
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_rfc_1071_section_3() {
        let sum = Sum::default().with(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.finish(), !0xddf2);
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_half_of_a_word() {
        assert_eq!(Sum::default().with(&[0xab]).finish(), !0xab00);
    }

    #[test]
    fn data_followed_by_its_checksum_sums_to_zero() {
        let data = [0x45, 0xc0, 0x00, 0x28, 0x12, 0x34];
        let sum = Sum::default().with(&data).finish();
        assert_eq!(Sum::default().with(&data).with(&sum.to_be_bytes()).finish(), 0);
    }
}
