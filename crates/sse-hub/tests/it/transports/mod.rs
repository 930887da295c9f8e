//! The same behaviour through each way to a client: a socket of its own, a body of HTTP/1.1, a body of HTTP/2.

mod delivery;
mod endings;
mod race;
mod slow_readers;
mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_ENCODING;
use axum::http::{Extensions, HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use sse_hub::server::{ServeOptions, refusal, serve};
use sse_hub::{Frame, Hub, HubOptions, HubStats};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::event;

/// How events get to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Socket,
    Http1,
    Http2,
}

/// Makes a test of each transport from one function.
macro_rules! over_each_transport {
    ($(async fn $name:ident($transport:ident: Transport) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn check($transport: Transport) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_its_socket() {
                check(Transport::Socket).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn as_a_body_of_http1() {
                check(Transport::Http1).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn as_a_body_of_http2() {
                check(Transport::Http2).await;
            }
        })+
    };
}
pub(crate) use over_each_transport;

type Stored = HashMap<i64, Vec<(i64, Frame)>>;

/// A server with a hub and a store.
pub(crate) struct Site {
    pub(crate) hub: Hub<i64>,
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

struct World {
    hub: Hub<i64>,
    transport: Transport,
    stored: Mutex<Stored>,
    /// Streams expire after this.
    life: Duration,
}

impl Site {
    pub(crate) async fn start(transport: Transport, change: impl FnOnce(&mut HubOptions)) -> Self {
        Self::living(transport, Duration::from_secs(600), change).await
    }

    pub(crate) async fn living(
        transport: Transport,
        life: Duration,
        change: impl FnOnce(&mut HubOptions),
    ) -> Self {
        let mut stall = Duration::ZERO;
        let hub = crate::client::hub(|options| {
            change(options);
            stall = options.stall;
        });
        let world = Arc::new(World {
            hub: hub.clone(),
            transport,
            stored: Mutex::default(),
            life,
        });
        let router = Router::new()
            .route("/events/{key}", get(subscribe))
            .with_state(world.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        // As little as the kernel allows, so that frames are written in parts.
        let options = ServeOptions {
            // A stream on its socket has a limit of its own.
            send_buffer: if transport == Transport::Socket {
                200_000
            } else {
                4096
            },
            stream_send_buffer: 4096,
            stall,
            ..ServeOptions::default()
        };
        let served = tokio::spawn(async move {
            serve(listener, router, options, async {
                // An error when the site is gone: that stops it, too.
                let _ = stopped.await;
            })
            .await
        });
        Self {
            hub,
            address,
            transport,
            world,
            stop: Some(stop),
            served,
        }
    }

    /// Stores an event, then sends it.
    pub(crate) fn publish(&self, key: i64, id: i64, frame: Frame) -> usize {
        let mut stored = self.world.stored.lock().unwrap();
        stored.entry(key).or_default().push((id, frame.clone()));
        drop(stored);
        self.hub.publish(&key, id, frame)
    }

    pub(crate) fn publish_some(&self, key: i64, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            self.publish(key, id, event(id));
        }
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until what the hub tells of itself is as it should be.
    pub(crate) async fn until(&self, what: impl Fn(&HubStats) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !what(&self.hub.stats()) {
            assert!(Instant::now() < deadline, "{:?}", self.hub.stats());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn subscribe(
    State(world): State<Arc<World>>,
    Path(key): Path<i64>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let Ok(mut stream) = world.hub.subscribe(key) else {
        let retry = Duration::from_secs(60)..Duration::from_secs(180);
        return refusal(retry).map(Body::from);
    };
    stream.first(Frame::event("hello", None, "안녕"));
    if let Some(last) = headers.get("last-event-id") {
        let last: i64 = last.to_str().unwrap().parse().unwrap();
        stream.resume_after(last);
        let stored = world.stored.lock().unwrap();
        let missed = stored.get(&key).into_iter().flatten();
        stream.replay(missed.filter(|(id, _)| *id > last).cloned().collect());
    }
    let expired = Frame::event("expired", None, "come again");
    stream.until(Instant::now() + world.life, expired);
    let mut response = stream.into_response(&extensions).map(Body::new);
    if world.transport == Transport::Http1 {
        // A layer could have encoded it, so it stays a body.
        let encoding = HeaderValue::from_static("identity");
        response.headers_mut().insert(CONTENT_ENCODING, encoding);
    }
    response
}
