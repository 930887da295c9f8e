//! The scheduled jobs on one screen: the owner's guide as a table in code.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox::{GuardError, Relay, RelayRun};
use scheduler::Misfire::{RunOnce, Skip};
use scheduler::Scope::{Cluster, Node};
use scheduler::{Fence, Job, JobContext, JobError};
use sea_orm::DatabaseTransaction;

use crate::housekeeping::Housekeeping;
use crate::job_settings::{BadSetting, Defaults, Record, Settings};
use crate::learn_stats::LearnStats;
use crate::notification::Feed;
use crate::platform::config::Config;
use crate::platform::fence::{FenceError, RunFence};
use crate::platform::run::RunError;
use crate::question_set::QuestionSets;
use crate::source::{CleanupError, Sources};

/// The relay, which a publish wakes early.
pub const RELAY: &str = "relayOutboxEvents";
/// The one job that every node runs for itself.
pub const HEARTBEAT: &str = "sendHeartbeat";

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What the jobs work with.
#[derive(Clone)]
pub struct Rooms {
    /// Guide 1.1 and 1.2.
    pub question_sets: QuestionSets,
    /// Guide 2.1.
    pub sources: Arc<Sources>,
    /// Guide 3.1 and 3.2.
    pub learn_stats: Arc<LearnStats>,
    /// Guide 4.1.
    pub relay: Arc<Relay>,
    /// Guide 4.2.
    pub feed: Arc<Feed>,
    /// What grows and must not grow for ever.
    pub housekeeping: Arc<Housekeeping>,
}

/// All jobs, with what the configuration says of them.
///
/// # Errors
/// When a setting of a job cannot be used.
#[rustfmt::skip]
pub fn jobs(config: &Config, rooms: &Rooms) -> Result<Vec<Job>, BadSetting> {
    let of = Settings::of(config);
    let r = || rooms.clone();
    use Record::{Always, FailuresAndManual};
    Ok(vec![
        //                                            trigger                      lease       at least     scope    missed   attempts, backoff  record
        // 1.1 QuestionSetCleanupScheduler: what has been PENDING too long becomes FAILED.
        of.job("cleanupStalePendingQuestionSets",    Defaults::cron("0 */10 * * * *", 2 * MINUTE, MINUTE,      Cluster, Skip,    3, SECOND,     Always))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |c, r, f| r.question_sets.fail_stale(f, c.cancellation()).await) }),
        // 1.2 QuestionSetRetryScheduler: what failed and may succeed is tried again.
        of.job("retryFailedQuestionSetGeneration",   Defaults::cron("0 */5 * * * *",  2 * MINUTE, MINUTE,      Cluster, Skip,    3, SECOND,     Always))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |c, r, f| r.question_sets.retry_failed(f, c.cancellation()).await) }),
        // 2.1 SourceCleanupScheduler: deleted sources leave the storage, then the database.
        of.job("runSourceCleanup",                   Defaults::cron("0 0 4 * * *",    2 * MINUTE, 10 * MINUTE, Cluster, RunOnce, 3, SECOND,     Always))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |c, r, f| source_cleanup(c, r, f).await) }),
        // 3.1 LearnStatsScheduler: who did not learn yesterday loses the streak.
        of.job("validateConsecutiveLearning",        Defaults::cron("0 0 0 * * *",    2 * MINUTE, 10 * MINUTE, Cluster, RunOnce, 3, 5 * SECOND, Always))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |c, r, f| r.learn_stats.check_streaks(r.learn_stats.day(c.slot()), f, c.cancellation(), &|d, t| c.progress(d, t)).await) }),
        // 3.2 LearnStatsBatchScheduler: a weekly reset for every member, then all stats anew from the ledgers.
        of.job("triggerWeeklyResetAndRecalibration", Defaults::cron("0 0 4 * * MON",  2 * MINUTE, 10 * MINUTE, Cluster, RunOnce, 3, 5 * SECOND, Always))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |c, r, f| r.learn_stats.reset_week(c.run_id().unwrap_or_default(), r.learn_stats.day(c.slot()), f, c.cancellation(), &|d, t| c.progress(d, t)).await) }),
        // 4.1 OutboxEventRelay: what happened reaches whom it concerns.
        of.job(RELAY,                                Defaults::delay(SECOND,          5 * SECOND, Duration::ZERO, Cluster, Skip, 3, SECOND,     FailuresAndManual))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |c, r, _| relay(c, r).await) }),
        // 4.2 NotificationEventService: a heartbeat to every open stream of this node.
        of.job(HEARTBEAT,                            Defaults::rate(3 * SECOND,       3 * SECOND, Duration::ZERO, Node,    Skip, 3, SECOND,     FailuresAndManual))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |_, r, _| Ok(r.feed.heartbeat())) }),
        // Ours: history is kept for its time and not for ever.
        of.job("pruneHistory",                       Defaults::cron("0 30 4 * * *",   2 * MINUTE, MINUTE,      Cluster, Skip,    3, SECOND,     Always))?
            .run({ let r = r(); move |c| run(c, r.clone(), async |c, r, f| r.housekeeping.prune(f, c.cancellation()).await) }),
    ])
}

