//! Behaviour through the public door: one conformance suite on every provider, and what is particular
//! to each database.

#![allow(
    clippy::disallowed_methods,
    reason = "tests live in real time, and are told of their servers by the environment"
)]
#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests, which clippy does not take for tests"
)]

mod configuration;
mod conformance;
mod duration;
mod keep_alive;
mod metrics;
mod mysql;
mod own_store;
mod postgres;
mod postgres_columns;
mod proxy;
mod redis;
mod sqlite;
mod stage;
mod stale;
mod stopped;
mod warnings;
