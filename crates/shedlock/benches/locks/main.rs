//! Lock and unlock, over and over: cycles a second of each provider, beside the same statements sent
//! straight through the driver on connections that are kept, in the same run.
//!
//!     cargo bench -p shedlock                     all providers
//!     cargo bench -p shedlock -- postgres redis   some
//!
//! Unless it is told where servers are, it starts private ones whose commits reach the disk
//! (`scripts/with-servers --durable`). `BENCH_ROUNDS` (7) rounds of ours and raw take turns, each of
//! `BENCH_MILLIS` (1,000); the figures are medians of the rounds, the ratio is the median of the rounds' ratios.

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark lives in real time, and is told of its size and servers by the environment"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints what it measured"
)]

mod memory;
mod mysql;
mod postgres;
mod redis;
mod rounds;
mod sqlite;

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

use rounds::Rounds;

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let rounds = Rounds::from_environment();
        rounds.head();
        if is_wanted("memory") {
            memory::run(&rounds).await;
        }
        if is_wanted("sqlite") {
            sqlite::run(&rounds).await;
        }
        if is_wanted("postgres") {
            postgres::run(&rounds).await;
        }
        if is_wanted("mariadb") {
            mysql::run(&rounds).await;
        }
        if is_wanted("redis") {
            redis::run(&rounds).await;
        }
    });
    ExitCode::SUCCESS
}
