use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use crate::mailbox::{Item, Limits, Mailbox, Origin, Push, Waiting};
use crate::{Ended, Frame};

/// What the hub and one stream share. Wakers are handed to the caller instead of being woken here:
/// waking runs foreign code, which must not happen under a lock.
pub(crate) struct Connection {
    state: Mutex<State>,
}

struct State {
    mailbox: Mailbox,
    reader: Option<Waker>,
}

impl Connection {
    pub(crate) fn new(retry: Frame) -> Self {
        let mut mailbox = Mailbox::new(Instant::now());
        mailbox.handshake(retry);
        Self {
            state: Mutex::new(State {
                mailbox,
                reader: None,
            }),
        }
    }

    pub(crate) fn push(
        &self,
        origin: Origin,
        frame: &Frame,
        limits: &Limits,
        now: Instant,
    ) -> (Push, Option<Waker>) {
        let mut state = self.lock();
        let push = state.mailbox.push(origin, frame, limits, now);
        let waker = match push {
            Push::Queued | Push::Ended(_) => state.reader.take(),
            Push::Seen | Push::Closed => None,
        };
        (push, waker)
    }

    /// Wakes the reader itself: to be called without holding a lock. False when the stream had been
    /// ended before.
    pub(crate) fn end(&self, reason: Ended, last: Option<Frame>, waiting: Waiting) -> bool {
        let (first, waker) = {
            let mut state = self.lock();
            (
                state.mailbox.end(reason, last, waiting),
                state.reader.take(),
            )
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        first
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.lock().mailbox.ended()
    }

    pub(crate) fn with_mailbox<R>(&self, change: impl FnOnce(&mut Mailbox) -> R) -> R {
        change(&mut self.lock().mailbox)
    }

    pub(crate) fn poll_next(&self, cx: &Context<'_>, now: Instant) -> Poll<Option<Item>> {
        let mut state = self.lock();
        if let Some(item) = state.mailbox.pop(now) {
            return Poll::Ready(Some(item));
        }
        if state.mailbox.ended().is_some() {
            return Poll::Ready(None);
        }
        let replaced = match &state.reader {
            Some(reader) if reader.will_wake(cx.waker()) => None,
            _ => state.reader.replace(cx.waker().clone()),
        };
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
