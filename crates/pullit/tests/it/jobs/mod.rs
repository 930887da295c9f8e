//! The scheduled jobs: prepared rows, one run, rows after, on both databases, with the clock in the test's hand.

mod attempts;
pub(crate) mod bench;
mod cleanup;
mod deliveries;
mod history;
mod ledgers;
mod overtaken;
mod prune;
mod retry;
pub(crate) mod rows;
mod schedule;
mod seed;
mod sources;
mod streaks;
mod table;
mod truth;
mod walks;
mod weekly;
