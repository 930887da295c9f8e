//! Learn stats: what a member has solved, this week's count, and the streak.
//!
//! What counts, once and for all (days are calendar days of the configured zone):
//! - *solved question*: one for each answer that was marked, right or wrong, repeated or not (`learn_stats_daily`);
//! - *solved set*: one for each request that marked all questions of a set (`learn_stats_daily`);
//! - *correct*: one for each marked answer that was right (`marking_result`);
//! - *questions*: those of the member's living COMPLETE sets;
//! - *week*: what was solved since Monday 00:00;
//! - *streak*: the run of consecutive days with something solved that ends today or yesterday; otherwise 0.
//!
//! The ledgers (`learn_stats_daily`, `marking_result`, the sets) are written by those who cause them. `learn_stats` is only ever
//! recomputed from them, never counted up: an event that comes twice, late, or after a recalibration changes nothing that is right.

pub mod http;
mod projection;
mod recompute;
mod service;
mod streak;
mod weekly;

pub use projection::{
    QUESTION_SET_SOLVED, Solved, SolvedProjection, WEEKLY_RESET, WeeklyProjection,
};
pub use service::{LearnStats, StatsOptions};
