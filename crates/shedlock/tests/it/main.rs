//! Behaviour through the public door: one conformance suite on every provider, and what is particular
//! to each database.

// clippy.toml allows it in `#[test]` functions only, not in what they share.
#![allow(clippy::unwrap_used)]

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
mod stopped;
mod warnings;
