//! The server: accepts connections within limits and speaks HTTP/1 on each.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Router, middleware};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use keepwatch_bus::Reader;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::board::Live;
use crate::guard::Guarded;
use crate::metrics::{Exposition, Format};
use crate::places::{Place, Places};
use crate::routes;
use crate::scrape::Scrapes;
use crate::web::{Web, authenticated};

/// What one listener allows its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; a further one gets the place of the one that has been idle for longest.
    pub connections: usize,
    /// Live streams of events at a time, of those connections; further ones are answered 503.
    pub streams: usize,
    /// Open pages at a time that are told what changes, likewise.
    pub pages: usize,
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
            connections: 128,
            streams: 16,
            pages: 64,
            header: Duration::from_secs(10),
            send: Duration::from_secs(10),
            header_bytes: 16 << 10,
        }
    }
}

/// Answers requests on `listener` (already listening, non-blocking) from what `reader` sees. Runs until it is dropped,
/// which closes every connection.
pub async fn serve(listener: TcpListener, reader: Reader, limits: Limits) {
    serve_behind(listener, reader, limits, None).await;
}

/// The same with TLS and for known users only, as far as `web` says so.
pub async fn serve_behind(listener: TcpListener, reader: Reader, limits: Limits, web: Option<Arc<Web>>) {
    let live = Live::new(reader.clone());
    let mut router = routes::router(reader, live.clone(), &limits);
    if let Some(web) = &web {
        router = router.layer(middleware::from_fn_with_state(web.clone(), authenticated));
    }
    let mut connections = JoinSet::new();
    connections.spawn(live.run());
    accept(listener, router, limits, web, connections).await;
}

/// Answers `/metrics` on `listener`, and nothing else, with what `exposition` writes in a format: on a thread where it may
/// take its time, and at most ten times a second. Runs until it is dropped.
pub async fn serve_metrics(
    listener: TcpListener,
    limits: Limits,
    exposition: Arc<dyn Fn(Format) -> Exposition + Send + Sync>,
) {
    let scrapes = Arc::new(Scrapes::default());
    let answer = async move |headers: HeaderMap| {
        let exposition = exposition.clone();
        scrapes.respond(&headers, move |format| exposition(format)).await
    };
    let router = Router::new().route("/metrics", get(answer));
    accept(listener, router, limits, None, JoinSet::new()).await;
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    web: Option<Arc<Web>>,
    mut connections: JoinSet<()>,
) {
    let places = Places::new(limits.connections);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (router, limits, web) = (router.clone(), limits.clone(), web.clone());
                places.admit(&mut connections, |place| converse(stream, router, limits, web, place));
            }
            // Out of descriptors or a connection that died in the backlog: the next try may do better, not at once.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One connection, to its end. How it ended matters to nobody.
async fn converse(stream: TcpStream, router: Router, limits: Limits, web: Option<Arc<Web>>, place: Place) {
    let Ok(here) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    let guarded = Guarded::new(stream, limits.send, place.clone());
    let connection = Connection { place, here: here.ip() };
    let service = OnConnection { connection, router: TowerToHyperService::new(router) };
    match web.and_then(|web| web.current().tls) {
        None => speak(guarded, service, &limits).await,
        Some(tls) => {
            if let Ok(Ok(secured)) = timeout(limits.header, tls.accept(guarded)).await {
                speak(secured, service, &limits).await;
            }
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: OnConnection,
    limits: &Limits,
) {
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(limits.header_bytes.max(8 << 10))
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What a handler may want to know of the connection that its request came over.
#[derive(Clone)]
pub(crate) struct Connection {
    /// The client's place.
    pub(crate) place: Place,
    /// Our address.
    pub(crate) here: IpAddr,
}

/// Gives each request its [`Connection`].
struct OnConnection {
    connection: Connection,
    router: TowerToHyperService<Router>,
}

impl Service<Request<Incoming>> for OnConnection {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.connection.clone());
        self.router.call(request)
    }
}
