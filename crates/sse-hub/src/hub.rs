//! The hub: which streams are open, and what is sent to them.

mod broadcast;

use std::fmt;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::fan_out::FanOut;
use crate::mailbox::{Limits, Origin, Waiting};
use crate::registry::Registry;
use crate::retry::jittered;
use crate::telemetry::Telemetry;
use crate::{Ended, Frame, HubOptions, HubStats, Refusal, Subscription};

/// The open event streams of this process, by key (for instance a member's id). Clones are the same hub.
///
/// No method waits for a reader. A stream on its client's socket gets a frame at once when the socket takes
/// it. Every other frame waits in the stream's own bounded queue.
pub struct Hub<K: Eq + Hash + Clone> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    options: HubOptions,
    limits: Limits,
    registry: Registry<K>,
    /// Streams whose `Subscription` is alive. They own a socket even when they receive no more.
    open: AtomicUsize,
    on_sockets: AtomicUsize,
    vacated: Notify,
    draining: AtomicBool,
    telemetry: Telemetry,
}

impl<K: Eq + Hash + Clone> Hub<K> {
    /// A hub without streams.
    pub fn new(options: HubOptions) -> Self {
        let limits = Limits {
            queue: options.queue,
            stall: options.stall,
        };
        Self {
            shared: Arc::new(Shared {
                options,
                limits,
                registry: Registry::new(),
                open: AtomicUsize::new(0),
                on_sockets: AtomicUsize::new(0),
                vacated: Notify::new(),
                draining: AtomicBool::new(false),
                telemetry: Telemetry::new(),
            }),
        }
    }

    /// Opens a stream. It receives at once: what is published before it is read waits for it.
    ///
    /// When the key already has `HubOptions::per_key` streams, the oldest is evicted. Its client is asked
    /// to retry much later.
    ///
    /// # Errors
    /// When there is no place for it, or the hub drains.
    pub fn subscribe(&self, key: K) -> Result<Subscription<K>, Refusal> {
        let shared = &self.shared;
        let connection = Arc::new(Connection::new(jittered(&shared.options.retry)));
        let evicted = self
            .admit(&key, &connection)
            .inspect_err(|refusal| shared.telemetry.refused(*refusal))?;
        shared.telemetry.opened();
        if let Some(evicted) = evicted {
            let retry = jittered(&shared.options.give_way_retry);
            self.end(&evicted, Ended::GaveWay, Some(retry), Waiting::Sent);
        }
        Ok(Subscription::new(self.clone(), key, connection))
    }

    /// Sends an event to every stream of the key, and returns how many took it.
    ///
    /// Ids of one key should rise. A stream that was already sent this id or a higher one does not get it.
    pub fn publish(&self, key: &K, id: i64, frame: Frame) -> usize {
        let streams = self.shared.registry.streams(key);
        let mut fan_out = self.fan_out(Origin::Live(id), &frame, Instant::now());
        for stream in &streams {
            fan_out.push(stream);
        }
        if fan_out.closed > 0 {
            self.shared.registry.forget_closed(key);
        }
        fan_out.taken
    }

    /// Ends every stream of the key, and returns how many there were. Only `last` is still sent to them.
    ///
    /// The key may subscribe again. Whether to admit it is up to the caller.
    pub fn disconnect(&self, key: &K, last: Option<Frame>) -> usize {
        let streams = self
            .shared
            .registry
            .shard(key)
            .remove(key)
            .unwrap_or_default();
        for stream in &streams {
            self.end(stream, Ended::CutOff, last.clone(), Waiting::Discarded);
        }
        streams.len()
    }

    /// Whether the key has a stream that receives.
    pub fn is_connected(&self, key: &K) -> bool {
        self.shared.registry.shard(key).contains_key(key)
    }

    /// Whether no stream is open at all.
    pub fn is_empty(&self) -> bool {
        self.shared.open.load(SeqCst) == 0
    }

    /// The keys that have at least one stream, in no order.
    pub fn connected_keys(&self) -> Vec<K> {
        let mut keys = Vec::new();
        for shard in self.shared.registry.each_shard() {
            keys.extend(shard.keys().cloned());
        }
        keys
    }

