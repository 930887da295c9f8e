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
        let mut failures = Vec::new();
        tokio::select! {
            report = run(&args, ours, nchan, &mut failures) => Ok(Some((report, failures))),
            stopped = until_stopped() => stopped.map(|()| None),
        }
    };
    match runtime.block_on(run) {
        Err(error) => fail(&error),
        Ok(None) => ExitCode::from(INTERRUPTED),
        Ok(Some((report, failures))) => {
            let verdict = show(&report);
            failures.iter().map(fail).next_back().unwrap_or(verdict)
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

async fn run<'a>(
    args: &'a Args,
    ours: Option<Subject>,
    nchan: Option<Subject>,
    failures: &mut Vec<LoadError>,
) -> Report<'a> {
    Report {
        args,
        ours: measure("ours", args, ours, failures).await,
        nchan: measure("nchan", args, nchan, failures).await,
    }
}

async fn measure(
    name: &str,
    args: &Args,
    subject: Option<Subject>,
    failures: &mut Vec<LoadError>,
) -> Option<Figures> {
    let subject = subject?;
    progress::say(format!("{name}:"));
    Some(life::measure(&subject, args, failures).await)
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

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn show(report: &Report<'_>) -> ExitCode {
    if report.args.json {
        println!("{:#}", report.json());
    } else {
        println!("{report}");
    }
    let missed = report.missed();
    if !report.args.check || missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("sse-load: missed: {}", missed.join("; "));
    ExitCode::from(MISSED)
}

#[allow(clippy::print_stderr)]
fn fail(error: &LoadError) -> ExitCode {
    eprintln!("sse-load: {error}");
    ExitCode::from(FAILED)
}
