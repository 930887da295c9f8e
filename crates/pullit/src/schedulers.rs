//! The scheduled jobs on one screen: the owner's guide as a table in code.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ground::{Fence, TraceParent, trace};
use outbox::{Relay, RelayRun, Signal};
use scheduler::Misfire::{RunOnce, Skip};
use scheduler::Scope::{Cluster, Node};
use scheduler::{Job, JobBuilder, JobContext, JobError, LeaseFence};
use tracing::Instrument;

use crate::housekeeping::Housekeeping;
use crate::job_settings::{BadSetting, Defaults, Record, Settings};
use crate::learn_stats::{LearnStats, Slot};
use crate::notification::Feed;
use crate::platform::config::{Config, Span};
use crate::platform::run::RunError;
use crate::question_set::QuestionSets;
use crate::source::Sources;

/// The relay, which a publish wakes early.
pub const RELAY: &str = "relayOutboxEvents";
/// The one job that every node runs for itself.
pub const HEARTBEAT: &str = "sendHeartbeat";

const HEARTBEAT_RATE: Duration = Duration::from_secs(3);

/// From one heartbeat to the next, as configured.
pub fn heartbeat_interval(config: &Config) -> Duration {
    let every = config.job(HEARTBEAT).every;
    every.map_or(HEARTBEAT_RATE, Span::duration)
}

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
    /// Wakes the relay.
    pub signal: Signal,
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
    use Record::{Always, FailuresAndManual};
    Ok(vec![
        //                                            trigger                      lease       at least     scope    missed   attempts, backoff  record
        // 1.1 QuestionSetCleanupScheduler: what has been PENDING too long becomes FAILED.
        of.job("cleanupStalePendingQuestionSets",    Defaults::cron("0 */10 * * * *", 2 * MINUTE, MINUTE,      Cluster, Skip,    3, SECOND,     Always))?
            .does(rooms, |c, r, f| async move { r.question_sets.fail_stale(&f, c.cancellation()).await }),
        // 1.2 QuestionSetRetryScheduler: what failed and may succeed is tried again.
        of.job("retryFailedQuestionSetGeneration",   Defaults::cron("0 */5 * * * *",  2 * MINUTE, MINUTE,      Cluster, Skip,    3, SECOND,     Always))?
            .does(rooms, |c, r, f| async move { r.question_sets.retry_failed(&f, c.cancellation()).await }),
        // 2.1 SourceCleanupScheduler: deleted sources leave the storage, then the database.
        of.job("runSourceCleanup",                   Defaults::cron("0 0 4 * * *",    2 * MINUTE, 10 * MINUTE, Cluster, RunOnce, 3, SECOND,     Always))?
            .does(rooms, |c, r, f| async move { source_cleanup(&c, &r, &f).await }),
        // 3.1 LearnStatsScheduler: who did not learn yesterday loses the streak.
        of.job("validateConsecutiveLearning",        Defaults::cron("0 0 0 * * *",    2 * MINUTE, 10 * MINUTE, Cluster, RunOnce, 3, 5 * SECOND, Always))?
            .does(rooms, |c, r, f| async move { r.learn_stats.check_streaks(slot(&c), &f, c.cancellation(), &|d, t| c.progress(d, t)).await }),
        // 3.2 LearnStatsBatchScheduler: a weekly reset for every member, then all stats anew from the ledgers.
        of.job("triggerWeeklyResetAndRecalibration", Defaults::cron("0 0 4 * * MON",  2 * MINUTE, 10 * MINUTE, Cluster, RunOnce, 3, 5 * SECOND, Always))?
            .does(rooms, |c, r, f| async move { r.learn_stats.reset_week(slot(&c), &f, c.cancellation(), &|d, t| c.progress(d, t)).await }),
        // 4.1 OutboxEventRelay: what happened reaches whom it concerns.
        of.job(RELAY,                                Defaults::delay(SECOND,          5 * SECOND, Duration::ZERO, Cluster, Skip, 3, SECOND,     FailuresAndManual))?
            .does(rooms, |c, r, _| async move { relay(&c, &r).await }),
        // 4.2 NotificationEventService: a heartbeat to every open stream of this node.
        of.job(HEARTBEAT,                            Defaults::rate(HEARTBEAT_RATE,   3 * SECOND, Duration::ZERO, Node,    Skip, 3, SECOND,     FailuresAndManual))?
            .does(rooms, |_, r, _| async move { Ok(r.feed.heartbeat().await) }),
        // Ours: history is kept for its time and not for ever.
        of.job("pruneHistory",                       Defaults::cron("0 30 4 * * *",   2 * MINUTE, MINUTE,      Cluster, Skip,    3, SECOND,     Always))?
            .does(rooms, |c, r, f| async move { r.housekeeping.prune(&f, c.cancellation()).await }),
    ])
}

/// The last column of the table: what a job does, with its right to write, as the start of a trace.
trait Does {
    fn does<W, F>(self, rooms: &Rooms, work: W) -> Job
    where
        W: Fn(JobContext, Rooms, LeaseFence) -> F + Send + Sync + 'static,
        F: Future<Output = Result<u64, RunError>> + Send + 'static;
}

impl Does for JobBuilder {
    fn does<W, F>(self, rooms: &Rooms, work: W) -> Job
    where
        W: Fn(JobContext, Rooms, LeaseFence) -> F + Send + Sync + 'static,
        F: Future<Output = Result<u64, RunError>> + Send + 'static,
    {
        let rooms = rooms.clone();
        self.run(move |context| {
            let fence = context.fence();
            let trace = TraceParent::new();
            let span = tracing::info_span!("work", trace_id = trace.trace_id());
            let working = trace::scope(trace, work(context, rooms.clone(), fence));
            async move { working.await.map_err(JobError::from) }.instrument(span)
        })
    }
}

impl From<RunError> for JobError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Lost => Self::LeaseLost,
            RunError::Conflict(reason) => Self::conflict(reason),
            RunError::Database(error) => Self::from(error),
            RunError::Stopped => Self::Cancelled,
            RunError::Failed(reason) => Self::failed(reason),
        }
    }
}

fn slot(context: &JobContext) -> Slot {
    Slot {
        at: context.slot(),
        again: context.attempt() > 1 || context.retry() > 0,
    }
}

async fn source_cleanup(
    context: &JobContext,
    rooms: &Rooms,
    fence: &dyn Fence,
) -> Result<u64, RunError> {
    let progress = |done, total| context.progress(done, total);
    let cleaning = rooms
        .sources
        .cleanup(fence, context.cancellation(), &progress);
    let removed = cleaning.await?;
    if removed.failed > 0 {
        tracing::warn!(
            failed = removed.failed,
            "objects could not be deleted; their sources are tried again by the next run"
        );
    }
    Ok(removed.removed)
}

/// A batch that takes longer than this is left to the next tick: every transaction stays well below half the lease.
const RELAY_DEADLINE: Duration = Duration::from_secs(2);

async fn relay(context: &JobContext, rooms: &Rooms) -> Result<u64, RunError> {
    let mut relaying = RelayRun::new(RELAY_DEADLINE);
    relaying.cancellation = context.cancellation().clone();
    relaying.fence = Arc::new(context.fence());
    let began = Instant::now();
    let report = rooms.relay.run(&relaying).await?;
    if began.elapsed() >= RELAY_DEADLINE {
        // It stopped for the time, not for want of work: the pause before the next run is for a relay that is idle.
        rooms.signal.notify();
    }
    Ok(report.delivered)
}

#[cfg(test)]
mod tests;
