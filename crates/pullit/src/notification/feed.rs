use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use outbox::Signal;
use sea_orm::{DbBackend, DbErr};
use sse_hub::{Frame, Hub};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::delay::{Delay, Delays};
use super::settled::Settling;
use super::store::{self, Notification};
use crate::platform::clock::Now;
use crate::platform::db::Db;

/// In SQLite, where processes that share a file cannot wake each other, a look is due after this at the latest.
const POLL_SQLITE: Duration = Duration::from_millis(500);
/// From one look to the next, whoever asks.
const PACE: Duration = Duration::from_millis(5);
/// The first and the longest pause while what is committed waits for an open transaction.
const HELD: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// After so long it is told of.
const HELD_LONG: Duration = Duration::from_secs(5);
/// The pause after a look that failed.
const RETRY: Duration = Duration::from_millis(500);
/// A look may take this long, with what it sends; what is left over is sent by the next.
const LOOK_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client that comes back waits for a look.
const FRESH_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows looked at in one statement, and read whole in one.
const PAGE: i64 = 2_000;
const CHUNK: usize = 200;

/// Carries notifications from the store to the open streams of this node.
///
/// The store is the source of truth: a wake-up only says "look now". What is sent is sent in the order of the ids, and only when nothing
/// can be committed below any more.
pub struct Feed {
    pub(super) db: Db,
    pub(super) now: Now,
    pub(super) hub: Hub<i64>,
    signal: Signal,
    poll: Duration,
    heartbeat: Duration,
    delays: Delays,
    asked: Notify,
    /// Looks that have begun.
    begun: AtomicU64,
    progress: watch::Sender<Progress>,
    state: Mutex<State>,
}

/// What a feed is told.
#[derive(Clone, Copy, Debug)]
pub struct FeedOptions {
    /// The longest time between two looks at the store, when nothing wakes it.
    pub poll: Duration,
    /// Heartbeats are to come at this interval.
    pub heartbeat: Duration,
}

/// How far the feed is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// The number of the last look that ended.
    look: u64,
    /// The newest id that was ever seen.
    pub(super) newest: i64,
    settled: Option<i64>,
}

#[derive(Default)]
struct State {
    settling: Settling,
    /// Everything up to here was given to the hub.
    sent: Option<i64>,
}

impl Feed {
    /// A feed into this hub, which hears of what other nodes store by the signal.
    pub fn new(db: Db, now: Now, hub: Hub<i64>, signal: Signal, options: FeedOptions) -> Self {
        let poll = match db.backend() {
            DbBackend::Postgres => options.poll,
            _ => options.poll.min(POLL_SQLITE),
        };
        Self {
            db,
            now,
            hub,
            signal,
            poll,
            heartbeat: options.heartbeat,
            delays: Delays::new(),
            asked: Notify::new(),
            begun: AtomicU64::new(0),
            progress: watch::Sender::default(),
            state: Mutex::default(),
        }
    }

    /// There may be something new, for this node's feed and those of the others. To be called after the commit.
    pub fn wake(&self) {
        self.signal.notify();
    }

    /// Takes the wake-ups of other nodes for its own, until cancelled.
    pub async fn hear(&self, cancel: CancellationToken) {
        self.signal.hear(cancel).await;
    }

    /// A dummy event to every open stream of this node, so that nothing between it and the browser takes it for idle. The number of streams.
    pub async fn heartbeat(&self) -> u64 {
        let beat = Frame::event("heartbeat", None, "ping");
        self.hub.heartbeat(beat, self.heartbeat).await as u64
    }

    /// How long notifications take to get here.
    pub fn delay(&self) -> Delay {
        self.delays.read()
    }

