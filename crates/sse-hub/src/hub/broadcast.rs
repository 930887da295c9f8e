//! Frames for every stream: broadcasts and heartbeats.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Hub;
use crate::Frame;
use crate::mailbox::Origin;
use crate::registry::Registry;

/// Streams that a broadcast writes to before it lets other tasks run: less than half a millisecond of
/// work.
const STRETCH: usize = 32;

/// From one stream's heartbeat to the next one's: several times what it takes.
const HEARTBEAT_GAP: Duration = Duration::from_micros(50);

impl<K: Eq + Hash + Clone> Hub<K> {
    /// Sends a frame without an id to every stream, and returns how many took it.
    ///
    /// With thousands of streams this occupies the thread for long. On a runtime prefer
    /// [`broadcast_concurrently`](Self::broadcast_concurrently).
    pub fn broadcast(&self, frame: Frame) -> usize {
        let mut fan_out = self.fan_out(Origin::Broadcast, &frame, Instant::now());
        for part in 0..Registry::<K>::PARTS {
            for stream in &self.shared.registry.part(part) {
                fan_out.push(stream);
            }
            if std::mem::take(&mut fan_out.closed) > 0 {
                self.shared.registry.forget_closed_of_part(part);
            }
        }
        self.shared.telemetry.broadcast(fan_out.now.elapsed());
        fan_out.taken
    }

    /// The same as [`broadcast`](Self::broadcast), on all workers of the tokio runtime.
    ///
    /// Other tasks run after every few streams. When the future is dropped, some streams get the frame
    /// and others do not.
    pub async fn broadcast_concurrently(&self, frame: Frame) -> usize
    where
        K: Send + 'static,
    {
        let now = Instant::now();
        let broadcast = Broadcast {
            hub: self.clone(),
            frame,
            now,
            next: AtomicUsize::new(0),
        };
        let taken = broadcast.run().await;
        self.shared.telemetry.broadcast(now.elapsed());
        taken
    }

    /// A broadcast that comes `every` so often, and is in no hurry.
    ///
    /// With many streams it takes its time, so that others hardly notice. Each stream gets it at the same
    /// time of each interval. The hub measures how late the last stream gets it, counted from its last one.
    pub async fn heartbeat(&self, frame: Frame, every: Duration) -> usize {
        let begun = Instant::now();
        let streams = u32::try_from(self.shared.open.load(SeqCst)).unwrap_or(u32::MAX);
        let window = HEARTBEAT_GAP.saturating_mul(streams).min(every / 3);
        let (mut taken, mut took) = (0, Duration::ZERO);
        for part in 0..Registry::<K>::PARTS {
            tokio::time::sleep_until(begun + window * part as u32 / Registry::<K>::PARTS as u32)
                .await;
            let now = Instant::now();
            taken += self.broadcast_to_part(part, &frame, now).await;
            took += now.elapsed();
        }
        self.shared.telemetry.broadcast(took);
        self.shared.telemetry.heartbeat(Instant::now(), every);
        taken
    }

    /// Sends a frame to the streams of one part, with a pause after every few.
    async fn broadcast_to_part(&self, part: usize, frame: &Frame, now: Instant) -> usize {
        let shared = &self.shared;
        let streams = shared.registry.part(part);
        let (mut taken, mut closed) = (0, 0);
        for stretch in streams.chunks(STRETCH) {
            let mut fan_out = self.fan_out(Origin::Broadcast, frame, now);
            for stream in stretch {
                fan_out.push(stream);
            }
            taken += fan_out.taken;
            closed += fan_out.closed;
            tokio::task::yield_now().await;
        }
        if closed > 0 {
            shared.registry.forget_closed_of_part(part);
        }
        taken
    }
}

/// A broadcast that every worker of the runtime helps with. Nearly all of its time goes into one system call
/// for each stream.
struct Broadcast<K: Eq + Hash + Clone> {
    hub: Hub<K>,
    frame: Frame,
    now: Instant,
    /// The first part of the hub's streams that no worker has taken.
    next: AtomicUsize,
}

impl<K: Eq + Hash + Clone + Send + 'static> Broadcast<K> {
    /// Returns how many streams took the frame.
    async fn run(self) -> usize {
        let this = Arc::new(self);
        let mut others = JoinSet::new();
        for _ in 1..Handle::current().metrics().num_workers() {
            let this = this.clone();
            others.spawn(async move { this.take_parts().await });
        }
        let mut taken = this.take_parts().await;
        while let Some(other) = others.join_next().await {
            match other {
                Ok(other) => taken += other,
                // Nothing cancels them but the end of the runtime, or of this.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        taken
    }

    async fn take_parts(&self) -> usize {
        let mut taken = 0;
        loop {
            let part = self.next.fetch_add(1, Relaxed);
            if part >= Registry::<K>::PARTS {
                return taken;
            }
            taken += self
                .hub
                .broadcast_to_part(part, &self.frame, self.now)
                .await;
        }
    }
}
