//! A tiny web server inside the test's own process: says who it is, and can be stopped like a dead machine's.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Result;
use nix::sys::socket::{Shutdown, shutdown};
use std::os::fd::AsRawFd;

use crate::Host;

/// How long it waits for a request or for the client to read.
const PATIENCE: Duration = Duration::from_secs(2);

/// A running web server; the port is closed when it is dropped.
pub struct WebServer {
    listener: Arc<TcpListener>,
    ending: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Answers every request at this address of `host` with `page`.
    pub fn start(host: &Host, at: SocketAddr, page: &str) -> Result<Self> {
        let listener = Arc::new(host.listen(at)?);
        let ending = Arc::new(AtomicBool::new(false));
        let (accepting, end, page) = (Arc::clone(&listener), Arc::clone(&ending), Arc::<str>::from(page));
        let acceptor = thread::Builder::new().name("web".into()).spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                let page = Arc::clone(&page);
                // A client that says nothing must not hold up the others.
                drop(thread::Builder::new().spawn(move || answer(stream, &page)));
            }
        })?;
        Ok(Self { listener, ending, acceptor: Some(acceptor) })
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

impl Drop for WebServer {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // Wakes the acceptor: accept() fails on a listener that was shut down.
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}
