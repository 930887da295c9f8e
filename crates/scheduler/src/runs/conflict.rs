//! The conflicts that a run has met, and what its error says of them.

use std::time::Duration;

use ground::chain;

use super::attempt::Ended;
use super::outcome::Outcome;
use crate::error::JobError;

/// How many conflicts the error of a run reports, the newest ones, and how many characters of each.
const REPORTED: usize = 5;
const LENGTH: usize = 300;

/// The conflicts that a run has met and retried.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    met: usize,
    reported: Vec<String>,
}

impl Conflicts {
    /// Adds one.
    pub(super) fn met(&mut self, error: &str) {
        self.met += 1;
        if self.reported.len() == REPORTED {
            self.reported.remove(0);
        }
        self.reported.push(error.chars().take(LENGTH).collect());
    }

    /// The outcome of a run that ended so, after these conflicts.
    pub(super) fn outcome(mut self, ended: Ended, timeout: Option<Duration>) -> Outcome {
        let error = match ended {
            Ended::Done(Ok(affected)) => {
                return Outcome::succeeded(affected);
            }
            Ended::Done(Err(JobError::LeaseLost)) | Ended::LeaseLost => {
                return Outcome::abandoned();
            }
            Ended::Done(Err(JobError::Conflict(error))) => {
                self.met(&chain(&*error));
                return Outcome::failed(format!(
                    "conflict with another writer in each of {} attempts: {}",
                    self.met,
                    self.report()
                ));
            }
            Ended::Done(Err(JobError::Failed(error))) => chain(&*error),
            Ended::Done(Err(error @ JobError::Cancelled)) => chain(&error),
            Ended::Panicked(message) => format!("the job panicked: {message}"),
            Ended::TimedOut => format!(
                "the run did not end within its timeout of {:?} and was cancelled",
                timeout.unwrap_or_default()
            ),
            Ended::CutOff => "the job was cut off by the shutdown's deadline".to_owned(),
        };
        self.fail(&error)
    }

    /// The scheduler stops while a conflict waits to be retried.
    pub(super) fn stopped(self) -> Outcome {
        self.fail("stopped while waiting to retry a conflict")
    }

    fn fail(&self, error: &str) -> Outcome {
        if self.reported.is_empty() {
            return Outcome::failed(error);
        }
        Outcome::failed(format!("{error} (after conflicts: {})", self.report()))
    }

    /// Each conflict with its number, or just one when all of them say the same.
    fn report(&self) -> String {
        if let Some(first) = self.reported.first()
            && self.reported.iter().all(|error| error == first)
        {
            return first.clone();
        }
        let before = self.met - self.reported.len();
        let numbered = self.reported.iter().zip(before + 1..);
        let numbered = numbered.map(|(error, n)| format!("{n}: {error}"));
        numbered.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(conflicts: &[&str], ended: Ended) -> String {
        let mut met = Conflicts::default();
        for conflict in conflicts {
            met.met(conflict);
        }
        met.outcome(ended, Some(Duration::from_secs(30)))
            .error
            .unwrap()
    }

    fn conflict(text: &str) -> Ended {
        Ended::Done(Err(JobError::conflict(text)))
    }

    #[test]
    fn the_error_of_every_attempt_is_reported_once_or_by_its_number() {
        assert_eq!(
            error(&["version 3"], conflict("version 3")),
            "conflict with another writer in each of 2 attempts: version 3"
        );
        assert_eq!(
            error(&["version 3", "deadlock"], conflict("busy")),
            "conflict with another writer in each of 3 attempts: 1: version 3; 2: deadlock; 3: busy"
        );
        assert_eq!(
            error(&["busy"], Ended::Done(Err(JobError::failed("disk full")))),
            "disk full (after conflicts: busy)"
        );
        assert_eq!(
            error(&[], Ended::TimedOut),
            "the run did not end within its timeout of 30s and was cancelled"
        );
    }

    #[test]
    fn the_report_of_many_long_conflicts_is_bounded() {
        let long: Vec<String> = (0..100)
            .map(|n| format!("{n} {}", "x".repeat(9_999)))
            .collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let report = error(&long, conflict("last"));
        assert!(
            report.contains("in each of 101 attempts") && report.contains("; 101: last"),
            "{report}"
        );
        assert!(
            report.len() < REPORTED * (LENGTH + 10) + 100,
            "{}",
            report.len()
        );
    }
}
