//! A small HTTP client for tests: one GET from a host of the lab, or from here.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::Host;

/// A response: status code and body.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines, as they came.
    pub head: String,
    /// The body as text.
    pub body: String,
}

/// Gets `path` from `server`, seen from `host`.
pub fn get(host: &Host, server: SocketAddr, path: &str, limit: Duration) -> Result<Response> {
    get_over(host.connect(server, limit)?, path, limit)
}

/// Gets `path` over a connection that is open.
pub fn get_over(mut stream: TcpStream, path: &str, limit: Duration) -> Result<Response> {
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .context("send the request")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("read the response")?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(text: &str) -> Result<Response> {
    let (head, body) = text.split_once("\r\n\r\n").context("the response has no end of headers")?;
    let status =
        head.split_whitespace().nth(1).and_then(|code| code.parse().ok()).context("no status code")?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { join_chunks(body) } else { body.to_owned() };
    Ok(Response { status, head: head.to_owned(), body })
}

/// The body without the chunk sizes (RFC 9112 7.1).
fn join_chunks(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        let Some(chunk) = rest.get(..size).filter(|_| size > 0) else { break };
        body.push_str(chunk);
        text = rest.get(size..).map_or("", |rest| rest.trim_start_matches("\r\n"));
    }
    body
}
