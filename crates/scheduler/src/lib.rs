//! Scheduled jobs on PostgreSQL or SQLite: one run per slot, and nothing forgotten.
//!
//! A [`Job`] is a name, a [`Trigger`] and an async function. A [`Scheduler`] runs each slot of it once in the
//! cluster. It takes the job's lock (Java ShedLock's table), then writes the slot's row in `job_run`, whose key admits
//! one. The lease is extended while the job runs. A run that loses it is cancelled and, through its
//! [`LeaseFence`], cannot write. A run whose node died is found by its lease and marked ABANDONED.
//!
//! [`Misfire`] says what happens to slots that nobody ran in time, and [`Retry`] what happens when a job meets another
//! writer. All jobs share one timer: ten thousand idle ones cost a few megabytes and next to no time. Nodes that have
//! different schedules for one job are found and reported ([`JobStatus::schedule_conflict`]). Tests set a clock and tick a
//! scheduler by hand ([`testkit`]).
//!
//! # A job's way through the crate
//! The timer (`scheduler/timer.rs`) asks the `schedule_queue` which jobs are due. `slots` steps each of them and asks
//! `runs` to claim the slot. A claimed slot is executed, called again after conflicts, and recorded through the `store`.
//! `nodes` lets the nodes of a cluster know each other. `operator` is what people can do.
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
//! let nightly = Job::builder("nightly", Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul)?)
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
//! `postgres` and `sqlite` (both by default) bring these databases. `sea-orm` lets users of SeaORM check the [`fence`] inside
//! their own transactions. `tls-native-tls`, `tls-rustls-aws-lc-rs`, `tls-rustls-ring-native-roots` and `tls-rustls-ring-webpki` are sqlx's.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "unit tests live in real time")
)]

mod clock;
mod core;
mod error;
mod event;
pub mod fence;
mod job;
mod model;
mod nodes;
mod operator;
mod registered;
mod runs;
mod schedule_queue;
mod scheduler;
#[cfg(test)]
mod simulation;
mod slots;
mod store;
pub mod testkit;
mod trigger;

pub use self::clock::{Clock, SystemClock};
pub use self::error::{BoxError, BuildError, JobError, RunNowError, SchedulerError};
pub use self::event::{Event, Passed};
pub use self::fence::LeaseFence;
pub use self::job::{Job, JobBuilder, JobContext, Misfire, Progress, Record, Retry, Scope};
pub use self::model::{Cause, JobStatus, LockView, Run, RunStatus, ScheduleOn, UnknownWord};
pub use self::scheduler::{RunningScheduler, Scheduler, SchedulerBuilder};
pub use self::store::schema;
pub use self::trigger::{DstPolicy, Gap, Overlap, SubDaily, Trigger, TriggerError};
pub use ground::{Connection, Database, Executor, Fence, FenceError, NoFence};
