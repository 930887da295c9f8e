//! The Pullit service, tested through its own doors, on SQLite and PostgreSQL.

#![allow(
    clippy::disallowed_methods,
    reason = "tests live in real time, and are told of their servers by the environment"
)]
#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests, which clippy does not take for tests"
)]

mod api;
mod architecture;
mod brokers;
mod database;
mod demo;
mod generators;
mod jobs;
mod process;
mod storage;
mod support;
