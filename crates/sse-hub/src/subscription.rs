//! One client's event stream.

use std::fmt;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::connection::{Connection, Flush};
use crate::mailbox::{Mailbox, Waiting};
use crate::{Ended, Frame, Hub, OnSocket};

/// One client's event stream: the body of its response, or a writer on its socket.
///
/// Dropping it, or reading it to its end, frees its place in the hub.
pub struct Subscription<K: Eq + Hash + Clone> {
    hub: Hub<K>,
    key: K,
    connection: Arc<Connection>,
    expiry: Option<Expiry>,
    released: bool,
}

struct Expiry {
    at: Pin<Box<Sleep>>,
    last: Frame,
}

impl<K: Eq + Hash + Clone> Subscription<K> {
    pub(crate) fn new(hub: Hub<K>, key: K, connection: Arc<Connection>) -> Self {
        Self {
            hub,
            key,
            connection,
            expiry: None,
            released: false,
        }
    }

    /// Sends a frame before all events, after the frames given here earlier.
    ///
    /// When the stream has ended meanwhile, no event with an id is sent. The client gets all of them when it
    /// reconnects.
    pub fn first(&mut self, frame: Frame) {
        self.connection
            .with_mailbox(|mailbox| mailbox.handshake(frame));
    }

    /// The client has everything up to this id: neither replay nor live events send it again.
    ///
    /// Give only an id that is known to be yours. One from the future would silence the stream.
    ///
    /// The hub may be fed old events again, for instance after a lost wake-up. Then give a client that has
    /// seen nothing yet the newest id stored *before* it subscribed.
    pub fn resume_after(&mut self, id: i64) {
        self.connection
            .with_mailbox(|mailbox| mailbox.resume_after(id));
    }

    /// Sends what the store has for this client. Read the store *after* subscribing.
    ///
    /// An event published meanwhile is then in the store, live, or both. It is sent once, in the order of
    /// ids. The queue's limit does not apply to these frames. When the stream has ended meanwhile, no event
    /// with an id is sent. The client gets all of them when it reconnects.
    pub fn replay(&mut self, history: Vec<(i64, Frame)>) {
        self.connection
            .with_mailbox(|mailbox| mailbox.replay(history));
    }

    /// Ends the stream at the deadline, for instance because the client's token expires.
    ///
    /// From then on only `last` is sent. A later call replaces an earlier one. Needs a tokio runtime with
    /// time.
    pub fn until(&mut self, deadline: Instant, last: Frame) {
        self.expiry = Some(Expiry {
            at: Box::pin(tokio::time::sleep_until(deadline)),
            last,
        });
    }

    /// Goes on without an HTTP server: from now on events are written to this socket.
    ///
    /// A publisher writes there itself when nothing waits. Otherwise the returned future writes. The future
    /// also notices the deadline, a client that leaves, and one that takes nothing for `HubOptions::stall`.
    ///
    /// The head of a response in HTTP/1.1's chunked coding must have been written to the socket. Nobody else
    /// may write to it any more. Needs a tokio runtime with I/O and time.
    pub fn on_socket(self, socket: Arc<TcpStream>) -> OnSocket<K> {
        OnSocket::new(self, socket)
    }

    /// Why the hub ended this stream, or `None` while it is open. The last frames may still wait.
    pub fn ended(&self) -> Option<Ended> {
        self.connection.ended()
    }

    /// The key it was opened for.
    pub fn key(&self) -> &K {
        &self.key
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn hub(&self) -> &Hub<K> {
        &self.hub
    }

    pub(crate) fn stall(&self) -> Duration {
        self.hub.stall()
    }

    pub(crate) fn end(&self, reason: Ended, last: Option<Frame>, waiting: Waiting) {
        self.hub.end(&self.connection, reason, last, waiting);
        self.hub.unregister(&self.key, &self.connection);
    }

    /// Takes no more events; what waits is still sent.
    pub(crate) fn leave(&self) {
        self.connection.with_mailbox(Mailbox::leave);
        self.hub.unregister(&self.key, &self.connection);
    }

    pub(crate) fn flush(&self, cx: &Context<'_>) -> Flush {
        let sent = |origin, since| self.hub.sent(origin, since);
        self.connection.flush(cx, Instant::now(), sent)
    }

    /// Ends the stream when its deadline has come; otherwise makes sure that the deadline wakes it.
    pub(crate) fn check_expiry(&mut self, cx: &mut Context<'_>, now: Instant) {
        let due = |expiry: &mut Expiry| {
            now >= expiry.at.deadline() || expiry.at.as_mut().poll(cx).is_ready()
        };
        if let Some(expiry) = self.expiry.take_if(due) {
            self.end(Ended::Expired, Some(expiry.last), Waiting::Discarded);
        }
    }

    pub(crate) fn release(&mut self) {
        if !self.released {
            self.released = true;
            self.expiry = None;
            self.hub.close(&self.key, &self.connection);
        }
    }
}

impl<K: Eq + Hash + Clone + Unpin> Stream for Subscription<K> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        if this.released {
            return Poll::Ready(None);
        }
        let now = Instant::now();
        this.check_expiry(cx, now);
        match this.connection.poll_next(cx, now, this.hub.stall()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(item)) => {
                this.hub.sent(item.origin, item.since);
                Poll::Ready(Some(item.frame.into()))
            }
            Poll::Ready(None) => {
                this.release();
                Poll::Ready(None)
            }
        }
    }
}

impl<K: Eq + Hash + Clone> fmt::Debug for Subscription<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Clone> Drop for Subscription<K> {
    fn drop(&mut self) {
        self.release();
    }
}
