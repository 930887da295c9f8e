//! What the relay adds to the statements that it sends, how soon an effect follows its publish, and what a claim costs while a
//! snapshot is held open.
//!
//!     cargo bench -p outbox                            all of it
//!     cargo bench -p outbox -- backlog latency         some of it: backlog, latency, snapshot
//!
//! Unless it is told where a server is, it starts a private one whose commits reach the disk (`scripts/with-servers --durable`).
//! `BENCH_ROUNDS` (7) rounds of ours and bare take turns with a backlog of `BENCH_EVENTS` (50,000); `BENCH_SAMPLES` (300)
//! latencies are taken; the snapshot is held for `BENCH_SNAPSHOT_SECONDS` (10; 600 for the figure that counts) under
//! `BENCH_SNAPSHOT_RATE` (2,000) events a second.

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark lives in real time, and is told of its size and servers by the environment"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "it prints what it measured"
)]

mod backlog;
mod bare;
mod effect;
mod latency;
mod setting;
mod snapshot;

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

const SERVERS: &str = "PULLIT_TEST_POSTGRES_URL";

/// Runs this program again with servers, and does not come back.
fn with_servers() -> ExitCode {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/with-servers");
    let Ok(this) = std::env::current_exe() else {
        eprintln!("where this program lies is unknown");
        return ExitCode::FAILURE;
    };
    let failed = Command::new(&script)
        .arg("--durable")
        .arg(this)
        .args(std::env::args_os().skip(1))
        .exec();
    eprintln!("{}: {failed}", script.display());
    ExitCode::FAILURE
}

fn main() -> ExitCode {
    if std::env::var_os(SERVERS).is_none() {
        return with_servers();
    }
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        if is_wanted("backlog") {
            backlog::run().await;
        }
        if is_wanted("latency") {
            latency::run().await;
        }
        if is_wanted("snapshot") {
            snapshot::run().await;
        }
    });
    ExitCode::SUCCESS
}
