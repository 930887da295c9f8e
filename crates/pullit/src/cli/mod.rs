//! The command line: arguments in, exit code out.

mod config;
mod dev;
mod jobs;
mod locks;
mod members;
mod meter;
mod operator;
mod outbox;
mod print;
mod serve;
mod signals;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use scheduler::SystemClock;
use thiserror::Error;

use crate::app::{App, BuildError, Outside};
use crate::platform::config::{Config, ConfigError, Layers, load};
use crate::platform::db::{Db, DbOptions};
use crate::platform::{log, migrations};

/// Pullit, a study service: question sets from learning material, and the scheduled jobs that keep it healthy.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 another node holds the lock."
)]
struct Arguments {
    /// Configuration file; without it, ./pullit.toml when there is one.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the service. Needs no configuration: SQLite, a folder as object storage, offline questions.
    Serve(serve::Serve),
    /// Play the whole life of a question set in the terminal, on a private server.
    Demo,
    /// Bring the database's tables up to date.
    Migrate,
    /// The scheduled jobs.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Who holds which lock; and releasing that of a dead holder.
    #[command(subcommand)]
    Locks(locks::Locks),
    /// Events on their way, and dead letters.
    #[command(subcommand)]
    Outbox(outbox::OutboxCommand),
    /// Members.
    #[command(subcommand)]
    Members(members::MembersCommand),
    /// The effective configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Tools for whoever develops or measures the service.
    #[command(subcommand)]
    Dev(dev::Dev),
}

/// How a command ends when it does not end well.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3.
    #[error("{0}")]
    Locked(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Locked(_) => 3,
        }
    }

    /// Exit code 1, with the words of an error and its causes.
    pub(crate) fn of(error: impl std::error::Error) -> Self {
        Self::Failed(ground::chain(&error))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        if error.is_configuration() {
            Self::Usage(error.to_string())
        } else {
            Self::of(error)
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::of(error)
    }
}

/// What every command starts from.
pub(crate) struct Start {
    layers: Layers,
}

impl Start {
    /// The effective configuration, with these flags on top; logging starts as it says.
    pub(crate) fn config(&self, flags: Vec<(String, String)>) -> Result<Config, Failure> {
        let layers = Layers {
            flags,
            ..self.layers.clone()
        };
        let (config, _) = load(&layers)?;
        log::start(&config.log);
        for outdated in &config.outdated {
            tracing::warn!("{outdated}");
        }
        Ok(config)
    }

    /// The service, built and not started, for a command that works on its database.
    pub(crate) async fn app(&self) -> Result<App, Failure> {
        let mut config = self.config(Vec::new())?;
        // One process with one thing to do.
        config.database.max_connections = config.database.max_connections.min(3);
        Ok(App::build(config, outside()?).await?)
    }
}

/// The real world.
pub(crate) fn outside() -> Result<Outside, Failure> {
    Ok(Outside {
        clock: Arc::new(SystemClock),
        generator: None,
        program: document_text::this_program().map_err(Failure::of)?,
    })
}

/// Runs the program. `environment` is read here and nowhere below.
pub fn main(environment: HashMap<String, String>) -> ExitCode {
    // The child that reads one document; no runtime, no configuration.
    let mut words = std::env::args_os().skip(1);
    if words
        .next()
        .is_some_and(|word| word == document_text::CHILD_COMMAND)
    {
        return document_text::child_main(words);
    }
    crate::platform::private_folder::files_are_private();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(&format!("the runtime cannot start: {error}"));
            return ExitCode::from(1);
        }
    };
    let start = Start {
        layers: Layers {
            file: arguments.config,
            environment,
            flags: Vec::new(),
        },
    };
    let ended = runtime.block_on(run(arguments.command, start));
    // Blocking work that was given up (a generator, a document) must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    log::finish();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::error(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}

async fn run(command: Command, start: Start) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(&start).await,
        Command::Demo => crate::demo::run()
            .await
            .map_err(|error| Failure::Failed(error.to_string())),
        Command::Migrate => migrate(&start).await,
        Command::Jobs(jobs) => jobs.run(&start).await,
        Command::Locks(locks) => locks.run(&start).await,
        Command::Outbox(outbox) => outbox.run(&start).await,
        Command::Members(members) => members.run(&start).await,
        Command::Config(config) => config.run(&start),
        Command::Dev(dev) => dev.run(&start).await,
    }
}

async fn migrate(start: &Start) -> Result<(), Failure> {
    let config = start.config(Vec::new())?;
    let options = DbOptions {
        max_connections: 1,
        ..config.database_options()
    };
    let db = Db::open(options).await.map_err(BuildError::from)?;
    let applied = migrations::migrate(&db).await?;
    if applied.is_empty() {
        print::line("The tables are up to date.");
    } else {
        print::line(&format!("Applied: {}", applied.join(", ")));
    }
    db.close().await;
    Ok(())
}
