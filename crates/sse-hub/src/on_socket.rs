//! An event stream that writes to its client's socket.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::connection::Flush;
use crate::mailbox::Waiting;
use crate::{Ended, Subscription};

/// How a stream on a socket ended. It decides how to close the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parted {
    /// The whole body was written, its end included.
    Finished,
    /// The client took nothing for too long. Reset the socket: after a plain close the kernel would still own
    /// what it has not sent.
    Stalled,
    /// The connection is broken.
    Gone,
}

/// A stream that writes to its client's socket. See [`Subscription::on_socket`].
///
/// Dropping it frees its place in the hub. Its body then has no end.
pub struct OnSocket<K: Eq + Hash + Clone> {
    stream: Subscription<K>,
    socket: Arc<TcpStream>,
    /// Nothing more is read: the client closed its side, or spoke.
    heard: bool,
    /// Made only when the socket does not take what waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<K: Eq + Hash + Clone> OnSocket<K> {
    pub(crate) fn new(stream: Subscription<K>, socket: Arc<TcpStream>) -> Self {
        stream.connection().attach(socket.clone());
        stream.hub().on_socket();
        Self {
            stream,
            socket,
            heard: false,
            deadline: None,
        }
    }

    /// The client has sent something after its request, for instance another one. The stream ends with what
    /// waits for it.
    pub fn hear(&mut self) {
        self.heard = true;
        self.stream.leave();
    }

    /// Notices that the client closed its side. Whatever it sends ends the stream, too: it must not
    /// wait for an answer that never comes.
    fn listen(&mut self, cx: &mut Context<'_>) -> Result<(), Parted> {
        while !self.heard {
            match self.socket.poll_read_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => return Err(Parted::Gone),
                Poll::Ready(Ok(())) => {}
            }
            match self.socket.try_read(&mut [0; 16]) {
                Ok(_) => self.hear(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Parted::Gone),
            }
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Parted> {
        loop {
            match self.stream.flush(cx) {
                Flush::Progress => {}
                Flush::Idle => {
                    self.deadline = None;
                    return Poll::Pending;
                }
                Flush::Blocked(since) => match self.socket.poll_write_ready(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Parted::Gone),
                    Poll::Pending => {
                        ready!(self.poll_deadline(cx, since));
                        self.stream.end(Ended::Stalled, None, Waiting::Discarded);
                        return Poll::Ready(Parted::Stalled);
                    }
                },
                Flush::Finished => return Poll::Ready(Parted::Finished),
                Flush::Stalled => return Poll::Ready(Parted::Stalled),
                Flush::Gone => return Poll::Ready(Parted::Gone),
            }
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, since: Instant) -> Poll<()> {
        let at = since + self.stream.stall();
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if deadline.deadline() != at {
            deadline.as_mut().reset(at);
        }
        deadline.as_mut().poll(cx)
    }
}

impl<K: Eq + Hash + Clone + Unpin> Future for OnSocket<K> {
    type Output = Parted;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Parted> {
        let this = self.get_mut();
        this.stream.check_expiry(cx, Instant::now());
        let parted = match this.listen(cx) {
            Ok(()) => ready!(this.poll_flush(cx)),
            Err(parted) => parted,
        };
        this.stream.release();
        Poll::Ready(parted)
    }
}

impl<K: Eq + Hash + Clone> Drop for OnSocket<K> {
    fn drop(&mut self) {
        self.stream.hub().off_socket();
    }
}

impl<K: Eq + Hash + Clone> fmt::Debug for OnSocket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnSocket")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
