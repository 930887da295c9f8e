//! Pullit: a study service, and the scheduled jobs that keep it healthy.
//!
//! Each heading of the owner's guide is a room here; `schedulers` shows all jobs on one screen, and `app` puts everything together.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "unit tests live in real time")
)]

pub mod admin;
pub mod app;
pub mod auth;
pub mod cli;
pub mod demo;
pub mod health;
pub mod housekeeping;
pub mod job_settings;
pub mod learn_stats;
pub mod marking;
pub mod member;
pub mod notification;
pub mod platform;
pub mod question_set;
pub mod router;
pub mod schedulers;
pub mod seed;
pub mod server;
pub mod source;
