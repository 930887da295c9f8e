//! A running node: the roles that were asked for, started in order and stopped in order.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use scheduler::RunningScheduler;
use sse_hub::server::{ServeOptions, serve};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::notification::evict_ended;
use crate::platform::broker::BrokerError;
use crate::platform::{open_files, telemetry};
use crate::{router, schedulers};

/// What a node does. All of it, unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Answers HTTP.
    pub api: bool,
    /// Runs the jobs.
    pub scheduler: bool,
    /// Delivers what the outbox holds.
    pub relay: bool,
    /// Reads documents and makes questions.
    pub worker: bool,
}

impl Roles {
    /// Every role.
    pub const ALL: Self = Self {
        api: true,
        scheduler: true,
        relay: true,
        worker: true,
    };
}

impl Roles {
    /// Whether a node with these roles runs this job by itself.
    pub(crate) fn run(self, job: &str) -> bool {
        match job {
            schedulers::RELAY => self.relay,
            schedulers::HEARTBEAT => self.api,
            _ => self.scheduler,
        }
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = Self {
            api: false,
            scheduler: false,
            relay: false,
            worker: false,
        };
        for word in text.split(',').map(str::trim) {
            match word {
                "api" => roles.api = true,
                "scheduler" => roles.scheduler = true,
                "relay" => roles.relay = true,
                "worker" => roles.worker = true,
                _ => {
                    return Err(format!(
                        "`{word}` is no role; the roles are api, scheduler, relay, worker"
                    ));
                }
            }
        }
        Ok(roles)
    }
}

/// Jobs that still run when the node stops have this long to end.
const JOBS_DEADLINE: Duration = Duration::from_secs(8);
/// Requests that are still answered have this long.
const REQUESTS_DEADLINE: Duration = Duration::from_secs(5);
/// Workers give back what they hold within this.
const WORKERS_DEADLINE: Duration = Duration::from_secs(5);
/// The database's connections are closed within this; a statement that never ends must not hold the process.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// Clients whose stream ends because the node stops come back after this long, spread out: over four seconds, or as many as it takes for
/// so many a second.
const RECONNECT: Duration = Duration::from_secs(1);
const RECONNECT_WITHIN: Duration = Duration::from_secs(4);
const RETURNS_PER_SECOND: f64 = 1_000.0;

/// Connections beside those of event streams, where there are files enough.
const OTHER_CONNECTIONS: usize = 2_000;

/// The pause before a background task that panicked starts anew.
const RESTART: Duration = Duration::from_secs(1);

/// The node could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The scheduler's tables cannot be written.
    #[error(transparent)]
    Scheduler(#[from] scheduler::SchedulerError),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The message broker is there and cannot be used as it is.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The listening socket is of no use.
    #[error("the listening socket cannot be used: {0}")]
    Socket(#[from] std::io::Error),
}

/// A task that runs as long as the node does. One that panics is told of and started anew: a node that looks healthy must not have stopped
/// working.
fn supervised<F>(
    what: &'static str,
    stop: CancellationToken,
    start: impl Fn() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while let Err(panic) = tokio::spawn(start()).await {
            tracing::error!(task = what, %panic, "a background task panicked; it starts anew in a second");
            let pause = tokio::time::sleep(RESTART);
            if stop.run_until_cancelled(pause).await.is_none() {
                break;
            }
        }
    })
}

