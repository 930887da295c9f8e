//! The reader of event streams.

use std::time::Duration;

use testkit::sse::SseReader;

use crate::stand_in::{StandIn, answer};

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";

async fn stream(events: &'static str) -> StandIn {
    StandIn::start(move |_| {
        let mut pieces = vec![STREAM.to_owned()];
        pieces.extend(events.chars().map(String::from));
        pieces
    })
    .await
}

#[tokio::test]
async fn events_come_one_by_one_until_the_server_ends_the_stream() {
    let server =
        stream("event: heartbeat\ndata: ping\n\nid: 5\ndata: 하나\ndata: 둘\n\nretry: 60000\n\n")
            .await;
    let mut reader = SseReader::connect(server.base(), Some("token"), Some("4")).await;

    let request = server.last_request();
    assert!(request.contains("authorization: bearer token"));
    assert!(request.contains("last-event-id: 4"));

    assert_eq!(reader.next().await.event, "heartbeat");
    let second = reader.next().await;
    assert_eq!(
        (second.id.as_deref(), second.data.as_str()),
        (Some("5"), "하나\n둘")
    );
    assert_eq!(reader.next_or_end().await, None);
    assert_eq!(reader.retry(), Some(Duration::from_secs(60)));
    assert_eq!(reader.last_event_id(), Some("5"));
}

#[tokio::test]
async fn an_event_can_be_awaited_by_name() {
    let server =
        stream("event: heartbeat\ndata: ping\n\nevent: done\ndata: 1\n\ndata: 2\n\n").await;
    let mut reader = SseReader::connect(server.base(), None, None).await;

    assert_eq!(reader.next_named("done").await.data, "1");
    assert_eq!(reader.rest().await.len(), 1);
}

#[tokio::test]
#[should_panic(expected = "the stream ended before \"done\", after [\"heartbeat\"]")]
async fn a_named_event_that_never_comes_says_what_came_instead() {
    let server = stream("event: heartbeat\ndata: ping\n\n").await;
    let mut reader = SseReader::connect(server.base(), None, None).await;
    reader.next_named("done").await;
}

#[tokio::test]
#[should_panic(expected = "401 Unauthorized")]
async fn an_answer_that_is_no_stream_is_told() {
    let server = StandIn::start(|_| answer("401 Unauthorized", "", "{}")).await;
    SseReader::connect(server.base(), None, None).await;
}
