//! How many question sets one member may ask for.

use std::time::Duration;

use chrono::Days;
use chrono_tz::Tz;
use ground::Connection;

use super::error::QuestionSetError;
use super::store::{self, Most, NewSet};
use crate::platform::clock::{day, start_of_day};

/// Bounds of one member; 0 is no bound.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Sets asked for on one day.
    pub per_day: u32,
    /// Sets being made at the same time.
    pub pending: u32,
    /// The zone of the day.
    pub zone: Tz,
}

impl Quota {
    /// Inserts a set within the member's quota, however many requests come at once; its id.
    pub(super) async fn insert(
        self,
        tx: &mut Connection<'_>,
        set: NewSet<'_>,
    ) -> Result<i64, QuestionSetError> {
        let (owner, now) = (set.owner_id, set.now);
        let today = day(self.zone, now);
        let since = start_of_day(self.zone, today);
        let most = Most {
            since,
            since_then: bound(self.per_day),
            pending: bound(self.pending),
        };
        if let Some(id) = store::insert(tx, set, most).await? {
            return Ok(id);
        }
        if store::asked_since(tx, owner, since).await? < most.since_then {
            return Err(QuestionSetError::TooManyPending);
        }
        let tomorrow = start_of_day(self.zone, today + Days::new(1));
        let wait = (tomorrow - now).to_std().unwrap_or(Duration::ZERO);
        Err(QuestionSetError::TooManyToday(wait))
    }
}

fn bound(most: u32) -> i64 {
    match most {
        0 => i64::MAX,
        most => most.into(),
    }
}
