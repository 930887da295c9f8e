//! The real binary: what it prints, how it ends, and what a crash leaves behind.

mod broker;
mod config;
mod crash;
mod dev;
mod links;
mod locks;
mod log;
mod nodes;
mod operator;
mod private;
mod probes;
mod replaced;
mod serve;
mod set_back;
mod signals;

use testkit::Database;
use testkit::process::{Command, Finished, Pullit};

/// The binary.
pub(crate) fn pullit() -> Command {
    Pullit::command(env!("CARGO_BIN_EXE_pullit"))
}

/// The binary on this database.
pub(crate) fn on(database: &Database) -> Command {
    let url = database.url().trim_end_matches("?mode=rwc");
    pullit().env("PULLIT_DATABASE__URL", url)
}

#[track_caller]
pub(crate) fn expect(finished: &Finished, code: i32) {
    assert_eq!(finished.status.code(), Some(code), "{finished:#?}");
}

/// Expects a refusal: this exit code, nothing on standard output, and these words on standard error.
#[track_caller]
pub(crate) fn refused(finished: &Finished, code: i32, words: &str) {
    expect(finished, code);
    assert_eq!(finished.stdout, "", "the answer is for answers");
    assert!(
        finished.stderr.contains(words),
        "{words} is not in {finished:#?}"
    );
}
