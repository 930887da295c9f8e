//! For tests of jobs: a clock to set, a scheduler to tick by hand, and announcements to wait for. No test needs to sleep.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use ground::chain;
use tokio::sync::{broadcast, watch};

use crate::agenda::{Agenda, Look};
use crate::clock::Clock;
use crate::error::SchedulerError;
use crate::event::Event;
use crate::model::Run;
use crate::nudges::Nudge;
use crate::scheduler::Scheduler;

/// A clock that moves only when it is told to. Clones show the same time.
#[derive(Clone)]
pub struct ManualClock(watch::Sender<DateTime<Utc>>);

impl ManualClock {
    /// Stands at `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Moves to `now`, forwards or back, and wakes those who slept until then.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.send_replace(now);
    }

    /// Moves forwards.
    pub fn advance(&self, by: TimeDelta) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.borrow()
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let mut time = self.0.subscribe();
        async move {
            if time.wait_for(|now| *now >= t).await.is_err() {
                // The clock is gone, so its time never comes.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", self.now())
    }
}

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
/// let hourly = Job::new("hourly", Trigger::cron("0 0 * * * *", chrono_tz::UTC)?);
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
    agenda: Agenda,
}

impl Ticker {
    /// Takes the place of [`Scheduler::start`]: registers the enabled jobs, whose slots count from now on.
    ///
    /// # Errors
    /// [`SchedulerError::Store`] when the tables cannot be written.
    pub async fn of(scheduler: &Scheduler) -> Result<Self, SchedulerError> {
        Ok(Self {
            agenda: scheduler.begin(|_| true).await?,
            scheduler: scheduler.clone(),
        })
    }

    /// Does what is due by the scheduler's clock, one job after the other, and answers with the runs that ended: due slots and
    /// fixed delays, slots that waited for a lock, what is owed of missed slots; dead runs are marked before.
    /// A job that waits for the clock to move, or for a conflict's retry, waits in here.
    pub async fn tick(&mut self) -> Vec<Run> {
        let core = self.scheduler.core.clone();
        let now = core.now();
        let mut runs = Vec::new();
        if let Err(error) = core.abandon_dead().await {
            tracing::warn!(error = chain(&error), "could not look for dead runs");
        }
        for (index, nudge) in core.nudges.take() {
            self.agenda.nudge(index, nudge, now);
        }
        for (index, beat) in self.agenda.take_due(now) {
            let mut stepped = core.step(&core.jobs[index], beat).await;
            runs.append(&mut stepped.runs);
            self.agenda.put_back(index, stepped, now);
        }
        let Look { asked, settled } = self.agenda.take_look(now).unwrap_or_default();
        core.announce_looked_back(&settled);
        let looked = match asked.is_empty() {
            true => return runs,
            false => self.agenda.judged(core.look_back(asked, now).await),
        };
        core.announce_looked_back(&looked.done);
        for (index, beat, verdict) in looked.owed {
            let mut stepped = core.catch_up(&core.jobs[index], beat, verdict).await;
            runs.append(&mut stepped.runs);
            self.agenda.put_back(index, stepped, now);
        }
        runs
    }

    /// As [`RunningScheduler::wake`](crate::RunningScheduler::wake): the next tick runs this fixed-delay job. No effect on others and on names that are
    /// not registered.
    pub fn wake(&self, name: &str) {
        let core = &self.scheduler.core;
        if let Some(registered) = core.job(name) {
            core.nudges.give(registered.index, Nudge::Woken);
        }
    }
}

/// The longest a test waits for an announcement before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Announcements since it was made, to be waited for in order.
#[derive(Debug)]
pub struct Signals(broadcast::Receiver<Event>);

impl Signals {
    /// Listens from now on: make it before what it shall hear of.
    #[must_use]
    pub fn of(scheduler: &Scheduler) -> Self {
        Self(scheduler.events())
    }

    /// The next announcement that `pick` turns into something; those before it are dropped.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn next<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let mut heard = Vec::new();
        let wait = async {
            loop {
                match self.0.recv().await {
                    Ok(event) => {
                        heard.push(format!("{event:?}"));
                        if let Some(picked) = pick(event) {
                            return Some(picked);
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Some(picked)) => picked,
            _ => panic!("waited in vain for {what}; heard {heard:#?}"),
        }
    }

    /// The next run of `job` that ended.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn finished(&mut self, job: &str) -> Run {
        self.next(&format!("a finished run of {job}"), |event| match event {
            Event::Finished(run) if run.job_name == job => Some(run),
            _ => None,
        })
        .await
    }
}
