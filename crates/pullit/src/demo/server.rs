//! The private server.

use std::path::Path;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use tokio::net::TcpListener;

use super::account::Lines;
use super::clock::DemoClock;
use super::generator::{StallingGenerator, shared};
use super::problem::Problem;
use crate::app::{App, Outside};
use crate::platform::clock::{day, start_of_day};
use crate::platform::config::{Config, Span};
use crate::platform::telemetry;
use crate::server::{Roles, Running};

/// A running server, and what of its world is in our hands.
pub(super) struct PrivateServer {
    pub(super) running: Running,
    pub(super) clock: DemoClock,
    pub(super) generator: Arc<StallingGenerator>,
}

impl PrivateServer {
    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }
}

/// Starts it on a free port, with everything that it keeps in this folder.
pub(super) async fn start(folder: &Path) -> Result<(PrivateServer, Lines), Problem> {
    // Before the rooms, which keep the handles of their measurements.
    telemetry::metrics();
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(Problem::of)?;
    let address = listener.local_addr().map_err(Problem::of)?;
    let mut config = Config {
        listen: address.to_string(),
        data_dir: folder.to_owned(),
        ..Config::default()
    };
    // The stalled worker is alive: its lease must not lapse just because the clock jumps over the moments at which it would be extended.
    config.worker.lease = Span::hours(2);
    // Ten in the morning, so that moving on never crosses a midnight and every day's demonstration counts alike.
    #[allow(
        clippy::disallowed_methods,
        reason = "the demonstration plays today; its clock starts here"
    )]
    let morning = start_of_day(config.zone, day(config.zone, Utc::now())) + TimeDelta::hours(10);
    let clock = DemoClock::starting_at(morning);
    let generator = Arc::new(StallingGenerator::default());
    let outside = Outside {
        clock: Arc::new(clock.clone()),
        generator: Some(shared(&generator)),
        program: document_text::this_program().map_err(Problem::of)?,
    };
    let app = App::build(config, outside).await.map_err(Problem::of)?;
    // Without the scheduler role: the jobs of the account run when it says so, and not because a slot came by.
    let roles = Roles {
        scheduler: false,
        ..Roles::ALL
    };
    let running = Running::start(app, roles, listener)
        .await
        .map_err(Problem::of)?;
    let server = PrivateServer {
        running,
        clock,
        generator,
    };
    let mut lines = Lines::default();
    lines
        .say(format_args!("{}, with SQLite, a folder for files, and the offline question generator", server.url()))
        .say("Its clock begins at 10:00 in Seoul and can be moved on. Its scheduler is off: we run the jobs by hand.");
    Ok((server, lines))
}
