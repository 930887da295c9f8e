use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::connection::Connection;

/// How often the streams that are bodies are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The streams of one connection that are bodies of its responses. The HTTP server does not ask a body
/// for more while its client reads nothing, so such a stream cannot end itself.
#[derive(Clone, Default)]
pub(super) struct Bodies(Arc<Mutex<Vec<Body>>>);

struct Body {
    stream: Weak<Connection>,
    stall: Duration,
}

impl Bodies {
    pub(super) fn add(&self, stream: &Arc<Connection>, stall: Duration) {
        let stream = Arc::downgrade(stream);
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.push(Body { stream, stall });
    }

    /// Forgets those that are gone. Whether one has not been read for too long, or `None` when there
    /// are none.
    fn look(&self, now: Instant) -> Option<bool> {
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.retain(|body| body.stream.strong_count() > 0);
        let overdue = |body: &Body| {
            let stream = body.stream.upgrade();
            stream.is_some_and(|stream| stream.is_overdue(now, body.stall))
        };
        (!bodies.is_empty()).then(|| bodies.iter().any(overdue))
    }
}

/// Finds out when a connection has to be given up because of its bodies.
pub(super) struct Patience {
    bodies: Bodies,
    next: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(bodies: Bodies) -> Self {
        Self { bodies, next: None }
    }

    pub(super) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let next = match &mut self.next {
                Some(next) => next,
                None if self.bodies.look(Instant::now()).is_none() => return Poll::Pending,
                None => self.next.insert(Box::pin(sleep(LOOK))),
            };
            ready!(next.as_mut().poll(cx));
            let now = Instant::now();
            match self.bodies.look(now) {
                Some(true) => return Poll::Ready(()),
                Some(false) => next.as_mut().reset(now + LOOK),
                None => self.next = None,
            }
        }
    }
}
