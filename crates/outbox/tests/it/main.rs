//! The outbox through its public interface, on SQLite and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    reason = "a test has nobody to return an error to"
)]

mod audit;
mod borrowed;
mod bulk;
mod dead_letters;
mod destinations;
mod failures;
mod faults;
mod inbox;
mod late_commits;
mod order;
mod ownership;
mod programs;
mod publishing;
mod scripts;
mod sea_orm;
mod steps;
mod stopping;
mod support;
mod trace_context;
mod waking;
