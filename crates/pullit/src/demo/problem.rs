//! What happened instead of what should have happened.

use std::fmt::Display;

/// Why a step did not happen, in words. The account adds which step it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem(pub(super) String);

impl Problem {
    /// An error, with its causes.
    pub(super) fn of(error: impl std::error::Error) -> Self {
        Self(ground::chain(&error))
    }
}

/// Goes on only if this is so.
pub(super) fn check(holds: bool, otherwise: impl Display) -> Result<(), Problem> {
    if holds {
        Ok(())
    } else {
        Err(Problem(otherwise.to_string()))
    }
}

/// Goes on only if what there is is what there should be.
pub(super) fn equal<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    what: &str,
    there_is: T,
    should_be: U,
) -> Result<(), Problem> {
    check(
        there_is == should_be,
        format_args!("{what} should be {should_be:?} and is {there_is:?}"),
    )
}