/// A running node.
pub struct Running {
    /// Everything behind it.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    cancel: CancellationToken,
    scheduler: RunningScheduler,
    http: Option<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts the roles. Requests are answered when this returns.
    ///
    /// # Errors
    /// When the database does not answer or the socket cannot be used.
    pub async fn start(app: App, roles: Roles, listener: TcpListener) -> Result<Self, StartError> {
        let address = listener.local_addr()?;
        let cancel = CancellationToken::new();
        if roles.relay || roles.worker {
            app.broker.prepare().await?;
        }
        let mut workers = vec![tokio::spawn(telemetry::sum_up(cancel.clone()))];
        let mut http = None;
        if roles.api {
            let (feed, stop) = (app.rooms.feed.clone(), cancel.clone());
            workers.push(supervised("notification feed", cancel.clone(), move || {
                let (feed, stop) = (feed.clone(), stop.clone());
                async move { feed.run(stop).await }
            }));
            let (feed, stop) = (app.rooms.feed.clone(), cancel.clone());
            let what = "notifications of other nodes";
            workers.push(supervised(what, cancel.clone(), move || {
                let (feed, stop) = (feed.clone(), stop.clone());
                async move { feed.hear(stop).await }
            }));
            let (hub, members, auth) = (app.hub.clone(), app.members.clone(), app.auth.clone());
            let stop = cancel.clone();
            workers.push(supervised("end of streams", cancel.clone(), move || {
                evict_ended(hub.clone(), members.clone(), auth.clone(), stop.clone())
            }));
            let options = ServeOptions {
                connections: (app.config.notification.streams + OTHER_CONNECTIONS)
                    .min(open_files::room_for_clients()),
                ..ServeOptions::default()
            };
            let stop = cancel.clone().cancelled_owned();
            let router = router::router(&app);
            http = Some(tokio::spawn(serve(listener, router, options, stop)));
        }
        if roles.worker {
            let (worker, stop) = (app.worker.clone(), cancel.clone());
            workers.push(supervised("question worker", cancel.clone(), move || {
                let (worker, stop) = (worker.clone(), stop.clone());
                async move { worker.run(stop).await }
            }));
            let (extraction, stop) = (app.extraction.clone(), cancel.clone());
            workers.push(supervised("document reader", cancel.clone(), move || {
                let (extraction, stop) = (extraction.clone(), stop.clone());
                async move { extraction.run(stop).await }
            }));
        }
        let scheduler = app.scheduler.start_only(|job| roles.run(job)).await?;
        if roles.relay {
            let (signal, stop, running) = (app.signal.clone(), cancel.clone(), scheduler.clone());
            workers.push(supervised(
                "wake-ups of the relay",
                cancel.clone(),
                move || {
                    let (signal, stop, running) = (signal.clone(), stop.clone(), running.clone());
                    async move {
                        while stop.run_until_cancelled(signal.notified()).await.is_some() {
                            running.wake(schedulers::RELAY);
                        }
                    }
                },
            ));
            let (signal, stop) = (app.signal.clone(), cancel.clone());
            workers.push(supervised(
                "wake-ups of other nodes",
                cancel.clone(),
                move || {
                    let (signal, stop) = (signal.clone(), stop.clone());
                    async move { signal.hear(stop).await }
                },
            ));
        }
        Ok(Self {
            app,
            address,
            cancel,
            scheduler,
            http,
            workers,
        })
    }

    /// Stops within 20 seconds: no new requests and runs, streams are ended, what is under way gets its time, leases are given back.
    pub async fn stop(self) {
        self.app
            .hub
            .drain(reconnect(self.app.hub.stats().connections));
        self.cancel.cancel();
        let jobs = self.scheduler.stop(JOBS_DEADLINE);
        let requests = async {
            if let Some(http) = self.http
                && tokio::time::timeout(REQUESTS_DEADLINE, http).await.is_err()
            {
                tracing::warn!(
                    "requests were still answered at the shutdown's deadline; they are cut off"
                );
            }
        };
        let workers = async {
            let all = futures::future::join_all(self.workers);
            if tokio::time::timeout(WORKERS_DEADLINE, all).await.is_err() {
                tracing::warn!(
                    "workers did not stop in time; their work is taken over when its lease has run out"
                );
            }
        };
        tokio::join!(jobs, requests, workers);
        let leave = async {
            if tokio::time::timeout(CLOSE_DEADLINE, self.app.broker.close())
                .await
                .is_err()
            {
                tracing::warn!(
                    "the message broker was not left in time; its connections are cut off"
                );
            }
        };
        let close = async {
            // Holders that stopped gave theirs back; what is left would keep other nodes waiting for its lease.
            self.app.locks.shut_down(Duration::ZERO).await;
            self.app.clone().close().await;
        };
        let close = async {
            if tokio::time::timeout(CLOSE_DEADLINE, close).await.is_err() {
                tracing::warn!(
                    "the database's connections could not be closed in time; they are cut off"
                );
            }
        };
        tokio::join!(leave, close);
    }
}

fn reconnect(streams: usize) -> Range<Duration> {
    let within = Duration::from_secs_f64(streams as f64 / RETURNS_PER_SECOND);
    RECONNECT..RECONNECT + within.max(RECONNECT_WITHIN)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn the_more_clients_have_to_come_back_the_longer_they_are_spread() {
        assert_eq!(reconnect(1).end, Duration::from_secs(5));
        assert_eq!(reconnect(20_000).end, Duration::from_secs(21));
    }

    #[tokio::test(start_paused = true)]
    async fn a_background_task_that_panics_starts_anew() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        let task = supervised("test", CancellationToken::new(), move || {
            let start = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(start > 0, "the first start panics") }
        });
        task.await.unwrap();
        assert_eq!(starts.load(Ordering::Relaxed), 2);
    }
}
