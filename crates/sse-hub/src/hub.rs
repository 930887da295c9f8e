use std::fmt;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::mailbox::{Limits, Origin, Waiting};
use crate::registry::Registry;
use crate::retry::jittered;
use crate::round::Round;
use crate::spread::Spread;
use crate::telemetry::Telemetry;
use crate::{Ended, Frame, HubOptions, HubStats, Refusal, Subscription};

/// Streams that a broadcast writes to before it lets other tasks run: less than half a millisecond of
/// work.
const STRETCH: usize = 32;

/// From one stream's heartbeat to the next one's: several times what it takes.
const BEAT: Duration = Duration::from_micros(50);

/// The open event streams of this process, by key (for instance a member's id). Clones are the
/// same hub. No method waits for a reader: a stream on its client's socket gets a frame at once
/// when the socket takes it, and every other frame waits in the stream's own bounded queue.
pub struct Hub<K: Eq + Hash + Clone> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    options: HubOptions,
    limits: Limits,
    registry: Registry<K>,
    /// Streams whose `Subscription` is alive: they hold a socket even when they receive no more.
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

    /// Opens a stream. It receives at once: what is published before it is read waits for it. When
    /// the key already has `HubOptions::per_key` streams, the oldest is told to come back much
    /// later and ends.
    ///
    /// # Errors
    /// When there is no place for it, or the hub drains.
    pub fn subscribe(&self, key: K) -> Result<Subscription<K>, Refusal> {
        let shared = &self.shared;
        let connection = Arc::new(Connection::new(jittered(&shared.options.retry)));
        let oldest = self
            .register(&key, &connection)
            .inspect_err(|refusal| shared.telemetry.refused(*refusal))?;
        shared.telemetry.opened();
        if let Some(oldest) = oldest {
            let retry = jittered(&shared.options.give_way_retry);
            self.end(&oldest, Ended::GaveWay, Some(retry), Waiting::Sent);
        }
        Ok(Subscription::new(self.clone(), key, connection))
    }

    /// Sends an event to every stream of the key and says how many took it. Ids of one key should
    /// rise; a stream that was already sent this id or a higher one does not get it.
    pub fn publish(&self, key: &K, id: i64, frame: Frame) -> usize {
        let streams = self.shared.registry.streams(key);
        let mut round = self.round(Origin::Live(id), &frame);
        for stream in &streams {
            round.push(stream);
        }
        if round.closed > 0 {
            self.shared.registry.sweep(key);
        }
        round.taken
    }

    /// Sends a frame without an id to every stream and says how many took it. With thousands of
    /// streams this holds the thread for long: prefer [`spread`](Self::spread) on a runtime.
    pub fn broadcast(&self, frame: Frame) -> usize {
        let mut round = self.round(Origin::Broadcast, &frame);
        for part in 0..Registry::<K>::PARTS {
            for stream in &self.shared.registry.part(part) {
                round.push(stream);
            }
            if std::mem::take(&mut round.closed) > 0 {
                self.shared.registry.sweep_part(part);
            }
        }
        self.shared.telemetry.broadcast(round.now.elapsed());
        round.taken
    }

    /// The same as [`broadcast`](Self::broadcast), by all workers of the tokio runtime, which let other
    /// tasks run after every few streams. When this is dropped, some streams get the frame and others
    /// do not.
    pub async fn spread(&self, frame: Frame) -> usize
    where
        K: Send + 'static,
    {
        let now = Instant::now();
        let taken = Spread::new(self.clone(), frame, now).run().await;
        self.shared.telemetry.broadcast(now.elapsed());
        taken
    }

    /// Sends a frame to the streams of one part, with a pause after every few, and says how many took it.
    pub(crate) async fn spread_part(&self, part: usize, frame: &Frame, now: Instant) -> usize {
        let shared = &self.shared;
        let streams = shared.registry.part(part);
        let (mut taken, mut closed) = (0, 0);
        for stretch in streams.chunks(STRETCH) {
            let mut round = Round::new(
                Origin::Broadcast,
                frame,
                shared.limits,
                &shared.telemetry,
                now,
            );
            for stream in stretch {
                round.push(stream);
            }
            taken += round.taken;
            closed += round.closed;
            tokio::task::yield_now().await;
        }
        if closed > 0 {
            shared.registry.sweep_part(part);
        }
        taken
    }

    /// A broadcast that is meant to come `every` so often and urges nobody: with many streams it takes
    /// its time, so that others hardly notice, and each stream gets it at the same time of each
    /// interval. Measures how much later than that after the one before the last stream got this one.
    pub async fn heartbeat(&self, frame: Frame, every: Duration) -> usize {
        let begun = Instant::now();
        let streams = u32::try_from(self.shared.open.load(SeqCst)).unwrap_or(u32::MAX);
        let window = BEAT.saturating_mul(streams).min(every / 3);
        let (mut taken, mut took) = (0, Duration::ZERO);
        for part in 0..Registry::<K>::PARTS {
            tokio::time::sleep_until(begun + window * part as u32 / Registry::<K>::PARTS as u32)
                .await;
            let now = Instant::now();
            taken += self.spread_part(part, &frame, now).await;
            took += now.elapsed();
        }
        self.shared.telemetry.broadcast(took);
        self.shared.telemetry.beat(Instant::now(), every);
        taken
    }

    /// Cuts off every stream of the key: nothing but `last` is sent to them any more. Says how many
    /// there were. The key may subscribe again; keeping it out is the caller's business.
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

    /// Whether the key has a stream that is to receive.
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

    /// What the hub holds and has done.
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

    /// Ends every stream after what waits for it and a `retry:` of its own from the range, and
    /// refuses new ones from now on.
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

    /// Waits until no stream is open: after [`drain`](Self::drain), until every client has been sent
    /// its end. A stalled client may take for ever, so bound this in time.
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

    fn round<'a>(&'a self, origin: Origin, frame: &'a Frame) -> Round<'a> {
        let shared = &self.shared;
        Round::new(
            origin,
            frame,
            shared.limits,
            &shared.telemetry,
            Instant::now(),
        )
    }

    fn register(
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
