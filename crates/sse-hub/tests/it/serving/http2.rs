//! What HTTP/2 owes: there a client that answers pings could keep its place without asking or taking anything.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{LONG, Server};
use crate::client::event;

/// A client of HTTP/2 that answers pings.
struct Http2 {
    requests: http2::SendRequest<String>,
    ended: JoinHandle<hyper::Result<()>>,
}

impl Http2 {
    async fn connect(address: SocketAddr) -> Self {
        Self::with(http2::Builder::new(TokioExecutor::new()), address).await
    }

    async fn with(builder: http2::Builder<TokioExecutor>, address: SocketAddr) -> Self {
        let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (requests, connection) = builder.handshake(socket).await.unwrap();
        Self {
            requests,
            ended: tokio::spawn(connection),
        }
    }

    async fn ask(&mut self, path: &str) -> Response<Incoming> {
        let request = Request::get(format!("http://a{path}")).body(String::new());
        let answer = self.requests.send_request(request.unwrap());
        timeout(LONG, answer).await.unwrap().unwrap()
    }

    async fn get(&mut self, path: &str) -> Response<String> {
        let (head, mut body) = self.ask(path).await.into_parts();
        let text = piece(&mut body).await;
        let text = String::from_utf8(text.to_vec()).unwrap();
        Response::from_parts(head, text)
    }
}

async fn piece(body: &mut Incoming) -> Bytes {
    let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
    frame.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn an_http2_connection_stays_while_anything_is_answered_and_not_long_after() {
    let idle = Duration::from_millis(100);
    let server = Server::start(|options| options.idle = idle).await;
    let mut quiet = Http2::connect(server.address).await;
    assert_eq!(quiet.get("/quick").await.body(), "quick");
    let mut streaming = Http2::connect(server.address).await;
    let mut stream = streaming.ask("/events").await.into_body();
    let mut waiting = Http2::connect(server.address).await;
    let slow = tokio::spawn(async move { waiting.get("/slow").await });
    server.doing.begun.notified().await;
    timeout(LONG, quiet.ended)
        .await
        .expect("it keeps its place")
        .unwrap()
        .unwrap();
    // The others were there for at least as long.
    tokio::time::sleep(2 * idle).await;
    server.doing.go.add_permits(1);
    assert_eq!(slow.await.unwrap().body(), "slow");
    server.doing.hub.publish(&7, 1, event(1));
    let mut text = String::new();
    while !text.contains("event 1") {
        let piece = timeout(LONG, piece(&mut stream)).await.unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    drop(stream);
    timeout(LONG, streaming.ended)
        .await
        .expect("it keeps its place after its stream")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_client_of_http2_that_takes_nothing_of_an_answer_loses_its_connection() {
    let stall = Duration::from_millis(200);
    let server = Server::start(|options| (options.stall, options.idle) = (stall, stall)).await;
    // The client answers each ping, and lets nobody send it a byte.
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let mut client = Http2::with(builder, server.address).await;
    let answer = client.ask("/quick").await;
    let ended = timeout(LONG, client.ended).await;
    ended.expect("it keeps its place").unwrap().unwrap_err();
    drop(answer);
}

#[tokio::test]
async fn who_connects_by_http2_and_asks_nothing_is_closed() {
    let first_request = Duration::from_millis(100);
    let server = Server::start(|options| options.first_request = first_request).await;
    let client = Http2::connect(server.address).await;
    let ended = timeout(LONG, client.ended).await;
    // However it learns of it.
    let _ = ended.expect("it keeps its place");
}
