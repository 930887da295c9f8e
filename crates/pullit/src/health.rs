//! `/healthz`, `/readyz`, `/metrics`: for those who watch over the service.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::platform::http::Json;
use crate::platform::telemetry;
use crate::platform::write_probe::WriteProbe;

/// A part that does not answer within this is not ready.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The backlog is counted at most so often, however many ask for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Health {
    app: App,
    writes: Arc<WriteProbe>,
    /// When the backlog was counted last. Who asks meanwhile waits for the count that is under way.
    counted: Arc<Mutex<Option<Instant>>>,
}

impl Health {
    async fn count_backlog(&self) {
        let mut counted = self.counted.lock().await;
        if counted.is_some_and(|at| at.elapsed() < COUNT_EVERY) {
            return;
        }
        let count = outbox::backlog(self.app.db.read());
        match tokio::time::timeout(TIMEOUT, count).await {
            Ok(Ok(backlog)) => backlog.record((self.app.now)()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the backlog of the outbox could not be measured: its metrics stay as they were");
            }
            Err(_) => {
                tracing::warn!(
                    "the backlog of the outbox was not counted in time: its metrics stay as they were"
                );
            }
        }
        *counted = Some(Instant::now());
    }
}

/// The routes of the room.
pub fn routes(app: App) -> OpenApiRouter {
    let health = Health {
        writes: Arc::new(WriteProbe::new(app.db.clone())),
        app,
        counted: Arc::default(),
    };
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .with_state(health)
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = String)))]
async fn healthz() -> &'static str {
    "ok"
}

#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    ready: bool,
    database: &'static str,
    storage: &'static str,
    broker: &'static str,
}

/// Whether the database takes writes, and the storage and the broker answer.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn readyz(State(Health { app, writes, .. }): State<Health>) -> Response {
    let (database, storage, broker) = tokio::join!(
        answers("database", writes.check((app.now)())),
        answers("storage", app.storage.check()),
        answers("broker", app.broker.check()),
    );
    let ready = database && storage && broker;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = |up| if up { "up" } else { "down" };
    let readiness = Readiness {
        ready,
        database: word(database),
        storage: word(storage),
        broker: word(broker),
    };
    (status, Json(readiness)).into_response()
}

async fn answers<T, E: std::fmt::Display>(
    part: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> bool {
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(part, %error, "not ready: a part that is needed does not answer");
            false
        }
        Err(_) => {
            tracing::warn!(
                part,
                "not ready: a part that is needed does not answer in time"
            );
            false
        }
    }
}

/// Measurements in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics(State(health): State<Health>) -> Response {
    health.count_backlog().await;
    let text = telemetry::metrics().render();
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}
