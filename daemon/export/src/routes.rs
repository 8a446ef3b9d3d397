//! Which path gives what, and that nothing but reading is allowed.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use keepwatch_bus::Reader;
use tokio::sync::Semaphore;

use crate::fresh::Fresh;
use crate::host_names::HostNames;
use crate::scrape::Scrapes;
use crate::server::Connection;
use crate::{api, page, probes, scrape};

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) reader: Reader,
    pub(crate) scrapes: Arc<Scrapes>,
    page: Arc<Fresh>,
    pub(crate) world: Arc<Fresh>,
    /// Places for live streams.
    pub(crate) streams: Arc<Semaphore>,
}

/// All paths.
pub(crate) fn router(reader: Reader, streams: usize) -> Router {
    let names = Arc::new(HostNames::of_this_host());
    // Scrapers and probes may ask by whatever name they have been given; these are for people and their browsers.
    let by_our_name = Router::new()
        .route("/", get(status_page))
        .route("/api/v1/world", get(api::world))
        .route("/api/v1/events", get(api::events))
        .layer(middleware::from_fn_with_state(names, asked_by_our_name));
    Router::new()
        .merge(by_our_name)
        .route("/metrics", get(scrape::answer))
        .route("/-/healthy", get(probes::healthy))
        .route("/-/ready", get(probes::ready))
        .fallback(async || (StatusCode::NOT_FOUND, "there is nothing here: see /\n"))
        .layer(middleware::from_fn(read_only))
        .with_state(Shared {
            reader,
            scrapes: Arc::default(),
            page: Arc::default(),
            world: Arc::default(),
            streams: Arc::new(Semaphore::new(streams)),
        })
}

/// Refuses what is asked for by a name that is not ours: see [`HostNames`].
async fn asked_by_our_name(
    State(names): State<Arc<HostNames>>,
    Extension(connection): Extension<Connection>,
    request: Request<Body>,
    next: Next,
) -> Response {
    // Before HTTP/1.1 there need not be any; browsers always send one.
    let mut hosts =
        request.headers().get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
    if hosts.all(|host| names.are_meant_by(host, connection.here)) {
        return next.run(request).await;
    }
    let text = "this is asked for by a name that is not this host's: use its host name, or an address\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Refuses everything but GET and HEAD, and says to browsers that nothing is loaded from elsewhere.
async fn read_only(request: Request<Body>, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "read-only: GET or HEAD\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    response
}

async fn status_page(State(shared): State<Shared>) -> Html<Bytes> {
    let page = || Some(page::render(&shared.reader, jiff::Timestamp::now()).into());
    Html(shared.page.get(page).await.unwrap_or_default())
}
