//! `/healthz`, `/readyz`, `/metrics`: for those who watch over the service.

mod readiness;
mod relay_pulse;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::readiness::{Prober, Readiness};
pub(crate) use self::relay_pulse::RelayPulse;
use crate::app::App;
use crate::platform::http::{ApiError, Json, Query};
use crate::platform::telemetry;
use crate::server::{Roles, Supervisor};

/// The backlog is counted within this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The backlog is counted at most so often, however many ask for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// What the probes know of their node.
#[derive(Clone)]
pub(crate) struct Health {
    app: App,
    prober: Arc<Prober>,
    /// When the backlog was counted last. Who asks meanwhile waits for the count that is under way.
    counted: Arc<Mutex<Option<Instant>>>,
}

impl Health {
    pub(crate) fn new(app: App, roles: Roles, supervisor: Supervisor, relay: RelayPulse) -> Self {
        Self {
            prober: Arc::new(Prober::new(&app, roles, supervisor, relay)),
            app,
            counted: Arc::default(),
        }
    }

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
pub(crate) fn routes(health: Health) -> OpenApiRouter {
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

#[derive(Debug, Deserialize, IntoParams)]
struct Asked {
    /// One role alone: `api`, `scheduler`, `relay` or `worker`. A load balancer asks for `api`.
    role: Option<String>,
}

/// Whether the node can do the work of its roles: the database takes writes, storage and broker answer, the relay runs.
#[utoipa::path(get, path = "/readyz", tag = "operation", params(Asked),
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn readyz(
    State(Health { app, prober, .. }): State<Health>,
    asked: Result<Query<Asked>, ApiError>,
) -> Result<Response, ApiError> {
    let Query(asked) = asked?;
    let readiness = prober.probe(&app, asked.role.as_deref()).await;
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok((status, Json(readiness)).into_response())
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
