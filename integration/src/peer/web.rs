//! A tiny web server inside the test's own process: says who it is, and can be stopped like a dead machine's.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Result;

use crate::{Host, background::Acceptor};

/// How long it waits for a request or for the client to read.
const PATIENCE: Duration = Duration::from_secs(2);

/// A running web server; the port is closed when it is dropped.
pub struct WebServer {
    _acceptor: Acceptor,
}

impl WebServer {
    /// Starts one for a real server of [`conf::TWO_SERVERS`](crate::conf::TWO_SERVERS), or its sorry server: of the address
    /// 127.0.0.`n`.
    pub fn of_two(host: &Host, n: u8) -> Result<Self> {
        Self::start(host, ([127, 0, 0, n], 8080).into(), "hello")
    }

    /// Answers every request at this address of `host` with `page`.
    pub fn start(host: &Host, at: SocketAddr, page: &str) -> Result<Self> {
        let page = Arc::<str>::from(page);
        let acceptor = Acceptor::start(host, at, "web", move |stream| {
            let page = Arc::clone(&page);
            // A client that says nothing must not hold up the others.
            drop(thread::Builder::new().spawn(move || answer(stream, &page)));
        })?;
        Ok(Self { _acceptor: acceptor })
    }
}

fn answer(mut stream: TcpStream, page: &str) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && request.len() < 16_384 {
        let length = stream.read(&mut part).ok().filter(|&length| length > 0)?;
        request.extend_from_slice(part.get(..length)?);
    }
    let length = page.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}").ok()
}
