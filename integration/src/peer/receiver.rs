//! An HTTP server in the test's own process that remembers what is posted to it, and answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use tokio::runtime::Runtime;

use crate::{Host, capture};

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// With this status and no body.
    Status(u16),
    /// Not at all.
    Silence,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// When it had come, since the epoch.
    pub at: Duration,
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// What it was answered.
    pub reply: Reply,
}

impl Received {
    /// A header, if it has it and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Clone)]
struct Shared {
    received: Arc<Mutex<Vec<Received>>>,
    reply: Arc<Mutex<Reply>>,
}

/// A running receiver; the port is closed when it is dropped.
pub struct Receiver {
    shared: Shared,
    runtime: Option<Runtime>,
}

impl Receiver {
    /// Listens at this address of `host`, and answers 200.
    pub fn start(host: &Host, at: SocketAddr) -> Result<Self> {
        let listener = host.listen(at)?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let shared = Shared { received: Arc::default(), reply: Arc::new(Mutex::new(Reply::Status(200))) };
        let routes = Router::new().fallback(take).with_state(shared.clone());
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).context("the receiver's listener")?
        };
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { shared, runtime: Some(runtime) })
    }

    /// Answers so from now on.
    pub fn reply(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }

    /// All that came until now.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What of it was answered with 2xx.
    pub fn taken(&self) -> Vec<Received> {
        let taken = |received: &Received| matches!(received.reply, Reply::Status(200..=299));
        self.received().into_iter().filter(taken).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(100));
        }
    }
}

async fn take(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let reply = *shared.reply.lock().unwrap_or_else(PoisonError::into_inner);
    let (at, path, body) = (capture::now(), uri.path().to_owned(), body.to_vec());
    let received = Received { at, path, headers, body, reply };
    shared.received.lock().unwrap_or_else(PoisonError::into_inner).push(received);
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        Reply::Silence => std::future::pending().await,
    }
}
