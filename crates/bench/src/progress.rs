//! Progress, on standard error.

use std::fmt::Display;

/// What is being done, on standard error: a run takes minutes.
#[allow(clippy::print_stderr, reason = "a command line speaks there")]
pub(crate) fn say(what: impl Display) {
    eprintln!("    {what}");
}
