//! The answer: bytes in as they arrive, a [`Page`] out. No sockets here.

use crate::algorithm::Hasher;
use crate::chunks::Chunks;
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

impl Page {
    /// Of an answer and its body.
    pub(crate) fn new(answer: Answer, body: Vec<u8>, algorithm: Algorithm) -> Self {
        let digest = answer.digest.unwrap_or_else(|| Digest::of(algorithm, &body));
        Self {
            status: answer.status,
            header: answer.header,
            body,
            content_length: answer.content_length,
            digest,
        }
    }
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

/// An answer without its body, which went to whoever wanted it while it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code of the status line.
    pub status: u16,
    /// Status line and header lines with the empty line that ends them, byte for byte.
    pub header: Vec<u8>,
    /// What `Content-Length` announced, where it was there and a number.
    pub content_length: Option<u64>,
    /// How many bytes of body came; no more than `Content-Length` announced.
    pub length: u64,
    /// Digest of the body, if it was asked for.
    pub digest: Option<Digest>,
}

/// An answer on the way. Feed it with [`Reply::push`] until it is [`Reply::complete`] or the stream ends.
pub(crate) struct Reply {
    limit: usize,
    state: State,
}

enum State {
    Header { received: Vec<u8>, hasher: Option<Box<Hasher>> },
    Body(Body),
}

struct Body {
    status: u16,
    header: Vec<u8>,
    content_length: Option<u64>,
    chunks: Option<Chunks>,
    length: u64,
    /// Apart: it is the largest of all this, and mostly nothing is digested.
    hasher: Option<Box<Hasher>>,
}

impl Reply {
    /// Starts with nothing received; `header_limit` in bytes. Without an algorithm nothing is digested.
    pub(crate) fn new(algorithm: Option<Algorithm>, header_limit: usize) -> Self {
        Self {
            limit: header_limit,
            state: State::Header { received: Vec::new(), hasher: algorithm.map(Hasher::new).map(Box::new) },
        }
    }

    /// Takes the next bytes of the stream; `body` is called with what of them is body. After an error there is nothing left
    /// to take or to finish.
    pub(crate) fn push(&mut self, bytes: &[u8], body: &mut impl FnMut(&[u8])) -> Result<(), HeaderError> {
        let limit = self.limit;
        let (received, hasher) = match &mut self.state {
            State::Body(known) => {
                known.push(bytes, body);
                return Ok(());
            }
            State::Header { received, hasher } => (received, hasher),
        };
        received.extend_from_slice(bytes);
        match split(received)? {
            Some(head) if head.length > limit => return Err(HeaderError::TooLong(limit)),
            None if received.len() >= limit => return Err(HeaderError::TooLong(limit)),
            None => {}
            Some(head) => {
                let rest = received.split_off(head.length);
                let mut known = Body {
                    status: head.status,
                    header: std::mem::take(received),
                    content_length: head.content_length,
                    chunks: head.chunked.then(Chunks::default),
                    length: 0,
                    hasher: hasher.take(),
                };
                known.push(&rest, body);
                self.state = State::Body(known);
            }
        }
        Ok(())
    }

    /// Whether all that was announced is there, so that one need not wait for the server to close.
    pub(crate) fn complete(&self) -> bool {
        match &self.state {
            State::Header { .. } => false,
            State::Body(body) => body.is_complete(),
        }
    }

    /// Whether the header is there, so that what follows is body.
    pub(crate) fn has_header(&self) -> bool {
        matches!(self.state, State::Body(_))
    }

    /// Bytes of body so far.
    pub(crate) fn body_length(&self) -> u64 {
        match &self.state {
            State::Header { .. } => 0,
            State::Body(body) => body.length,
        }
    }

    /// The answer, after the last byte.
    pub(crate) fn finish(self) -> Result<Answer, HeaderError> {
        match self.state {
            State::Header { received, .. } if received.is_empty() => Err(HeaderError::Nothing),
            State::Header { received, .. } => Err(HeaderError::Incomplete(received.len())),
            State::Body(body) => Ok(Answer {
                status: body.status,
                header: body.header,
                content_length: body.content_length,
                length: body.length,
                digest: body.hasher.map(|hasher| hasher.finish()),
            }),
        }
    }
}

impl Body {
    /// RFC 9112 section 6.3: some answers have no body, some say how long it is, the others end with the connection.
    fn is_complete(&self) -> bool {
        if matches!(self.status, 204 | 304) {
            return true;
        }
        match &self.chunks {
            Some(chunks) => chunks.ended(),
            None => self.content_length.is_some_and(|length| self.length >= length),
        }
    }

    fn push(&mut self, bytes: &[u8], body: &mut impl FnMut(&[u8])) {
        let wanted = match self.content_length {
            Some(length) => usize::try_from(length.saturating_sub(self.length)).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let bytes = bytes.get(..wanted).unwrap_or(bytes);
        if let Some(chunks) = &mut self.chunks {
            chunks.push(bytes);
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.length += bytes.len() as u64;
        body(bytes);
    }
}

struct Head {
    status: u16,
    length: usize,
    content_length: Option<u64>,
    chunked: bool,
}

/// Finds the end of the header; `None` when it has not come yet.
fn split(received: &[u8]) -> Result<Option<Head>, HeaderError> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADER_LINES];
    let mut response = httparse::Response::new(&mut lines);
    // keepalived looks at nothing but the status and Content-Length: a header line that is not quite right is no reason
    // to call a server dead.
    let parsed = httparse::ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut response, received);
    match parsed.map_err(HeaderError::Malformed)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => {
            let value = |name: &str| {
                let line = response.headers.iter().find(|line| line.name.eq_ignore_ascii_case(name))?;
                std::str::from_utf8(line.value).ok().map(str::trim)
            };
            let content_length = value("content-length").and_then(|value| value.parse().ok());
            // The last coding is the one that is on the wire (RFC 9112 section 6.1).
            let coding = value("transfer-encoding").and_then(|value| value.rsplit(',').next());
            let chunked = coding.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
            Ok(Some(Head { status: response.code.unwrap_or(0), length, content_length, chunked }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(pieces: &[&[u8]]) -> Result<Page, HeaderError> {
        let mut reply = Reply::new(Some(Algorithm::Md5), 1024);
        let mut body = Vec::new();
        for piece in pieces {
            reply.push(piece, &mut |bytes| body.extend_from_slice(bytes))?;
        }
        Ok(Page::new(reply.finish()?, body, Algorithm::Md5))
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
    fn an_answer_is_complete_when_all_that_was_announced_is_there() {
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n";
        let cases = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n\r\nhello", false),
            (chunked, true),
        ];
        for (answer, expected) in cases {
            for cut in 0..answer.len() {
                let (first, second) = answer.split_at(cut);
                let mut reply = Reply::new(None, 1024);
                reply.push(first.as_bytes(), &mut |_| ()).unwrap();
                assert!(!reply.complete() || !expected || cut > answer.len() - 2, "{answer} at {cut}");
                reply.push(second.as_bytes(), &mut |_| ()).unwrap();
                assert_eq!(reply.complete(), expected, "{answer} at {cut}");
            }
        }
    }

    #[test]
    fn header_lines_that_are_not_quite_right_condemn_nobody() {
        let page =
            page(&[b"HTTP/1.1 200\r\nX-A : 1\r\n folded\r\nno colon here\r\nContent-Length: 2\r\n\r\nok"]);
        assert_eq!(page.unwrap().body, b"ok");
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
