//! The JSON interface: the world, the last events, and events as they happen.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use keepwatch_bus::{Event, Fact, Watcher};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use crate::places::Streaming;
use crate::routes::Shared;
use crate::server::Connection;

/// Events in an answer, unless asked for otherwise; all that are held after a given number.
const DEFAULT_LIMIT: usize = 100;
/// Most events in an answer that is no stream.
const MAX_LIMIT: usize = 1000;

/// `/api/v1/world`.
pub(crate) async fn world(State(shared): State<Shared>) -> Response {
    let reader = shared.reader.clone();
    let made = move || serde_json::to_vec(&*reader.world()).ok().map(Bytes::from);
    match shared.world.get(made).await {
        Some(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "the world can not be written\n").into_response(),
    }
}

/// What is wrong with what stands behind the `?`, in the words of the innermost cause: the others name only libraries.
pub(crate) fn refused(rejection: &QueryRejection) -> Response {
    let mut cause: &dyn std::error::Error = rejection;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    (StatusCode::BAD_REQUEST, format!("{cause}\n")).into_response()
}

/// Which events are asked for. What is not known is refused: it would be taken for something that narrows the answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// At most so many, the newest.
    limit: Option<usize>,
    /// Only events with a greater number.
    after: Option<u64>,
    /// Only facts of this kind.
    kind: Option<String>,
}

impl Wanted {
    /// A stream that was cut off goes on where it ended: browsers send the last number that they saw.
    fn resumed(mut self, headers: &HeaderMap) -> Self {
        if let Some(last) = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()) {
            self.after = Some(last);
        }
        self
    }
}

/// An event with the line of the log that it gives.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl<'a> Told<'a> {
    fn new(event: &'a Event) -> Self {
        Self { event, text: event.line().map(|line| line.text) }
    }
}

/// `/api/v1/events`: the last ones oldest first, or a live stream where `text/event-stream` is accepted.
pub(crate) async fn events(
    State(shared): State<Shared>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(rejection) => return refused(&rejection),
    };
    if let Some(unknown) = wanted.kind.as_deref().filter(|kind| Fact::kinds().all(|known| known != *kind)) {
        return (StatusCode::BAD_REQUEST, format!("there are no events of the kind {unknown:?}\n"))
            .into_response();
    }
    let wanted = wanted.resumed(&headers);
    if !asks_for_stream(&headers) {
        let turns = shared.turns.clone();
        let made = move || {
            let found = last(&shared, &wanted, MAX_LIMIT);
            serde_json::to_vec(&found.iter().map(|event| Told::new(event)).collect::<Vec<_>>())
        };
        return match turns.run(made).await {
            Some(Ok(json)) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
            Some(Err(_)) | None => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the events can not be written\n").into_response()
            }
        };
    }
    match Arc::clone(&shared.streams).try_acquire_owned() {
        Ok(place) => {
            // Watching begins before the history is read, so that nothing falls in between.
            let watcher = shared.reader.watch("http");
            let past = match wanted.after {
                Some(_) => last(&shared, &wanted, usize::MAX),
                None => Vec::new(),
            };
            let place = (place, connection.place.stream());
            Sse::new(live(past, watcher, wanted.kind, place)).keep_alive(KeepAlive::default()).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "too many live streams\n").into_response(),
    }
}

fn asks_for_stream(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/event-stream"))
}

fn last(shared: &Shared, wanted: &Wanted, most: usize) -> Vec<Arc<Event>> {
    let history = shared.reader.history();
    let mut found: Vec<_> = history
        .iter()
        .rev()
        .filter(|event| wanted.after.is_none_or(|after| event.id.0 > after))
        .filter(|event| wanted.kind.as_deref().is_none_or(|kind| event.fact.kind() == kind))
        .take(wanted.limit.unwrap_or(if wanted.after.is_some() { most } else { DEFAULT_LIMIT }).min(most))
        .cloned()
        .collect();
    found.reverse();
    found
}

/// State of one live stream.
struct Live {
    past: std::vec::IntoIter<Arc<Event>>,
    /// Numbers already sent from the history, which the watcher will bring again.
    sent: std::collections::BTreeSet<u64>,
    watcher: Watcher,
    kind: Option<String>,
    /// An event that waits behind the notice of missed ones.
    pending: Option<Arc<Event>>,
    _place: (OwnedSemaphorePermit, Streaming),
}

/// First what is past, then what happens: each event as `id`, `event: KIND` and its JSON as `data`; where the client was
/// too slow, `event: missed` with the number of events left out.
fn live(
    past: Vec<Arc<Event>>,
    watcher: Watcher,
    kind: Option<String>,
    place: (OwnedSemaphorePermit, Streaming),
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let sent = past.iter().map(|event| event.id.0).collect();
    let state = Live { past: past.into_iter(), sent, watcher, kind, pending: None, _place: place };
    stream::unfold(state, async |mut state| {
        if let Some(event) = state.past.next().or_else(|| state.pending.take()) {
            return Some((Ok(record(&event)), state));
        }
        loop {
            let seen = state.watcher.next().await?;
            let wanted = !state.sent.remove(&seen.event.id.0)
                && state.kind.as_deref().is_none_or(|kind| seen.event.fact.kind() == kind);
            if seen.missed > 0 {
                state.pending = wanted.then_some(seen.event);
                let notice = sse::Event::default().event("missed").data(seen.missed.to_string());
                return Some((Ok(notice), state));
            }
            if wanted {
                return Some((Ok(record(&seen.event)), state));
            }
        }
    })
}

fn record(event: &Event) -> sse::Event {
    let base = sse::Event::default().id(event.id.0.to_string()).event(event.fact.kind());
    match serde_json::to_string(&Told::new(event)) {
        // JSON has no line breaks of its own, so it is one data line.
        Ok(json) => base.data(json),
        Err(_) => base.comment("this event can not be shown"),
    }
}
