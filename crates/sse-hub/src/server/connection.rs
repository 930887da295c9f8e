use std::error::Error;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tower_service::Service;

use super::ServeOptions;
use super::io::{Accepted, Lent};
use super::offer::Writing;
use super::patience::{Blocked, GivenUp, Patience, Verdict};
use super::service::Offering;
use super::underway::{Underway, Watched};
use crate::Parted;

/// What an HTTP/2 connection begins with. No method of HTTP/1.1 begins like it.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Headers of one request.
const HEADERS: usize = 64 * 1024;
/// Requests and streams of one HTTP/2 connection at a time.
const CONCURRENT: u32 = 128;
/// What is kept of one HTTP/2 stream for a client that does not read.
const STREAM_BUFFER: usize = 32 * 1024;
/// An HTTP/2 peer that does not answer a ping within this is gone.
const PING: Duration = Duration::from_secs(30);
/// After the end of a stream the client has this long to close its side: closed at once, with
/// something unread, the socket would be reset and the client lose what it has not read yet.
const LINGER: Duration = Duration::from_secs(2);

type Fault = Box<dyn Error + Send + Sync>;

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

/// Until the connection ends or an event stream takes its socket.
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
    let offering = Offering {
        service,
        accepted: accepted.clone(),
        given_up: given_up.clone(),
        used: used.clone(),
    };
    let lent = TokioIo::new(Lent::new(
        socket.clone(),
        prefix,
        accepted.clone(),
        blocked.clone(),
    ));
    let mut stopped = pin!(stopped(stop));
    let mut stopping = false;
    let mut first = pin!(sleep_until(first));
    if is_http2 {
        let underway = Underway::new();
        let mut patience = Patience::new(options, blocked, Some(underway.clone()));
        let watched = Watched {
            service: offering,
            underway,
        };
        let mut server = http2::Builder::new(TokioExecutor::new());
        server
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(CONCURRENT)
            .max_header_list_size(HEADERS as u32)
            .max_send_buf_size(STREAM_BUFFER);
        let mut connection = pin!(server.serve_connection(lent, watched));
        return poll_fn(|cx| {
            loop {
                if !stopping && stopped.as_mut().poll(cx).is_ready() {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                    return Poll::Ready(end.map(|()| None).map_err(Fault::from));
                }
                if !used.load(Relaxed) && first.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(too_late()));
                }
                match ready!(patience.poll_over(cx)) {
                    Verdict::Lost => return Poll::Ready(Err(give_up(&socket, &given_up))),
                    Verdict::Idle => {
                        patience.was_told_to_end();
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        })
        .await;
    }
    let mut patience = Patience::new(options, blocked, None);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.idle)
        .max_buf_size(HEADERS)
        .serve_connection(lent, offering);
    let takeover = poll_fn(|cx| {
        loop {
            if let Poll::Ready(end) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(end.map(|()| None).map_err(Fault::from));
            }
            if let Some(takeover) = accepted.get().and_then(|offer| offer.takeover()) {
                return Poll::Ready(Ok(Some(takeover)));
            }
            // Only now: before it has read what is there, it would close.
            if !stopping && stopped.as_mut().poll(cx).is_ready() {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            if !used.load(Relaxed) && first.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(too_late()));
            }
            ready!(patience.poll_over(cx));
            return Poll::Ready(Err(give_up(&socket, &given_up)));
        }
    })
    .await?;
    let Some(takeover) = takeover else {
        return Ok(None);
    };
    let unread = connection.into_parts().read_buf;
    SockRef::from(&*socket).set_send_buffer_size(options.stream_send_buffer)?;
    let mut stream = takeover(socket);
    if !unread.is_empty() {
        stream.as_mut().hear();
    }
    Ok(Some(stream))
}

/// In HTTP/2 a client that does not read one answer loses them all.
fn give_up(socket: &TcpStream, given_up: &GivenUp) -> Fault {
    given_up.set();
    // Fails only when the socket is of no use any more.
    let _ = socket.set_zero_linger();
    "the client took nothing for too long".into()
}

fn too_late() -> Fault {
    "no request came in time".into()
}

/// Which protocol the client speaks; `None` when the server stops and it has said nothing.
async fn first_bytes(
    socket: &TcpStream,
    until: Instant,
    stop: watch::Receiver<bool>,
) -> Result<Option<(Bytes, bool)>, Fault> {
    let mut prefix = pin!(timeout_at(until, read_prefix(socket)));
    tokio::select! {
        prefix = &mut prefix => Ok(Some(prefix??)),
        // Browsers connect before they have anything to ask.
        () = stopped(stop) => match has_sent(socket) {
            true => Ok(Some(prefix.await??)),
            false => Ok(None),
        },
    }
}

/// Asks the kernel: tokio may not have heard of it yet.
fn has_sent(socket: &TcpStream) -> bool {
    let peeked = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
    matches!(peeked, Ok(1..))
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone has not stopped anything.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// As much as it takes to tell the protocol, and whether that is HTTP/2.
async fn read_prefix(socket: &TcpStream) -> io::Result<(Bytes, bool)> {
    let mut prefix = [0; PREFACE.len()];
    let mut len = 0;
    loop {
        socket.readable().await?;
        match socket.try_read(&mut prefix[len..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if prefix[..len] != PREFACE[..len] {
            return Ok((Bytes::copy_from_slice(&prefix[..len]), false));
        }
        if len == PREFACE.len() {
            return Ok((Bytes::from_static(PREFACE), true));
        }
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
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// What a client reads that has sent this before it was accepted by a server that stops.
    async fn read_after_stop(sent: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let options = ServeOptions {
            first_request: Duration::from_secs(600),
            ..ServeOptions::default()
        };
        let (_stop, stopping) = watch::channel(true);
        let router: Router = Router::new().route("/", get(async || "answer"));
        run(socket, router, Arc::new(options), stopping).await;
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn who_has_sent_nothing_when_the_server_stops_is_not_waited_for() {
        let read = timeout(PATIENCE, read_after_stop("")).await;
        assert_eq!(read.expect("it waits"), "");
    }

    #[tokio::test]
    async fn what_was_sent_before_the_server_stopped_is_answered() {
        let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let read = timeout(PATIENCE, read_after_stop(request)).await.unwrap();
        assert!(read.ends_with("\r\n\r\nanswer"), "{read}");
    }
}
