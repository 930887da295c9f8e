//! `/healthz`, `/readyz`, `/metrics`: for those who watch over the service.

use std::future::Future;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::platform::http::Json;
use crate::platform::sql::SqlExt;
use crate::platform::storage::Storage;
use crate::platform::telemetry;

/// A part that does not answer within this is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// The routes of the room.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .with_state(app)
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

/// Whether the database, the storage and the broker answer.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn readyz(State(app): State<App>) -> Response {
    let (database, storage, broker) = tokio::join!(
        answers(
            "database",
            app.db.read().scalar::<i32, _>("SELECT 1", Vec::new())
        ),
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
    match tokio::time::timeout(PATIENCE, asked).await {
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
async fn metrics(State(app): State<App>) -> Response {
    match outbox::backlog(app.db.read()).await {
        Ok(backlog) => {
            for (status, held) in [("PENDING", backlog.pending), ("DEAD", backlog.dead)] {
                metrics::gauge!("outbox_backlog", "status" => status).set(held.count as f64);
            }
            let age = backlog.oldest_age((app.now)());
            metrics::gauge!("outbox_oldest_age_seconds").set(age.as_secs_f64());
        }
        Err(error) => tracing::warn!(%error, "the backlog of the outbox could not be measured"),
    }
    let text = telemetry::metrics().render();
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}
