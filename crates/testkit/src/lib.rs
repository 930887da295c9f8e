//! What the tests of every crate share: fresh databases, a driven `pullit` process, an HTTP and an
//! SSE client, and bounded waiting.
//!
//! `./scripts/test` starts the servers, once for a whole run. This crate finds them through the environment.
//! Only a test that crashes a server starts one of its own ([`server`]).
//!
//! Everything here panics with an explanation when it fails: a test has nobody to return an error to.

#![allow(
    clippy::disallowed_methods,
    reason = "where the servers are is told by the environment"
)]

pub mod amqp;
mod database;
pub mod http;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod server;
pub mod sqlite;
pub mod sse;
pub mod wait;

pub use database::Database;
