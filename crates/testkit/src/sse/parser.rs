//! Parses an event stream as a browser does.

use std::time::Duration;

/// One event as a browser would hand it to a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The name: `message` when the server gave none.
    pub event: String,
    /// The id that came with this very event.
    pub id: Option<String>,
    /// The data lines, joined by line feeds.
    pub data: String,
    /// The reconnection time that came with this very event.
    pub retry: Option<Duration>,
}

/// Takes bytes in whatever pieces they arrive and gives back whole events. It cuts lines in bytes,
/// so that a character may be split between two pieces.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    /// The last piece ended in a carriage return, whose line feed may still come.
    after_carriage_return: bool,
    past_first_line: bool,
    block: Block,
    last_event_id: Option<String>,
    retry: Option<Duration>,
}

/// The fields since the last empty line.
#[derive(Debug, Default)]
struct Block {
    event: Option<String>,
    id: Option<String>,
    data: Option<String>,
    retry: Option<Duration>,
}

impl Parser {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            let second_half = byte == b'\n' && self.after_carriage_return;
            self.after_carriage_return = byte == b'\r';
            match byte {
                b'\n' if second_half => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    pub(super) fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let first = !std::mem::replace(&mut self.past_first_line, true);
        let line = match line.strip_prefix('\u{feff}') {
            Some(rest) if first => rest,
            _ => &line,
        };
        if line.is_empty() {
            return self.end_block();
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        self.field(name, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    /// A comment has an empty name and falls through with the unknown fields.
    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => self.block.event = Some(value.to_owned()),
            "data" => match &mut self.block.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                empty => *empty = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.block.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis);
                self.block.retry = self.retry;
            }
            _ => {}
        }
    }

    /// A block without data is no event; its id and its reconnection time count all the same. Half a block counts for nothing: its id
    /// would claim an event that never came.
    fn end_block(&mut self) -> Option<SseEvent> {
        let block = std::mem::take(&mut self.block);
        if let Some(id) = &block.id {
            self.last_event_id = Some(id.clone());
        }
        Some(SseEvent {
            data: block.data?,
            event: block
                .event
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "message".to_owned()),
            id: block.id,
            retry: block.retry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<SseEvent> {
        Parser::default().push(text.as_bytes())
    }

    fn event(event: &str, id: Option<&str>, data: &str) -> SseEvent {
        SseEvent {
            event: event.to_owned(),
            id: id.map(str::to_owned),
            data: data.to_owned(),
            retry: None,
        }
    }

    #[test]
    fn an_event_has_its_name_id_data_and_reconnection_time() {
        let events = parse("event: done\nid: 7\nretry: 1500\ndata: {\"a\":1}\n\n");
        assert_eq!(
            events,
            [SseEvent {
                retry: Some(Duration::from_millis(1500)),
                ..event("done", Some("7"), "{\"a\":1}")
            }]
        );
    }

    #[test]
    fn an_event_without_a_name_is_a_message() {
        assert_eq!(parse("data: x\n\n"), [event("message", None, "x")]);
        assert_eq!(parse("event:\ndata: x\n\n"), [event("message", None, "x")]);
    }

    #[test]
    fn several_data_lines_are_joined_by_line_feeds() {
        assert_eq!(
            parse("data: one\ndata:\ndata:  three\n\n"),
            [event("message", None, "one\n\n three")]
        );
    }

    #[test]
    fn lines_end_in_any_of_the_three_ways() {
        let expected = [event("a", None, "1"), event("message", None, "2")];
        for end in ["\n", "\r", "\r\n"] {
            let text = "event: a|data: 1||data: 2||".replace('|', end);
            assert_eq!(parse(&text), expected, "lines that end in {end:?}");
        }
    }

    #[test]
    fn the_pieces_it_arrives_in_do_not_matter() {
        let text = "\u{feff}: hello\r\n\r\nevent: 알림\r\nid: 9\r\ndata: 문제가 준비되었어요 🎉\r\n\r\ndata: 2\n\n";
        let whole = parse(text);
        assert_eq!(
            whole,
            [
                event("알림", Some("9"), "문제가 준비되었어요 🎉"),
                event("message", None, "2")
            ]
        );
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let pieces: Vec<SseEvent> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|piece| parser.push(piece))
                .collect();
            assert_eq!(pieces, whole, "in pieces of {size} bytes");
        }
    }

    #[test]
    fn an_event_is_handed_out_only_when_its_empty_line_has_come() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(b"data: x\n"), []);
        assert_eq!(parser.push(b"\n"), [event("message", None, "x")]);
    }

    #[test]
    fn a_block_without_data_is_no_event_but_its_retry_and_id_count() {
        let mut parser = Parser::default();
        assert_eq!(
            parser.push(b": ping\n\nretry: 60000\nid: 4\nevent: x\n\n"),
            []
        );
        assert_eq!(parser.retry(), Some(Duration::from_secs(60)));
        assert_eq!(parser.last_event_id(), Some("4"));
        assert_eq!(parser.push(b"data: y\n\n"), [event("message", None, "y")]);
    }

    #[test]
    fn the_id_of_an_event_that_was_cut_off_is_not_remembered() {
        let mut parser = Parser::default();
        parser.push(b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
        assert_eq!(parser.last_event_id(), Some("1"));
        parser.push(b"\n");
        assert_eq!(parser.last_event_id(), Some("2"));
    }

    #[test]
    fn the_id_of_one_event_is_not_the_id_of_the_next() {
        let mut parser = Parser::default();
        let events = parser.push(b"id: 1\ndata: a\n\ndata: b\n\n");
        assert_eq!(events[0].id.as_deref(), Some("1"));
        assert_eq!(events[1].id, None);
        assert_eq!(parser.last_event_id(), Some("1"));
    }

    #[test]
    fn a_retry_that_is_no_number_is_ignored() {
        let mut parser = Parser::default();
        parser.push(b"retry: soon\nretry: +5\nretry:\ndata: x\n\n");
        assert_eq!(parser.retry(), None);
    }
}
