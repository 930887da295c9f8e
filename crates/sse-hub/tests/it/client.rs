//! What the tests see of a stream: a browser's view of it, by the parsing rules of the HTML standard.

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use sse_hub::{Ended, Frame, Hub, HubOptions, Subscription};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    name: String,
    data: String,
    id: Option<String>,
    pub(crate) retry: Option<Duration>,
    pub(crate) events: Vec<Event>,
}

impl Parser {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self
            .buffer
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
        {
            let crlf = self.buffer[end..].starts_with(b"\r\n");
            let line: Vec<u8> = self.buffer.drain(..end).collect();
            self.buffer.drain(..if crlf { 2 } else { 1 });
            self.line(&String::from_utf8(line).unwrap());
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" => self.id = Some(value.to_owned()),
            "retry" => self.retry = Some(Duration::from_millis(value.parse().unwrap())),
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        let id = self.id.take();
        if data.pop().is_some() {
            self.events.push(Event { name, id, data });
        }
    }
}

pub(crate) fn parse(frame: &Frame) -> Vec<Event> {
    let mut parser = Parser::default();
    parser.feed(frame.as_bytes());
    parser.events
}

pub(crate) struct Client {
    pub(crate) stream: Subscription<i64>,
    pub(crate) parser: Parser,
    pub(crate) over: bool,
}

impl Client {
    pub(crate) fn of(stream: Subscription<i64>) -> Self {
        Self {
            stream,
            parser: Parser::default(),
            over: false,
        }
    }

    pub(crate) fn open(hub: &Hub<i64>, key: i64) -> Self {
        Self::of(hub.subscribe(key).unwrap())
    }

    /// Takes one chunk when there is one; never waits.
    pub(crate) fn read_one(&mut self) -> Option<Bytes> {
        match self.stream.next().now_or_never() {
            Some(Some(bytes)) => {
                self.parser.feed(&bytes);
                Some(bytes)
            }
            Some(None) => {
                self.over = true;
                None
            }
            None => None,
        }
    }

    /// Takes all that is there, and returns the events among it.
    pub(crate) fn read(&mut self) -> Vec<Event> {
        while self.read_one().is_some() {}
        std::mem::take(&mut self.parser.events)
    }

    pub(crate) fn read_ids(&mut self) -> Vec<i64> {
        self.read()
            .iter()
            .filter_map(|event| event.id.as_ref()?.parse().ok())
            .collect()
    }

    pub(crate) fn read_names(&mut self) -> Vec<String> {
        self.read().into_iter().map(|event| event.name).collect()
    }

    /// Waits for the end of the stream and returns the names of the events before it.
    pub(crate) async fn read_to_end(&mut self) -> Vec<String> {
        while let Some(bytes) = self.stream.next().await {
            self.parser.feed(&bytes);
        }
        self.over = true;
        std::mem::take(&mut self.parser.events)
            .into_iter()
            .map(|event| event.name)
            .collect()
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.stream.ended()
    }
}

pub(crate) fn hub(change: impl FnOnce(&mut HubOptions)) -> Hub<i64> {
    let mut options = HubOptions::default();
    change(&mut options);
    Hub::new(options)
}

/// An event too long for all buffers between the hub and its client together.
pub(crate) fn long(id: i64) -> Frame {
    Frame::event("long", Some(id), &"나".repeat(60_000))
}

pub(crate) fn event(id: i64) -> Frame {
    Frame::event("done", Some(id), &format!("event {id}"))
}

pub(crate) fn ping() -> Frame {
    Frame::event("heartbeat", None, "ping")
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
