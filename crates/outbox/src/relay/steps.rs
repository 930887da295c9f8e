//! Says at TRACE level which step of a delivery was reached.
//!
//! An operator sees where a delivery stands. A test can end the process at any step.

use tracing::trace;

/// Says that so many events have come to a step.
pub(super) fn reached(step: Step, events: usize) {
    trace!(target: "outbox::step", step = step.name(), events);
}

/// What a delivery goes through. A transport says `delivered` itself, between what it has sent and its confirmation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A batch was read.
    Claimed,
    /// A transport has confirmed events.
    Confirmed,
    /// A projection was applied in its transaction.
    Applied,
    /// Events were deleted, in a transaction that is still open.
    Deleted,
    /// A transaction is about to commit.
    Committing,
    /// It has committed.
    Committed,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Confirmed => "confirmed",
            Self::Applied => "applied",
            Self::Deleted => "deleted",
            Self::Committing => "committing",
            Self::Committed => "committed",
        }
    }
}
