//! A running node: the roles that were asked for, started in order and stopped in order.

mod roles;
mod supervisor;

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use scheduler::RunningScheduler;
use sse_hub::server::{ServeOptions, serve};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::roles::Roles;
pub(crate) use self::supervisor::Supervisor;
use crate::app::App;
use crate::health::{Health, RelayPulse};
use crate::notification::evict_ended;
use crate::platform::broker::BrokerError;
use crate::platform::{open_files, telemetry};
use crate::{router, schedulers};

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

/// Connections to the probes' own address.
const PROBES: usize = 100;

/// Names of the tasks that a role cannot do without.
pub(crate) mod tasks {
    pub(crate) const HTTP: &str = "HTTP server";
    pub(crate) const FEED: &str = "notification feed";
    pub(crate) const WORKER: &str = "question worker";
    pub(crate) const EXTRACTION: &str = "document reader";
    pub(crate) const PULSE: &str = "watch over the relay";
}

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

/// A running node.
pub struct Running {
    /// Everything behind it.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    cancel: CancellationToken,
    scheduler: RunningScheduler,
    http: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    supervisor: Supervisor,
}

/// Where a node listens.
pub struct Listeners {
    /// The API, on nodes that have the role.
    pub api: TcpListener,
    /// Health, readiness and metrics alone, on nodes of every role.
    pub probes: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(api: TcpListener) -> Self {
        Self { api, probes: None }
    }
}

impl Running {
    /// Starts the roles. Requests are answered when this returns.
    ///
    /// # Errors
    /// When the database does not answer or the socket cannot be used.
    pub async fn start(
        app: App,
        roles: Roles,
        listeners: impl Into<Listeners>,
    ) -> Result<Self, StartError> {
        let listeners = listeners.into();
        let address = listeners.api.local_addr()?;
        let cancel = CancellationToken::new();
        if roles.relay || roles.worker {
            app.broker.prepare().await?;
        }
        let supervisor = Supervisor::new(cancel.clone());
        let mut workers = vec![supervisor.keep("sums of the metrics", telemetry::sum_up)];
        let mut http = Vec::new();
        let relay = RelayPulse::new(schedulers::relay_interval(&app.config));
        if roles.relay {
            let (events, pulse) = (app.scheduler.clone(), relay.clone());
            let watch = move |stop| pulse.clone().watch(events.events(), stop);
            workers.push(supervisor.keep(tasks::PULSE, watch));
        }
        let health = Health::new(app.clone(), roles, supervisor.clone(), relay);
        if roles.api {
            keep_feed(&app, &supervisor, &mut workers);
            let options = ServeOptions {
                connections: (app.config.notification.streams + OTHER_CONNECTIONS)
                    .min(open_files::room_for_clients()),
                ..ServeOptions::default()
            };
            let stop = cancel.clone().cancelled_owned();
            let router = router::router(&app, health.clone());
            let serving = tokio::spawn(serve(listeners.api, router, options, stop));
            http.push(supervisor.watch(tasks::HTTP, serving));
        }
        if let Some(listener) = listeners.probes {
            let options = ServeOptions {
                connections: PROBES,
                ..ServeOptions::default()
            };
            let stop = cancel.clone().cancelled_owned();
            let serving = tokio::spawn(serve(listener, router::probes(health), options, stop));
            http.push(supervisor.watch("HTTP server of the probes", serving));
        }
        if roles.worker {
            let worker = app.worker.clone();
            workers.push(supervisor.keep(tasks::WORKER, move |stop| {
                let worker = worker.clone();
                async move { worker.run(stop).await }
            }));
            let extraction = app.extraction.clone();
            workers.push(supervisor.keep(tasks::EXTRACTION, move |stop| {
                let extraction = extraction.clone();
                async move { extraction.run(stop).await }
            }));
        }
        let scheduler = app.scheduler.start_only(|job| roles.run(job)).await?;
        if roles.relay {
            keep_relay_awake(&app, &supervisor, &scheduler, &mut workers);
        }
        Ok(Self {
            app,
            address,
            cancel,
            scheduler,
            http,
            workers,
            supervisor,
        })
    }

    /// Completes with the reason when a background task cannot be kept alive: the node should then be stopped, and end with an error.
    pub fn gave_up(&self) -> impl Future<Output = String> + use<> {
        self.supervisor.gave_up()
    }

    /// Stops within 20 seconds: no new requests and runs, streams are ended, what is under way gets its time, leases are given back.
    pub async fn stop(self) {
        self.app
            .hub
            .drain(reconnect(self.app.hub.stats().connections));
        self.cancel.cancel();
        let jobs = self.scheduler.stop(JOBS_DEADLINE);
        let requests = async {
            let all = futures::future::join_all(self.http);
            if tokio::time::timeout(REQUESTS_DEADLINE, all).await.is_err() {
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

/// The tasks behind event streams.
fn keep_feed(app: &App, supervisor: &Supervisor, workers: &mut Vec<JoinHandle<()>>) {
    let feed = Arc::clone(&app.rooms.feed);
    workers.push(supervisor.keep(tasks::FEED, move |stop| {
        let feed = Arc::clone(&feed);
        async move { feed.run(stop).await }
    }));
    let feed = Arc::clone(&app.rooms.feed);
    workers.push(
        supervisor.keep("notifications of other nodes", move |stop| {
            let feed = Arc::clone(&feed);
            async move {
                feed.hear(stop.clone()).await;
                // Where no other node can be heard there is nothing to do.
                stop.cancelled().await;
            }
        }),
    );
    let (hub, members, auth) = (app.hub.clone(), app.members.clone(), app.auth.clone());
    workers.push(supervisor.keep("end of streams", move |stop| {
        evict_ended(hub.clone(), members.clone(), auth.clone(), stop)
    }));
}

/// The relay's job runs each second; what this process or another one publishes wakes it before.
fn keep_relay_awake(
    app: &App,
    supervisor: &Supervisor,
    scheduler: &RunningScheduler,
    workers: &mut Vec<JoinHandle<()>>,
) {
    let (signal, running) = (app.signal.clone(), scheduler.clone());
    workers.push(supervisor.keep("wake-ups of the relay", move |stop| {
        let (signal, running) = (signal.clone(), running.clone());
        async move {
            while stop.run_until_cancelled(signal.notified()).await.is_some() {
                running.wake(schedulers::RELAY);
            }
        }
    }));
    let signal = app.signal.clone();
    workers.push(supervisor.keep("wake-ups of other nodes", move |stop| {
        let signal = signal.clone();
        async move {
            signal.hear(stop.clone()).await;
            stop.cancelled().await;
        }
    }));
}

fn reconnect(streams: usize) -> Range<Duration> {
    let within = Duration::from_secs_f64(streams as f64 / RETURNS_PER_SECOND);
    RECONNECT..RECONNECT + within.max(RECONNECT_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_clients_have_to_come_back_the_longer_they_are_spread() {
        assert_eq!(reconnect(1).end, Duration::from_secs(5));
        assert_eq!(reconnect(20_000).end, Duration::from_secs(21));
    }
}
