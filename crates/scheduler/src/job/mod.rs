//! What a job is: its settings, its function, and what the function is given.

mod builder;
mod context;
mod policy;
mod progress;
mod retry;

pub use self::builder::{Job, JobBuilder};
pub(crate) use self::builder::{JobSettings, Work};
pub use self::context::JobContext;
pub use self::policy::{Misfire, Record, Scope};
pub use self::progress::Progress;
pub(crate) use self::progress::ProgressCell;
pub use self::retry::Retry;
