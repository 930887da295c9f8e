//! Scheduled jobs on PostgreSQL or SQLite: one run per slot, and nothing forgotten.
//!
//! A [`Job`] is a name, a [`Trigger`] and an async function. A [`Scheduler`] runs each slot of it once in the
//! cluster: it takes the job's lock (Java ShedLock's table), then writes the slot's row in `job_run`, whose key admits
//! one. The lease is kept alive while the job runs; a run that loses it is cancelled and, through its
//! [`Fence`], cannot write. A run whose node died is found by its lease and marked ABANDONED.
//!
//! What happens to slots that nobody ran in time is a job's [`Misfire`], what happens when it meets another writer its [`Retry`]. All jobs
//! share one timer: ten thousand idle ones cost a few megabytes and next to no time. Nodes that have different schedules for one job are
//! found and told ([`JobStatus::schedule_conflict`]). Tests set a clock and tick a scheduler by hand ([`testkit`]).
//!
//! ```no_run
//! # async fn example(db: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
//! use std::{sync::Arc, time::Duration};
//! use scheduler::{Job, JobError, Misfire, Retry, Scheduler, Trigger};
//! use sea_orm::{ConnectionTrait, TransactionTrait};
//! use shedlock::PostgresLockProvider;
//!
//! let node = "host-4711-a1b2c3"; // ends in something random: two nodes must not share a name
//! let locks = PostgresLockProvider::new(db.get_postgres_connection_pool().clone(), node);
//! let nightly = Job::new("nightly", Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul)?)
//!     .lease(Duration::from_secs(120))
//!     .at_least(Duration::from_secs(600))
//!     .misfire(Misfire::RunOnce)
//!     .retry(Retry::fixed(3, Duration::from_secs(1)));
//! let pool = db.clone();
//! let nightly = nightly.run(move |context| {
//!     let pool = pool.clone();
//!     async move {
//!         let tx = pool.begin().await?;
//!         let changed = tx.execute_unprepared("UPDATE streak SET days = 0").await?.rows_affected();
//!         context.fence().check(&tx).await?; // last before the commit
//!         tx.commit().await?;
//!         Ok::<_, JobError>(changed)
//!     }
//! });
//!
//! let scheduler = Scheduler::builder()
//!     .database(db)
//!     .cluster_locks(Arc::new(locks))
//!     .node_id(node)
//!     .job(nightly)
//!     .build()?;
//! let running = scheduler.start().await?;
//! let run = scheduler.run_now("nightly").await?;
//! assert_eq!(run.affected, 3);
//! running.stop(Duration::from_secs(20)).await;
//! # Ok(())
//! # }
//! ```

mod abandoned;
mod agenda;
mod clock;
mod context;
mod core;
mod error;
mod event;
mod job;
mod misfire;
mod model;
mod nudges;
mod operator;
mod progress;
mod retry;
mod run;
mod scheduler;
mod schedules;
pub mod schema;
#[cfg(test)]
mod simulation;
mod store;
pub mod testkit;
mod ticking;
mod timer;
mod trigger;

pub use self::clock::{Clock, SystemClock};
pub use self::context::{Fence, JobContext};
pub use self::error::{BoxError, BuildError, JobError, RunNowError, SchedulerError};
pub use self::event::{Event, Passed};
pub use self::job::{Job, JobBuilder, Misfire, Record, Scope};
pub use self::model::{
    Cause, JobStatus, LockView, Progress, Run, RunStatus, ScheduleOn, UnknownWord,
};
pub use self::retry::Retry;
pub use self::scheduler::{RunningScheduler, Scheduler, SchedulerBuilder};
pub use self::trigger::{DstPolicy, Gap, Overlap, SubDaily, Trigger, TriggerError};
