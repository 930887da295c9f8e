//! `pullit demo`: the whole life of a question set, played in the terminal on a private server.
//!
//! Everything goes through the server's real HTTP port. Three things are ours: the clock, which can be moved; the generator, which can be
//! stalled; and the two jobs of the guide's first heading, which are run by hand as `pullit jobs run` does. Each step checks what it tells.

mod account;
mod client;
mod clock;
mod documents;
mod generator;
mod life;
mod metrics;
mod problem;
mod questions;
mod script;
mod server;
mod sse;
mod stall;
mod stream;
mod text;

use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use account::Account;
use server::PrivateServer;

/// The demonstration did not go as it should.
#[derive(Debug, Error)]
pub enum DemoError {
    /// Something that it needs is not there.
    #[error("the demonstration cannot be played here: {0}")]
    Setup(String),
    /// The first step that did not really happen.
    #[error("step {number} of the demonstration did not happen: {title}: {problem}")]
    Step {
        /// Its number in the account, from 1.
        number: u64,
        /// What should have happened.
        title: &'static str,
        /// What happened instead.
        problem: String,
    },
    /// It was asked to stop.
    #[error("the demonstration was stopped before its end; its server and files are gone")]
    Stopped,
}

/// Plays the whole life of a question set and tells of it on standard output. Whatever happens, the server is stopped and its folder removed.
///
/// # Errors
/// The first step that did not really happen; or that there was no place to play; or that it was asked to stop.
pub async fn run() -> Result<(), DemoError> {
    let setup = |error: std::io::Error| DemoError::Setup(error.to_string());
    // Asked for before anything is started, so that none of these leaves something behind.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(setup)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(setup)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(setup)?;
    let folder = tempfile::Builder::new()
        .prefix("pullit-demo-")
        .tempdir()
        .map_err(setup)?;
    let mut account = Account::new(script::STEPS);
    account.open();
    let mut server: Option<PrivateServer> = None;
    let ended = tokio::select! {
        ended = script::play(&mut account, folder.path(), &mut server) => ended,
        _ = interrupt.recv() => Err(DemoError::Stopped),
        _ = terminate.recv() => Err(DemoError::Stopped),
        _ = hang_up.recv() => Err(DemoError::Stopped),
    };
    account.stopping();
    if let Some(server) = server {
        server.running.stop().await;
    }
    let removed = folder.close();
    account.close(ended.is_ok());
    ended.and(removed.map_err(setup))
}
