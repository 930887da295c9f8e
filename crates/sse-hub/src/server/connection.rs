//! Serves one connection: HTTP first, then the event stream that takes its socket.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tower_service::Service;

use super::ServeOptions;
use super::handoff::{Takeover, Writing};
use super::in_flight::{InFlight, Watched};
use super::io::{Accepted, Lent};
use super::protocol::first_bytes;
use super::service::{HandoffService, Peer};
use super::timeouts::{Blocked, GivenUp, Timeouts, Verdict};
use crate::Parted;

/// Headers of one request.
const HEADERS: usize = 64 * 1024;
/// Requests and streams in flight on one HTTP/2 connection.
const CONCURRENT: u32 = 128;
/// Bytes buffered of one HTTP/2 stream for a client that does not read.
const STREAM_BUFFER: usize = 32 * 1024;
/// An HTTP/2 peer that does not answer a ping within this is gone.
const PING: Duration = Duration::from_secs(30);
/// How long the client has to close its side after the end of a stream. A socket that is closed at once with
/// something unread is reset, and the client loses what it has not read yet.
const LINGER: Duration = Duration::from_secs(2);

/// Why a connection broke.
pub(super) type Fault = Box<dyn Error + Send + Sync>;

/// Serves one connection to its end.
pub(super) async fn run<S, B>(
    socket: TcpStream,
    service: S,
    options: Arc<ServeOptions>,
    stop: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Fault> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Fault>,
{
    let socket = Arc::new(socket);
    // Boxed, and gone when the socket is taken: what stays of an idle stream's connection is this
    // small future and the stream's own.
    let http = Box::pin(http(socket.clone(), service, &options, stop)).await;
    match http {
        Ok(Some(stream)) => {
            let parted = stream.await;
            close(&socket, parted).await;
        }
        Ok(None) => {}
        Err(error) => tracing::trace!(error, "a connection broke"),
    }
}

/// Serves HTTP until the connection ends or an event stream takes its socket.
async fn http<S, B>(
    socket: Arc<TcpStream>,
    service: S,
    options: &ServeOptions,
    stop: watch::Receiver<bool>,
) -> Result<Option<Pin<Box<dyn Writing>>>, Fault>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Fault> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Fault>,
{
    let first = Instant::now() + options.first_request;
    let Some((prefix, is_http2)) = first_bytes(&socket, first, stop.clone()).await? else {
        return Ok(None);
    };
    let accepted = Accepted::default();
    let used = Arc::new(AtomicBool::new(false));
    let (blocked, given_up) = (Blocked::default(), GivenUp::default());
    let service = HandoffService {
        service,
        accepted: accepted.clone(),
        given_up: given_up.clone(),
        used: used.clone(),
        peer: socket.peer_addr().ok().map(Peer),
    };
    let lent = Lent::new(socket.clone(), prefix, accepted.clone(), blocked.clone());
    let watch = Watch {
        socket,
        options,
        first,
        used,
        accepted,
        blocked,
        given_up,
    };
    if is_http2 {
        watch.http2(lent, service, stop).await?;
        return Ok(None);
    }
    watch.http1(lent, service, stop).await
}

/// What tells whether a connection has to end, or to be handed off.
struct Watch<'a> {
    socket: Arc<TcpStream>,
    options: &'a ServeOptions,
    /// When the first request must have come.
    first: Instant,
    used: Arc<AtomicBool>,
    accepted: Accepted,
    blocked: Blocked,
    given_up: GivenUp,
}

