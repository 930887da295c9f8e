//! Lends a socket to the HTTP server, and can take it back.

use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::handoff::Handoff;
use super::timeouts::Blocked;

/// The handoff that the current answer has accepted. An HTTP/1.1 connection answers one request at a time.
#[derive(Clone, Default)]
pub(super) struct Accepted(Arc<Mutex<Option<Handoff>>>);

impl Accepted {
    pub(super) fn set(&self, handoff: Handoff) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handoff);
    }

    pub(super) fn get(&self) -> Option<Handoff> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A socket lent to the HTTP server. It can be taken back, because others own it too.
pub(super) struct Lent {
    socket: Arc<TcpStream>,
    /// What was read to tell the protocol.
    prefix: Bytes,
    accepted: Accepted,
    blocked: Blocked,
}

impl Lent {
    pub(super) fn new(
        socket: Arc<TcpStream>,
        prefix: Bytes,
        accepted: Accepted,
        blocked: Blocked,
    ) -> Self {
        Self {
            socket,
            prefix,
            accepted,
            blocked,
        }
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.socket.poll_write_ready(cx)?.is_pending() {
                self.blocked.begins();
                return Poll::Pending;
            }
            match write(&self.socket) {
                Err(error) if is_for_later(&error) => {}
                done => {
                    self.blocked.ends();
                    return Poll::Ready(done);
                }
            }
        }
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.prefix.is_empty() {
            let taken = self.prefix.len().min(buf.remaining());
            buf.put_slice(&self.prefix[..taken]);
            self.prefix.advance(taken);
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if is_for_later(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| socket.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| socket.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The server flushes only when it has written all of its buffer.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(handoff) = self.accepted.get() {
            handoff.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.socket).shutdown(Shutdown::Write))
    }
}
