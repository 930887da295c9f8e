//! What the hub and one stream share: the mailbox, the reader and the socket.

use std::io::{ErrorKind, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::mailbox::{Item, Limits, Mailbox, Origin, Push, Waiting};
use crate::{Ended, Frame};

/// Chunks given to the socket in one call.
const GATHERED: usize = 16;

/// Ends the body of a response in HTTP/1.1's chunked coding.
const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");

/// What the hub and one stream share. Wakers are handed to the caller instead of being woken here:
/// waking runs foreign code, which must not happen under a lock.
pub(crate) struct Connection {
    state: Mutex<State>,
}

struct State {
    mailbox: Mailbox,
    reader: Option<Waker>,
    /// Where frames go when nothing waits; without it all of them wait for the reader.
    socket: Option<Arc<TcpStream>>,
    /// The body of the response has its end.
    finished: bool,
}

/// What became of an attempt to write what waits.
pub(crate) enum Flush {
    /// The socket took something.
    Progress,
    /// Nothing waits.
    Idle,
    /// The socket takes nothing now; it last did, or what waits began to wait, at this time.
    Blocked(Instant),
    /// The stream has ended and all of it was written.
    Finished,
    /// The stream was ended because it took nothing for too long.
    Stalled,
    /// The client is not there any more.
    Gone,
}

impl Connection {
    pub(crate) fn new(retry: Frame) -> Self {
        let mut mailbox = Mailbox::new(Instant::now());
        mailbox.handshake(retry);
        Self {
            state: Mutex::new(State {
                mailbox,
                reader: None,
                socket: None,
                finished: false,
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
        if let Some(socket) = state.socket.clone() {
            return state.write(&socket, origin, frame, limits, now);
        }
        let push = state.mailbox.push(origin, frame, limits, now);
        let waker = match push {
            Push::Queued | Push::Ended(_) => state.reader.take(),
            Push::Sent | Push::Seen | Push::Closed => None,
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

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().mailbox.is_closed()
    }

    pub(crate) fn with_mailbox<R>(&self, change: impl FnOnce(&mut Mailbox) -> R) -> R {
        change(&mut self.lock().mailbox)
    }

    pub(crate) fn poll_next(
        &self,
        cx: &Context<'_>,
        now: Instant,
        stall: Duration,
    ) -> Poll<Option<Item>> {
        let mut state = self.lock();
        let mailbox = &state.mailbox;
        if mailbox.is_closed() && now.duration_since(mailbox.progress()) > stall {
            return Poll::Ready(None);
        }
        if let Some(item) = state.mailbox.pop(now) {
            return Poll::Ready(Some(item));
        }
        if state.mailbox.ended().is_some() {
            return Poll::Ready(None);
        }
        let replaced = state.wake_later(cx);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// From now on frames go to this socket.
    pub(crate) fn attach(&self, socket: Arc<TcpStream>) {
        let mut state = self.lock();
        state.mailbox.open(Instant::now());
        state.socket = Some(socket);
    }

    /// Writes what waits, a few chunks at a time, and tells of each frame that the socket now has.
    pub(crate) fn flush(
        &self,
        cx: &Context<'_>,
        now: Instant,
        sent: impl FnMut(Origin, Instant),
    ) -> Flush {
        let mut state = self.lock();
        let (flush, replaced) = state.flush(cx, now, sent);
        drop(state);
        drop(replaced);
        flush
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Straight to the socket when nothing waits; what it leaves is for the reader to write.
    fn write(
        &mut self,
        socket: &TcpStream,
        origin: Origin,
        frame: &Frame,
        limits: &Limits,
        now: Instant,
    ) -> (Push, Option<Waker>) {
        match self.mailbox.straight(origin) {
            Ok(()) => {}
            Err(Some(push)) => return (push, None),
            // The reader is at it already: it waits for the socket, not for us.
            Err(None) => return (self.mailbox.push(origin, frame, limits, now), None),
        }
        let chunk = frame.chunk();
        match socket.try_write(chunk) {
            Ok(taken) => {
                self.mailbox.begin(origin, chunk.slice(taken..), now);
                if taken == chunk.len() {
                    (Push::Sent, None)
                } else {
                    (Push::Queued, self.reader.take())
                }
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                let push = self.mailbox.push(origin, frame, limits, now);
                (push, self.reader.take())
            }
            Err(_) => {
                self.mailbox.leave();
                (Push::Closed, self.reader.take())
            }
        }
    }

    fn flush(
        &mut self,
        cx: &Context<'_>,
        now: Instant,
        sent: impl FnMut(Origin, Instant),
    ) -> (Flush, Option<Waker>) {
        let Some(socket) = self.socket.clone() else {
            return (Flush::Gone, None);
        };
        if self.mailbox.ended() == Some(Ended::Stalled) {
            return (Flush::Stalled, None);
        }
        if !self.mailbox.is_waiting() {
            if !self.mailbox.is_closed() {
                return (Flush::Idle, self.wake_later(cx));
            }
            if self.finished {
                return (Flush::Finished, None);
            }
            self.finished = true;
            self.mailbox.begin(Origin::Close, LAST_CHUNK, now);
        }
        let result = {
            let mut slices = [IoSlice::new(&[]); GATHERED];
            let count = self.mailbox.chunks(&mut slices);
            socket.try_write_vectored(&slices[..count])
        };
        match result {
            Ok(taken) => {
                self.mailbox.advance(taken, now, sent);
                (Flush::Progress, None)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let since = self.mailbox.progress();
                (Flush::Blocked(since), self.wake_later(cx))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => (Flush::Progress, None),
            Err(_) => (Flush::Gone, None),
        }
    }

    /// Remembers whom to wake. The one that it replaces is to be dropped without holding the lock.
    fn wake_later(&mut self, cx: &Context<'_>) -> Option<Waker> {
        match &self.reader {
            Some(reader) if reader.will_wake(cx.waker()) => None,
            _ => self.reader.replace(cx.waker().clone()),
        }
    }
}
