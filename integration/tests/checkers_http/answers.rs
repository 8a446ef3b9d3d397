//! What servers say, right and wrong, with the means of plain sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::Duration;

/// How long a server of a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes the request; none if the client goes first.
pub(crate) fn request(stream: &mut (impl Read + ?Sized)) -> Option<String> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut part).ok().filter(|&length| length > 0)?;
        request.extend_from_slice(part.get(..length)?);
    }
    Some(String::from_utf8_lossy(&request).into_owned())
}

fn ask(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    request(stream)
}

/// Answers with these bytes and ends the connection in an orderly way.
fn say(mut stream: TcpStream, answer: &[u8]) {
    if ask(&mut stream).is_some() {
        let _ = stream.write_all(answer);
    }
}

/// Closes with a reset.
pub(crate) fn reset(stream: TcpStream) {
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// Waits until the client has gone.
pub(crate) fn linger(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(PATIENCE * 4));
    let mut part = [0; 256];
    while stream.read(&mut part).is_ok_and(|length| length > 0) {}
}

pub(crate) const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: test\r\n\r\nhello world";

pub(crate) fn good(stream: TcpStream) {
    say(stream, PAGE);
}

pub(crate) fn status_503(stream: TcpStream) {
    say(stream, b"HTTP/1.1 503 Service Unavailable\r\n\r\nhello world");
}

/// Sends its client to a page that would do; nobody follows.
pub(crate) fn elsewhere(stream: TcpStream) {
    say(stream, b"HTTP/1.1 302 Found\r\nLocation: /page\r\nContent-Length: 0\r\n\r\n");
}

/// An interim answer, and a good one behind it: the first status counts, as for keepalived.
pub(crate) fn interim(stream: TcpStream) {
    say(stream, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello world");
}

pub(crate) fn other_body(stream: TcpStream) {
    say(stream, b"HTTP/1.1 200 OK\r\n\r\nhello there");
}

pub(crate) fn garbage(stream: TcpStream) {
    say(stream, b"\x00\x01SSH-2.0-OpenSSH_9.2\r\n\r\n");
}

pub(crate) fn half_closed(mut stream: TcpStream) {
    ask(&mut stream);
    let _ = stream.shutdown(Shutdown::Write);
    linger(stream);
}

pub(crate) fn cut_header(stream: TcpStream) {
    say(stream, b"HTTP/1.1 200 OK\r\nServer: te");
}

pub(crate) fn silent(stream: TcpStream) {
    linger(stream);
}

pub(crate) fn endless(mut stream: TcpStream) {
    if ask(&mut stream).is_some() && stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok() {
        while stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    }
}

pub(crate) fn endless_header(mut stream: TcpStream) {
    if ask(&mut stream).is_some() && stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").is_ok() {
        while stream.write_all(&[b'x'; 4 << 10]).is_ok() {}
    }
}

pub(crate) fn dripping(mut stream: TcpStream) {
    if ask(&mut stream).is_some() && stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok() {
        while stream.write_all(b"x").is_ok() {
            sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn reset_at_once(mut stream: TcpStream) {
    ask(&mut stream);
    reset(stream);
}

/// A whole page, and the connection stays open.
pub(crate) fn length_and_open(mut stream: TcpStream) {
    if ask(&mut stream).is_some() {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world");
        linger(stream);
    }
}

/// The same, in chunks. The digest of `hello world` in one chunk is that of the chunk with its framing.
pub(crate) fn chunks_and_open(mut stream: TcpStream) {
    if ask(&mut stream).is_some() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = stream.write_all(head);
        for byte in b"b\r\nhello world\r\n0\r\n\r\n" {
            let _ = stream.write_all(&[*byte]);
        }
        linger(stream);
    }
}

/// A page whose connection ends with a reset.
pub(crate) fn page_and_reset(mut stream: TcpStream) {
    if ask(&mut stream).is_some() {
        let _ = stream.write_all(PAGE);
        // So that the page is read before the reset, which throws away what is not.
        sleep(Duration::from_millis(200));
        reset(stream);
    }
}

/// Status line without a reason, header lines that end with a line feed only, in pieces.
pub(crate) fn sloppy(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    if ask(&mut stream).is_some() {
        for part in [&b"HTTP/1.0 2"[..], b"00\nX: y\n", b"\nhello", b" world"] {
            let _ = stream.write_all(part);
            sleep(Duration::from_millis(10));
        }
    }
}

/// A page of which less comes than was announced; keepalived takes what there is too, and logs it.
pub(crate) fn cut_body(stream: TcpStream) {
    say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello world");
}

/// More comes than was announced, under a name in small letters.
pub(crate) fn more_than_announced(stream: TcpStream) {
    say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world and more");
}

/// Takes longer than `connect_timeout` in all, but never that long for one part.
pub(crate) fn in_time_by_parts(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    if ask(&mut stream).is_some() && stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok() {
        for part in [&b"he"[..], b"ll", b"o ", b"wo", b"rl", b"d"] {
            sleep(Duration::from_millis(600));
            if stream.write_all(part).is_err() {
                return;
            }
        }
    }
}
