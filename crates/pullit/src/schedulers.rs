//! The scheduled jobs on one screen: the owner's guide as a table in code.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use ground::{Fence, TraceParent, trace};
use outbox::{Relay, RelayRun, Signal};
use scheduler::Misfire::{RunOnce, Skip};
use scheduler::Record::{Always, FailuresAndManual};
use scheduler::Scope::{Cluster, Node};
use scheduler::{Job, JobBuilder, JobContext, JobError, LeaseFence};
use tracing::Instrument;

use crate::housekeeping::Housekeeping;
use crate::job_settings::When::{Cron, Delay, Rate};
use crate::job_settings::{BadSetting, JobRow, row};
use crate::learn_stats::{LearnStats, Slot};
use crate::notification::Feed;
use crate::platform::config::{Config, Span};
use crate::platform::run::RunError;
use crate::question_set::QuestionSets;
use crate::source::Sources;

/// The relay, which a publish wakes early.
pub const RELAY: &str = "relayOutboxEvents";
/// How often it runs, unless the configuration says otherwise.
const RELAY_EVERY: Duration = secs(1);
/// The one job that every node runs for itself.
pub const HEARTBEAT: &str = "sendHeartbeat";

const HEARTBEAT_RATE: Duration = secs(3);

/// From one heartbeat to the next, as configured.
pub fn heartbeat_interval(config: &Config) -> Duration {
    let every = config.job(HEARTBEAT).every;
    every.map_or(HEARTBEAT_RATE, Span::duration)
}

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

/// What a job does: with its context, its rooms and its right to write.
pub(crate) type Work =
    fn(JobContext, Rooms, LeaseFence) -> BoxFuture<'static, Result<u64, RunError>>;

/// The jobs, one row each, with what each is for and what it runs. Configuration, console and the README's table follow from it.
#[rustfmt::skip]
pub(crate) const JOBS: [JobRow; 8] = [
    //  guide                               lock and job                          trigger                   lease     at least  scope    missed   attempts, backoff  record
    row("1.1 QuestionSetCleanupScheduler",  "cleanupStalePendingQuestionSets",    Cron("0 */10 * * * *"),   secs(120), secs(60),  Cluster, Skip,    (3, secs(1)), Always,
        "Fails question sets that have been PENDING for an hour",
        |c, r, f| Box::pin(async move { r.question_sets.fail_stale(&f, c.cancellation()).await })),
    row("1.2 QuestionSetRetryScheduler",    "retryFailedQuestionSetGeneration",   Cron("0 */5 * * * *"),    secs(120), secs(60),  Cluster, Skip,    (3, secs(1)), Always,
        "Sends the FAILED question set that has waited longest back to generation",
        |c, r, f| Box::pin(async move { r.question_sets.retry_failed(&f, c.cancellation()).await })),
    row("2.1 SourceCleanupScheduler",       "runSourceCleanup",                   Cron("0 0 4 * * *"),      secs(120), secs(600), Cluster, RunOnce, (3, secs(1)), Always,
        "Deletes the files and rows of deleted sources that no set uses",
        |c, r, f| Box::pin(async move { source_cleanup(&c, &r, &f).await })),
    row("3.1 LearnStatsScheduler",          "validateConsecutiveLearning",        Cron("0 0 0 * * *"),      secs(120), secs(600), Cluster, RunOnce, (3, secs(5)), Always,
        "Ends the streaks of members who did not learn yesterday",
        |c, r, f| Box::pin(async move { r.learn_stats.check_streaks(slot(&c), &f, c.cancellation(), &|d, t| c.progress(d, t)).await })),
    row("3.2 LearnStatsBatchScheduler",     "triggerWeeklyResetAndRecalibration", Cron("0 0 4 * * MON"),    secs(120), secs(600), Cluster, RunOnce, (3, secs(5)), Always,
        "Starts the week for every member and recomputes all totals",
        |c, r, f| Box::pin(async move { r.learn_stats.reset_week(slot(&c), &f, c.cancellation(), &|d, t| c.progress(d, t)).await })),
    row("4.1 OutboxEventRelay",             RELAY,                                Delay(RELAY_EVERY),       secs(5),   secs(0),   Cluster, Skip,    (3, secs(1)), FailuresAndManual,
        "Delivers the events that wait in the outbox",
        |c, r, _| Box::pin(async move { relay(&c, &r).await })),
    row("4.2 NotificationEventService",     HEARTBEAT,                            Rate(HEARTBEAT_RATE),     secs(3),   secs(0),   Node,    Skip,    (3, secs(1)), FailuresAndManual,
        "Keeps this node's event streams alive",
        |_, r, _| Box::pin(async move { Ok(r.feed.heartbeat().await) })),
    row("housekeeping",                     "pruneHistory",                       Cron("0 30 4 * * *"),     secs(120), secs(60),  Cluster, Skip,    (3, secs(1)), Always,
        "Deletes history, tokens and uploads past their retention",
        |c, r, f| Box::pin(async move { r.housekeeping.prune(&f, c.cancellation()).await })),
];

/// How often the relay runs by itself; nothing, where it is switched off.
pub(crate) fn relay_interval(config: &Config) -> Option<Duration> {
    let set = config.job(RELAY);
    let every = set.every.map_or(RELAY_EVERY, Span::duration);
    set.enabled.unwrap_or(true).then_some(every)
}

/// What a job is for, in a sentence for the operator.
pub(crate) fn purpose(job: &str) -> Option<&'static str> {
    JOBS.iter()
        .find(|row| row.name == job)
        .map(|row| row.purpose)
}

/// The names of all jobs, in the order of the table.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    JOBS.iter().map(|row| row.name)
}

/// All jobs, with what the configuration says of them.
///
/// # Errors
/// When a setting of a job cannot be used.
pub fn jobs(config: &Config, rooms: &Rooms) -> Result<Vec<Job>, BadSetting> {
    JOBS.iter()
        .map(|row| Ok(start(row.builder(config)?, row.work, rooms)))
        .collect()
}

/// The job does its work as the start of a trace.
fn start(job: JobBuilder, work: Work, rooms: &Rooms) -> Job {
    let rooms = rooms.clone();
    job.run(move |context| {
        let fence = context.fence();
        let trace = TraceParent::new();
        let span = tracing::info_span!("work", trace_id = trace.trace_id());
        let working = trace::scope(trace, work(context, rooms.clone(), fence));
        async move { working.await.map_err(JobError::from) }.instrument(span)
    })
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
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
mod readme;
#[cfg(test)]
mod tests;
