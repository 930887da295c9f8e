//! Connections that can be trusted, on real databases.

#![allow(
    clippy::unwrap_used,
    reason = "a test has nobody to return an error to"
)]

mod full_disk;
mod pooler;
mod schema;
mod silence;
mod standby;
mod transactions;
mod values;
