//! Scheduled jobs on PostgreSQL or SQLite: one run per slot, and nothing forgotten.
//!
//! A [`Job`] is a name, a [`Trigger`] and an async function. A [`Scheduler`] runs each slot of it once in the
//! cluster: it takes the job's lock (Java ShedLock's table), then writes the slot's row in `job_run`, whose key admits
//! one. The lease is kept alive while the job runs; a run that loses it is cancelled and, through its
//! [`LeaseFence`], cannot write. A run whose node died is found by its lease and marked ABANDONED.
//!
//! What happens to slots that nobody ran in time is a job's [`Misfire`], what happens when it meets another writer its [`Retry`]. All jobs
//! share one timer: ten thousand idle ones cost a few megabytes and next to no time. Nodes that have different schedules for one job are
//! found and told ([`JobStatus::schedule_conflict`]). Tests set a clock and tick a scheduler by hand ([`testkit`]).
//!
//! ```no_run
//! # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! use std::{sync::Arc, time::Duration};
//! use scheduler::{Job, JobError, Misfire, Retry, Scheduler, Trigger};
//! use shedlock::PostgresLockProvider;
//!
//! let mut tx = pool.begin().await?;
//! scheduler::schema::create_tables(&mut tx).await?; // beside those of shedlock::schema
//! tx.commit().await?;
//!
//! let node = "host-4711-a1b2c3"; // ends in something random: two nodes must not share a name
//! let locks = PostgresLockProvider::new(pool.clone(), node);
//! let nightly = Job::new("nightly", Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul)?)
//!     .lease(Duration::from_secs(120))
//!     .at_least(Duration::from_secs(600))
//!     .misfire(Misfire::RunOnce)
//!     .retry(Retry::fixed(3, Duration::from_secs(1)));
//! let db = pool.clone();
//! let nightly = nightly.run(move |context| {
//!     let db = db.clone();
//!     async move {
//!         let mut tx = db.begin().await?;
//!         let reset = sqlx::query("UPDATE streak SET days = 0").execute(&mut *tx).await?;
//!         context.fence().check(&mut tx).await?; // last before the commit
//!         tx.commit().await?;
//!         Ok::<_, JobError>(reset.rows_affected())
//!     }
//! });
//!
//! let scheduler = Scheduler::builder()
//!     .database(pool)
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
//!
//! # Features
//! `postgres` and `sqlite` (both by default) bring these databases. `sea-orm` lets users of SeaORM ask the [`fence`] inside their own
//! transactions. `tls-native-tls`, `tls-rustls-aws-lc-rs`, `tls-rustls-ring-native-roots` and `tls-rustls-ring-webpki` are sqlx's.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "unit tests live in real time")
)]

mod abandoned;
mod agenda;
mod clock;
mod context;
mod core;
mod error;
mod event;
pub mod fence;
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
#[cfg(feature = "sea-orm")]
mod sea_orm;
#[cfg(test)]
mod simulation;
mod store;
pub mod testkit;
mod ticking;
mod timer;
mod trigger;

pub use self::clock::{Clock, SystemClock};
pub use self::context::JobContext;
pub use self::error::{BoxError, BuildError, JobError, RunNowError, SchedulerError};
pub use self::event::{Event, Passed};
pub use self::fence::LeaseFence;
pub use self::job::{Job, JobBuilder, Misfire, Record, Scope};
pub use self::model::{
    Cause, JobStatus, LockView, Progress, Run, RunStatus, ScheduleOn, UnknownWord,
};
pub use self::retry::Retry;
pub use self::scheduler::{RunningScheduler, Scheduler, SchedulerBuilder};
pub use self::trigger::{DstPolicy, Gap, Overlap, SubDaily, Trigger, TriggerError};
pub use ground::{Connection, Database, Executor, Fence, FenceError, NoFence};
