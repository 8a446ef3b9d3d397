//! The stream of a page that is open: what changed, several times a second at most, as [`Live`](crate::board::Live)
//! says it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::broadcast::error::RecvError;

use crate::routes::Shared;
use crate::server::Connection;

/// What a page is told that was too slow: some words were not sent to it.
const AGAIN: &str = "{\"again\":true}";

/// `/live`: each word as `event: word` with its JSON.
pub(crate) async fn words(
    State(shared): State<Shared>,
    Extension(connection): Extension<Connection>,
) -> Response {
    let Ok(place) = Arc::clone(&shared.pages).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n").into_response();
    };
    let state = (shared.live.look(), (place, connection.place.stream()));
    let words = stream::unfold(state, async |(mut told, places)| {
        let word = match told.recv().await {
            Ok(word) => Event::default().event("word").data(&*word),
            Err(RecvError::Lagged(_)) => Event::default().event("word").data(AGAIN),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok::<_, Infallible>(word), (told, places)))
    });
    Sse::new(words).keep_alive(KeepAlive::default()).into_response()
}
