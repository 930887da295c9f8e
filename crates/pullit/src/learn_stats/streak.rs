//! `LearnStatsScheduler` (guide 3.1): at midnight, who did not learn yesterday loses the streak.

use async_trait::async_trait;
use chrono::{Days, NaiveDate};
use ground::{Connection, Dialect, Fence, Statements};
use tokio_util::sync::CancellationToken;

use super::service::LearnStats;
use super::walk::{Page, Progress, Run, Slot, Step};
use crate::platform::run::RunError;

const BREAK_STREAKS: &str = "UPDATE learn_stats SET consecutive_learning_days = 0 \
     WHERE member_id > $1 AND member_id <= $2 AND consecutive_learning_days <> 0 \
     AND (last_learning_date IS NULL OR last_learning_date < $3)";
// The recomputations that run beside it lock rows in id order; so must this, or two would wait for each other. PostgreSQL has no other word
// for the order of an UPDATE than the plan: without these two, one of them is left, the primary key in its order. Locking the rows first,
// in order, would cost as much again as the update.
const IN_ID_ORDER: &str = "SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)";

/// Breaks the streaks of those who last learned before `yesterday`.
struct BreakStreaks<'a> {
    stats: &'a LearnStats,
    yesterday: NaiveDate,
}

#[async_trait]
impl Step for BreakStreaks<'_> {
    fn task(&self) -> &'static str {
        "streaks"
    }

    fn width(&self) -> u32 {
        self.stats.options.streak_batch
    }

    async fn write(
        &self,
        tx: &mut Connection<'_>,
        page: Page,
        _: Vec<i64>,
    ) -> Result<u64, RunError> {
        if tx.dialect() == Dialect::Postgres {
            tx.run(IN_ID_ORDER, Vec::new()).await?;
        }
        let values = vec![page.after.into(), page.to.into(), self.yesterday.into()];
        Ok(tx.run(BREAK_STREAKS, values).await?)
    }
}

impl LearnStats {
    /// Checks every member's streak as of the slot's day. The number of members whose streak was broken for this slot, earlier attempts included.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; pages committed before stay, and are not done again for this slot.
    pub async fn check_streaks(
        &self,
        slot: Slot,
        fence: &dyn Fence,
        cancel: &CancellationToken,
        progress: Progress<'_>,
    ) -> Result<u64, RunError> {
        let today = self.day(slot.at);
        let about = self.about_all().await?;
        let step = BreakStreaks {
            stats: self,
            yesterday: today - Days::new(1),
        };
        let run = Run {
            slot,
            fence,
            cancel,
            progress: &|checked, _| progress(checked, about.max(checked)),
        };
        let position = self.walk(&step, run).await?;
        let (checked, broken) = (position.checked(), position.affected());
        progress(checked, checked);
        tracing::info!(checked, broken, %today, "streaks are checked");
        Ok(broken)
    }
}