impl Watch<'_> {
    async fn http2<S, B>(
        self,
        lent: Lent,
        service: HandoffService<S>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Fault>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Fault> + Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Fault>,
    {
        let in_flight = InFlight::new();
        let mut timeouts =
            Timeouts::new(self.options, self.blocked.clone(), Some(in_flight.clone()));
        let watched = Watched { service, in_flight };
        let mut server = http2::Builder::new(TokioExecutor::new());
        server
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(CONCURRENT)
            .max_header_list_size(HEADERS as u32)
            .max_send_buf_size(STREAM_BUFFER);
        let mut connection = pin!(server.serve_connection(TokioIo::new(lent), watched));
        let mut stopped = pin!(stopped(stop));
        let mut stopping = false;
        let mut first = pin!(sleep_until(self.first));
        poll_fn(|cx| {
            loop {
                if !stopping && stopped.as_mut().poll(cx).is_ready() {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                    return Poll::Ready(end.map_err(Fault::from));
                }
                if !self.used.load(Relaxed) && first.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(too_late()));
                }
                match ready!(timeouts.poll_expired(cx)) {
                    Verdict::Lost => return Poll::Ready(Err(self.reset())),
                    Verdict::Idle => {
                        timeouts.is_shutting_down();
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        })
        .await
    }

    async fn http1<S, B>(
        self,
        lent: Lent,
        service: HandoffService<S>,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<Pin<Box<dyn Writing>>>, Fault>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Fault> + Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Fault>,
    {
        let mut timeouts = Timeouts::new(self.options, self.blocked.clone(), None);
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.idle)
            .max_buf_size(HEADERS)
            .serve_connection(TokioIo::new(lent), service);
        let mut stopped = pin!(stopped(stop));
        let mut stopping = false;
        let mut first = pin!(sleep_until(self.first));
        let takeover = poll_fn(|cx| {
            loop {
                if let Poll::Ready(end) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(end.map(|()| None).map_err(Fault::from));
                }
                if let Some(takeover) = self.accepted.get().and_then(|handoff| handoff.takeover()) {
                    return Poll::Ready(Ok(Some(takeover)));
                }
                // Only now: before it has read what is there, it would close.
                if !stopping && stopped.as_mut().poll(cx).is_ready() {
                    stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                    continue;
                }
                if !self.used.load(Relaxed) && first.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(too_late()));
                }
                ready!(timeouts.poll_expired(cx));
                return Poll::Ready(Err(self.reset()));
            }
        })
        .await?;
        let Some(takeover) = takeover else {
            return Ok(None);
        };
        let unread = connection.into_parts().read_buf;
        self.hand_over(takeover, !unread.is_empty()).map(Some)
    }

    /// Hands the socket to the event stream. A client that has already sent more ends the stream.
    fn hand_over(
        self,
        takeover: Takeover,
        has_sent_more: bool,
    ) -> Result<Pin<Box<dyn Writing>>, Fault> {
        let size = self.options.stream_send_buffer;
        SockRef::from(&*self.socket).set_send_buffer_size(size)?;
        let mut stream = takeover(self.socket);
        if has_sent_more {
            stream.as_mut().hear();
        }
        Ok(stream)
    }

    /// Gives a client up that takes nothing. In HTTP/2 one that does not read one answer loses them all.
    fn reset(&self) -> Fault {
        self.given_up.set();
        // Fails only when the socket is of no use any more.
        let _ = self.socket.set_zero_linger();
        "the client took nothing for too long".into()
    }
}

fn too_late() -> Fault {
    "no request came in time".into()
}

/// Waits until the server stops.
pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone has not stopped anything.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn close(socket: &TcpStream, parted: Parted) {
    match parted {
        Parted::Finished => {
            if SockRef::from(socket).shutdown(Shutdown::Write).is_ok() {
                // Whichever comes first: either way the socket is closed now.
                let _ = timeout(LINGER, read_to_end(socket)).await;
            }
        }
        Parted::Stalled => {
            // Fails only when the socket is of no use any more.
            let _ = socket.set_zero_linger();
        }
        Parted::Gone => {}
    }
}

async fn read_to_end(socket: &TcpStream) -> io::Result<()> {
    loop {
        socket.readable().await?;
        match socket.try_read(&mut [0; 512]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
