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
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_hub::server::{ServeOptions, refusal, serve};
use sse_hub::{Frame, Hub, HubOptions, Latency};
use tokio::time::Instant;

const HEARTBEAT: Duration = Duration::from_secs(3);
const REFUSAL_RETRY: std::ops::Range<Duration> = Duration::from_secs(5)..Duration::from_secs(15);

/// Of a stream, as an access token's that ends while it is open.
const LIFE: Duration = Duration::from_secs(3600);

struct Server {
    hub: Hub<i64>,
    id: AtomicI64,
    goodbye: Frame,
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
        goodbye: Frame::event("goodbye", None, "come again"),
    });
    tokio::spawn(beat(hub));
    let router = Router::new()
        .route("/subscribe", get(subscribe))
        .route("/publish", post(publish))
        .route("/broadcast", post(broadcast))
        .route("/stats", get(stats))
        .with_state(server);
    let listener = tokio::net::TcpListener::bind(address()).await?;
    let options = ServeOptions {
        connections: 100_000,
        ..ServeOptions::default()
    };
    serve(listener, router, options, std::future::pending()).await;
    Ok(())
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
        hub.heartbeat(frame.clone(), HEARTBEAT).await;
    }
}

async fn subscribe(
    State(server): State<Arc<Server>>,
    Query(Key { key }): Query<Key>,
    extensions: Extensions,
) -> Response {
    match server.hub.subscribe(key) {
        Ok(mut stream) => {
            stream.first(Frame::event("hello", None, &format!("events of {key}")));
            stream.until(Instant::now() + LIFE, server.goodbye.clone());
            stream.into_response(&extensions).map(Body::new)
        }
        Err(_) => refusal(REFUSAL_RETRY).map(Body::from),
    }
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
    let taken = server
        .hub
        .broadcast_concurrently(Frame::event("broadcast", None, &data))
        .await;
    Json(json!({ "taken": taken }))
}

async fn stats(State(server): State<Arc<Server>>) -> Json<Value> {
    let stats = server.hub.stats();
    Json(json!({
        "connections": stats.connections,
        "events": stats.events_sent,
        "broadcasts": stats.broadcasts_sent,
        "left": stats.left,
        "tooSlow": stats.dropped.too_slow,
        "stalled": stats.dropped.stalled,
        "publishToSocketMicros": micros(stats.delivery),
        "broadcastMicros": micros(stats.broadcast),
        "heartbeatLagMicros": stats.heartbeat_lag.as_micros() as u64,
        "heartbeatLagMaxMicros": stats.heartbeat_lag_max.as_micros() as u64,
    }))
}

fn micros(latency: Latency) -> Value {
    json!({
        "count": latency.count,
        "p50": latency.p50.as_micros() as u64,
        "p99": latency.p99.as_micros() as u64,
        "p999": latency.p999.as_micros() as u64,
        "max": latency.max.as_micros() as u64,
    })
}
