//! Learn stats: what a member has solved, this week's count, and the streak.
//!
//! # What counts
//!
//! Once and for all. Days are calendar days of the configured zone, whatever the zone of the server; a week begins on Monday 00:00 and is
//! named as in ISO 8601 (2026-W53 ends on 3 January 2027).
//!
//! | what | counts | ledger |
//! |---|---|---|
//! | *solved question* | each marked answer, right or wrong, repeated or not | `learn_stats_daily` |
//! | *solved set* | each request that marked all questions of a set | `learn_stats_daily` |
//! | *correct* | each marked answer that was right | `marking_result` |
//! | *questions* | those of the member's COMPLETE sets that are not deleted | `question_set`, `question` |
//! | *week* | solved questions of days since Monday | `learn_stats_daily` |
//! | *streak day* | a day with at least one solved question | `learn_stats_daily` |
//! | *streak* | the run of consecutive streak days that ends today or yesterday; otherwise 0 | `learn_stats_daily` |
//! | *last learning date* | the newest streak day | `learn_stats_daily` |
//!
//! The day of an answer is the day on which its marking began. A ledger of a day to come (a node whose clock is ahead) counts in the totals,
//! the week and the last learning date, and in the streak when its day has come.
//!
//! # Right in every order
//!
//! The ledgers are written by those who cause them, in the transaction of the cause. `learn_stats` is only ever recomputed from them, never
//! counted up: an event that comes twice, late, or after a recalibration changes nothing that is right. Whoever recomputes locks the
//! members' rows first, in id order, and sums in a later statement; whoever finds a row right leaves it alone. So whichever of a solve,
//! a reset and a recalibration is applied last, it leaves what the ledgers give.
//!
//! Between midnight and its event nobody's streak is recomputed: the [streak check](LearnStats::check_streaks) breaks those of members who
//! last learned before yesterday, of the slot's day. Who has learned since is not among them, so that a check at noon leaves what one at
//! midnight would have left.
//!
//! # A million members
//!
//! The jobs walk through the members in pages by id, one statement and one short transaction a page, and write
//! down with each page how far they came. Another attempt at the same slot goes on from there, and counts what the slot has changed in all.

pub mod http;
mod projection;
mod recompute;
mod service;
mod streak;
mod walk;
mod weekly;

pub use projection::{
    QUESTION_SET_SOLVED, Solved, SolvedProjection, WEEKLY_RESET, WeeklyProjection,
};
pub use service::{LearnStats, StatsOptions};
pub use walk::Slot;
