//! The scheduler's behaviour, through its public API, on SQLite and PostgreSQL.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests, which clippy does not take for tests"
)]

mod by_hand;
mod changed;
mod conflicts;
mod foreign;
mod meddling;
mod missed;
mod missed_all;
mod operator;
mod progress;
mod runs;
mod schedules;
mod schema;
mod sea_orm;
mod set_back;
mod slots;
mod support;
mod timeouts;
mod triggers;
mod triggers_dst;
mod triggers_naive;
mod triggers_properties;
mod triggers_spring;
mod triggers_starts;
mod writes;
