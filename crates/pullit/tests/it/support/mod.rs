//! What every test of the service starts with.
//!
//! A [`Server`] is a whole node in the test's own process, on a free port, with a clock that the test moves. Its jobs run only when the
//! test says so (`server.run(JOB)`), unless [`Setup::roles`] asks for the scheduler.

#![allow(
    dead_code,
    unused_imports,
    reason = "not every helper is used by every test module"
)]

pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod flow;
pub(crate) mod generator;
pub(crate) mod problem;
pub(crate) mod rows;
pub(crate) mod s3;
pub(crate) mod server;

pub(crate) use clock::TestClock;
pub(crate) use flow::{Member, right_answers, wrong_answers};
pub(crate) use generator::StubGenerator;
pub(crate) use problem::Problem;
pub(crate) use server::{Server, Setup};

use std::time::Duration;

/// The longest that anything asynchronous may take on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// `2026-11-22T14:59:59Z` and the like, as a time.
#[track_caller]
pub(crate) fn at(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().unwrap()
}
