//! The scheduler: built from its parts, started, stopped, and its one timer.

mod builder;
mod handle;
mod running;
mod start;
mod timer;

pub use self::builder::SchedulerBuilder;
pub use self::handle::Scheduler;
pub use self::running::RunningScheduler;
