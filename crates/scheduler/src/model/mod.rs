//! What operators and tests see: runs and the state of jobs.

mod job_status;
mod run;

pub use self::job_status::{JobStatus, LockView, ScheduleOn};
pub(crate) use self::run::RunRequest;
pub use self::run::{Cause, Run, RunStatus, UnknownWord};
