//! Scheduled jobs on PostgreSQL or SQLite: one run per slot, and nothing forgotten.
//!
//! A [`Job`] is a name, a [`Trigger`] and an async function. A [`Scheduler`] runs each slot of it once in the
//! cluster: it takes the job's lock (Java ShedLock's table), then writes the slot's row in `job_run`, whose key admits
//! one. The lease is kept alive while the job runs; a run that loses it is cancelled and, through its
//! [`Fence`], cannot write. A run whose node died is found by its lease and marked ABANDONED.

mod abandoned;
mod clock;
mod context;
mod core;
mod error;
mod event;
mod job;
mod misfire;
mod model;
mod operator;
mod run;
mod scheduler;
pub mod schema;
mod store;
pub mod testkit;
mod ticking;
mod trigger;

pub use self::clock::{Clock, SystemClock};
pub use self::context::{Fence, JobContext};
pub use self::error::{BoxError, BuildError, JobError, RunNowError, SchedulerError};
pub use self::event::{Event, Passed};
pub use self::job::{Job, JobBuilder, Misfire, Record, Retry, Scope};
pub use self::model::{Cause, JobStatus, LockView, Progress, Run, RunStatus, UnknownWord};
pub use self::scheduler::{RunningScheduler, Scheduler, SchedulerBuilder};
pub use self::trigger::{Trigger, TriggerError};
