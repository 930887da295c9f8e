//! Watches the answers of one HTTP/2 connection that have not ended.
//!
//! An HTTP/2 client says how much it takes of each answer. It can take nothing and answer pings for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

#[derive(Clone)]
pub(super) struct InFlight(Arc<Mutex<State>>);

struct State {
    answers: Vec<Arc<Mutex<Stage>>>,
    /// When there were none any more, or the connection began.
    idle_since: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its request is worked on, or it waits for what comes next.
    Ours,
    /// The server has not asked for more since: its client takes nothing.
    WithClient(Instant),
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            answers: Vec::new(),
            idle_since: Instant::now(),
        })))
    }

    /// Since when nothing was asked and nothing answered.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = lock(&self.0);
        state.answers.is_empty().then_some(state.idle_since)
    }

    /// Since when the client has taken nothing of an answer, of all answers the longest.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        let state = lock(&self.0);
        let since = state.answers.iter().map(|stage| match *lock(stage) {
            Stage::Ours => None,
            Stage::WithClient(since) => Some(since),
        });
        since.flatten().min()
    }

    fn begin(&self) -> Answer {
        let stage = Arc::new(Mutex::new(Stage::Ours));
        lock(&self.0).answers.push(stage.clone());
        let in_flight = self.clone();
        Answer { in_flight, stage }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From the request to the end of its answer.
struct Answer {
    in_flight: InFlight,
    stage: Arc<Mutex<Stage>>,
}

impl Answer {
    fn is(&self, stage: Stage) {
        *lock(&self.stage) = stage;
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut state = lock(&self.in_flight.0);
        state
            .answers
            .retain(|stage| !Arc::ptr_eq(stage, &self.stage));
        state.idle_since = Instant::now();
    }
}

/// A service whose answers are watched.
pub(super) struct Watched<S> {
    pub(super) service: S,
    pub(super) in_flight: InFlight,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Watched<S>
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<WatchedBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.in_flight.begin();
        let response = self.service.call(request);
        Box::pin(async move {
            let response = response.await?;
            answer.is(Stage::WithClient(Instant::now()));
            Ok(response.map(|body| WatchedBody {
                body: Box::pin(body),
                answer,
            }))
        })
    }
}

pub(super) struct WatchedBody<B> {
    body: Pin<Box<B>>,
    answer: Answer,
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = self.body.as_mut().poll_frame(cx);
        self.answer.is(match frame {
            Poll::Ready(Some(Ok(_))) => Stage::WithClient(Instant::now()),
            _ => Stage::Ours,
        });
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
