//! The exchange itself: connects, sends the request, reads the answer within the limits.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::request::Limits;
use crate::response::{Answer, HeaderError, Reply};
use crate::{Algorithm, Page, Request, tls};

/// Room for one read.
const READ: usize = 8 << 10;

/// Which part of the exchange it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Making the socket and its options.
    Socket,
    /// The TCP connection.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Sending the request.
    Send,
    /// Reading the answer.
    Receive,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Socket => "preparing the socket",
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
            Self::Send => "sending the request",
            Self::Receive => "reading the answer",
        })
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Path or virtual host would break out of their line.
    #[error("the character {0:?} can not stand in a request")]
    Request(char),
    /// The operating system or the TLS library refused.
    #[error("{server}: {step} failed: {cause}")]
    Io {
        /// The server.
        server: SocketAddr,
        /// Where it failed.
        step: Step,
        /// What the system said.
        cause: io::Error,
    },
    /// A limit of [`crate::Limits`] ran out.
    #[error("{server}: {step} took longer than {limit:?}")]
    TimedOut {
        /// The server.
        server: SocketAddr,
        /// What took too long.
        step: Step,
        /// The limit.
        limit: Duration,
    },
    /// What came back was no HTTP answer.
    #[error("{server}: {cause}")]
    Header {
        /// The server.
        server: SocketAddr,
        /// What was wrong with it.
        cause: HeaderError,
    },
    /// The body is larger than the limit.
    #[error("{server}: the body is longer than {limit} bytes")]
    BodyTooLong {
        /// The server.
        server: SocketAddr,
        /// The limit, in bytes.
        limit: usize,
    },
}

/// Connects, fetches the page and digests it.
///
/// # Errors
/// See [`Error`]. A status code other than 200 is no error: the page has it.
pub async fn digest(request: &Request) -> Result<Page, Error> {
    let exchange = pin!(async {
        let stream = connect(request).await?;
        match &request.tls {
            None => digest_over(stream, request).await,
            Some(tls) => {
                let handshake = pin!(tls::connect(stream, request.server.ip(), tls));
                let stream = within(request.server, &request.limits, Step::Handshake, handshake).await?;
                digest_over(stream, request).await
            }
        }
    });
    bounded(request.server, &request.limits, exchange).await
}

/// Sends the request over `stream`, to which the connection (and TLS, if any) is already made.
///
/// # Errors
/// See [`Error`].
pub async fn digest_over<S>(mut stream: S, request: &Request) -> Result<Page, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(character) = request.forbidden_character() {
        return Err(Error::Request(character));
    }
    let exchange = Exchange {
        server: request.server,
        request: &request.to_bytes(),
        limits: &request.limits,
        digest: Some(request.algorithm),
    };
    let mut body = Vec::new();
    let answer = exchange.run(&mut stream, &mut |bytes| body.extend_from_slice(bytes)).await?;
    Ok(Page::new(answer, body, request.algorithm))
}

/// One request and its answer over a connection that is open: what [`digest_over`] and checkers have in common.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The server, for errors.
    pub server: SocketAddr,
    /// The request, byte for byte; see [`Request::to_bytes`].
    pub request: &'a [u8],
    /// Times and sizes.
    pub limits: &'a Limits,
    /// What to digest the body with; not at all when `None`.
    pub digest: Option<Algorithm>,
}

impl Exchange<'_> {
    /// Sends the request and reads the answer; `body` is called with each piece of the body as it comes. It ends with
    /// the connection, or when all is there that the header announced.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn run<S>(&self, stream: &mut S, body: &mut impl FnMut(&[u8])) -> Result<Answer, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let exchange = pin!(async {
            let send = pin!(async {
                stream.write_all(self.request).await?;
                stream.flush().await
            });
            // A server that has answered before it was asked, and gone, has answered.
            match self.within(Step::Send, send).await {
                Err(Error::Io { cause, .. }) if is_gone(&cause) => (),
                sent => sent?,
            }
            self.receive(stream, body).await
        });
        bounded(self.server, self.limits, exchange).await
    }

    async fn receive<S>(&self, stream: &mut S, body: &mut impl FnMut(&[u8])) -> Result<Answer, Error>
    where
        S: AsyncRead + Unpin,
    {
        let server = self.server;
        let header = |cause| Error::Header { server, cause };
        let mut reply = Reply::new(self.digest, self.limits.header);
        loop {
            let has_header = reply.has_header();
            let taken = pin!(poll_fn(|cx| take(stream, cx, |bytes| reply.push(bytes, body))));
            let is_end = match self.within(Step::Receive, taken).await {
                // What came is judged, not how it ended.
                Err(Error::Io { cause, .. }) if is_gone(&cause) && has_header => true,
                taken => match taken? {
                    Some(pushed) => pushed.map(|()| false).map_err(header)?,
                    None => true,
                },
            };
            if is_end {
                return reply.finish().map_err(header);
            }
            if reply.body_length() > self.limits.body as u64 {
                return Err(Error::BodyTooLong { server, limit: self.limits.body });
            }
            if reply.complete() {
                return reply.finish().map_err(header);
            }
        }
    }

    /// One step, within the idle limit.
    async fn within<T>(
        &self,
        step: Step,
        future: Pin<&mut impl Future<Output = io::Result<T>>>,
    ) -> Result<T, Error> {
        within(self.server, self.limits, step, future).await
    }
}

