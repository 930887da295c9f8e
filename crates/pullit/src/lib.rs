//! The Pullit study service: one binary, HTTP API, scheduled jobs, worker.

pub mod source;
