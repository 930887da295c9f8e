//! Events of question sets become notifications.

use std::sync::Arc;

use async_trait::async_trait;
use ground::Connection;
use outbox::{ApplyError, Event, Projection};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::feed::Feed;
use super::{message, store};
use crate::platform::clock::Now;
use crate::question_set::events::{
    QUESTION_SET_COMPLETED, QUESTION_SET_FAILED, SetCompleted, SetFailed,
};

/// Stores a notification for each event, in the transaction that deletes the event; then wakes the feed.
pub struct NotificationProjection {
    feed: Arc<Feed>,
    now: Now,
}

impl NotificationProjection {
    /// Wakes this feed.
    pub fn new(feed: Arc<Feed>, now: Now) -> Self {
        Self { feed, now }
    }
}

#[async_trait]
impl Projection for NotificationProjection {
    fn name(&self) -> &str {
        "notifications"
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        let rows = events.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        store::insert(tx, Value::Array(rows), (self.now)()).await?;
        Ok(())
    }

    async fn committed(&self, _: &[Event]) {
        self.feed.wake();
    }
}

fn row(event: &Event) -> Result<Value, ApplyError> {
    let (member_id, payload) = match event.event_type.as_str() {
        QUESTION_SET_COMPLETED => {
            let set: SetCompleted = read(event)?;
            (set.member_id, message::completed(&set))
        }
        QUESTION_SET_FAILED => {
            let set: SetFailed = read(event)?;
            (set.member_id, message::failed(&set))
        }
        other => {
            return Err(ApplyError::Event {
                id: event.id,
                reason: format!("no notification is made of a {other}"),
            });
        }
    };
    Ok(json!({"memberId": member_id, "eventName": message::CREATION_COMPLETE, "payload": payload}))
}

fn read<T: DeserializeOwned>(event: &Event) -> Result<T, ApplyError> {
    serde_json::from_value(event.payload.clone()).map_err(|error| ApplyError::Event {
        id: event.id,
        reason: error.to_string(),
    })
}
