//! What events do to learn stats: a solved set recomputes its member, a weekly reset begins a week.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::NaiveDate;
use ground::Connection;
use outbox::{ApplyError, Event, NewEvent, Projection};
use serde::{Deserialize, Serialize};

use super::recompute;
use super::service::LearnStats;

/// A member had answers marked.
pub const QUESTION_SET_SOLVED: &str = "QUESTION_SET_SOLVED";
/// A week has begun.
pub const WEEKLY_RESET: &str = "WEEKLY_RESET";

/// Payload of [`QUESTION_SET_SOLVED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Solved {
    /// Version of this payload.
    pub version: u32,
    /// Who.
    pub member_id: i64,
    /// The day in the ledger.
    pub activity_date: NaiveDate,
    /// Answers marked.
    pub question_count: i64,
    /// Of these, right.
    pub correct_count: i64,
    /// Sets of which all questions were marked.
    pub question_set_ids: Vec<i64>,
}

impl Solved {
    /// The event. Events of one member are applied in order.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn event(self) -> Result<NewEvent, serde_json::Error> {
        let key = member_key(self.member_id);
        Ok(NewEvent::new(
            QUESTION_SET_SOLVED,
            key,
            serde_json::to_value(self)?,
        ))
    }
}

/// The key of everything that concerns a member's stats.
fn member_key(member_id: i64) -> String {
    format!("member:{member_id}")
}

/// Applies [`QUESTION_SET_SOLVED`]: the members' stats become what the ledgers give.
pub struct SolvedProjection(pub LearnStats);

/// Applies [`WEEKLY_RESET`]: the weekly count becomes what the current week holds, however late the event is.
pub struct WeeklyProjection(pub LearnStats);

#[async_trait]
impl Projection for SolvedProjection {
    fn name(&self) -> &str {
        "learn-stats"
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        recompute::all(tx, &members(events)?, self.0.today()).await?;
        Ok(())
    }
}

#[async_trait]
impl Projection for WeeklyProjection {
    fn name(&self) -> &str {
        "learn-stats-weekly"
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        recompute::week(tx, &members(events)?, self.0.today()).await?;
        Ok(())
    }
}

fn members(events: &[Event]) -> Result<Vec<i64>, ApplyError> {
    let members = events
        .iter()
        .map(|event| {
            event.payload["memberId"]
                .as_i64()
                .ok_or_else(|| ApplyError::Event {
                    id: event.id,
                    reason: "its payload has no memberId".to_owned(),
                })
        })
        .collect::<Result<BTreeSet<_>, _>>()?;
    Ok(members.into_iter().collect())
}
