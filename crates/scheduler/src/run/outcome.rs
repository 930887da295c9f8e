//! What is recorded of how a run ended.

use std::time::Duration;

use ground::chain;

use super::attempt::Ended;
use crate::error::JobError;
use crate::model::RunStatus;

/// How many conflicts a run tells of, the newest ones, and how many characters of each.
const TOLD: usize = 5;
const LENGTH: usize = 300;

/// How a run ended, before it is recorded.
pub(super) struct Outcome {
    pub(super) status: RunStatus,
    pub(super) affected: u64,
    pub(super) error: Option<String>,
}

impl Outcome {
    fn failed(error: impl Into<String>) -> Self {
        Self {
            status: RunStatus::Failed,
            affected: 0,
            error: Some(error.into()),
        }
    }

    pub(super) fn abandoned() -> Self {
        Self {
            status: RunStatus::Abandoned,
            affected: 0,
            error: Some(chain(&JobError::LeaseLost)),
        }
    }
}

/// The conflicts that a run has met and retried.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    met: usize,
    told: Vec<String>,
}

impl Conflicts {
    pub(super) fn met(&mut self, error: &str) {
        self.met += 1;
        if self.told.len() == TOLD {
            self.told.remove(0);
        }
        self.told.push(error.chars().take(LENGTH).collect());
    }

    pub(super) fn outcome(mut self, ended: Ended, timeout: Option<Duration>) -> Outcome {
        let error = match ended {
            Ended::Done(Ok(affected)) => {
                return Outcome {
                    status: RunStatus::Succeeded,
                    affected,
                    error: None,
                };
            }
            Ended::Done(Err(JobError::LeaseLost)) | Ended::LeaseLost => {
                return Outcome::abandoned();
            }
            Ended::Done(Err(JobError::Conflict(error))) => {
                self.met(&chain(&*error));
                return Outcome::failed(format!(
                    "conflict with another writer in each of {} attempts: {}",
                    self.met,
                    self.tell()
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
        if self.told.is_empty() {
            return Outcome::failed(error);
        }
        Outcome::failed(format!("{error} (after conflicts: {})", self.tell()))
    }

    /// Each with its number, or once what all of them say.
    fn tell(&self) -> String {
        if let Some(first) = self.told.first()
            && self.told.iter().all(|error| error == first)
        {
            return first.clone();
        }
        let before = self.met - self.told.len();
        let told = self.told.iter().zip(before + 1..);
        let told: Vec<_> = told.map(|(error, n)| format!("{n}: {error}")).collect();
        told.join("; ")
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
    fn the_error_of_every_attempt_is_told_once_or_by_its_number() {
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
    fn what_is_told_of_many_long_conflicts_is_bounded() {
        let long: Vec<String> = (0..100)
            .map(|n| format!("{n} {}", "x".repeat(9_999)))
            .collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let told = error(&long, conflict("last"));
        assert!(
            told.contains("in each of 101 attempts") && told.contains("; 101: last"),
            "{told}"
        );
        assert!(told.len() < TOLD * (LENGTH + 10) + 100, "{}", told.len());
    }
}
