//! `LearnStatsScheduler` (guide 3.1): at midnight, who did not learn yesterday loses the streak.

use chrono::{Days, NaiveDate};
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use super::service::LearnStats;
use crate::platform::fence::RunFence;
use crate::platform::run::RunError;
use crate::platform::sql::{Dialects, SqlExt};

const PAGE: &str = "SELECT id FROM member WHERE id > $1 ORDER BY id LIMIT $2";
const COUNT: &str = "SELECT count(*) FROM member";
// Rows are locked in id order, as by the recomputations that run beside it, so that no two wait for each other. The outer conditions are
// asked again of each row as it is when it is locked.
const BREAK_STREAKS: Dialects = Dialects {
    sqlite: "UPDATE learn_stats SET consecutive_learning_days = 0 \
         WHERE member_id >= $1 AND member_id <= $2 AND consecutive_learning_days <> 0 \
         AND (last_learning_date IS NULL OR last_learning_date < $3)",
    postgres: "UPDATE learn_stats SET consecutive_learning_days = 0 \
         WHERE member_id IN (SELECT member_id FROM learn_stats WHERE member_id >= $1 AND member_id <= $2 \
           AND consecutive_learning_days <> 0 AND (last_learning_date IS NULL OR last_learning_date < $3) \
           ORDER BY member_id FOR UPDATE) \
         AND consecutive_learning_days <> 0 AND (last_learning_date IS NULL OR last_learning_date < $3)",
};

/// How far a run has come: done, of all.
pub(super) type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

impl LearnStats {
    /// Checks every member's streak as of `today`. The number of members whose streak was broken.
    ///
    /// Pages follow the member id, and a page is worked on before the next is asked for: none is skipped, whoever joins or leaves meanwhile.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; pages committed before stay.
    pub async fn check_streaks(
        &self,
        today: NaiveDate,
        fence: &dyn RunFence,
        cancel: &CancellationToken,
        progress: Progress<'_>,
    ) -> Result<u64, RunError> {
        let yesterday = today - Days::new(1);
        let members = self.member_count().await?;
        let (mut after, mut checked, mut broken) = (i64::MIN, 0, 0);
        loop {
            RunError::unless_stopped(cancel)?;
            let page = self.member_page(after).await?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else {
                break;
            };
            let tx = self.db.begin().await?;
            let values = vec![(*first).into(), (*last).into(), yesterday.into()];
            broken += tx.run(BREAK_STREAKS, values).await?;
            fence.check(&tx).await?;
            tx.commit().await?;
            after = *last;
            checked += page.len() as u64;
            progress(checked, members.max(checked));
        }
        tracing::info!(checked, broken, %today, "streaks are checked");
        Ok(broken)
    }

    pub(super) async fn member_page(&self, after: i64) -> Result<Vec<i64>, DbErr> {
        let values = vec![after.into(), i64::from(self.options.member_batch).into()];
        self.db.read().scalars(PAGE, values).await
    }

    pub(super) async fn member_count(&self) -> Result<u64, DbErr> {
        let count = self.db.read().scalar::<i64, _>(COUNT, Vec::new()).await?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }
}
