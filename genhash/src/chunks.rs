//! Where a chunked body ends (RFC 9112 section 7.1). The bytes themselves are not touched: keepalived digests them as
//! they came, with the sizes between them.

/// How far it has come; feed it with [`Chunks::push`].
#[derive(Debug, Default)]
pub(crate) struct Chunks(At);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the digits of a size.
    Size(u64),
    /// In the extension behind a size.
    Extension(u64),
    /// In data: so many bytes to come, with the line end that follows them.
    Data(u64),
    /// In the lines after the last chunk: bytes in the line so far, its line end not counted.
    Trailer(u64),
    /// Behind the empty line that ends it all.
    End,
    /// In something that is no chunk: only the end of the connection ends it.
    Lost,
}

impl Default for At {
    fn default() -> Self {
        Self::Size(0)
    }
}

impl Chunks {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if let At::Data(left) = self.0 {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                bytes = bytes.get(taken..).unwrap_or_default();
                let left = left - taken as u64;
                self.0 = if left == 0 { At::Size(0) } else { At::Data(left) };
                continue;
            }
            bytes = rest;
            self.0 = match (self.0, *first) {
                (At::Size(0) | At::Extension(0), b'\n') => At::Trailer(0),
                (At::Size(size) | At::Extension(size), b'\n') => At::Data(size.saturating_add(2)),
                (At::Size(size), digit) => match (char::from(digit).to_digit(16), digit) {
                    (Some(digit), _) => At::Size(size.saturating_mul(16).saturating_add(digit.into())),
                    (None, b'\r' | b';' | b' ' | b'\t') => At::Extension(size),
                    (None, _) => At::Lost,
                },
                (At::Trailer(0), b'\n') => At::End,
                (At::Trailer(_), b'\n') => At::Trailer(0),
                (At::Trailer(n), b'\r') => At::Trailer(n),
                (At::Trailer(n), _) => At::Trailer(n.saturating_add(1)),
                (at, _) => at,
            };
        }
    }

    /// Whether the last chunk and what follows it are there.
    pub(crate) fn ended(&self) -> bool {
        self.0 == At::End
    }
}
