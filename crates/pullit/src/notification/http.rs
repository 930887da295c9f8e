//! `/api/notifications/subscribe`

use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::{Extensions, HeaderMap, HeaderValue};
use serde::Deserialize;
use sse_hub::server::refusal;
use sse_hub::{Frame, Refusal, Subscription};
use tokio::time::{Instant, timeout};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::feed::{Feed, NotFresh, Progress, frame};
use super::history::{self, Missed};
use crate::platform::http::{ApiError, Caller, Query};

/// A client that finds no place waits this long before it asks again.
const REFUSAL_RETRY: Range<Duration> = Duration::from_secs(60)..Duration::from_secs(180);

/// A client whose history cannot be read now waits this long.
const FAULT_RETRY: Range<Duration> = Duration::from_secs(2)..Duration::from_secs(10);

/// A client that comes to a node that stops waits this long: until then it has stopped, and another one, or the same, answers.
const DRAINING_RETRY: Range<Duration> = Duration::from_secs(5)..Duration::from_secs(15);

/// A stream has this long to begin.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);

/// One for all streams, each of which keeps it until its end.
static EXPIRED: LazyLock<Frame> =
    LazyLock::new(|| Frame::event("tokenExpired", None, "access token expired"));

/// The routes of the room.
pub fn routes(feed: Arc<Feed>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(subscribe))
        .layer(middleware::from_fn(soon))
        .with_state(feed)
}

/// Bounds the time until a stream begins, whatever of the database does not answer.
async fn soon(request: Request, next: Next) -> Response {
    let begun = timeout(OPEN_TIMEOUT, next.run(request)).await;
    begun.unwrap_or_else(|_| {
        tracing::warn!("a stream did not begin in time; its client comes back for it");
        come_back(FAULT_RETRY)
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resume {
    last_event_id: Option<String>,
}

/// The caller's events, as they come. With a last event id: first those that were missed, in order, or `resync` when they are not all kept.
#[utoipa::path(get, path = "/api/notifications/subscribe", tag = "notifications", security(("bearer" = [])),
    params(("Last-Event-ID" = Option<String>, Header), ("lastEventId" = Option<String>, Query)),
    responses((status = 200, content_type = "text/event-stream", body = String,
        description = "`handShakeComplete` or `reconnection`, then `questionSetCreationComplete`, `heartbeat`, `resync`, `tokenExpired`"),
        (status = 401, description = "A_001, A_002"), (status = 403, description = "A_004")))]
async fn subscribe(
    State(feed): State<Arc<Feed>>,
    caller: Result<Caller, ApiError>,
    headers: HeaderMap,
    extensions: Extensions,
    resume: Result<Query<Resume>, ApiError>,
) -> Result<Response, ApiError> {
    // Any status but 200 would end a browser's EventSource for good: what may pass is answered with a later retry.
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) if error.code.status.is_server_error() => {
            tracing::warn!(
                code = error.code.code,
                "it could not be asked whose a stream is; its client comes back for it"
            );
            return Ok(come_back(FAULT_RETRY));
        }
        Err(error) => return Err(error),
    };
    let last = last_event_id(&headers, resume);
    // What is stored by now is history: it comes from the store and does not fill the queue of what is live.
    let progress = match feed.fresh().await {
        Ok(progress) => progress,
        Err(NotFresh::Stopping) => return Ok(come_back(DRAINING_RETRY)),
        Err(NotFresh::Silent) => {
            tracing::warn!(
                member = caller.id(),
                "the notifications could not be looked at in time; the client of a stream comes back for it"
            );
            return Ok(come_back(FAULT_RETRY));
        }
    };
    // Subscribe first, then read the store: what is stored meanwhile is in one of the two or in both, and is sent once.
    let mut stream = match feed.hub.subscribe(caller.id()) {
        Ok(stream) => stream,
        Err(refusal) => {
            tracing::info!(member = caller.id(), %refusal, "an event stream was refused");
            let retry = match refusal {
                Refusal::Draining => DRAINING_RETRY,
                Refusal::Full => REFUSAL_RETRY,
            };
            return Ok(come_back(retry));
        }
    };
    match last {
        None => {
            from_now_on(&feed, &mut stream);
            let text = format!("EventStream Created. userId: {}", caller.id());
            stream.first(Frame::event("handShakeComplete", None, &text));
        }
        Some(last) => {
            stream.first(Frame::event("reconnection", None, "connection established"));
            if let Err(error) = replay(&feed, &mut stream, last.trim(), progress).await {
                tracing::warn!(member = caller.id(), %error, "the history of a stream could not be read; its client comes back for it");
                return Ok(come_back(FAULT_RETRY));
            }
        }
    }
    let left = (caller.0.expires_at - (feed.now)())
        .to_std()
        .unwrap_or_default();
    stream.until(Instant::now() + left, EXPIRED.clone());
    Ok(stream.into_response(&extensions).map(Body::new))
}

/// An empty stream, and when to ask again.
fn come_back(retry: Range<Duration>) -> Response {
    refusal(retry).map(Body::from)
}

/// The client's last event id, whatever it says. A query that cannot be read says something, and none of ours.
fn last_event_id(headers: &HeaderMap, resume: Result<Query<Resume>, ApiError>) -> Option<String> {
    let header = headers.get("last-event-id").map(HeaderValue::as_bytes);
    let last = match (header, resume) {
        (Some(header), _) => Some(String::from_utf8_lossy(header).into_owned()),
        (None, Ok(Query(resume))) => resume.last_event_id,
        (None, Err(_)) => Some("?".to_owned()),
    };
    last.filter(|id| !id.trim().is_empty())
}

/// Sends what the client missed; or tells it to load its state anew, never a part of the history in silence.
async fn replay(
    feed: &Feed,
    stream: &mut Subscription<i64>,
    last: &str,
    progress: Progress,
) -> Result<(), sqlx::Error> {
    // Read after subscribing: what is above comes live.
    let settled = feed.settled();
    match history::missed(feed, *stream.key(), last, progress, settled).await? {
        Some(Missed {
            after,
            notifications,
        }) => {
            stream.resume_after(after);
            stream.replay(notifications.iter().map(|n| (n.id, frame(n))).collect());
        }
        None => {
            // In this order: a client that is cut off in between comes back with what it had, and is told again.
            stream.first(Frame::event("resync", None, "reload"));
            from_now_on(feed, stream);
        }
    }
    Ok(())
}

/// Sends what is stored from now on, and says where that is: a client that is cut off before its first notification misses none.
fn from_now_on(feed: &Feed, stream: &mut Subscription<i64>) {
    let settled = feed.settled();
    stream.first(history::place(settled));
    stream.resume_after(settled);
}
