//! Ends connections whose client takes nothing or asks nothing for too long.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::ServeOptions;
use super::in_flight::InFlight;

/// Since when a socket has taken nothing of what is to be written to it.
#[derive(Clone, Default)]
pub(super) struct Blocked(Arc<Mutex<Option<Instant>>>);

impl Blocked {
    pub(super) fn begins(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Instant::now);
    }

    pub(super) fn ends(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An extension of requests: whether their connection was ended because its client took nothing.
#[derive(Clone, Default)]
pub(super) struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    pub(super) fn set(&self) {
        self.0.store(true, Relaxed);
    }

    pub(super) fn is_so(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// How long a connection waits for a client that does not read, or has nothing to ask.
pub(super) struct Timeouts {
    blocked: Blocked,
    stall: Duration,
    idle: Duration,
    /// Of HTTP/2; HTTP/1.1 has an idle limit of its own.
    in_flight: Option<InFlight>,
    end_by: Option<Instant>,
    next: Option<Pin<Box<Sleep>>>,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing was asked for too long.
    Idle,
    /// The client takes nothing.
    Lost,
}

impl Timeouts {
    pub(super) fn new(
        options: &ServeOptions,
        blocked: Blocked,
        in_flight: Option<InFlight>,
    ) -> Self {
        Self {
            blocked,
            stall: options.stall,
            idle: options.idle,
            in_flight,
            end_by: None,
            next: None,
        }
    }

    /// Poll it after the connection, in the same task: it is the connection that notices a block.
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        loop {
            let now = Instant::now();
            let Some((at, verdict)) = self.next_check(now) else {
                self.next = None;
                return Poll::Pending;
            };
            if at <= now {
                return Poll::Ready(verdict);
            }
            let next = self.next.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if next.deadline() > at {
                next.as_mut().reset(at);
            }
            ready!(next.as_mut().poll(cx));
            self.next = None;
        }
    }

    /// When to check next, and the verdict if nothing has changed by then.
    fn next_check(&self, now: Instant) -> Option<(Instant, Verdict)> {
        if let Some(at) = self.end_by {
            return Some((at, Verdict::Lost));
        }
        let blocked = self.blocked.since();
        let Some(in_flight) = &self.in_flight else {
            return Some((blocked? + self.stall, Verdict::Lost));
        };
        let blocked = blocked.into_iter().chain(in_flight.blocked_since()).min();
        if let Some(since) = blocked {
            return Some((since + self.stall, Verdict::Lost));
        }
        if let Some(since) = in_flight.idle_since() {
            return Some((since + self.idle, Verdict::Idle));
        }
        // Answers go on in tasks of their own, which wake nobody here.
        Some((now + self.stall.min(self.idle), Verdict::Lost))
    }

    /// A graceful shutdown has begun because nothing was asked. Only what its client does not take can delay the end.
    pub(super) fn is_shutting_down(&mut self) {
        self.end_by = Some(Instant::now() + self.stall);
    }
}
