//! A scheduler to tick by hand.

use ground::chain;

use crate::clock::Reading;
use crate::error::SchedulerError;
use crate::model::Run;
use crate::schedule_queue::{MisfireCheck, ScheduleQueue, WakeUp};
use crate::scheduler::Scheduler;

/// A scheduler that is ticked by hand: nothing runs by itself, and a tick has done all its work when it returns.
///
/// ```
/// # async fn example(pool: sqlx::SqlitePool) -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use chrono::TimeDelta;
/// use scheduler::testkit::{ManualClock, Ticker};
/// use scheduler::{Job, RunStatus, Scheduler, Trigger};
/// use shedlock::SqliteLockProvider;
///
/// let clock = ManualClock::at("2026-11-22T18:50:00Z".parse()?);
/// let locks = SqliteLockProvider::new(pool.clone(), "test");
/// let hourly = Job::builder("hourly", Trigger::cron("0 0 * * * *", chrono_tz::UTC)?);
/// let scheduler = Scheduler::builder()
///     .database(pool)
///     .cluster_locks(Arc::new(locks))
///     .clock(Arc::new(clock.clone()))
///     .node_id("test")
///     .job(hourly.run(|_| async { Ok(1) }))
///     .build()?;
///
/// let mut ticker = Ticker::of(&scheduler).await?;
/// assert!(ticker.tick().await.is_empty());
/// clock.advance(TimeDelta::minutes(10));
/// let runs = ticker.tick().await;
/// assert_eq!((runs.len(), runs[0].status), (1, RunStatus::Succeeded));
/// # Ok(())
/// # }
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// #     let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
/// #     let pool = options.connect("sqlite::memory:").await.unwrap();
/// #     for table in shedlock::schema::SQLITE {
/// #         sqlx::query(*table).execute(&pool).await.unwrap();
/// #     }
/// #     let mut connection = pool.acquire().await.unwrap();
/// #     scheduler::schema::create_tables(&mut connection).await.unwrap();
/// #     drop(connection);
/// #     example(pool).await.unwrap();
/// # });
/// ```
#[derive(Debug)]
pub struct Ticker {
    scheduler: Scheduler,
    queue: ScheduleQueue,
    clock: Reading,
}

impl Ticker {
    /// Takes the place of [`Scheduler::start`]: registers the enabled jobs, whose slots count from now on.
    ///
    /// # Errors
    /// [`SchedulerError::Store`] when the tables cannot be written.
    pub async fn of(scheduler: &Scheduler) -> Result<Self, SchedulerError> {
        Ok(Self {
            queue: scheduler.register(|_| true).await?,
            clock: Reading::of(&*scheduler.core.clock),
            scheduler: scheduler.clone(),
        })
    }

    /// Does what is due by the scheduler's clock, one job after the other, and answers with the runs that ended.
    ///
    /// Due are slots and fixed delays, slots that waited for a lock, and missed slots that are caught up on. Dead runs
    /// are marked first. A job that waits for the clock to move, or for a conflict's retry, waits in here.
    pub async fn tick(&mut self) -> Vec<Run> {
        let core = self.scheduler.core.clone();
        let before = std::mem::replace(&mut self.clock, Reading::of(&*core.clock));
        core.notice_set_back(&mut self.queue, before, self.clock);
        let now = core.now();
        let mut runs = Vec::new();
        if let Err(error) = core.abandon_dead().await {
            tracing::warn!(error = chain(&error), "could not look for dead runs");
        }
        for (index, wake_up) in core.wake_ups.drain() {
            self.queue.wake(index, wake_up, now);
        }
        for (index, cursor) in self.queue.pop_due(now) {
            let mut step = core.step(&core.jobs[index], cursor).await;
            runs.append(&mut step.runs);
            self.queue.finish_step(&core.jobs[index], step, now);
        }
        let MisfireCheck {
            candidates,
            settled,
        } = self.queue.begin_check(now).unwrap_or_default();
        core.announce_misfires_checked(&settled);
        if candidates.is_empty() {
            return runs;
        }
        let judged = core.check_misfires(candidates, now).await;
        let catch_ups = self.queue.finish_check(judged);
        core.announce_misfires_checked(&catch_ups.settled);
        for (index, cursor, verdict) in catch_ups.owed {
            let mut step = core.catch_up(&core.jobs[index], cursor, verdict).await;
            runs.append(&mut step.runs);
            self.queue.finish_step(&core.jobs[index], step, now);
        }
        runs
    }

    /// As [`RunningScheduler::wake`](crate::RunningScheduler::wake): the next tick runs this fixed-delay job. Of no effect
    /// on other jobs and on names that are not registered.
    pub fn wake(&self, name: &str) {
        let core = &self.scheduler.core;
        if let Some(registered) = core.job(name) {
            core.wake_ups.send(registered.index, WakeUp::Requested);
        }
    }
}
