//! The server around the hub: what it owes to every connection, stream or not.

mod http2;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_ENCODING;
use axum::http::{Extensions, HeaderValue};
use axum::response::Response;
use axum::routing::{get, post};
use sse_hub::server::{ServeOptions, serve};
use sse_hub::{Hub, HubOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::client::event;

/// More than the kernel takes at once.
const LARGE: usize = 50_000;

const LONG: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Doing {
    hub: Hub<i64>,
    begun: Arc<Notify>,
    go: Arc<Semaphore>,
}

struct Server {
    doing: Doing,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Server {
    async fn start(change: impl FnOnce(&mut ServeOptions)) -> Self {
        let doing = Doing {
            hub: Hub::new(HubOptions::default()),
            begun: Arc::default(),
            go: Arc::new(Semaphore::new(0)),
        };
        let router = Router::new()
            .route("/quick", get(async || "quick"))
            .route("/long", get(async || "n".repeat(100 * LARGE)))
            .route("/slow", get(slow))
            .route("/heavy", get(heavy))
            .route("/echo", post(async |body: String| body))
            .route("/events", get(events))
            .route("/encoded", get(encoded))
            .with_state(doing.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut options = ServeOptions::default();
        change(&mut options);
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, router, options, async {
            // An error when the test is over: that stops it, too.
            let _ = stopped.await;
        }));
        Self {
            doing,
            address,
            stop,
            served,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Whether a new connection is closed without an answer to what it asks.
    async fn refuses(&self) -> bool {
        let mut socket = self.connect().await;
        // Fails when it is closed already.
        let _ = socket.write_all(QUICK.as_bytes()).await;
        is_closed(&mut socket).await
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut socket = self.connect().await;
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    }
}

async fn slow(State(doing): State<Doing>) -> &'static str {
    doing.begun.notify_one();
    doing.go.acquire().await.unwrap().forget();
    "slow"
}

async fn events(State(doing): State<Doing>, extensions: Extensions) -> Response {
    let stream = doing.hub.subscribe(7).unwrap();
    stream.into_response(&extensions).map(Body::new)
}

/// As a layer would answer that compresses what the handler made.
async fn encoded(state: State<Doing>, extensions: Extensions) -> Response {
    let mut response = events(state, extensions).await;
    let encoding = HeaderValue::from_static("br");
    response.headers_mut().insert(CONTENT_ENCODING, encoding);
    response
}

/// With so long a head that the client must read before it is written.
async fn heavy(state: State<Doing>, extensions: Extensions) -> Response {
    let mut response = events(state, extensions).await;
    let fill = HeaderValue::from_str(&"n".repeat(LARGE)).unwrap();
    response.headers_mut().insert("x-fill", fill);
    response
}

/// Reads until this has come.
async fn read_until(socket: &mut TcpStream, what: &str) -> String {
    let mut text = String::new();
    while !text.contains(what) {
        let mut piece = [0; 1000];
        let read = timeout(LONG, socket.read(&mut piece)).await;
        let read = read.expect("nothing came").unwrap();
        assert!(read > 0, "the connection ended after {text:?}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    text
}

async fn is_closed(socket: &mut TcpStream) -> bool {
    let read = timeout(LONG, socket.read(&mut [0; 1])).await;
    !matches!(read.expect("it stays open"), Ok(1..))
}

const QUICK: &str = "GET /quick HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_connection_answers_one_request_after_the_other() {
    let server = Server::start(|_| {}).await;
    let mut socket = server.connect().await;
    for _ in 0..3 {
        socket.write_all(QUICK.as_bytes()).await.unwrap();
        read_until(&mut socket, "\r\n\r\nquick").await;
    }
    let echo = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
    socket.write_all(echo.as_bytes()).await.unwrap();
    read_until(&mut socket, "\r\n\r\nhello").await;
    // An event stream can come last.
    let events = "GET /events HTTP/1.1\r\nhost: a\r\n\r\n";
    socket.write_all(events.as_bytes()).await.unwrap();
    read_until(&mut socket, "retry: ").await;
    assert_eq!(server.doing.hub.stats().on_sockets, 1);
}

#[tokio::test]
async fn a_stream_waits_until_the_head_of_its_response_is_written() {
    let server = Server::start(|options| options.send_buffer = 4096).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(server.address).await.unwrap();
    let request = b"GET /heavy HTTP/1.1\r\nhost: a\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let deadline = Instant::now() + LONG;
    while server.doing.hub.stats().connections == 0 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    server.doing.hub.publish(&7, 1, event(1));
    let text = read_until(&mut socket, "event 1").await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&"n".repeat(LARGE)));
    assert!(body.contains("retry: "), "{body}");
    assert_eq!(server.doing.hub.stats().on_sockets, 1);
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let server = Server::start(|_| {}).await;
    let mut socket = server.connect().await;
    socket.set_nodelay(true).unwrap();
    // Begins like HTTP/2, and is not.
    for byte in "PROPFIND /quick HTTP/1.1\r\nhost: a\r\n\r\n".bytes() {
        socket.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    read_until(&mut socket, "HTTP/1.1 405 ").await;
}

#[tokio::test]
async fn at_one_connection_too_many_the_new_one_is_closed_and_the_others_stay() {
    let server = Server::start(|options| options.connections = 2).await;
    let mut first = server.send(QUICK).await;
    let mut second = server.send(QUICK).await;
    read_until(&mut first, "quick").await;
    read_until(&mut second, "quick").await;
    assert!(server.refuses().await);
    first.write_all(QUICK.as_bytes()).await.unwrap();
    read_until(&mut first, "quick").await;
    drop(second);
    // Its place is free as soon as the server has noticed.
    let deadline = Instant::now() + LONG;
    loop {
        assert!(Instant::now() < deadline, "its place stays taken");
        let mut next = server.send(QUICK).await;
        let mut answer = [0; 12];
        if next.read_exact(&mut answer).await.is_ok() {
            assert_eq!(&answer, b"HTTP/1.1 200");
            break;
        }
    }
}

#[tokio::test]
async fn a_stream_keeps_its_place_among_the_connections() {
    let server = Server::start(|options| options.connections = 1).await;
    let mut stream = server.send("GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_until(&mut stream, "retry: ").await;
    assert!(server.refuses().await);
}

#[tokio::test]
async fn who_does_not_finish_the_first_request_in_time_is_closed() {
    let first_request = Duration::from_millis(100);
    let server = Server::start(|options| options.first_request = first_request).await;
    for begin in ["", "P", "GET /quick HTTP/1.1\r\nhost"] {
        let mut socket = server.send(begin).await;
        assert!(is_closed(&mut socket).await, "{begin:?}");
    }
    // It counts only until the request has come.
    let mut socket = server.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server.doing.begun.notified().await;
    tokio::time::sleep(2 * first_request).await;
    server.doing.go.add_permits(1);
    read_until(&mut socket, "\r\n\r\nslow").await;
}

#[tokio::test]
async fn a_connection_without_a_further_request_is_closed_when_it_has_been_idle_for_long() {
    let idle = Duration::from_millis(100);
    let server = Server::start(|options| options.idle = idle).await;
    let mut socket = server.send(QUICK).await;
    read_until(&mut socket, "quick").await;
    assert!(is_closed(&mut socket).await);
}

#[tokio::test]
async fn a_client_that_reads_nothing_of_an_answer_loses_its_connection() {
    let stall = Duration::from_millis(200);
    let server = Server::start(|options| {
        (options.stall, options.send_buffer) = (stall, 4096);
    })
    .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(server.address).await.unwrap();
    let request = b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let error = timeout(LONG, socket.ready(Interest::ERROR)).await;
    error.expect("it keeps its place").unwrap();
}

#[tokio::test]
async fn a_request_under_way_is_answered_when_the_server_stops() {
    let server = Server::start(|_| {}).await;
    let mut idle = server.send(QUICK).await;
    read_until(&mut idle, "quick").await;
    let mut socket = server.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server.doing.begun.notified().await;
    server.stop.send(()).unwrap();
    assert!(is_closed(&mut idle).await);
    assert!(!server.served.is_finished());
    server.doing.go.add_permits(1);
    read_until(&mut socket, "\r\n\r\nslow").await;
    assert!(is_closed(&mut socket).await);
    timeout(LONG, server.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_body_that_a_layer_encodes_stays_a_body() {
    let server = Server::start(|_| {}).await;
    let request = "GET /encoded HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut socket = server.send(request).await;
    read_until(&mut socket, "retry: ").await;
    let stats = server.doing.hub.stats();
    assert_eq!((stats.connections, stats.on_sockets), (1, 0));
}

#[tokio::test]
async fn a_client_of_http1_0_gets_its_events_without_chunks() {
    let server = Server::start(|_| {}).await;
    let mut socket = server.send("GET /events HTTP/1.0\r\n\r\n").await;
    let text = read_until(&mut socket, "\n\n").await;
    assert!(text.contains("\r\n\r\nretry: "), "{text}");
    server.doing.hub.disconnect(&7, None);
    assert!(is_closed(&mut socket).await);
}

#[tokio::test]
async fn a_question_for_the_headers_alone_opens_no_stream_on_the_socket() {
    let server = Server::start(|_| {}).await;
    let request = format!("HEAD /events HTTP/1.1\r\nhost: a\r\n\r\n{QUICK}");
    let mut socket = server.send(&request).await;
    read_until(&mut socket, "\r\n\r\nquick").await;
    assert_eq!(server.doing.hub.stats().connections, 0);
}
