//! Answers requests with event streams: the response, its body, and the refusal.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Extensions, HeaderName, HeaderValue, Response};
use http_body::{Body, Frame};

use super::handoff::Handoff;
use super::timeouts::GivenUp;
use crate::mailbox::Waiting;
use crate::{Ended, Subscription, refusal_body};

/// The body of a response that is an event stream.
///
/// Under [`serve`](super::serve) it hands the stream to the client's socket as soon as the server begins to
/// read it. Elsewhere, and in HTTP/2, it yields the stream's bytes.
pub struct EventBody<K: Eq + Hash + Clone> {
    state: State<K>,
    given_up: Option<GivenUp>,
}

enum State<K: Eq + Hash + Clone> {
    New(Option<Subscription<K>>, Option<Handoff>),
    Streaming(Subscription<K>),
    OnSocket,
}

impl<K: Eq + Hash + Clone> Subscription<K> {
    /// Turns the stream into the answer to the request that had these extensions. Its headers make it an
    /// event stream and tell proxies not to buffer it.
    pub fn into_response(self, request: &Extensions) -> Response<EventBody<K>> {
        let handoff = request.get::<Handoff>().cloned();
        if let Some(handoff) = &handoff {
            handoff.want();
        }
        event_stream(EventBody {
            state: State::New(Some(self), handoff),
            given_up: request.get().cloned(),
        })
    }
}

/// The answer to a client that gets no stream now: an event stream that ends at once.
///
/// It holds a `retry:` with a random time of the range. Its status is 200, because any other would end a
/// browser's `EventSource` for good.
pub fn refusal(retry: Range<Duration>) -> Response<Bytes> {
    event_stream(refusal_body(retry))
}

fn event_stream<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-store, no-transform"),
    );
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

impl<K: Eq + Hash + Clone + Send + Unpin + 'static> Body for EventBody<K> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let state = &mut self.get_mut().state;
        if let State::New(stream, handoff) = state {
            let stream = match (stream.take(), handoff.take()) {
                (Some(stream), Some(handoff)) => handoff.take(stream),
                (stream, _) => stream,
            };
            *state = stream.map_or(State::OnSocket, State::Streaming);
        }
        match state {
            State::Streaming(stream) => Pin::new(stream)
                .poll_next(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            State::New(..) | State::OnSocket => Poll::Pending,
        }
    }
}

impl<K: Eq + Hash + Clone> Drop for EventBody<K> {
    fn drop(&mut self) {
        if let State::New(Some(stream), _) | State::Streaming(stream) = &self.state
            && self.given_up.as_ref().is_some_and(GivenUp::is_so)
        {
            stream.end(Ended::Stalled, None, Waiting::Discarded);
        }
    }
}

impl<K: Eq + Hash + Clone> fmt::Debug for EventBody<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBody").finish_non_exhaustive()
    }
}
