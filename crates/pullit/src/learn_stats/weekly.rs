//! `LearnStatsBatchScheduler` (guide 3.2): every Monday, a weekly reset for every member, then all stats anew from the ledgers.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use outbox::{EventQuery, publish_select};
use tokio_util::sync::CancellationToken;

use super::projection::WEEKLY_RESET;
use super::recompute::{self, iso_week};
use super::service::LearnStats;
use super::streak::Progress;
use crate::platform::fence::RunFence;
use crate::platform::run::RunError;

/// A [`WEEKLY_RESET`] for each member of a page, with the key of everything that concerns a member's stats.
const RESETS: EventQuery = EventQuery {
    sqlite: "SELECT id AS place, 'member:' || id AS aggregate_key, \
         json_object('version', 1, 'memberId', id, 'week', $3) AS payload FROM member WHERE id >= $1 AND id <= $2",
    postgres: "SELECT id AS place, 'member:' || id AS aggregate_key, \
         jsonb_build_object('version', 1, 'memberId', id, 'week', $3::text) AS payload \
         FROM member WHERE id >= $1 AND id <= $2",
};

/// Where a run goes on when one of its transactions met a conflict and the scheduler calls it again: what was committed is not done twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Resume(Arc<Mutex<Option<(i64, Position)>>>);

#[derive(Clone, Copy, Debug)]
struct Position {
    published_to: Option<i64>,
    recomputed_to: Option<i64>,
    published: u64,
    recomputed: u64,
}

const START: Position = Position {
    published_to: Some(i64::MIN),
    recomputed_to: Some(i64::MIN),
    published: 0,
    recomputed: 0,
};

impl Resume {
    fn position(&self, run: i64) -> Position {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.filter(|(of, _)| *of == run)
            .map_or(START, |(_, position)| position)
    }

    fn keep(&self, run: i64, position: Position) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((run, position));
    }
}

impl LearnStats {
    /// Publishes one `WEEKLY_RESET` per member for the week of `today`, then recomputes every member's stats. The number of members recomputed.
    ///
    /// `run` names the run: called again for the same one, it goes on where it stopped, and counts what it had done before.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; pages committed before stay.
    pub async fn reset_week(
        &self,
        run: i64,
        today: NaiveDate,
        fence: &dyn RunFence,
        cancel: &CancellationToken,
        progress: Progress<'_>,
    ) -> Result<u64, RunError> {
        let members = self.member_count().await?;
        let mut position = self.resume.position(run);
        let week = iso_week(today);
        while let Some(after) = position.published_to {
            RunError::unless_stopped(cancel)?;
            let page = self.member_page(after).await?;
            if let (Some(first), Some(last)) = (page.first(), page.last()) {
                position.published += self.publish_resets(*first..=*last, &week, fence).await?;
            }
            position.published_to = page.last().copied();
            self.resume.keep(run, position);
            progress(
                position.published,
                members.saturating_mul(2).max(position.published),
            );
        }
        while let Some(after) = position.recomputed_to {
            RunError::unless_stopped(cancel)?;
            let page = self.member_page(after).await?;
            if !page.is_empty() {
                let tx = self.db.begin().await?;
                recompute::all(&tx, &page, self.today()).await?;
                fence.check(&tx).await?;
                tx.commit().await?;
            }
            position.recomputed_to = page.last().copied();
            position.recomputed += page.len() as u64;
            self.resume.keep(run, position);
            let done = position.published + position.recomputed;
            progress(done, members.saturating_mul(2).max(done));
        }
        tracing::info!(
            members = position.recomputed,
            week,
            "the week is reset and the stats are recalibrated"
        );
        Ok(position.recomputed)
    }

    async fn publish_resets(
        &self,
        members: RangeInclusive<i64>,
        week: &str,
        fence: &dyn RunFence,
    ) -> Result<u64, RunError> {
        let (first, last) = members.into_inner();
        let values = vec![first.into(), last.into(), week.into()];
        let tx = self.db.begin().await?;
        let published = publish_select(&tx, WEEKLY_RESET, RESETS, values, (self.now)()).await?;
        fence.check(&tx).await?;
        tx.commit().await?;
        self.signal.notify();
        Ok(published)
    }
}
