//! `sse-load`: what event streams cost a server, and how fast it is with many of them, beside nginx with nchan.

mod args;
mod connect;
mod error;
mod figures;
mod histogram;
mod life;
mod parser;
mod payload;
mod process;
mod progress;
mod publisher;
mod readers;
mod report;
mod server;
mod tally;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, error::ErrorKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, Named};
use error::LoadError;
use figures::Figures;
use report::Report;
use server::Subject;

const MISSED: u8 = 1;
const FAILED: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Open files other than streams.
const OTHER_FILES: usize = 100;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&LoadError::Machine(error)),
    };
    let (ours, nchan) = subjects(&args);
    // What is dropped when a signal comes takes its servers and folders with it.
    let run = async {
        raise_limit(&args)?;
        tokio::select! {
            run = run(&args, ours, nchan) => Ok(Some(run)),
            stopped = until_stopped() => stopped.map(|()| None),
        }
    };
    match runtime.block_on(run) {
        Err(error) => fail(&error),
        Ok(None) => ExitCode::from(INTERRUPTED),
        Ok(Some((report, ours_failed))) => {
            let verdict = show(&report);
            if ours_failed {
                ExitCode::from(FAILED)
            } else {
                verdict
            }
        }
    }
}

/// Ours and the peer; ends the process when there is nothing to measure.
fn subjects(args: &Args) -> (Option<Subject>, Option<Subject>) {
    let usage = |text: &str| {
        Args::command()
            .error(ErrorKind::ValueValidation, text)
            .exit()
    };
    let ours = match args.server() {
        Ok(None) if args.no_peer => usage("--no-peer without --server leaves nothing to measure"),
        Ok(None) => None,
        Ok(Some(Named::Program(program))) => Some(Subject::Program(program)),
        Ok(Some(Named::Running(address))) => Some(Subject::Running {
            address,
            process: args.server_process,
        }),
        Err(text) => usage(&text),
    };
    let nchan = (!args.no_peer).then(|| Subject::Nchan {
        nginx: args.peer.clone(),
        workers: args.peer_workers,
    });
    (ours, nchan)
}

/// Also whether something of ours could not be measured. That the peer breaks down is said, but is its own affair.
async fn run(args: &Args, ours: Option<Subject>, nchan: Option<Subject>) -> (Report<'_>, bool) {
    let (ours, ours_failed) = measure("ours", args, ours).await;
    let (nchan, _) = measure("nchan", args, nchan).await;
    (Report { args, ours, nchan }, ours_failed)
}

async fn measure(name: &str, args: &Args, subject: Option<Subject>) -> (Option<Figures>, bool) {
    let Some(subject) = subject else {
        return (None, false);
    };
    progress::say(format!("{name}:"));
    let (figures, failures) = life::measure(&subject, args).await;
    for failure in &failures {
        progress::say(format!("{name} failed: {failure}"));
    }
    (Some(figures), !failures.is_empty())
}

/// The servers inherit the limit.
fn raise_limit(args: &Args) -> Result<(), LoadError> {
    let limit = getrlimit(Resource::Nofile).maximum;
    let needed = args.connections + args.stalled + OTHER_FILES;
    if let Some(limit) = limit
        && (limit as usize) < needed
    {
        return Err(LoadError::Files {
            wanted: args.connections,
            needed,
            limit,
        });
    }
    let all = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::Nofile, all).map_err(|error| LoadError::Machine(error.into()))
}

async fn until_stopped() -> Result<(), LoadError> {
    let listen = |kind| signal(kind).map_err(LoadError::Machine);
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks there"
)]
fn show(report: &Report<'_>) -> ExitCode {
    if report.args.json {
        println!("{:#}", report.json());
    } else {
        println!("{report}");
    }
    let (missed, unmeasured) = (report.missed(), report.unmeasured());
    if !report.args.check || missed.is_empty() && unmeasured.is_empty() {
        return ExitCode::SUCCESS;
    }
    for (what, titles) in [("missed", missed), ("not measured", unmeasured)] {
        if !titles.is_empty() {
            eprintln!("sse-load: {what}: {}", titles.join("; "));
        }
    }
    ExitCode::from(MISSED)
}

#[allow(clippy::print_stderr, reason = "a command line speaks there")]
fn fail(error: &LoadError) -> ExitCode {
    eprintln!("sse-load: {error}");
    ExitCode::from(FAILED)
}
