//! A check for missed slots: the jobs it asks about, and what it found.

use chrono::{DateTime, Utc};

use super::cursor::SlotCursor;

/// A check for missed slots that is due.
#[derive(Debug, Default)]
pub(crate) struct MisfireCheck {
    /// Jobs that may have missed a slot.
    pub(crate) candidates: Vec<Candidate>,
    /// Jobs that are known to have missed none.
    pub(crate) settled: Vec<usize>,
}

/// A job that may have missed a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) job: usize,
    /// How many steps it had made.
    pub(crate) steps: u32,
    /// Its slot that waits is not missed yet.
    pub(crate) waiting: Option<DateTime<Utc>>,
}

/// A candidate with what it has missed.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) candidate: Candidate,
    pub(crate) verdict: Verdict,
}

/// Which of a job's slots were missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The slots that are to run now, the oldest first, and the attempt that each is due.
    pub(crate) owed: Vec<(DateTime<Utc>, u32)>,
    /// Whether more may be owed before there is a newer slot.
    pub(crate) open: bool,
}

/// What follows from a check.
#[derive(Debug, Default)]
pub(crate) struct CatchUps {
    /// To be run now: the jobs with their cursors, and what they have missed.
    pub(crate) owed: Vec<(usize, SlotCursor, Verdict)>,
    /// Jobs for which there is nothing to do now.
    pub(crate) settled: Vec<usize>,
}
