//! `pullit demo`
use thiserror::Error;

/// The demonstration did not go as it should.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct DemoError(String);

/// Plays the whole life of a question set.
///
/// # Errors
/// When a step did not really happen.
pub async fn run() -> Result<(), DemoError> {
    Err(DemoError("the demonstration is not there yet".to_owned()))
}
