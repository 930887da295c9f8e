//! The schedule queue: when each job is due next, and what wakes it before its time. Plain data, without a database.

mod cursor;
mod misfire_check;
mod queue;
mod wake_up;

pub(crate) use self::cursor::{SlotCursor, StepResult, Waiting, Watch};
pub(crate) use self::misfire_check::{Candidate, Judged, MisfireCheck, Verdict};
pub(crate) use self::queue::ScheduleQueue;
pub(crate) use self::wake_up::{WakeUp, WakeUps};