/// Runs a job's work with its right to write, and says what its end means to the scheduler.
async fn run(
    context: JobContext,
    rooms: Rooms,
    work: impl AsyncFn(&JobContext, &Rooms, &dyn RunFence) -> Result<u64, RunError>,
) -> Result<u64, JobError> {
    let fence = ScheduledFence(context.fence());
    let affected = work(&context, &rooms, &fence).await.map_err(|error| match error {
        RunError::Lost => JobError::LeaseLost,
        RunError::Conflict(reason) => JobError::conflict(reason),
        RunError::Database(error) => JobError::from_db(error),
        RunError::Failed(reason) => JobError::failed(reason),
    })?;
    // Work that stopped early because it was asked to is not done.
    if context.cancellation().is_cancelled() {
        return Err(JobError::Cancelled);
    }
    Ok(affected)
}

async fn source_cleanup(
    context: &JobContext,
    rooms: &Rooms,
    fence: &dyn RunFence,
) -> Result<u64, RunError> {
    let progress = |done, total| context.progress(done, total);
    match rooms.sources.cleanup(fence, context.cancellation(), &progress).await {
        Ok(removed) => {
            if removed.failed > 0 {
                tracing::warn!(
                    failed = removed.failed,
                    "objects could not be deleted; their sources are tried again by the next run"
                );
            }
            Ok(removed.removed)
        }
        Err(CleanupError::Cancelled) => Ok(0),
        Err(CleanupError::Fence(error)) => Err(error.into()),
        Err(CleanupError::Database(error)) => Err(error.into()),
    }
}

/// A batch that takes longer than this is left to the next tick: every transaction stays well below half the lease.
const RELAY_DEADLINE: Duration = Duration::from_secs(2);

async fn relay(context: &JobContext, rooms: &Rooms) -> Result<u64, RunError> {
    let mut relaying = RelayRun::new(RELAY_DEADLINE);
    relaying.cancellation = context.cancellation().clone();
    relaying.guard = Arc::new(ScheduledFence(context.fence()));
    match rooms.relay.run(&relaying).await {
        Ok(report) => Ok(report.delivered),
        Err(outbox::RelayError::Conflict(reason)) => Err(RunError::Conflict(reason)),
        Err(outbox::RelayError::NotOwner(_)) => Err(RunError::Lost),
        Err(outbox::RelayError::Database(error)) => Err(RunError::Database(error)),
    }
}

/// The scheduler's fence, as the rooms and the relay know it.
struct ScheduledFence(Fence);

#[async_trait]
impl RunFence for ScheduledFence {
    async fn check(&self, tx: &DatabaseTransaction) -> Result<(), FenceError> {
        self.0.check(tx).await.map_err(|error| match error {
            JobError::LeaseLost => FenceError::Lost,
            error => FenceError::Database(sea_orm::DbErr::Custom(scheduler_words(&error))),
        })
    }
}

#[async_trait]
impl outbox::Guard for ScheduledFence {
    async fn check(&self, tx: &DatabaseTransaction) -> Result<(), GuardError> {
        self.0.check(tx).await.map_err(|error| match error {
            JobError::LeaseLost => GuardError::NotOwner(error.to_string()),
            error => GuardError::Database(sea_orm::DbErr::Custom(scheduler_words(&error))),
        })
    }
}

fn scheduler_words(error: &JobError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
