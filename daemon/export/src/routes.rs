//! Which path gives what, and that nothing but reading is allowed.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Request, State};
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use keepwatch_bus::{EventId, Reader};
use tokio::sync::Semaphore;

use crate::board::Live;
use crate::fresh::{Fresh, FreshOf, Turns};
use crate::host_names::HostNames;
use crate::page::View;
use crate::scrape::Scrapes;
use crate::server::{Connection, Limits};
use crate::{accept, api, live, page, probes, scrape};

/// What a browser may do with what we send: our own style, script and stream, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) reader: Reader,
    pub(crate) scrapes: Arc<Scrapes>,
    /// By what is to be seen, and whether it is packed.
    page: Arc<FreshOf<(View, bool)>>,
    /// Of which there may be any number at a time, for each is another: pages and events.
    pub(crate) turns: Turns,
    /// What pages that are open are told.
    pub(crate) live: Arc<Live>,
    pub(crate) world: Arc<Fresh>,
    /// Places for live streams.
    pub(crate) streams: Arc<Semaphore>,
    /// Places for pages that are open.
    pub(crate) pages: Arc<Semaphore>,
}

/// All paths.
pub(crate) fn router(reader: Reader, live: Arc<Live>, limits: &Limits) -> Router {
    let names = Arc::new(HostNames::of_this_host());
    // Scrapers and probes may ask by whatever name they have been given; these are for people and their browsers.
    let by_our_name = Router::new()
        .route("/", get(status_page))
        .route("/event/{id}", get(event_page))
        .route("/live", get(live::words))
        .route("/page.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE)))
        .route(
            "/page.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], page::SCRIPT)),
        )
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
            turns: Turns::default(),
            world: Arc::default(),
            live,
            streams: Arc::new(Semaphore::new(limits.streams)),
            pages: Arc::new(Semaphore::new(limits.pages)),
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
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

async fn status_page(
    State(shared): State<Shared>,
    headers: HeaderMap,
    view: Result<Query<View>, QueryRejection>,
) -> Response {
    let view = match view {
        Ok(Query(view)) => view.tidied(),
        Err(rejection) => return api::refused(&rejection),
    };
    let gzip = accept::accepts_gzip(&headers);
    let (live, of) = (shared.live.clone(), view.clone());
    let made = move || accept::packed(live.scene(&of, page::render), gzip);
    let Some(page) = shared.page.get(&(view, gzip), &shared.turns, made).await else { return not_made() };
    let mut response = Html(page).into_response();
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// An event, what led to it and what followed.
async fn event_page(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let Some(id) = id.parse().ok().map(EventId) else {
        return (StatusCode::BAD_REQUEST, "an event has a number: /event/23\n").into_response();
    };
    let live = shared.live.clone();
    let made = move || live.scene(&View::default(), |scene| page::event_page(scene, id));
    match shared.turns.run(made).await {
        Some(Some(page)) => Html(page).into_response(),
        None => not_made(),
        Some(None) => {
            let text = format!("event {id} is not held any more, or has not happened yet: see /\n");
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

fn not_made() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "the page can not be made\n").into_response()
}
