//! The answer: bytes in as they arrive, a [`Page`] out. No sockets here.

use crate::algorithm::Hasher;
use crate::{Algorithm, Digest};

/// Most header lines that an answer may have.
const MAX_HEADER_LINES: usize = 256;

/// A fetched page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Status code of the status line.
    pub status: u16,
    /// Status line and header lines with the empty line that ends them, byte for byte.
    pub header: Vec<u8>,
    /// The body, byte for byte; no more than `Content-Length` announced.
    pub body: Vec<u8>,
    /// What `Content-Length` announced, where it was there and a number.
    pub content_length: Option<u64>,
    /// Digest of the body.
    pub digest: Digest,
}

/// Why the first bytes of an answer are no HTTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The connection closed before anything came.
    #[error("no data received")]
    Nothing,
    /// The connection closed within the header.
    #[error("the connection closed after {0} bytes, before the header was complete")]
    Incomplete(usize),
    /// The header is larger than the limit.
    #[error("the header is longer than {0} bytes")]
    TooLong(usize),
    /// What came is no HTTP/1 answer.
    #[error("this is no HTTP answer: {0}")]
    Malformed(httparse::Error),
}

/// An answer on the way. Feed it with [`Reply::push`] until it is [`Reply::complete`] or the stream ends.
pub(crate) struct Reply {
    limit: usize,
    state: State,
}

enum State {
    Header { received: Vec<u8>, hasher: Hasher },
    Body(Body),
}

struct Body {
    status: u16,
    header: Vec<u8>,
    content_length: Option<u64>,
    bytes: Vec<u8>,
    hasher: Hasher,
}

impl Reply {
    /// Starts with nothing received; `header_limit` in bytes.
    pub(crate) fn new(algorithm: Algorithm, header_limit: usize) -> Self {
        Self {
            limit: header_limit,
            state: State::Header { received: Vec::new(), hasher: Hasher::new(algorithm) },
        }
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn push(self, bytes: &[u8]) -> Result<Self, HeaderError> {
        let limit = self.limit;
        let state = match self.state {
            State::Body(mut body) => {
                body.push(bytes);
                State::Body(body)
            }
            State::Header { mut received, hasher } => {
                received.extend_from_slice(bytes);
                match split(&received)? {
                    Some(head) if head.length > limit => return Err(HeaderError::TooLong(limit)),
                    None if received.len() >= limit => return Err(HeaderError::TooLong(limit)),
                    None => State::Header { received, hasher },
                    Some(head) => {
                        let rest = received.split_off(head.length);
                        let mut body = Body {
                            status: head.status,
                            header: received,
                            content_length: head.content_length,
                            bytes: Vec::new(),
                            hasher,
                        };
                        body.push(&rest);
                        State::Body(body)
                    }
                }
            }
        };
        Ok(Self { limit, state })
    }

    /// Whether all that was announced is there, so that one need not wait for the server to close.
    pub(crate) fn complete(&self) -> bool {
        match &self.state {
            State::Header { .. } => false,
            State::Body(body) => body.missing() == Some(0),
        }
    }

    /// Bytes of body so far.
    pub(crate) fn body_length(&self) -> usize {
        match &self.state {
            State::Header { .. } => 0,
            State::Body(body) => body.bytes.len(),
        }
    }

    /// The page, after the last byte.
    pub(crate) fn finish(self) -> Result<Page, HeaderError> {
        match self.state {
            State::Header { received, .. } if received.is_empty() => Err(HeaderError::Nothing),
            State::Header { received, .. } => Err(HeaderError::Incomplete(received.len())),
            State::Body(body) => Ok(Page {
                status: body.status,
                header: body.header,
                content_length: body.content_length,
                digest: body.hasher.finish(),
                body: body.bytes,
            }),
        }
    }
}

impl Body {
    /// How much of the announced length is still to come; `None` where nothing was announced.
    fn missing(&self) -> Option<u64> {
        self.content_length.map(|length| length.saturating_sub(self.bytes.len() as u64))
    }

    fn push(&mut self, bytes: &[u8]) {
        let wanted = self
            .missing()
            .map_or(bytes.len(), |missing| usize::try_from(missing).unwrap_or(usize::MAX).min(bytes.len()));
        let bytes = &bytes[..wanted];
        self.hasher.update(bytes);
        self.bytes.extend_from_slice(bytes);
    }
}

struct Head {
    status: u16,
    length: usize,
    content_length: Option<u64>,
}

/// Finds the end of the header; `None` when it has not come yet.
fn split(received: &[u8]) -> Result<Option<Head>, HeaderError> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADER_LINES];
    let mut response = httparse::Response::new(&mut lines);
    match response.parse(received).map_err(HeaderError::Malformed)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => {
            let content_length = response
                .headers
                .iter()
                .find(|line| line.name.eq_ignore_ascii_case("content-length"))
                .and_then(|line| std::str::from_utf8(line.value).ok())
                .and_then(|value| value.trim().parse().ok());
            Ok(Some(Head { status: response.code.unwrap_or(0), length, content_length }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(pieces: &[&[u8]]) -> Result<Page, HeaderError> {
        let mut reply = Reply::new(Algorithm::Md5, 1024);
        for piece in pieces {
            reply = reply.push(piece)?;
        }
        reply.finish()
    }

    #[test]
    fn an_answer_cut_anywhere_gives_the_same_page() {
        let answer = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello world 0123456789";
        let whole = page(&[answer]).unwrap();
        assert_eq!((whole.status, whole.body.as_slice()), (200, &b"hello world 0123456789"[..]));
        assert_eq!(whole.header, b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
        for cut in 1..answer.len() {
            assert_eq!(page(&[&answer[..cut], &answer[cut..]]).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_chunked_body_is_digested_as_it_came() {
        // The digest is keepalived's own for this answer: it undoes no transfer coding.
        let page =
            page(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]).unwrap();
        assert_eq!(page.digest.to_string(), "79e9489e3bd3f0cb0158215341de046d");
    }

    #[test]
    fn no_more_than_the_announced_length_is_digested() {
        let page = page(&[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"lo world", b"!"]).unwrap();
        assert_eq!(page.body, b"hello");
        assert_eq!(page.digest.to_string(), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(page.content_length, Some(5));
    }

    #[test]
    fn what_is_no_answer_is_said_so() {
        assert_eq!(page(&[]), Err(HeaderError::Nothing));
        assert_eq!(page(&[b"HTTP/1.1 200 OK\r\nX: y\r\n"]), Err(HeaderError::Incomplete(23)));
        assert!(matches!(page(&[b"no http here"]), Err(HeaderError::Malformed(_))));
        let mut endless = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        endless.extend(std::iter::repeat_n(b'y', 2000));
        assert_eq!(page(&[&endless]), Err(HeaderError::TooLong(1024)));
    }
}
