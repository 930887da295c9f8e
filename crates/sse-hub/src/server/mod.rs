//! Serves HTTP, and lets event streams keep their bare sockets (feature `server`).
//!
//! An HTTP server uses some twenty kibibytes for each connection, and a task that must wake up for each
//! write. [`serve`] runs any tower service on hyper's HTTP/1.1 and HTTP/2. When the head of an event
//! stream's response is written, it takes the HTTP/1.1 connection apart again. What is left are the
//! socket and the stream's own state, about two kibibytes together. Publishers write to the socket.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use axum::{Router, body::Body, extract::Path, http::Extensions, response::Response, routing::get};
//! # use sse_hub::{Hub, HubOptions, server::{ServeOptions, refusal, serve}};
//! # async fn run(listener: tokio::net::TcpListener) {
//! let hub: Hub<i64> = Hub::new(HubOptions::default());
//! let subscribe = async move |Path(key): Path<i64>, extensions: Extensions| -> Response {
//!     match hub.subscribe(key) {
//!         Ok(stream) => stream.into_response(&extensions).map(Body::new),
//!         Err(_) => refusal(Duration::from_secs(60)..Duration::from_secs(180)).map(Body::from),
//!     }
//! };
//! let router: Router = Router::new().route("/events/{key}", get(subscribe));
//! let stop = std::future::pending();
//! serve(listener, router, ServeOptions::default(), stop).await;
//! # }
//! ```
//!
//! The rest of the router does not notice. A stream stays the body of its response where a handoff would
//! be wrong: in HTTP/2 and HTTP/1.0, and when a layer has encoded the body or given it a length. Protocol upgrades (WebSocket) are not served.

mod body;
mod connection;
mod handoff;
mod in_flight;
mod io;
mod options;
mod protocol;
mod service;
mod timeouts;

use std::error::Error;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

pub use body::{EventBody, refusal};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
pub use options::ServeOptions;
pub use service::Peer;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower_service::Service;

/// The pause after the process has no file descriptor left for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves the connections of a listener until `stop`.
///
/// Then it accepts no more, answers the requests in flight, and returns when the last connection is
/// closed. Event streams end with their hub: drain it, too.
///
/// Metrics: `http_connections_refused_total` counts connections closed because `ServeOptions::connections`
/// were open.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    options: ServeOptions,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let refused = metrics::counter!("http_connections_refused_total");
    let most = options.connections.clamp(1, Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(most));
    let options = Arc::new(options);
    let (stopping, stopped) = watch::channel(false);
    let mut stop = pin!(stop);
    loop {
        let socket = tokio::select! {
            () = &mut stop => break,
            socket = accept(&listener) => socket,
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            refused.increment(1);
            tracing::debug!("a connection was closed: there are too many");
            continue;
        };
        if limit(&socket, &options).is_err() {
            continue;
        }
        let connection = connection::run(socket, service.clone(), options.clone(), stopped.clone());
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    stopping.send_replace(true);
    drop(stopped);
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    // Fails for a closed semaphore, and nobody closes this one.
    let _ = room.acquire_many(most).await;
}

/// Sets the limits of a connection. Fails for one that is broken already.
///
/// They are set on each connection, because clients may come as soon as the listener listens. A listener's
/// options reach only those that come after they are set.
fn limit(socket: &TcpStream, options: &ServeOptions) -> std::io::Result<()> {
    // Events are small, and each is wanted at once.
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_send_buffer_size(options.send_buffer)?;
    socket.set_tcp_user_timeout(Some(options.user_timeout))
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return socket,
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted for a second; is the limit of open files too low?");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The client was gone before it was accepted.
fn is_the_clients(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_accepted_connection_has_a_small_send_buffer_and_a_user_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let options = ServeOptions::default();
        limit(&socket, &options).unwrap();
        let socket = SockRef::from(&socket);
        // The kernel books twice what was asked for.
        let buffer = socket.send_buffer_size().unwrap();
        assert!(buffer <= 2 * options.send_buffer, "{buffer}");
        let silence = socket.tcp_user_timeout().unwrap();
        assert_eq!(silence, Some(options.user_timeout));
    }
}
