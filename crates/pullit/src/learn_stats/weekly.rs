//! `LearnStatsBatchScheduler` (guide 3.2): every Monday, a weekly reset for every member, then all stats anew from the ledgers.

use async_trait::async_trait;
use ground::{Connection, Fence};
use outbox::{EventQuery, publish_select};
use tokio_util::sync::CancellationToken;

use super::projection::WEEKLY_RESET;
use super::recompute::{self, iso_week};
use super::service::LearnStats;
use super::walk::{Page, Progress, Run, Slot, Step};
use crate::platform::run::RunError;

/// A [`WEEKLY_RESET`] for each member of a page, with the key of everything that concerns a member's stats.
const RESETS: EventQuery = EventQuery {
    sqlite: "SELECT id AS place, 'member:' || id AS aggregate_key, \
         json_object('version', 1, 'memberId', id, 'week', $3) AS payload FROM member WHERE id > $1 AND id <= $2",
    postgres: "SELECT id AS place, 'member:' || id AS aggregate_key, \
         jsonb_build_object('version', 1, 'memberId', id, 'week', $3::text) AS payload \
         FROM member WHERE id > $1 AND id <= $2",
};

/// Publishes one `WEEKLY_RESET` per member.
struct PublishResets<'a> {
    stats: &'a LearnStats,
    week: String,
}

#[async_trait]
impl Step for PublishResets<'_> {
    fn task(&self) -> &'static str {
        "weekly resets"
    }

    fn width(&self) -> u32 {
        self.stats.options.member_batch
    }

    async fn write(
        &self,
        tx: &mut Connection<'_>,
        page: Page,
        _: Vec<i64>,
    ) -> Result<u64, RunError> {
        let values = vec![page.after.into(), page.to.into(), self.week.as_str().into()];
        Ok(publish_select(tx, WEEKLY_RESET, RESETS, values, (self.stats.now)()).await?)
    }

    fn committed(&self) {
        self.stats.signal.notify();
    }
}

/// Makes every member's stats what the ledgers give. Only those that differ are locked and written.
struct Recalibrate<'a>(&'a LearnStats);

#[async_trait]
impl Step for Recalibrate<'_> {
    fn task(&self) -> &'static str {
        "recalibration"
    }

    fn width(&self) -> u32 {
        self.0.options.member_batch
    }

    async fn look(&self, page: Page) -> Result<Vec<i64>, RunError> {
        Ok(recompute::drifted(self.0.db.read(), page, self.0.today()).await?)
    }

    async fn write(
        &self,
        tx: &mut Connection<'_>,
        _: Page,
        drifted: Vec<i64>,
    ) -> Result<u64, RunError> {
        Ok(recompute::all(tx, &drifted, self.0.today()).await?)
    }
}

impl LearnStats {
    /// Publishes one `WEEKLY_RESET` per member for the week of the slot's day, then sets every member's stats to what the ledgers give now.
    /// The number of members gone through for this slot, earlier attempts included.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; pages committed before stay, and are not done again for this slot.
    pub async fn reset_week(
        &self,
        slot: Slot,
        fence: &dyn Fence,
        cancel: &CancellationToken,
        progress: Progress<'_>,
    ) -> Result<u64, RunError> {
        let twice = self.about_all().await?.saturating_mul(2);
        let week = iso_week(self.day(slot.at));
        let publish = PublishResets {
            stats: self,
            week: week.clone(),
        };
        let mut run = Run {
            slot,
            fence,
            cancel,
            progress: &|published, _| progress(published, twice.max(published)),
        };
        let published = self.walk(&publish, run).await?.checked();
        let both = |checked, _| progress(published + checked, twice.max(published + checked));
        run.progress = &both;
        let recalibrated = self.walk(&Recalibrate(self), run).await?;
        let members = recalibrated.checked();
        progress(published + members, published + members);
        tracing::info!(
            members,
            drifted = recalibrated.affected(),
            week,
            "the week is reset and the stats are recalibrated"
        );
        Ok(members)
    }
}
