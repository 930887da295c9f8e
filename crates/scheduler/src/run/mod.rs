//! One run: claimed, executed with its retries, recorded.

pub(crate) mod attempt;
pub(crate) mod claim;
pub(crate) mod execute;
pub(crate) mod holder;
mod outcome;
pub(crate) mod record;
