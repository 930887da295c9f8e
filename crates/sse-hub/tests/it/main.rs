//! The hub through its public interface.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap fails the test")]

mod client;
mod crowd;
mod delivery;
mod endings;
mod expiry;
mod frames;
mod limits;
mod metrics;
mod replay;
mod serving;
mod slow_readers;
mod transports;
