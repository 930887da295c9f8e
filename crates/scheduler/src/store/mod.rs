//! The tables: what is asked of them, their rows, their schema, and PostgreSQL and SQLite behind it.

mod contract;
mod database;
mod rows;
pub mod schema;

pub(crate) use self::contract::Store;
pub(crate) use self::database::DatabaseStore;
pub(crate) use self::rows::{
    History, JobRow, NewRun, NewRunOutcome, NodeSchedule, Overview, Schedule, ScheduleChange,
    SlotQuery,
};
