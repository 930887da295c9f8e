//! Runs: claimed, executed with their retries, recorded, and found dead when their node is.

mod abandoned;
mod attempt;
mod claim;
mod conflict;
mod execute;
mod lock_owner;
mod outcome;
mod progress;
mod record;
mod retries;

pub(crate) use self::claim::{Claim, lock_error};
