//! Pullit: a study service, and the scheduled jobs that keep it healthy.
//!
//! Each heading of the owner's guide is a room here; `schedulers` shows all jobs on one screen, and `app` puts everything together.

pub mod admin;
pub mod auth;
pub mod learn_stats;
pub mod marking;
pub mod member;
pub mod notification;
pub mod platform;
pub mod question_set;
pub mod source;
