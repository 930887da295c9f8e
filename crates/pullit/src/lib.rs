//! The Pullit study service: one binary, HTTP API, scheduled jobs, worker.

pub mod question_set;
pub mod source;
