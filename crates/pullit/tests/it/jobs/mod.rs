//! The scheduled jobs: prepared rows, one run, rows after, on both databases, with the clock in the test's hand.

mod attempts;
mod bench;
mod cleanup;
mod retry;
