//! Reads stored notifications in order and gives them to the hub.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use ground::{Dialect, Signal};
use sse_hub::{Frame, Hub};
use thiserror::Error;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::delay::{Delay, Delays};
use super::settled::Settling;
use super::store::{self, Notification};
use super::watch::{Looked, Watch};
use crate::platform::clock::Now;
use crate::platform::db::Db;

/// In SQLite, where processes that share a file cannot wake each other, a look is due after this at the latest.
const POLL_SQLITE: Duration = Duration::from_millis(500);
/// From one look to the next, whoever asks.
const PACE: Duration = Duration::from_millis(5);
/// A look may take this long, with what it sends; what is left over is sent by the next.
const LOOK_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client that comes back waits for a look.
const FRESH_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows looked at in one statement, and read whole in one.
const PAGE: i64 = 2_000;
const CHUNK: usize = 200;
/// Notifications that are sent before other tasks run.
const BURST: usize = 32;

/// Carries notifications from the store to the open streams of this node.
///
/// The store is the source of truth: a wake-up only says "look now". What is sent is sent in the order of the ids, and only when nothing
/// can be committed below any more.
pub struct Feed {
    pub(super) db: Db,
    /// Connections for the feed alone: what it does once for everybody must not wait behind the many who come back.
    looks: Db,
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
    /// The feed was cancelled: no look comes any more.
    stopped: bool,
}

/// Why nobody can say how far the feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum NotFresh {
    #[error("the node stops")]
    Stopping,
    #[error("the database does not answer in time")]
    Silent,
}

#[derive(Default)]
struct State {
    settling: Settling,
    /// Everything up to here was given to the hub.
    sent: Option<i64>,
}