    /// The open streams, and counts of what the hub has done.
    pub fn stats(&self) -> HubStats {
        HubStats {
            connections: self.shared.open.load(SeqCst),
            on_sockets: self.shared.on_sockets.load(SeqCst),
            keys: self
                .shared
                .registry
                .each_shard()
                .map(|shard| shard.len())
                .sum(),
            draining: self.shared.draining.load(SeqCst),
            ..self.shared.telemetry.stats()
        }
    }

    /// Ends every stream after what waits for it, and refuses new ones from now on.
    ///
    /// Each client is asked to retry after a random time of the range.
    pub fn drain(&self, retry: Range<Duration>) {
        self.shared.draining.store(true, SeqCst);
        let mut ended = 0;
        for mut shard in self.shared.registry.each_shard() {
            let streams = std::mem::take(&mut *shard);
            drop(shard);
            for stream in streams.into_values().flatten() {
                self.end(
                    &stream,
                    Ended::Draining,
                    Some(jittered(&retry)),
                    Waiting::Sent,
                );
                ended += 1;
            }
        }
        tracing::info!(
            streams = ended,
            "draining event streams: their clients will reconnect elsewhere"
        );
    }

    /// Waits until no stream is open. After [`drain`](Self::drain) every client has then been sent its end.
    ///
    /// A stalled client may take for ever, so set a timeout.
    pub async fn drained(&self) {
        loop {
            // Made before the count is read: it also hears of a stream that closes in between.
            let vacated = self.shared.vacated.notified();
            if self.shared.open.load(SeqCst) == 0 {
                return;
            }
            vacated.await;
        }
    }

    fn fan_out<'a>(&'a self, origin: Origin, frame: &'a Frame, now: Instant) -> FanOut<'a> {
        let shared = &self.shared;
        FanOut::new(origin, frame, shared.limits, &shared.telemetry, now)
    }

    /// Admits a stream, and returns the oldest of its key if that has to be evicted.
    fn admit(
        &self,
        key: &K,
        connection: &Arc<Connection>,
    ) -> Result<Option<Arc<Connection>>, Refusal> {
        let shared = &self.shared;
        let mut shard = shared.registry.shard(key);
        // Read under the lock: `drain` raises the flag first and visits each part afterwards, so a
        // stream is either refused here or found there.
        if shared.draining.load(SeqCst) {
            return Err(Refusal::Draining);
        }
        let room = |open: usize| (open < shared.options.total).then_some(open + 1);
        shared
            .open
            .fetch_update(SeqCst, SeqCst, room)
            .map_err(|_| Refusal::Full)?;
        let streams = shard
            .entry(key.clone())
            .or_insert_with(|| Vec::with_capacity(1));
        let oldest = (streams.len() >= shared.options.per_key.max(1)).then(|| streams.remove(0));
        streams.push(connection.clone());
        Ok(oldest)
    }

    pub(crate) fn end(
        &self,
        stream: &Connection,
        reason: Ended,
        last: Option<Frame>,
        waiting: Waiting,
    ) {
        if stream.end(reason, last, waiting) {
            self.shared.telemetry.dropped(reason);
        }
    }

    pub(crate) fn sent(&self, origin: Origin, since: Instant) {
        self.shared.telemetry.sent(origin, since);
    }

    pub(crate) fn on_socket(&self) {
        self.shared.on_sockets.fetch_add(1, SeqCst);
    }

    pub(crate) fn off_socket(&self) {
        self.shared.on_sockets.fetch_sub(1, SeqCst);
    }

    pub(crate) fn stall(&self) -> Duration {
        self.shared.limits.stall
    }

    pub(crate) fn unregister(&self, key: &K, connection: &Arc<Connection>) {
        self.shared.registry.remove(key, connection);
    }

    pub(crate) fn close(&self, key: &K, connection: &Arc<Connection>) {
        self.unregister(key, connection);
        self.shared.telemetry.closed(connection.ended());
        if self.shared.open.fetch_sub(1, SeqCst) == 1 {
            self.shared.vacated.notify_waiters();
        }
    }
}

impl<K: Eq + Hash + Clone> Clone for Hub<K> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<K: Eq + Hash + Clone> fmt::Debug for Hub<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("options", &self.shared.options)
            .field("stats", &self.stats())
            .finish()
    }
}
