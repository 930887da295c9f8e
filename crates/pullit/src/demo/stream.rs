//! A member's event stream.

use std::collections::VecDeque;

use reqwest::Response;
use serde_json::Value;

use super::client::{TIMEOUT, number, text};
use super::problem::{Problem, check, equal};
use super::sse::{Event, Parser};

/// An open event stream.
pub(super) struct EventStream {
    response: Response,
    parser: Parser,
    read: VecDeque<Event>,
}

impl EventStream {
    /// The body of this answer.
    pub(super) fn of(response: Response) -> Self {
        Self {
            response,
            parser: Parser::default(),
            read: VecDeque::new(),
        }
    }

    /// The next event that is not a heartbeat.
    async fn next(&mut self) -> Result<Event, Problem> {
        loop {
            while let Some(event) = self.read.pop_front() {
                if event.name != "heartbeat" {
                    return Ok(event);
                }
            }
            let chunk = self.response.chunk().await.map_err(Problem::of)?;
            let chunk = chunk.ok_or_else(|| Problem("the event stream ended".to_owned()))?;
            self.read.extend(self.parser.push(&chunk));
        }
    }

    /// The next event, if it has this name.
    pub(super) async fn expect(&mut self, name: &str) -> Result<Event, Problem> {
        let event = tokio::time::timeout(TIMEOUT, self.next())
            .await
            .map_err(|_| Problem(format!("the event stream brought no {name}")))??;
        check(
            event.name == name,
            format_args!(
                "the event stream brought {} and not {name}: {}",
                event.name, event.data
            ),
        )?;
        Ok(event)
    }

    /// What the stream says of the end of an attempt at this set: whether it went well, the words, and the event's id.
    pub(super) async fn verdict(&mut self, question_set: i64) -> Result<Verdict, Problem> {
        let event = self.expect("questionSetCreationComplete").await?;
        let data: Value = serde_json::from_str(&event.data)
            .map_err(|error| Problem(format!("the event's data is not JSON: {error}")))?;
        equal(
            "the question set that the stream speaks of",
            number(&data, "/questionSetId")?,
            question_set,
        )?;
        check(!event.last_id.is_empty(), "the event has no id")?;
        Ok(Verdict {
            success: data["success"].as_bool() == Some(true),
            message: text(&data, "/message")?,
            id: event.last_id,
        })
    }
}

/// How an attempt ended, as the owner is told.
pub(super) struct Verdict {
    pub(super) success: bool,
    pub(super) message: String,
    pub(super) id: String,
}