    /// Sends what is stored from the first look on, until it is cancelled. Started again, it goes on where it was.
    pub async fn run(&self, cancel: CancellationToken) {
        let mut watch = Watch::new(self.poll);
        while !cancel.is_cancelled() {
            let next = Instant::now() + PACE;
            let looked = match timeout(LOOK_TIMEOUT, self.look()).await {
                Ok(looked) => looked,
                Err(_) => Err(DbErr::Custom("no answer in time".to_owned())),
            };
            let pause = watch.pause_after(looked);
            let waiting = async {
                tokio::select! {
                    () = self.signal.notified() => {}
                    () = self.asked.notified() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                sleep_until(next).await;
            };
            if cancel.run_until_cancelled(waiting).await.is_none() {
                break;
            }
        }
    }

    /// How far the feed is after a look that began after this call, and so saw what was committed before it. None when the database does not
    /// answer in time.
    pub(super) async fn fresh(&self) -> Option<Progress> {
        let wanted = self.begun.load(SeqCst) + 1;
        self.asked.notify_one();
        let mut progress = self.progress.subscribe();
        let fresh = progress.wait_for(|now| now.look >= wanted && now.settled.is_some());
        timeout(FRESH_TIMEOUT, fresh)
            .await
            .ok()?
            .ok()
            .map(|now| *now)
    }

    /// Up to this id the feed sends nothing any more to a stream that is opened from now on; what is above, it does.
    pub(super) fn settled(&self) -> i64 {
        self.progress.borrow().settled.unwrap_or_default()
    }

    /// Whether everything that is committed could be sent.
    async fn look(&self) -> Result<bool, DbErr> {
        let mut state = self.state.lock().await;
        let look = self.begun.fetch_add(1, SeqCst) + 1;
        let found = store::look(self.db.read()).await?;
        let newest = found.newest;
        let settled = state.settling.learn(found);
        // First told, then sent: a stream that is opened in between replays from the store what it is too late for.
        self.progress.send_modify(|progress| {
            *progress = Progress {
                look,
                newest: progress.newest.max(newest),
                settled,
            };
        });
        if let Some(settled) = settled {
            self.send(&mut state.sent, settled).await?;
        }
        Ok(!state.settling.waits())
    }

    async fn send(&self, sent: &mut Option<i64>, to: i64) -> Result<(), DbErr> {
        let from = sent.get_or_insert(to);
        while *from < to {
            if self.hub.is_empty() {
                *from = to;
                break;
            }
            let page = store::owners(self.db.read(), *from, to, PAGE).await?;
            let last = match page.last() {
                Some(last) if page.len() as i64 == PAGE => last.id,
                _ => to,
            };
            let here: Vec<i64> = page
                .iter()
                .filter(|owned| self.hub.is_connected(&owned.member_id))
                .map(|owned| owned.id)
                .collect();
            for ids in here.chunks(CHUNK) {
                for notification in store::by_ids(self.db.read(), ids).await? {
                    let (member, id) = (notification.member_id, notification.id);
                    self.hub.publish(&member, id, frame(&notification));
                    let took = (self.now)() - notification.created_at;
                    self.delays.add(took.to_std().unwrap_or_default());
                    *from = id;
                }
            }
            *from = last;
        }
        Ok(())
    }
}

pub(super) fn frame(notification: &Notification) -> Frame {
    Frame::event(
        &notification.event_name,
        Some(notification.id),
        &notification.payload.to_string(),
    )
}

/// What one look after the other was like: how long to wait for the next, and what to say of it.
struct Watch {
    poll: Duration,
    failing: bool,
    held: Duration,
    held_since: Option<Instant>,
    told: bool,
}

impl Watch {
    fn new(poll: Duration) -> Self {
        Self {
            poll,
            failing: false,
            held: HELD.0,
            held_since: None,
            told: false,
        }
    }

    fn pause_after(&mut self, looked: Result<bool, DbErr>) -> Duration {
        match looked {
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "stored notifications could not be read; they are sent when the database answers");
                }
                self.failing = true;
                RETRY
            }
            Ok(all) => {
                if self.failing {
                    tracing::info!("stored notifications can be read again");
                    self.failing = false;
                }
                if all { self.free() } else { self.held() }
            }
        }
    }

    fn free(&mut self) -> Duration {
        if self.told {
            tracing::info!("notifications are sent again");
        }
        *self = Self::new(self.poll);
        self.poll
    }

    fn held(&mut self) -> Duration {
        let since = *self.held_since.get_or_insert_with(Instant::now);
        if !self.told && since.elapsed() >= HELD_LONG {
            self.told = true;
            tracing::warn!(
                "notifications wait for a transaction that wrote to their table and has not ended: see pg_locks for `notification`"
            );
        }
        let pause = self.held;
        self.held = (self.held * 2).min(HELD.1);
        pause
    }
}
