//! Why there is nothing to show.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error(
        "{wanted} connections need about {needed} open files, and this process may have {limit}: \
         raise its hard limit (ulimit -Hn) or ask for fewer --connections"
    )]
    Files {
        wanted: usize,
        needed: usize,
        limit: u64,
    },
    #[error("{program} cannot be started: {source}. {hint}")]
    Program {
        program: PathBuf,
        source: io::Error,
        hint: &'static str,
    },
    #[error("{program} did not begin to listen within 30 s; it wrote:\n{output}")]
    Silent { program: PathBuf, output: String },
    #[error("{lost} readers lost their stream; the first because {reason}")]
    Lost { lost: usize, reason: String },
    #[error(
        "nothing moved for a minute: {open} of {wanted} readers are open, {received} have the last publish"
    )]
    TooLong {
        open: usize,
        received: usize,
        wanted: usize,
    },
    #[error("the server's answer to {request} cannot be used: {reason}")]
    Answer { request: String, reason: String },
    #[error("talking to the server failed: {0}")]
    Talk(#[source] io::Error),
    #[error("of {sent} publishes to one reader each only {arrived} arrived")]
    Missing { sent: u64, arrived: u64 },
    #[error("the readers that are not to read were not all there after a minute")]
    NotStalled,
    #[error("the server's process {0} is gone")]
    Gone(u32),
    #[error("the machine refused: {0}")]
    Machine(#[source] io::Error),
}
