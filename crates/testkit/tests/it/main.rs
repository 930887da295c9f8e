//! The test kit, used as the other crates use it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod databases;
mod http_client;
mod processes;
mod servers;
mod sse_reader;
mod stand_in;
mod waiting;
