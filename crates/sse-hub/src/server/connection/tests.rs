//! What a connection gets from a server that stops.

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const LONG: Duration = Duration::from_secs(20);

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
    let read = timeout(LONG, read_after_stop("")).await;
    assert_eq!(read.expect("it waits"), "");
}

#[tokio::test]
async fn what_was_sent_before_the_server_stopped_is_answered() {
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let read = timeout(LONG, read_after_stop(request)).await.unwrap();
    assert!(read.ends_with("\r\n\r\nanswer"), "{read}");
}
