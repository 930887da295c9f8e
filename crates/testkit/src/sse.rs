//! Reads a `text/event-stream` as a browser's EventSource does.

mod parser;

use std::{collections::VecDeque, time::Duration};

use reqwest::{Response, header};
use tokio::time::{Instant, timeout_at};

use parser::Parser;
pub use parser::SseEvent;

use crate::http;

/// How long [`SseReader::next`] and its kin wait.
const BOUND: Duration = Duration::from_secs(10);

/// Why there is no stream.
#[derive(Debug)]
pub enum NoStream {
    /// No answer came: there is no server, or none that answers.
    Unreachable(String),
    /// An answer came, and no event stream: a browser would not ask again.
    Refused(String),
}

/// One open stream. Dropping it closes the connection.
#[derive(Debug)]
pub struct SseReader {
    response: Response,
    parser: Parser,
    ready: VecDeque<SseEvent>,
}

impl SseReader {
    /// Opens the stream at `url` and reads its header.
    ///
    /// # Panics
    /// When the answer is not a 200 with `text/event-stream`.
    pub async fn connect(url: &str, bearer: Option<&str>, last_event_id: Option<&str>) -> Self {
        let client = http::direct();
        let stream = Self::try_connect(&client, url, bearer, last_event_id).await;
        stream.unwrap_or_else(|reason| panic!("no event stream from {url}: {reason:?}"))
    }

    /// As [`SseReader::connect`], for tests in which the server may be dead; many readers share a client.
    ///
    /// # Errors
    /// When no stream comes of it.
    pub async fn try_connect(
        client: &reqwest::Client,
        url: &str,
        bearer: Option<&str>,
        last_event_id: Option<&str>,
    ) -> Result<Self, NoStream> {
        let mut request = client.get(url).header(header::ACCEPT, "text/event-stream");
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = tokio::time::timeout(BOUND, request.send())
            .await
            .map_err(|_| NoStream::Unreachable(format!("no answer in {BOUND:?}")))?
            .map_err(|error| NoStream::Unreachable(format!("{error:?}")))?;
        let status = response.status();
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        if status != 200 || !content_type.starts_with("text/event-stream") {
            let body = response.text().await.unwrap_or_default();
            let refused = format!("{status} {content_type:?}: {body}");
            return Err(NoStream::Refused(refused));
        }
        Ok(Self {
            response,
            parser: Parser::default(),
            ready: VecDeque::new(),
        })
    }

    /// The next event.
    ///
    /// # Panics
    /// When none comes within 10 s, or the stream ends.
    pub async fn next(&mut self) -> SseEvent {
        self.next_until(Instant::now() + BOUND)
            .await
            .unwrap_or_else(|| panic!("the stream ended before the next event"))
    }

    /// The next event of this name; others are passed over.
    ///
    /// # Panics
    /// When none comes within 10 s, or the stream ends; with the names of the others.
    pub async fn next_named(&mut self, name: &str) -> SseEvent {
        let deadline = Instant::now() + BOUND;
        let mut others = Vec::new();
        loop {
            match self.read_until(deadline).await {
                Ok(Some(event)) if event.event == name => return event,
                Ok(Some(event)) => others.push(event.event),
                Ok(None) => panic!("the stream ended before {name:?}, after {others:?}"),
                Err(_) => panic!("no {name:?} within {BOUND:?}, but {others:?}"),
            }
        }
    }

    /// The next event, or `None` when the server has ended the stream.
    ///
    /// # Panics
    /// When neither happens within 10 s.
    pub async fn next_or_end(&mut self) -> Option<SseEvent> {
        self.next_until(Instant::now() + BOUND).await
    }

    /// The next event, or `None` when the stream has ended or nothing has come for `bound`.
    pub async fn next_within(&mut self, bound: Duration) -> Option<SseEvent> {
        let next = self.read_until(Instant::now() + bound).await;
        next.unwrap_or_default()
    }

    /// The events that come until the server ends the stream.
    ///
    /// # Panics
    /// When it does not end within 10 s.
    pub async fn rest(&mut self) -> Vec<SseEvent> {
        let deadline = Instant::now() + BOUND;
        let mut events = Vec::new();
        while let Some(event) = self.next_until(deadline).await {
            events.push(event);
        }
        events
    }

    /// The reconnection time the server last asked for, in an event or alone.
    pub fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }

    /// The last id received: what a browser would reconnect with.
    pub fn last_event_id(&self) -> Option<&str> {
        self.parser.last_event_id()
    }

    async fn next_until(&mut self, deadline: Instant) -> Option<SseEvent> {
        self.read_until(deadline)
            .await
            .unwrap_or_else(|_| panic!("no event within {BOUND:?}"))
    }

    async fn read_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<SseEvent>, tokio::time::error::Elapsed> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            // A connection that breaks off is the end of the stream, as it is to a browser.
            match timeout_at(deadline, self.response.chunk()).await? {
                Ok(Some(bytes)) => self.ready.extend(self.parser.push(&bytes)),
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }
}
