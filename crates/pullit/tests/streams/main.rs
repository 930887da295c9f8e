//! Event streams over real sockets and real processes.
//!
//! - `chaos`: many tabs of many members on three nodes, while nodes, PostgreSQL and listening connections die; every notification arrives at
//!   each tab exactly once and in order. `cluster`: the nodes; `tab`: a browser's tab; `book`: who was told what.
//! - `browser`: a page in headless Chromium with the package that the front end uses.
//!
//! `PULLIT_CHAOS_SEED` plays another chaos, or a failed one again.

#![allow(
    clippy::disallowed_methods,
    reason = "tests live in real time, and are told of their servers by the environment"
)]
#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests, which clippy does not take for tests"
)]

use std::time::Duration;

mod book;
mod browser;
mod chaos;
mod cluster;
mod events;
mod tab;

/// The longest that anything may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);
