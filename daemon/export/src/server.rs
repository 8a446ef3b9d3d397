//! The server: accepts connections within limits and speaks HTTP/1 on each.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use keepwatch_bus::Reader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::guard::Guarded;
use crate::routes;

/// What one listener allows its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// Live streams of events at a time, of those connections; further ones are answered 503.
    pub streams: usize,
    /// For a whole request head, also for the next one on a kept connection.
    pub header: Duration,
    /// For the client to take anything of an answer.
    pub send: Duration,
    /// Largest request head, in bytes.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            streams: 16,
            header: Duration::from_secs(10),
            send: Duration::from_secs(10),
            header_bytes: 16 << 10,
        }
    }
}

/// Answers requests on `listener` (already listening, non-blocking) from what `reader` sees. Runs until it is dropped,
/// which closes every connection.
pub async fn serve(listener: TcpListener, reader: Reader, limits: Limits) {
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let router = routes::router(reader, limits.streams);
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(converse(stream, router.clone(), limits.clone(), place));
            }
            // Out of descriptors or a connection that died in the backlog: the next try may do better, not at once.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One connection, to its end. How it ended matters to nobody.
async fn converse(stream: TcpStream, router: Router, limits: Limits, _place: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Guarded::new(stream, limits.send));
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(limits.header_bytes.max(8 << 10))
        .serve_connection(io, TowerToHyperService::new(router))
        .await;
}
