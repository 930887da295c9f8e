//! What a frame looks like on the wire.

use std::time::Duration;

use proptest::prelude::*;
use sse_hub::{Frame, refusal_body};

use crate::client::{Event, Parser, parse, seconds};

#[test]
fn an_event_is_written_in_the_format_of_the_standard() {
    let frame = Frame::event("done", Some(41), "{\"success\": true}");
    assert_eq!(
        frame.as_bytes(),
        "event: done\nid: 41\ndata: {\"success\": true}\n\n"
    );
}

#[test]
fn an_event_without_an_id_leaves_the_last_event_id_alone() {
    let frame = Frame::event("heartbeat", None, "ping");
    assert_eq!(frame.as_bytes(), "event: heartbeat\ndata: ping\n\n");
}

#[test]
fn every_kind_of_line_break_in_data_reaches_the_client_as_a_newline() {
    let frame = Frame::event("text", None, "하나\r\n둘\r셋\n\n넷\n");
    assert_eq!(parse(&frame)[0].data, "하나\n둘\n셋\n\n넷\n");
}

#[test]
fn a_line_break_in_a_name_cannot_forge_a_field() {
    let frame = Frame::event("done\nid: 9\r\ndata: forged", None, "true");
    let event = Event {
        name: "done id: 9  data: forged".into(),
        id: None,
        data: "true".into(),
    };
    assert_eq!(parse(&frame), [event]);
}

#[test]
fn an_event_with_empty_data_still_arrives() {
    assert_eq!(parse(&Frame::event("empty", None, ""))[0].data, "");
}

#[test]
fn a_comment_and_a_retry_are_no_events() {
    let mut parser = Parser::default();
    parser.feed(Frame::comment("one\r\ndata: two").as_bytes());
    parser.feed(Frame::retry(Duration::from_millis(2500)).as_bytes());
    assert_eq!(parser.events, []);
    assert_eq!(parser.retry, Some(Duration::from_millis(2500)));
}

#[test]
fn an_id_alone_is_no_event_and_is_remembered() {
    let frame = Frame::id("since-41");
    assert_eq!(frame.as_bytes(), "id: since-41\n\n");
    assert_eq!(parse(&frame), []);
    for forged in ["a\ndata: b", "a\r\ndata: b", "a\rdata: b"] {
        assert_eq!(Frame::id(forged).as_bytes(), "id: a\n\n");
    }
}

#[test]
fn a_refusal_is_a_retry_within_its_range_and_nothing_else() {
    for _ in 0..100 {
        let mut parser = Parser::default();
        parser.feed(&refusal_body(seconds(60)..seconds(180)));
        assert!((seconds(60)..seconds(180)).contains(&parser.retry.unwrap()));
        assert_eq!(parser.events, []);
    }
}

#[test]
fn a_range_without_width_is_a_fixed_retry() {
    assert_eq!(refusal_body(seconds(7)..seconds(7)), "retry: 7000\n\n");
}

proptest! {
    #[test]
    fn any_data_arrives_whole_however_the_bytes_are_cut(
        data in "(?s)[ :a-z\r\n가-힣😀\u{feff}\0]{0,40}",
        id in proptest::option::of(any::<i64>()),
        cut in 1_usize..7,
    ) {
        let mut parser = Parser::default();
        for chunk in Frame::event("text", id, &data).as_bytes().chunks(cut) {
            // The test's parser takes a CR at the end of a chunk for a whole line break, so it also
            // proves that no CR is left in a frame.
            parser.feed(chunk);
        }
        let expected = Event {
            name: "text".into(),
            id: id.map(|id| id.to_string()),
            data: data.replace("\r\n", "\n").replace('\r', "\n"),
        };
        prop_assert_eq!(parser.events, [expected]);
    }
}