/// Whether the other side has broken the connection.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

async fn connect(request: &Request) -> Result<TcpStream, Error> {
    let server = request.server;
    let socket = if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket
        .and_then(|socket| {
            if let Some(mark) = request.fwmark {
                socket2::SockRef::from(&socket).set_mark(mark)?;
            }
            Ok(socket)
        })
        .map_err(|cause| Error::Io { server, step: Step::Socket, cause })?;
    match timeout(request.limits.connect, socket.connect(server)).await {
        Ok(connected) => connected.map_err(|cause| Error::Io { server, step: Step::Connect, cause }),
        Err(_) => Err(Error::TimedOut { server, step: Step::Connect, limit: request.limits.connect }),
    }
}

/// Reads some and hands it to `with`; none at the end of the stream. The room for it is on the stack, and so there only while
/// there is something to read: thousands of exchanges may wait at once. Many servers end a TLS stream without saying so (no
/// close_notify), which is an end like any other here.
fn take<S: AsyncRead + Unpin, T>(
    stream: &mut S,
    cx: &mut Context<'_>,
    with: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<Option<T>>> {
    let mut room = [MaybeUninit::uninit(); READ];
    let mut buffer = ReadBuf::uninit(&mut room);
    let read = match ready!(Pin::new(stream).poll_read(cx, &mut buffer)) {
        Ok(()) => Ok(Some(buffer.filled()).filter(|bytes| !bytes.is_empty()).map(with)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    };
    Poll::Ready(read)
}

/// One step, within the idle limit. The future stays where it is: what is handed on by value is there once for each that hands
/// it on, and thousands of exchanges may be under way at once.
async fn within<T>(
    server: SocketAddr,
    limits: &Limits,
    step: Step,
    future: Pin<&mut impl Future<Output = io::Result<T>>>,
) -> Result<T, Error> {
    match timeout(limits.idle, future).await {
        Ok(result) => result.map_err(|cause| Error::Io { server, step, cause }),
        Err(_) => Err(Error::TimedOut { server, step, limit: limits.idle }),
    }
}

/// The whole exchange, within the total limit, where it is as [`within`] has it.
async fn bounded<T>(
    server: SocketAddr,
    limits: &Limits,
    exchange: Pin<&mut impl Future<Output = Result<T, Error>>>,
) -> Result<T, Error> {
    match timeout(limits.total, exchange).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut { server, step: Step::Receive, limit: limits.total }),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    fn request() -> Request {
        let mut request = Request::new(([127, 0, 0, 1], 80).into(), "/");
        request.limits.idle = Duration::from_millis(50);
        request.limits.total = Duration::from_secs(5);
        request
    }

    #[tokio::test]
    async fn a_complete_answer_is_not_waited_for_any_longer() {
        let (client, mut server) = duplex(1024);
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        let page = digest_over(client, &request()).await.unwrap();
        assert_eq!(page.body, b"ok");
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up() {
        let (client, _server) = duplex(1024);
        let error = digest_over(client, &request()).await.unwrap_err();
        assert_eq!(error.to_string(), "127.0.0.1:80: reading the answer took longer than 50ms");
    }

    #[tokio::test]
    async fn a_dripping_server_is_given_up_after_the_total_time() {
        let (client, mut server) = duplex(1024);
        let mut request = request();
        request.limits.idle = Duration::from_secs(5);
        request.limits.total = Duration::from_millis(200);
        let drip = async {
            server.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
            loop {
                server.write_all(b"y").await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = drip => unreachable!("it drips without end"),
            result = digest_over(client, &request) => {
                assert!(matches!(result, Err(Error::TimedOut { limit, .. }) if limit == request.limits.total));
            }
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_cut_off() {
        let (client, mut server) = duplex(1 << 20);
        let mut request = request();
        request.limits.body = 100;
        server.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        server.write_all(&[b'x'; 1000]).await.unwrap();
        let error = digest_over(client, &request).await.unwrap_err();
        assert_eq!(error.to_string(), "127.0.0.1:80: the body is longer than 100 bytes");
    }

    #[tokio::test]
    async fn a_path_that_would_add_a_header_is_refused() {
        let (client, _server) = duplex(1024);
        let mut request = request();
        request.path = "/\r\nX-Evil: 1".to_owned();
        assert!(matches!(digest_over(client, &request).await, Err(Error::Request('\r'))));
    }
}