impl Feed {
    /// A feed into this hub, which hears of what other nodes store by the signal. It looks by the second of the two.
    pub fn new(
        [db, looks]: [Db; 2],
        now: Now,
        hub: Hub<i64>,
        signal: Signal,
        options: FeedOptions,
    ) -> Self {
        let poll = match db.dialect() {
            Dialect::Postgres => options.poll,
            _ => options.poll.min(POLL_SQLITE),
        };
        Self {
            db,
            looks,
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

    /// Waits until the other nodes have been told of what [`wake`](Self::wake) was called for: before the connections are closed.
    pub async fn flush(&self) {
        self.signal.flush().await;
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
        self.progress
            .send_modify(|progress| progress.stopped = false);
        while !cancel.is_cancelled() {
            let next = Instant::now() + PACE;
            let looked = match timeout(LOOK_TIMEOUT, self.look()).await {
                Ok(looked) => looked,
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time").into()),
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
        self.progress
            .send_modify(|progress| progress.stopped = true);
    }

    /// How far the feed is after a look that began after this call, and so saw what was committed before it.
    ///
    /// # Errors
    /// When there is no such look.
    pub(super) async fn fresh(&self) -> Result<Progress, NotFresh> {
        let wanted = self.begun.load(SeqCst) + 1;
        self.asked.notify_one();
        let mut progress = self.progress.subscribe();
        let fresh =
            progress.wait_for(|now| now.stopped || (now.look >= wanted && now.settled.is_some()));
        match timeout(FRESH_TIMEOUT, fresh).await {
            Ok(Ok(now)) if !now.stopped => Ok(*now),
            Ok(_) => Err(NotFresh::Stopping),
            Err(_) => Err(NotFresh::Silent),
        }
    }

    /// Up to this id the feed sends nothing any more to a stream that is opened from now on; what is above, it does.
    pub(super) fn settled(&self) -> i64 {
        self.progress.borrow().settled.unwrap_or_default()
    }

    async fn look(&self) -> Result<Looked, sqlx::Error> {
        let mut state = self.state.lock().await;
        let look = self.begun.fetch_add(1, SeqCst) + 1;
        let found = store::look(self.looks.read()).await?;
        let newest = found.newest;
        let settled = state.settling.learn(found);
        // First told, then sent: a stream that is opened in between replays from the store what it is too late for.
        self.progress.send_modify(|progress| {
            progress.look = look;
            progress.newest = progress.newest.max(newest);
            progress.settled = settled;
        });
        if let Some(settled) = settled {
            self.send(&mut state.sent, settled).await?;
        }
        Ok(Looked {
            settled,
            waits: state.settling.waits(),
        })
    }

    async fn send(&self, sent: &mut Option<i64>, to: i64) -> Result<(), sqlx::Error> {
        let from = sent.get_or_insert(to);
        while *from < to {
            if self.hub.is_empty() {
                *from = to;
                break;
            }
            let page = store::owners(self.looks.read(), *from, to, PAGE).await?;
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
                let notifications = store::by_ids(self.looks.read(), ids).await?;
                for (n, notification) in notifications.into_iter().enumerate() {
                    if n % BURST == 0 {
                        // Many may be for one member, whose streams are to take them before their queues are full.
                        tokio::task::yield_now().await;
                    }
                    let (member, id) = (notification.member_id, notification.id);
                    // It may have left meanwhile, or have it from the store.
                    if self.hub.publish(&member, id, frame(&notification)) > 0 {
                        let took = (self.now)() - notification.created_at;
                        self.delays.add(took.to_std().unwrap_or_default());
                    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;
    use ground::Statements;
    use sse_hub::HubOptions;

    use super::*;
    use crate::member::{CreateMember, Members};
    use crate::platform::migrations::migrate;

    async fn feed(database: &testkit::Database) -> Arc<Feed> {
        let db = Db::connect(database.url(), 2).await.unwrap();
        migrate(&db).await.unwrap();
        let options = FeedOptions {
            poll: Duration::from_millis(20),
            heartbeat: Duration::from_secs(3),
        };
        let hub = Hub::new(HubOptions::default());
        Arc::new(Feed::new(
            [db.clone(), db],
            Arc::new(Utc::now),
            hub,
            Signal::new(),
            options,
        ))
    }

    async fn member(feed: &Feed) -> i64 {
        let create = CreateMember {
            email: "a@pullit.test".to_owned(),
            name: None,
            admin: false,
        };
        let members = Members::new(feed.db.clone(), feed.now.clone());
        members.create(create).await.unwrap().id
    }

    async fn store(feed: &Feed, member: i64) {
        let insert =
            "INSERT INTO notification (member_id, event_name, payload) VALUES ($1, 'told', '{}')";
        feed.db
            .write()
            .run(insert, vec![member.into()])
            .await
            .unwrap();
    }

    testkit::on_each_database! {
        async fn nobody_waits_for_a_look_of_a_feed_that_has_stopped(database: testkit::Database) {
            let feed = feed(&database).await;
            let cancel = CancellationToken::new();
            cancel.cancel();
            let (before, ()) = tokio::join!(feed.fresh(), feed.run(cancel.clone()));
            assert_eq!(before.unwrap_err(), NotFresh::Stopping);
            assert_eq!(feed.fresh().await.unwrap_err(), NotFresh::Stopping);
            // Started anew, it looks again.
            let cancel = CancellationToken::new();
            let again = tokio::spawn({
                let (feed, cancel) = (Arc::clone(&feed), cancel.clone());
                async move { feed.run(cancel).await }
            });
            while feed.fresh().await.is_err() {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
            again.await.unwrap();
        }

        async fn only_what_reached_somebody_counts_as_delayed(database: testkit::Database) {
            let feed = feed(&database).await;
            let member = member(&feed).await;
            feed.look().await.unwrap();
            let mut has_all = feed.hub.subscribe(member).unwrap();
            has_all.resume_after(i64::MAX);
            store(&feed, member).await;
            feed.look().await.unwrap();
            assert_eq!(feed.delay(), Delay::default());
            let _takes_it = feed.hub.subscribe(member).unwrap();
            store(&feed, member).await;
            feed.look().await.unwrap();
            assert!(feed.delay().last > Duration::ZERO);
        }
    }
}
