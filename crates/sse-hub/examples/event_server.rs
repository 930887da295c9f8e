//! A hub behind HTTP, for load tools and for trying things out by hand:
//!
//! ```text
//! cargo run --release -p sse-hub --example event_server -- --listen 127.0.0.1:8090
//! curl -N 'http://127.0.0.1:8090/subscribe?key=7'
//! curl -d hello 'http://127.0.0.1:8090/publish?key=7'
//! curl -d hello http://127.0.0.1:8090/broadcast
//! curl http://127.0.0.1:8090/stats
//! ```
//!
//! Every three seconds all streams get a `heartbeat`. Events are not stored: a client that comes back has missed what came meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use sse_hub::{Frame, Hub, HubOptions};

const HEARTBEAT: Duration = Duration::from_secs(3);
const REFUSAL_RETRY: std::ops::Range<Duration> = Duration::from_secs(5)..Duration::from_secs(15);

struct Server {
    hub: Hub<i64>,
    id: AtomicI64,
}

#[derive(Deserialize)]
struct Key {
    key: i64,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let hub = Hub::new(HubOptions {
        total: 100_000,
        ..HubOptions::default()
    });
    let server = Arc::new(Server {
        hub: hub.clone(),
        id: AtomicI64::new(0),
    });
    tokio::spawn(beat(hub));
    let router = Router::new()
        .route("/subscribe", get(subscribe))
        .route("/publish", post(publish))
        .route("/broadcast", post(broadcast))
        .route("/stats", get(stats))
        .with_state(server);
    let listener = tokio::net::TcpListener::bind(address()).await?;
    axum::serve(listener, router).await
}

/// What follows `--listen`.
fn address() -> SocketAddr {
    std::env::args()
        .skip_while(|arg| arg != "--listen")
        .nth(1)
        .and_then(|address| address.parse().ok())
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8090)))
}

async fn beat(hub: Hub<i64>) {
    let frame = Frame::event("heartbeat", None, "ping");
    let mut ticks = tokio::time::interval(HEARTBEAT);
    loop {
        ticks.tick().await;
        hub.broadcast(frame.clone());
    }
}

async fn subscribe(State(server): State<Arc<Server>>, Query(Key { key }): Query<Key>) -> Response {
    let body = match server.hub.subscribe(key) {
        Ok(stream) => Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>)),
        Err(_) => Body::from(sse_hub::refusal_body(REFUSAL_RETRY)),
    };
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// The number of streams that took it.
async fn publish(
    State(server): State<Arc<Server>>,
    Query(Key { key }): Query<Key>,
    data: String,
) -> Json<Value> {
    let id = server.id.fetch_add(1, Ordering::Relaxed) + 1;
    let taken = server
        .hub
        .publish(&key, id, Frame::event("message", Some(id), &data));
    Json(json!({ "id": id, "taken": taken }))
}

async fn broadcast(State(server): State<Arc<Server>>, data: String) -> Json<Value> {
    let taken = server.hub.broadcast(Frame::event("broadcast", None, &data));
    Json(json!({ "taken": taken }))
}

async fn stats(State(server): State<Arc<Server>>) -> Json<Value> {
    let stats = server.hub.stats();
    Json(json!({
        "connections": stats.connections,
        "delivered": stats.events_sent + stats.broadcasts_sent,
        "left": stats.left,
        "tooSlow": stats.dropped.too_slow,
        "stalled": stats.dropped.stalled,
    }))
}
